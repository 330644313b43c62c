"""Tombstones: records without a value, by which compaction removes what a topic holds under a key (K3).

Only an erasure writes them; the header tells them from a null value that somebody sent by mistake. What is dropped
because its customer is erased is followed by another one, so that it does not stay behind the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streams.lane import Batch, Done, Emit, Processor, Record, Rows
from streams.model import Millis

HEADER: Final = "writeback-erased"


def tombstone(topic: str, key: bytes, at: Millis, partition: int | None = None) -> Emit:
    """The end of everything that lies under a key of a topic."""
    return Emit(topic, key, None, partition, at, ((HEADER, b"1"),))


def follow(record: Record) -> list[Emit]:
    """The tombstone behind a record that was dropped, in its own partition; none where it has no key."""
    if record.key is None:
        return []
    return [tombstone(record.topic, record.key, record.timestamp_ms, record.partition)]


def is_tombstone(record: Record) -> bool:
    """True for what an erasure left."""
    return record.value is None and any(name == HEADER for name, _ in record.headers)


class Living:
    """A processor that is shown no tombstones: they speak to the broker's compaction alone."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The processor's."""
        return self._processor.keys(batch)

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """The batch without its tombstones; they are done."""
        if all(record.value is not None for record in batch.records):
            return await self._processor.process(batch, rows)
        records = [record for record in batch.records if not is_tombstone(record)]
        if not records:
            return Done()
        return await self._processor.process(Batch(batch.topic, batch.partition, records, batch.generation), rows)
