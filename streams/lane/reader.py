"""The consumer thread: what has to happen in the event loop of the aiokafka consumer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, cast

import aiokafka
from aiokafka.consumer.fetcher import FetchResult, OffsetResetStrategy
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.lane.lane import lane_of
from streams.lane.records import Record
from streams.lane.settings import LaneSettings

_STOPPING_POLL_S = 0.1


class Taken(NamedTuple):
    """Records by partition, stamped with the seek epoch and the generation in which they were read."""

    epoch: int
    generation: int
    records: Mapping[TP, list[Record]]
    ends: Mapping[TP, int]


NOTHING = Taken(-1, -1, {}, {})


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with fetch settings, one batch per partition and take, and atomic seeks."""

    epoch = 0
    heartbeat_at_s = 0.0
    _wake: asyncio.Event | None = None

    @property
    def _settings(self) -> LaneSettings:
        return lane_of(self.app).settings

    @property
    def generation(self) -> int:
        """The group's generation as this member knows it; -1 once the broker has disowned it."""
        consumer = self._consumer
        return -1 if consumer is None else int(consumer._coordinator.generation)

    async def on_start(self) -> None:
        """Create the consumer; watch its heartbeats."""
        self._wake = asyncio.Event()
        await super().on_start()
        self._watch_heartbeats(self._ensure_consumer()._coordinator)

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # The driver fixes these; aiokafka reads them when it starts.
        consumer._fetch_max_wait_ms = self._settings.fetch_max_wait_ms
        consumer._fetch_max_bytes = self._settings.fetch_max_bytes
        return consumer

    def _watch_heartbeats(self, coordinator: Any) -> None:
        heartbeat = coordinator._do_heartbeat

        async def watched() -> bool:
            asked_at_s = time.monotonic()
            alive = bool(await heartbeat())
            if alive:
                self.heartbeat_at_s = asked_at_s
            return alive

        coordinator._do_heartbeat = watched

    def end(self, tp: TP) -> int | None:
        """The partition's end by the last fetch, None before the first."""
        try:
            end: int | None = self._ensure_consumer().highwater(TopicPartition(*tp))
        except (AssertionError, IllegalStateError):
            return None  # just taken away
        return end

    # --- called by aiokafka in a rebalance; the main loop does the work, unless it is stopping and never will

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the main loop finish with its batches."""
        await self._unless_stopping(super().on_partitions_revoked(revoked))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let the main loop open its rows and recover."""
        await self._unless_stopping(super().on_partitions_assigned(assigned, generation_id))

    async def _unless_stopping(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        while not task.done() and not self.app.should_stop:
            await asyncio.wait([task], timeout=_STOPPING_POLL_S)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    # --- called from the main loop

    async def take(self, partitions: set[TP], max_records: int, timeout_s: float) -> Taken:
        """At most `max_records` of each partition; waits up to `timeout_s` for the first."""
        taken: Taken = await self.call_thread(self._take, partitions, max_records, timeout_s)
        return taken

    def wake(self) -> None:
        """End the wait of a take: another set of partitions is wanted. Thread-safe."""
        if self._wake is not None:
            self.thread_loop.call_soon_threadsafe(self._wake.set)

    async def pause(self, partitions: Iterable[TP]) -> None:
        """Stop fetching partitions that are assigned only for their place."""
        await self.call_thread(self._pause, [TopicPartition(*tp) for tp in partitions])

    async def rewind(self, partitions: Iterable[TP]) -> Mapping[TP, int | None]:
        """Seek all to their committed offsets, or to the beginning, at one instant; the offsets."""
        offsets: Mapping[TP, int | None] = await self.call_thread(
            self._rewind, [TopicPartition(*p) for p in partitions]
        )
        return offsets

    # --- in the thread

    async def _take(self, partitions: set[TP], max_records: int, timeout_s: float) -> Taken:
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            if not self._ready(fetcher, partitions):
                await self._arrival(fetcher, timeout_s)
            return self._drain(fetcher, partitions, max_records)

    def _ready(self, fetcher: Any, partitions: set[TP]) -> bool:
        return any(tp in partitions for tp in fetcher._records)

    async def _arrival(self, fetcher: Any, timeout_s: float) -> None:
        wake = cast(asyncio.Event, self._wake)
        waiter = fetcher._create_fetch_waiter()
        woken = asyncio.ensure_future(wake.wait())
        try:
            await asyncio.wait([waiter, woken], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            waiter.cancel()
            wake.clear()

    def _drain(self, fetcher: Any, partitions: set[TP], max_records: int) -> Taken:
        """Like aiokafka's `fetched_records`, but some of every partition instead of all of one. Never yields."""
        records: dict[TP, list[Record]] = {}
        ends: dict[TP, int] = {}
        if self.consumer.flow_active and not fetcher._subscriptions.reassignment_in_progress:
            for tp in [tp for tp in fetcher._records if tp in partitions]:
                if some := _some(fetcher, tp, max_records):
                    records[TP(*tp)] = some
                    ends[TP(*tp)] = fetcher._subscriptions.subscription.assignment.state_value(tp).highwater or 0
        return Taken(self.epoch, self.generation, records, ends)

    async def _pause(self, partitions: list[TopicPartition]) -> None:
        self.heartbeat_at_s = time.monotonic()  # an assignment has just come in: this member is alive
        self._ensure_consumer().pause(*partitions)

    async def _rewind(self, partitions: list[TopicPartition]) -> dict[TP, int | None]:
        consumer = self._ensure_consumer()
        committed = await consumer._coordinator.fetch_committed_offsets(partitions)
        assignment = consumer._subscription.subscription.assignment
        if assignment is None or not assignment.tps.issuperset(partitions):
            raise IllegalStateError("reassigned")
        # From here to the end nothing yields: records are read either before the seek and epoch, or after.
        offsets: dict[TP, int | None] = {}
        for tp in partitions:
            known = committed.get(tp)
            offsets[TP(*tp)] = _seek(consumer._fetcher, assignment, tp, known.offset if known else None)
        self.epoch += 1
        return offsets

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False if the group has moved on or the broker cannot now: the records will come again."""
        try:
            await self._ensure_consumer().commit(
                {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
            )
        except (CommitFailedError, IllegalStateError):
            return False
        except KafkaError as error:
            self.log.warning("Commit failed, will be tried again: %s", type(error).__name__)
            return False
        return True


def _some(fetcher: Any, tp: TopicPartition, max_records: int) -> list[Record]:
    fetched = fetcher._records[tp]
    if type(fetched) is not FetchResult:
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
        fetched.check_raise()
    # Read when the fetcher unpacks: it saves making aiokafka's own record, which costs more than the rest.
    fetched._partition_records._consumer_record = _record
    records: list[Record] = fetched.getall(max_records)
    if not fetched.has_more():
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
    return records


def _record(tp: TopicPartition, raw: Any) -> Record:
    headers = raw.headers
    return Record(
        tp.topic, tp.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(headers) if headers else ()
    )


def _seek(fetcher: Any, assignment: Any, tp: TopicPartition, offset: int | None) -> int | None:
    if offset is not None and offset >= 0:
        fetcher.seek_to(tp, offset)
        return offset
    assignment.state_value(tp).await_reset(OffsetResetStrategy.EARLIEST)
    fetcher._records.pop(tp, None)
    fetcher._notify(fetcher._wait_consume_future)
    return None
