"""Sinks: one platform's commands delivered, its receipts and verdicts sent back."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from streams.codec import PublicCodec
from streams.codec.internal import encode
from streams.connectors.base import Client, Refetch
from streams.core.identity import row_key
from streams.delivery import Delivered, Delivery, fence_keys
from streams.lane import Batch, Done, Emit, Record, Rows
from streams.model import Change, Command, Invalid, Receipt, Retry
from streams.runtime import topics
from streams.runtime.letters import Letters
from streams.runtime.metrics import CIRCUIT_OPEN, RECEIPTS, RECORDS

log = logging.getLogger(__name__)


class Sink:
    """Processor of `commands.<platform>`, over the platform's fence."""

    def __init__(self, platform: str, delivery: Delivery, codec: PublicCodec, letters: Letters) -> None:
        self._platform = platform
        self._delivery = delivery
        self._codec = codec
        self._letters = letters
        # Offsets that were answered behind one that still waits, by partition, with the generation they belong to:
        # after a rebalance nothing is known of what was written.
        self._told: dict[tuple[str, int], tuple[int, set[int]]] = {}

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The fence rows of the batch's commands."""
        return fence_keys(one for record in batch.records if (one := self._readable(record)) is not None)

    def _readable(self, record: Record) -> Command | None:
        try:
            return self._codec.decode_command(record.value)
        except Invalid:
            return None

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Deliver; what is not finished is presented again, and the offset stays before it."""
        emits: list[Emit] = []
        told = self._told_in(batch)
        commands: list[tuple[Record, Command]] = []
        for record in batch.records:
            try:
                commands.append((record, self._codec.decode_command(record.value)))
            except Invalid as invalid:
                if record.offset not in told:
                    told.add(record.offset)
                    emits.append(self._letters.refuse(record, invalid, "VALUE_CONVERTER", __name__))
        delivered = await self._delivery.run([command for _, command in commands], rows)
        CIRCUIT_OPEN.labels(self._platform).set(0 if self._delivery.circuit.state == "closed" else 1)
        emits += self._answers(commands, delivered, told)
        done_offset = _done_offset(batch, commands, delivered)
        told.difference_update([offset for offset in told if done_offset is None or offset <= done_offset])
        RECORDS.labels(batch.topic).inc(delivered.done)
        return Done(emits, done_offset, delivered.retry_after_s if done_offset is not None else 0.0)

    def _told_in(self, batch: Batch) -> set[int]:
        generation, told = self._told.get((batch.topic, batch.partition), (batch.generation, set()))
        if generation != batch.generation:
            told = set()
        self._told[(batch.topic, batch.partition)] = (batch.generation, told)
        return told

    def _answers(self, commands: list[tuple[Record, Command]], delivered: Delivered, told: set[int]) -> list[Emit]:
        """Receipts, each once, also of commands that were finished behind one that waits."""
        emits = [self._change(change) for change in delivered.changes]
        for failure in delivered.failures:
            record = commands[failure.position][0]
            if record.offset not in told:
                emits.append(
                    self._letters.refuse(record, Invalid(failure.reason, failure.detail), "TASK_PUT", __name__)
                )
        for (record, _), receipt in zip(commands, delivered.receipts, strict=True):
            if receipt is not None and record.offset not in told:
                told.add(record.offset)
                emits.append(self._receipt(receipt))
        return emits

    def _receipt(self, receipt: Receipt) -> Emit:
        RECEIPTS.labels(self._platform, receipt.outcome).inc()
        return Emit(topics.RECEIPTS, (receipt.customer_id or "").encode(), encode(receipt))

    def _change(self, change: Change) -> Emit:
        return Emit(topics.CHANGES, row_key(change).encode(), self._codec.encode_change(change))


def _done_offset(batch: Batch, commands: list[tuple[Record, Command]], delivered: Delivered) -> int | None:
    """None: all of it; else the offset before the first command that is not finished."""
    if delivered.complete:
        return None
    waiting = commands[delivered.done][0].offset
    return max((one.offset for one in batch.records if one.offset < waiting), default=batch.first_offset - 1)


class Refetcher:
    """Processor of `refetch.<platform>`: records whose event came without its values are read again."""

    def __init__(self, platform: str, client: Client, codec: PublicCodec, letters: Letters) -> None:
        self._platform = platform
        self._client = client
        self._codec = codec
        self._letters = letters

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """No rows."""
        return ()

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Read record by record; a platform that is down makes the rest wait."""
        emits: list[Emit] = []
        for record in batch.records:
            try:
                emits += await self._fetched(record)
            except Invalid as invalid:
                emits.append(self._letters.refuse(record, invalid, "TASK_PUT", __name__))
            except Retry as retry:
                log.info("Refetch of %s waits: %s", self._platform, retry.reason)
                return Done(emits, record.offset - 1, retry.after_s if retry.after_s is not None else 5.0)
        return Done(emits)

    async def _fetched(self, record: Record) -> list[Emit]:
        try:
            wanted = msgspec.json.decode(record.value or b"", type=Refetch)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Invalid("bad_message", "refetch request") from None
        change = await self._client.fetch(wanted.record_id)
        if change is None:
            return []
        return [Emit(topics.CHANGES, row_key(change).encode(), self._codec.encode_change(change))]
