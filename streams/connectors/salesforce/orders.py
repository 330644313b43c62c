"""Commands as rows of an sObject Collections request. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeAlias

from streams.connectors.base import Refused
from streams.connectors.salesforce.fields import (
    ADDRESSES,
    ENTITY,
    OPTED_OUT,
    SCALARS,
    address_fields,
    scalar_fields,
)
from streams.model import Assignment, Command, ConsentOrder

RowKind: TypeAlias = Literal["update", "create", "erase"]
# What an erasure writes before it deletes: the recycle bin keeps the row for fifteen days. A last name is required.
WIPED = "Erased"


class Row(NamedTuple):
    """One record of a request. `unsaid` names what the command says and a Contact has no place for."""

    kind: RowKind
    fields: dict[str, Any]
    unsaid: tuple[str, ...] = ()

    @property
    def record_id(self) -> str:
        """The Contact's id; not for a create."""
        return str(self.fields["id"])


class Shape(NamedTuple):
    """The org's own: the external-id field for our customer id, and whether it takes state and country codes."""

    customer_field: str
    codes: bool


def row_of(command: Command, shape: Shape) -> Row | Refused:
    """The row of one command, or why Salesforce can never take it."""
    if command.op == "validate":
        return Refused("unsupported_op")
    typed: dict[str, Any] = {"attributes": {"type": ENTITY}}
    if command.op == "create":
        key = {shape.customer_field: command.customer_id}
    elif command.record_id is None:
        return Refused("no_record_id")
    else:
        key = {"id": command.record_id}
    if command.op == "erase":
        return Row("erase", typed | key | _wiped(shape))
    said, unsaid = _said(command, shape)
    if not said:
        return Refused(unsaid[0] if unsaid else "nothing_to_say")
    return Row(command.op, typed | key | said, unsaid)


def _said(command: Command, shape: Shape) -> tuple[dict[str, Any], tuple[str, ...]]:
    said: dict[str, Any] = {}
    unsaid: list[str] = []
    for attribute, assignment in command.attributes.items():
        if attribute in SCALARS:
            said |= scalar_fields(attribute, assignment)
        elif attribute in ADDRESSES:
            said |= address_fields(attribute, assignment, shape.codes)
        else:
            unsaid.append("unsupported_attribute")
    decisions: set[str] = set()
    for consent in command.consents:
        why = unsupported(consent)
        if why is None:
            decisions.add(consent.decision)
        else:
            unsaid.append(why)
    if decisions:
        # One checkbox for the whole Contact: an opt-out of any of its addresses sets it.
        said[OPTED_OUT] = "opt_out" in decisions
    return said, tuple(unsaid)


def unsupported(consent: ConsentOrder) -> str | None:
    """Why a Contact is not told of a consent; None where it is marketing by e-mail.

    The box has no date and is empty unless somebody ticked it, perhaps before we knew the record: to untick it undoes
    an opt-out, which takes an explicit opt-in.
    """
    if consent.channel != "email":
        return "unsupported_channel"
    if consent.purpose != "marketing":
        return "unsupported_purpose"
    return "opt_in_not_explicit" if consent.decision == "opt_in" and not consent.explicit else None


def _wiped(shape: Shape) -> dict[str, Any]:
    emptied = Assignment(clear=True)
    fields: dict[str, Any] = dict.fromkeys(SCALARS.values())
    for attribute in ADDRESSES:
        fields |= address_fields(attribute, emptied, shape.codes)
    return fields | {SCALARS["last_name"]: WIPED, OPTED_OUT: True}


def unsaid_detail(unsaid: Iterable[str]) -> str | None:
    """What was left out, for a receipt."""
    return ",".join(sorted(set(unsaid))) or None
