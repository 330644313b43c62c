"""Identity: every change finds its customer, one step at one row at a time (I1, I2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streams.codec import PublicCodec
from streams.codec.internal import encode
from streams.codec.moves import encode_move
from streams.codec.versioned import Versioned
from streams.core.decide import check_change
from streams.core.forgetting import Forgetting
from streams.core.identity import Arrive, Hop, Message, row_key, step
from streams.core.known import goes_straight
from streams.core.merging import proposed
from streams.core.rules import Policy
from streams.lane import Batch, Done, Emit, Record, Rows, TooLarge, partition_of
from streams.model import Change, Invalid, Millis, Retry
from streams.runtime import topics
from streams.runtime.fenced_rows import FencedRows, ends
from streams.runtime.letters import Letters, alerts
from streams.runtime.metrics import RECORDS, Tally

RETRY_S: Final = 5.0

_messages: Final = Versioned[Message](Message, b"\x01", "identity message")
encode_message: Final = _messages.encode
decode_message: Final = _messages.decode


class Binder:
    """Processor of `changes` and `identity`, over the table of identity rows."""

    def __init__(
        self, policy: Policy, codec: PublicCodec, letters: Letters, partitions: int, erasure_key: bytes
    ) -> None:
        self._policy = policy
        self._fenced = FencedRows(erasure_key)
        self._codec = codec
        self._letters = letters
        self._partitions = partitions

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The rows of the records' keys; a change with another key is passed on to its own partition."""
        return {record.key for record in batch.records if record.key is not None}

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """One step for each record."""
        emits: list[Emit] = []
        dead = 0
        tally = Tally()
        for record in batch.records:
            try:
                emits += self._step(record, rows, tally)
            except Invalid as invalid:
                dead += 1
                emits.append(self._letters.refuse(record, invalid, "VALUE_CONVERTER", __name__))
            except Retry as retry:
                # The schema registry does not answer: what was decided so far counts, the rest waits.
                tally.publish()
                return Done(emits, record.offset - 1, retry.after_s if retry.after_s is not None else RETRY_S)
        tally.publish()
        RECORDS.labels(batch.topic).inc(len(batch.records))
        self._letters.count(len(batch.records), dead)
        return Done(emits)

    def _step(self, record: Record, rows: Rows, tally: Tally) -> list[Emit]:
        key, message = self._message(record)
        if partition_of(key, self._partitions) != record.partition:
            # Keyed by something else, by another partitioner, or not at all: it goes to its row's partition first.
            return [Emit(topics.IDENTITY, key, encode_message(message), timestamp_ms=record.timestamp_ms)]
        row = self._fenced.load(rows, key)
        if isinstance(message, Arrive) and goes_straight(row, message.change, self._policy):
            return [_forwarded(row.customer or "", message.change, record.timestamp_ms)]
        hop = step(key.decode(), row, message, record.timestamp_ms, self._policy)
        try:
            self._fenced.store(rows, key, hop.row)
        except TooLarge as error:
            raise Invalid("too_large", f"identity row of {error.size_bytes} bytes") from None
        emits = _emits(hop, record.timestamp_ms)
        if hop.notes or hop.row.erased_at is not None or isinstance(message, Forgetting):
            tally.add(hop.notes)
            emits += [*ends(record, key, message, hop), *alerts(hop.notes, record.timestamp_ms)]
        return emits

    def _message(self, record: Record) -> tuple[bytes, Message]:
        if record.topic == topics.IDENTITY:
            message = decode_message(record.value)
            return (row_key(message.change).encode() if isinstance(message, Arrive) else record.key or b""), message
        change = self._codec.decode_change(record.value)
        check_change(change, self._policy)
        return row_key(change).encode(), Arrive(change)


def _forwarded(customer_id: str, change: Change, at: Millis) -> Emit:
    return Emit(topics.CUSTOMER_CHANGES, customer_id.encode(), encode(change), None, at)


def _emits(hop: Hop, timestamp_ms: int) -> list[Emit]:
    emits = [_forwarded(*forward) for forward in hop.forwards]
    for customer_id, move in map(proposed, hop.proposals):
        value = encode_move(move)
        emits.append(Emit(topics.CUSTOMER_CHANGES, customer_id.encode(), value, timestamp_ms=timestamp_ms))
    return emits + [
        Emit(topics.IDENTITY, key.encode(), encode_message(message), timestamp_ms=timestamp_ms)
        for key, message in hop.sends
    ]
