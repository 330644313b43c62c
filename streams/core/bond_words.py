"""Why records belong together, in words: what bound each, which merges followed, and what an old row cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.core.bonds import ALONE, CLAIMED, MADE, NAMED, REFUSED, UNLINKED, kind_of, mark_of, parts_of
from streams.core.identity import Row
from streams.core.rules import Policy
from streams.core.state import Customer, Join
from streams.model import format_time

_KINDS = {"external": "an external id", "email": "an e-mail address", "phone": "a phone number"}


def asked_keys(row: Row) -> list[str]:
    """The row of the identifier that bound this record, which says who else had named it; none where it is unknown."""
    _, _, mark = parts_of(row.bond)
    return [key for key in row.claimed if mark and mark_of(key) == mark][:1]


def bond_view(name: str, row: Row | None, others: Mapping[str, Row], policy: Policy) -> dict[str, Any]:
    """Why a record belongs to its customer; `others` are the rows of `asked_keys`.

    `by`: the kind of identifier or one of `core/bonds.py`, "" where it is not known; `change_id`: the record's change
    that was bound; `identifier`: its value, and the record and the change that named it first; `rule`, `why`.
    """
    by, change_id, _ = parts_of(row.bond if row is not None else "")
    keys = asked_keys(row) if row is not None else []
    identifier = _identifier(keys[0], others.get(keys[0]), name) if keys else None
    claimer = parts_of(row.first if row is not None and by == CLAIMED else "")
    return {
        "record": name,
        "by": by,
        "change_id": change_id or None,
        "identifier": identifier,
        "rule": _rule(by, policy),
        "why": _why(name, by, change_id, identifier, claimer[0], claimer[1]),
    }


def _identifier(key: str, row: Row | None, own: str) -> dict[str, Any]:
    record, change_id, _ = parts_of(row.first if row is not None else "")
    known = record not in ("", own)
    return {
        "kind": kind_of(key),
        "value": key.partition(":")[2] if key.startswith("@") else key,
        "first_named_by": record if known else None,
        "first_change_id": change_id if known else None,
    }


def _rule(by: str, policy: Policy) -> str:
    match by:
        case "external" | "email" | "phone" | "claimed":
            return f"identity.match ({', '.join(policy.identity.match)})"
        case "refused":
            return "platforms.<platform>.unique or max_records"
        case "customer_id":
            return "an unbound record binds to the customer_id of its change"
        case "unlinked":
            return "a steward's unlink"
        case "made":
            return "platforms.<platform>.create"
        case "alone":
            return "nothing matches: a new customer"
    return ""


def _why(name: str, by: str, change_id: str, identifier: dict[str, Any] | None, claimer: str, claimed_in: str) -> str:
    change = f"change {change_id}" if change_id else "a change"
    match by:
        case "external" | "email" | "phone":
            return f"{change} named {_shared(by, identifier)}"
        case _ if by == CLAIMED:
            who = f"{claimer} in change {claimed_in}" if claimer else "another record"
            return f"{who} had named {name} as an external id before it spoke"
        case _ if by == NAMED:
            return f"{change} named this customer"
        case _ if by == ALONE:
            return f"nothing that {change} named was known, so that the record became a customer of its own"
        case _ if by == REFUSED:
            return f"the customer that {change} led to may not have another record of this platform"
        case _ if by == UNLINKED:
            return "a steward took it out of another customer"
        case _ if by == MADE:
            return "a command of ours made it at its platform"
    return "it was bound before this was kept, or its row does not tell"


def _shared(kind: str, identifier: dict[str, Any] | None) -> str:
    """The identifier, and who had named it."""
    if identifier is None:
        return f"{_KINDS[kind]} of this customer"
    before = f", which {identifier['first_named_by']} had named in change {identifier['first_change_id']}"
    return f"{_KINDS[kind]} of this customer: {identifier['value']}{before if identifier['first_named_by'] else ''}"


# Merges


def joins_view(state: Customer) -> list[dict[str, Any]]:
    """The customers that became part of this one, in order: who asked, or which identifier under which rule."""
    return [_join(one) for one in state.joins]


def _join(join: Join) -> dict[str, Any]:
    return {
        "customer_id": join.other_id,
        "at": format_time(join.at),
        "request_id": join.request_id,
        "by": join.by,
        "why": join.why,
        "identifier": join.identifier or None,
        "record": join.record or None,
        "change_ids": join.change_ids,
        "rule": f"identity.{join.rule}" if join.rule else None,
        "words": _join_words(join),
    }


def _join_words(join: Join) -> str:
    if join.identifier:
        kind = _KINDS.get(join.identifier, join.identifier)
        changes = f" in change {', '.join(join.change_ids)}" if join.change_ids else ""
        record = join.record or "a record of one"
        return f"{record} named {kind} of the other{changes}, and identity.{join.rule or 'merge'} lets such two be one"
    who = join.by or "a steward"
    return f"{who} asked for it{f': {join.why}' if join.why else ''}"
