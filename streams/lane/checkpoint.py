"""The delivery guarantee, as one function. Read `checkpoint` and you know it; docs/delivery.md explains it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from streams.lane.producer import Outbox
from streams.lane.records import Batch, Done, Processor
from streams.lane.rows import Rows
from streams.lane.store import PartitionStore, Position

T = TypeVar("T")


class Table(Protocol):
    """The part of a table that a checkpoint needs."""

    name: str

    @property
    def changelog_name(self) -> str:
        """The topic that the changed rows go to."""
        ...

    def store(self, partition: int) -> PartitionStore:
        """The partition's database. Raises NotHere if this worker does not hold it."""
        ...


class Lost(Exception):
    """The partition is no longer ours: drop the batch, write nothing, acknowledge nothing."""


class LeaseExpired(Exception):
    """The broker has not heard of this worker for a session timeout, with a write under way."""


class Ownership(Protocol):
    """What the consumer tells and is told."""

    def lease_s(self) -> float:
        """How long the group will still count on this member if no further heartbeat succeeds."""
        ...

    def owns(self, batch: Batch) -> bool:
        """Whether the batch was read in the present generation and this member is alive in it."""
        ...

    def done(self, batch: Batch, next_offset: int) -> None:
        """Everything below `next_offset` may be committed."""
        ...


class Checkpointer:
    """Takes the batches of one agent through the steps."""

    def __init__(
        self,
        processor: Processor,
        table: Table | None,
        outbox: Outbox,
        ownership: Ownership,
        record_max_bytes: int,
        fault_step: int | None = None,
    ) -> None:
        self._processor = processor
        self._table = table
        self._outbox = outbox
        self._ownership = ownership
        self._record_max_bytes = record_max_bytes
        self._fault_step = fault_step

    async def checkpoint(self, batch: Batch, entering: Callable[[], None]) -> Done:
        """Process one batch and make the outcome durable; raises Lost if the partition went away before a write.

        A crash between any two steps is safe: before 5 the batch comes again and gives the same records.
        `entering` is called when the decision is made: from there the batch must not be cancelled.
        """
        rows = self._rows(batch)
        self._fault(0)

        # 1. Decide. Nothing outside this process has changed; the batch may be cancelled or dropped.
        done = await self._processor.process(batch, rows)
        self._outbox.require_fit(done.emits)
        entering()
        self._fault(1)

        # 2. The records for others, all acknowledged by the broker. Before the state: if we die after this, they are
        #    emitted again, the same; the other way round the state would know of records that nobody ever got.
        if done.emits:
            await self._while_owned(batch, self._outbox.send(done.emits, batch.partition))
        self._fault(2)

        # 3. The changed rows to the changelog, acknowledged. If we die after this, recovery reads them.
        position = await self._send_rows(batch, rows)
        self._fault(3)

        # 4. The same rows, the local rows and the changelog offset to RocksDB, in one write.
        self._write(batch, rows, position)
        self._fault(4)

        # 5. Acknowledge: the next commit covers it.
        self._ownership.done(batch, _next_offset(batch, done))
        self._fault(5)
        return done

    def _rows(self, batch: Batch) -> Rows:
        if self._table is None:
            return Rows("", None, (), self._record_max_bytes)
        store = self._table.store(batch.partition)
        return Rows(self._table.name, store, self._processor.keys(batch), self._record_max_bytes)

    async def _while_owned(self, batch: Batch, sending: Coroutine[Any, Any, T]) -> T:
        """Send only as an owner. What cannot be delivered before the group gives the partition to another must die
        with this process: a producer that goes on trying would write over the other's newer rows."""
        if not self._ownership.owns(batch):
            sending.close()
            raise Lost
        task = asyncio.ensure_future(sending)
        while not task.done():
            await asyncio.wait([task], timeout=max(0.0, self._ownership.lease_s()))
            if not task.done() and self._ownership.lease_s() <= 0:
                raise LeaseExpired
        return task.result()

    async def _send_rows(self, batch: Batch, rows: Rows) -> Position | None:
        if self._table is None or not rows.written:
            return None
        sending = self._outbox.send_rows(self._table.changelog_name, batch.partition, rows.written)
        return await self._while_owned(batch, sending)

    def _write(self, batch: Batch, rows: Rows, position: Position | None) -> None:
        if self._table is not None and (rows.written or rows.local):
            self._table.store(batch.partition).write(rows.written, rows.local, position)

    def _fault(self, step: int) -> None:
        if self._fault_step == step:
            os.kill(os.getpid(), signal.SIGKILL)


def _next_offset(batch: Batch, done: Done) -> int:
    last = batch.last_offset if done.done_offset is None else min(done.done_offset, batch.last_offset)
    return max(last + 1, batch.first_offset)
