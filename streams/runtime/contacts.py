"""The published suppression of a contact point: the most restrictive over the customers that hold it (C1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

import msgspec

from streams.codec import PublicCodec
from streams.codec.versioned import Versioned
from streams.lane import Batch, Done, Emit, Record, Rows
from streams.model import Invalid
from streams.model.suppression import ConsentState, PublishedSuppression, SendableState
from streams.runtime import topics
from streams.runtime.erased_contacts import Hashed, decode, is_withdrawal, published, shunned
from streams.runtime.letters import Letters
from streams.runtime.tombstones import tombstone

VERSION: Final = b"\x01"
# A customer that does not hold the contact point any more: this byte, then its id.
WITHDRAWN: Final = b"\x02"
CUSTOMERS_MAX: Final = 1000

# The more restrictive first.
_RESTRICTIVE: Final = ("opted_out", "unknown", "pending", "opted_in")


class Holding(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One customer's effective consent for one (contact point, channel, purpose)."""

    customer_id: str
    channel: str
    purpose: str
    state: str
    sendable: bool
    reasons: tuple[str, ...]
    version: int


class ContactRow(msgspec.Struct, array_like=True):
    """All holdings of a contact point, by customer and `channel purpose`."""

    holdings: dict[str, dict[str, Holding]] = {}


_encoder = msgspec.msgpack.Encoder()
_holdings: Final = Versioned[Holding](Holding, VERSION, "holding")
_rows = msgspec.msgpack.Decoder(ContactRow)

encode_holding: Final = _holdings.encode


def withdrawal(customer_id: str) -> bytes:
    """For the topic `contacts`: the customer was merged, or a record that left it had brought the contact point."""
    return WITHDRAWN + customer_id.encode()


def decode_contact_row(stored: bytes) -> ContactRow:
    """A stored row."""
    return _rows.decode(memoryview(stored)[1:])


class Contacts:
    """Processor of `contacts`, over the table of contact points."""

    def __init__(self, codec: PublicCodec, letters: Letters) -> None:
        self._codec = codec
        self._letters = letters

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The contact points of the batch."""
        return {record.key for record in batch.records if record.key is not None}

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Fold the holdings, and publish each contact point that was spoken of once for the batch."""
        touched: dict[bytes, Record] = {}
        emits: list[Emit] = []
        dead = 0
        for record in batch.records:
            try:
                if is_withdrawal(record):
                    emits += self._withdrawn(record, rows, touched)
                    continue
                _fold(record, rows)
                touched[record.key or b""] = record
            except Invalid as invalid:
                emits.append(self._letters.refuse(record, invalid, "VALUE_CONVERTER", __name__))
                dead += 1
        self._letters.count(len(batch.records), dead)
        return Done([*emits, *(self._published(key, record, rows) for key, record in touched.items())])

    def _withdrawn(self, record: Record, rows: Rows, touched: dict[bytes, Record]) -> list[Emit]:
        """K3: the erased customer's holdings go; the row stays for those who hold the contact point too."""
        if record.key is None:
            raise Invalid("null_key", "the key is the contact point")
        told = decode(record)
        ended = tombstone(topics.CONTACTS, record.key, record.timestamp_ms)
        if isinstance(told, Hashed):
            rows.put(record.key, record.value or b"")
            return [self._emit(record, published(record.key.decode(), told))]
        stored = rows.get(record.key)
        row = decode_contact_row(stored) if stored is not None else ContactRow()
        for one in told.ids:
            row.holdings.pop(one, None)
        touched.pop(record.key, None)
        if not row.holdings:
            rows.delete(record.key)
            return [ended, tombstone(topics.SUPPRESSIONS, record.key, record.timestamp_ms)]
        rows.put(record.key, VERSION + _encoder.encode(row))
        touched[record.key] = record
        return [ended, *shunned(record, told, row.holdings)]

    def _published(self, key: bytes, record: Record, rows: Rows) -> Emit:
        row = decode_contact_row(rows.get(key) or VERSION + _encoder.encode(ContactRow()))
        found = publish(key.decode(), row, record.timestamp_ms)
        return self._emit(record, found)

    def _emit(self, record: Record, row: PublishedSuppression) -> Emit:
        value = self._codec.encode_suppression(row)
        return Emit(topics.SUPPRESSIONS, record.key, value, timestamp_ms=record.timestamp_ms)


def _fold(record: Record, rows: Rows) -> None:
    if record.key is not None and record.value is not None and record.value[:1] == WITHDRAWN:
        _withdraw(record.key, record.value[1:].decode(errors="replace"), rows)
        return
    if record.key is None:
        raise Invalid("null_key", "the key is the contact point")
    holding = _holdings.decode(record.value)
    stored = rows.get(record.key)
    row = decode_contact_row(stored) if stored is not None else ContactRow()
    mine = row.holdings.setdefault(holding.customer_id, {})
    name = f"{holding.channel} {holding.purpose}"
    if name in mine and mine[name].version > holding.version:
        return
    mine[name] = holding
    if len(row.holdings) > CUSTOMERS_MAX:
        raise Invalid("too_many", "customers of one contact point")
    rows.put(record.key, VERSION + _encoder.encode(row))


def _withdraw(key: bytes, customer_id: str, rows: Rows) -> None:
    stored = rows.get(key)
    row = decode_contact_row(stored) if stored is not None else ContactRow()
    if row.holdings.pop(customer_id, None) is not None:
        rows.put(key, VERSION + _encoder.encode(row))


def publish(contact_point: str, row: ContactRow, updated_at: int) -> PublishedSuppression:
    """The most restrictive state over the customers, for each channel and purpose."""
    names = sorted({name for mine in row.holdings.values() for name in mine})
    return PublishedSuppression(
        contact_point=contact_point,
        updated_at=updated_at,
        customer_count=len(row.holdings),
        states=tuple(_strictest([mine[name] for mine in row.holdings.values() if name in mine]) for name in names),
    )


def _strictest(held: list[Holding]) -> SendableState:
    state = min((one.state for one in held), key=_RESTRICTIVE.index)
    reasons = sorted({reason for one in held for reason in one.reasons})
    sendable = all(one.sendable for one in held)
    return SendableState(held[0].channel, held[0].purpose, cast(ConsentState, state), sendable, tuple(reasons))
