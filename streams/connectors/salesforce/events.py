"""A change event of a Contact: what it states, and what has to be read again because it does not say enough.

An UPDATE states only the fields that it lists. A listed scalar that is absent or null was cleared; a value that is
null and not listed says nothing; a value that is there and not listed is an enrichment, which names the contact point
but states nothing. Where the list itself cannot be read (bitmaps without their schema), the values that are there are
taken and the record is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.connectors.base import Refetch, Translation
from streams.connectors.merges import merged_into
from streams.connectors.salesforce.asked import Asked
from streams.connectors.salesforce.fields import (
    ADDRESSES,
    CUSTOMER_FIELD,
    ENTITY,
    MEMBERS,
    OPTED_OUT,
    address_of,
    decision_of,
    flag,
    identifiers,
    master_of,
    plain,
    row_members,
    text,
)
from streams.connectors.salesforce.header import Header, Own, entity_of, read_header
from streams.model import Address, Change, ConsentStatement, Statement

LOSERS_MAX = 2
_COMPOUND = {"first_name": "Name", "last_name": "Name", "email": "", "phone": ""}
_LEAF = {"first_name": "FirstName", "last_name": "LastName", "email": "Email", "phone": "Phone"}


def translate_event(
    platform: str, header: Mapping[str, Any], fields: Mapping[str, Any], own: Own, digest: str
) -> Translation:
    """One change for each record of the event; raises Invalid for a header that cannot be read."""
    entity = entity_of(header)
    if entity != ENTITY:
        return Translation(ignored=(f"entity:{entity}",))
    read = read_header(header, own)
    ignored = (f"wildcard:{read.word}",) * read.wildcards
    if read.change_type == "GAP":
        return Translation(ignored=ignored, refetch=tuple(Refetch(one, read.word) for one in read.record_ids))
    reading = _Reading(read, fields)
    reading.read()
    changes = tuple(
        change for one in read.record_ids if (change := reading.change(platform, one, own, digest)) is not None
    )
    refetch = tuple(Refetch(asked, why) for one in read.record_ids for asked, why in reading.again(one))
    if read.record_ids and not changes and not refetch:
        ignored += ("nothing_relevant",)
    return Translation(changes, ignored + tuple(reading.ignored), refetch)


class _Reading:
    """What one event says, gathered attribute by attribute."""

    def __init__(self, header: Header, fields: Mapping[str, Any]) -> None:
        self.header = header
        self.fields = fields
        self.attributes: dict[str, Statement] = {}
        self.consents: tuple[ConsentStatement, ...] = ()
        self.ignored: list[str] = []
        self.why: list[str] = []  # reasons to read the record again
        self.act: bool | None = None  # a consent act whose contact point is not in the event
        self.master = master_of(fields) if header.change_type == "DELETE" else None

    def read(self) -> None:
        """Gather everything but a deletion, which states nothing.

        A merge deletes the losers, at most two, and the event does not say so: the recycle bin does.
        """
        if self.header.change_type == "DELETE":
            if self.master is None and len(self.header.record_ids) <= LOSERS_MAX:
                self.why.append("deleted")
            return
        if self.header.change_type == "UPDATE" and self.header.listed is None:
            self.why.append("changed_fields_unknown")
        for attribute in _LEAF:
            self._state(attribute, self._scalar(attribute))
        for attribute, prefix in ADDRESSES.items():
            self._state(attribute, self._address(prefix))
        self._consent()

    def change(self, platform: str, record_id: str, own: Own, digest: str) -> Change | None:
        """The change for one record; None for an update that touches nothing of ours."""
        header = self.header
        if header.change_type == "UPDATE" and not self.attributes and not self.consents:
            return None
        change_id = f"{header.key or digest}:{record_id}"
        if self.master is not None:
            return merged_into(platform, record_id, self.master, change_id, header.at, header.sequence, header.actor)
        return Change(
            change_id=change_id,
            platform=platform,
            record_id=record_id,
            op="delete" if header.change_type == "DELETE" else "upsert",
            observed_at=header.at,
            sequence=header.sequence,
            actor=header.actor,
            origin="writeback" if header.ours else None,
            customer_id=text(plain(self.fields.get(CUSTOMER_FIELD))),
            identifiers=identifiers(self.fields, own.trust_email),
            attributes=self.attributes,
            consents=self.consents,
        )

    def again(self, record_id: str) -> list[tuple[str, str]]:
        """What to read again for one record, and why. Our own writes need no re-read: we know what we wrote."""
        if self.header.ours:
            return []
        at, sequence = self.header.at, self.header.sequence
        after = None if sequence is None else sequence | 1
        asked = [(Asked(record_id, at, after).text(), self.why[0])] if self.why else []
        if self.act is not None:
            asked.append(
                (Asked(record_id, at, sequence, decision_of(self.act)).text(), "consent_without_contact_point")
            )
        return asked

    def _state(self, attribute: str, statement: Statement | None) -> None:
        if statement is not None:
            self.attributes[attribute] = statement

    def _scalar(self, attribute: str) -> Statement | None:
        compound, leaf = _COMPOUND[attribute], _LEAF[attribute]
        held = plain(self.fields.get(compound)) if compound else None
        value = text(plain(held.get(leaf))) if isinstance(held, dict) else None
        value = value or text(plain(self.fields.get(leaf)))
        listed = self.header.listed
        if listed is None:
            return Statement(value=value) if value else None
        named = f"{compound}.{leaf}" in listed or leaf in listed
        if value:
            return Statement(value=value) if named or compound in listed else None
        return Statement(clear=True) if named else None

    def _address(self, prefix: str) -> Statement | None:
        """A partial address states the parts that are there; it cannot say that a part was cleared."""
        members = row_members({name: plain(value) for name, value in self.fields.items()}, prefix)
        address = address_of(members)
        told = any(address.parts().values())
        listed = self.header.listed
        if listed is None:
            return Statement(value=address) if told else None
        named = _members_listed(listed, prefix)
        if not named:
            return None
        cleared = {part for part in named if not _is_told(members, part)}
        if not told:
            return self._cleared_address(cleared)
        if cleared:
            self.ignored.append("address_part_cleared")
        if "street" in named and not address.line2 and not _is_whole(address):
            # The old second line would stay: only the whole address can say that it is gone.
            self.why.append("street_without_line2")
        return Statement(value=address)

    def _cleared_address(self, cleared: set[str]) -> Statement | None:
        if {"street", "city"} <= cleared:
            return Statement(clear=True)
        self.ignored.append("address_part_cleared")
        self.why.append("address_part_cleared")
        return None

    def _consent(self) -> None:
        """The checkbox, changed or set. A new contact's empty box is a default, nobody's opt-in."""
        header = self.header
        opted_out = flag(plain(self.fields.get(OPTED_OUT)))
        if header.listed is not None and OPTED_OUT not in header.listed:
            self._new_email(opted_out)
        elif opted_out is None:
            if header.listed is not None:
                self.why.append("consent_unreadable")
        elif opted_out or header.listed is not None:
            self._act(opted_out)
        else:
            self.ignored.append("consent_default")

    def _new_email(self, opted_out: bool | None) -> None:
        """A new e-mail comes without the standing opt-out, which the record as it stands will tell."""
        changed = "email" in self.attributes and self.attributes["email"].value is not None
        if changed and opted_out is True:
            self._act(True)
        elif changed and opted_out is None:
            self.why.append("email_changed")

    def _act(self, opted_out: bool) -> None:
        email = text(plain(self.fields.get("Email")))
        if email is None and self.header.ours:
            self.ignored.append("echo_without_contact_point")
        elif email is None:
            self.act = opted_out
        else:
            self.consents = (consent(email, opted_out, self.header.at),)


def consent(contact_point: str, opted_out: bool, at: int | None) -> ConsentStatement:
    """The checkbox as a decision; it carries no method, no evidence, and is never explicit."""
    return ConsentStatement(
        contact_point=contact_point, channel="email", purpose="marketing", decision=decision_of(opted_out), at=at
    )


def _members_listed(listed: frozenset[str], prefix: str) -> set[str]:
    """The parts of an address that are listed, dotted or flat; all of them where the compound is."""
    compound = f"{prefix}Address"
    if compound in listed:
        return set(MEMBERS)
    return {
        part
        for part, names in MEMBERS.items()
        for name in names
        if f"{compound}.{name}" in listed or prefix + name in listed
    }


def _is_told(members: Mapping[str, Any], part: str) -> bool:
    return any(text(plain(members.get(name))) for name in MEMBERS[part])


def _is_whole(address: Address) -> bool:
    return bool(address.line1 and address.city and address.postal_code and address.country)
