"""What goes in and out of the lane: bytes with their coordinates, in batches of one partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from streams.lane.rows import Rows

Headers = tuple[tuple[str, bytes], ...]


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One record as it lies in the topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Batch(msgspec.Struct, frozen=True):
    """Records of one partition in the order of their offsets, never empty, read in one generation of the group."""

    topic: str
    partition: int
    records: Sequence[Record]
    generation: int

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self.records[-1].offset

    def after(self, offset: int) -> Batch | None:
        """The rest behind `offset`, None if nothing is left."""
        rest = [record for record in self.records if record.offset > offset]
        return Batch(self.topic, self.partition, rest, self.generation) if rest else None


class Emit(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One record to write.

    `partition` None: murmur2 of the key over the topic's partitions, as Java's producer does; without a key the
    partition of the batch, modulo. `timestamp_ms` None: the time of writing.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    timestamp_ms: int | None = None
    headers: Headers = ()


class Done(msgspec.Struct, frozen=True):
    """What a processor decided about a batch.

    `done_offset` None: all of it. Lower than the last: only the records up to it are done; the rest is presented
    again, after `retry_after_s`, unless the partition is lost meanwhile. Below the first: nothing is done yet.
    """

    emits: Sequence[Emit] = ()
    done_offset: int | None = None
    retry_after_s: float = 0.0


class Processor(Protocol):
    """The pure or impure step between a batch and what must be written for it.

    It may be cancelled (a rebalance, a stop) and may see a record again after a crash. Any exception but
    CancelledError ends the process without acknowledging anything.
    """

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """Keys of the rows that `process` will want, to be read in one go; others are read one by one."""
        ...

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Decide. Writes to `rows` count only with the returned Done."""
        ...
