"""Change data capture: committed rows as change events in the shape that an event relay passes on."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from streams.sandbox.clock import zulu_ms
from streams.sandbox.salesforce.fields import ADDRESS_MEMBERS, COMPOUNDS, NAME_MEMBERS
from streams.sandbox.salesforce.org import By, Committed

FIRST_COMMIT = 1_745_500_706_683_617_281  # beyond 2^53, as in any org of some age


class ChangeEvent(NamedTuple):
    """One event; `about` is its first record."""

    about: str
    body: dict[str, Any]


class Captor:
    """Turns transactions into events; rows that changed alike in one transaction share an event.

    `enriched` fields are in every update, changed or not, as an event channel can be set up. With `masters` the event
    of a deletion says into which contact the record was merged, as a relay can add it; the org's own event does not.
    """

    def __init__(self) -> None:
        self.enriched: tuple[str, ...] = ()
        self.masters = False
        self._commits = itertools.count(FIRST_COMMIT, 7)

    def events(self, rows: Iterable[Committed], by: By, at_ms: int) -> list[ChangeEvent]:
        commit, transaction = next(self._commits), str(uuid.uuid4())
        alike: dict[str, tuple[Committed, list[str]]] = {}
        for row in rows:
            fields = json.dumps([row.change, row.changed, self._values(row)], sort_keys=True)
            alike.setdefault(fields, (row, []))[1].append(row.contact.id)
        return [
            ChangeEvent(ids[0], self._values(row) | _event(row, ids, by, at_ms, commit, transaction, place))
            for place, (row, ids) in enumerate(alike.values(), 1)
        ]

    def _values(self, row: Committed) -> dict[str, Any]:
        """The changed values, and those that enrich an update."""
        held = row.contact.fields if row.change == "UPDATE" else {}
        enriching = {name: held[name] for name in self.enriched if held.get(name) is not None}
        if self.masters and row.change == "DELETE" and row.contact.master:
            enriching["MasterRecordId"] = row.contact.master
        return enriching | changed_values(row)


def changed_values(row: Committed) -> dict[str, Any]:
    """The new values, members of compound fields under their compound; a field that was emptied is not among them."""
    names = row.contact.fields if row.change in ("CREATE", "UNDELETE") else row.changed
    values: dict[str, Any] = {}
    for name in names:
        value = row.contact.fields.get(name)
        if value is None or row.change not in ("CREATE", "UPDATE", "UNDELETE"):
            continue
        compound, _, member = dotted(name).rpartition(".")
        if compound:
            values.setdefault(compound, {})[member] = value
        else:
            values[name] = value
    return values


def dotted(name: str) -> str:
    """`MailingCity` as `MailingAddress.City`, `FirstName` as `Name.FirstName`; other fields as they are."""
    if name in NAME_MEMBERS:
        return f"Name.{name}"
    for prefix, compound in COMPOUNDS.items():
        member = name.removeprefix(prefix)
        if member != name and member in ADDRESS_MEMBERS:
            return f"{compound}.{member}"
    return name


def _event(
    row: Committed, ids: list[str], by: By, at_ms: int, commit: int, transaction: str, place: int
) -> dict[str, Any]:
    modified = zulu_ms(row.contact.modified_at)
    stamps: dict[str, Any] = {
        "CREATE": {"CreatedDate": zulu_ms(row.contact.created_at), "LastModifiedDate": modified},
        "UPDATE": {"LastModifiedDate": modified},
    }.get(row.change, {})
    header: dict[str, Any] = {
        "entityName": "Contact",
        "recordIds": ids,
        "changeType": row.change,
        "changeOrigin": by.origin,
        "transactionKey": transaction,
        "sequenceNumber": place,
        "commitTimestamp": at_ms,
        "commitNumber": commit,
        "commitUser": by.user,
    }
    if row.change == "UPDATE":
        header["changedFields"] = ["LastModifiedDate", *(dotted(name) for name in row.changed)]
    return {**stamps, "ChangeEventHeader": header}
