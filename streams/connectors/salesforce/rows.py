"""A Contact as a row, of a nightly full load or of a read: what the CRM has stored, never what somebody just did.

An opt-out is dated with the row, the latest moment at which it can have been decided. An empty checkbox is stated as
an opt-in without a time: that shows drift from an opt-out, and can never become somebody's opt-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from streams.connectors.base import Translation
from streams.connectors.merges import merged_into
from streams.connectors.salesforce.asked import Asked
from streams.connectors.salesforce.events import consent
from streams.connectors.salesforce.fields import (
    ADDRESSES,
    CUSTOMER_FIELD,
    ENTITY,
    OPTED_OUT,
    SCALARS,
    address_of,
    flag,
    identifiers,
    master_of,
    moment,
    record_id,
    row_members,
    text,
)
from streams.connectors.salesforce.header import Own, entity_of
from streams.model import Change, ConsentStatement, Invalid, Millis, Statement

PERSON = "*"  # the contact point that is the person as a whole


def translate_row(platform: str, row: Mapping[str, Any], own: Own, digest: str) -> Translation:
    """One row of a full load; raises Invalid("bad_row") for one without an id."""
    entity = _entity(row)
    if entity != ENTITY:
        return Translation(ignored=(f"entity:{entity}",))
    named = record_id(row.get("Id") or row.get("id"))
    if named is None:
        raise Invalid("bad_row", "Id")
    return Translation((_snapshot(platform, named, row, own, f"{digest}:{named}"),))


def _entity(row: Mapping[str, Any]) -> str:
    """The row's object by its `type`, plain or under `attributes`; untyped, by the prefix of its id."""
    attributes = row.get("attributes")
    name = row.get("type") or (attributes.get("type") if isinstance(attributes, dict) else None)
    if name is None:
        named = record_id(row.get("Id") or row.get("id"))
        if named is None:
            raise Invalid("bad_row", "type")
        return ENTITY if named.startswith("003") else "untyped"
    return entity_of({"entityName": name})


def _snapshot(platform: str, named: str, row: Mapping[str, Any], own: Own, change_id: str) -> Change:
    at = moment(row.get("LastModifiedDate"))
    if flag(row.get("IsDeleted")):
        if (master := master_of(row)) is not None:
            return merged_into(platform, named, master, change_id, at, actor="import", kind="snapshot")
        return Change(change_id, platform, named, kind="snapshot", op="delete", observed_at=at, actor="import")
    return _change(platform, named, row, own, change_id, "upsert", at)


def restatement(platform: str, asked: Asked, row: Mapping[str, Any], own: Own, read_at: Millis) -> Change:
    """The record as read now; not older than the event after which it was asked for."""
    at = moment(row.get("LastModifiedDate"))
    later = at is not None and (asked.at is None or at > asked.at)
    change_id = f"{asked.record_id}:read:{read_at}"
    return _change(
        platform, asked.record_id, row, own, change_id, "restate", at if later else asked.at,
        None if later else asked.sequence,
    )  # fmt: skip


def merger(platform: str, asked: Asked, row: Mapping[str, Any]) -> Change | None:
    """The merge by which a deleted record went, dated with the deletion that was asked about; None for any other."""
    master = master_of(row)
    if master is None or asked.decision is not None:
        return None
    return merged_into(platform, asked.record_id, master, f"{asked.text()}:merged", asked.at, asked.sequence)


def consent_act(platform: str, asked: Asked, row: Mapping[str, Any]) -> Change | None:
    """The act that an event stated without a contact point, dated with the event, for the e-mail read now.

    Where the record or its e-mail is gone the opt-out is the person's: too wide beats lost. An opt-in is then nobody's.
    None where no act was asked for, or it is nobody's.
    """
    if asked.decision is None:
        return None
    opted_out = asked.decision == "opt_out"
    contact_point = text(row.get("Email")) or (PERSON if opted_out else None)
    if contact_point is None:
        return None
    return Change(
        change_id=asked.text(),
        platform=platform,
        record_id=asked.record_id,
        observed_at=asked.at,
        sequence=asked.sequence,
        consents=(consent(contact_point, opted_out, asked.at),),
    )


def _change(
    platform: str,
    named: str,
    row: Mapping[str, Any],
    own: Own,
    change_id: str,
    op: Literal["upsert", "restate"],
    at: Millis | None,
    sequence: int | None = None,
) -> Change:
    return Change(
        change_id=change_id,
        platform=platform,
        record_id=named,
        kind="snapshot",
        op=op,
        observed_at=at,
        sequence=sequence,
        actor="import",
        customer_id=text(row.get(CUSTOMER_FIELD)),
        identifiers=identifiers(row, own.trust_email),
        attributes=_attributes(row),
        consents=_consents(row, at),
    )


def _attributes(row: Mapping[str, Any]) -> dict[str, Statement]:
    """What each attribute's fields state; all of them null is a counted nothing, all of them absent is nothing (R5)."""
    stated = {attribute: Statement(value=text(row[field])) for attribute, field in SCALARS.items() if field in row}
    for attribute, prefix in ADDRESSES.items():
        address = address_of(row_members(row, prefix))
        if any(address.parts().values()):
            stated[attribute] = Statement(value=address)
        elif prefix + "Street" in row or prefix + "Address" in row:
            stated[attribute] = Statement()
    return stated


def _consents(row: Mapping[str, Any], at: Millis | None) -> tuple[ConsentStatement, ...]:
    email, opted_out = text(row.get("Email")), flag(row.get(OPTED_OUT))
    if email is None or opted_out is None:
        return ()
    return (consent(email, opted_out, at if opted_out else None),)
