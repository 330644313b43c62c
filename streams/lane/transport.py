"""Faust's aiokafka transport, with batches of records in the place of messages for the lane's topics.

A batch travels through conductor, queue and stream as one message. What Faust believes about that message's
acknowledgement is ignored: only a finished checkpoint moves the offset that is committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import aiokafka
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode import Service

from streams.lane.errors import Refused, stop_refused
from streams.lane.lane import Lane, PartitionStats, lane_of
from streams.lane.producer import Producer
from streams.lane.reader import NOTHING, ConsumerThread, Taken
from streams.lane.records import Batch, Record

log = logging.getLogger(__name__)

_IDLE_WAIT_S = 1.0


class Consumer(driver.Consumer):
    """Delivers batches, bounds what is in hand, and commits what checkpoints report as done."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_hand: Counter[TP] = Counter()
        self._done: dict[TP, int] = {}
        self._room = asyncio.Event()
        self._progress: dict[TP, _Progress] = defaultdict(_Progress)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _lane(self) -> Lane:
        return lane_of(self.app)

    # --- ownership

    def owns(self, batch: Batch) -> bool:
        """Whether the batch was read in the generation in which this member is alive, by its last heartbeat."""
        return batch.generation == self._thread.generation and self.lease_s() > 0

    def lease_s(self) -> float:
        """Until the group gives this member up, if no further heartbeat succeeds."""
        return self._lane.settings.session_timeout_s - (time.monotonic() - self._thread.heartbeat_at_s)

    def owns_partition(self, topic: str, partition: int) -> bool:
        """Whether the partition is assigned to this worker and being worked on."""
        return self.flow_active and TP(topic, partition) in self._get_active_partitions()

    def done(self, batch: Batch, next_offset: int) -> None:
        """Everything of the batch's partition below `next_offset` may be committed."""
        if batch.generation == self.app.consumer_generation_id:
            tp = TP(batch.topic, batch.partition)
            self._done[tp] = next_offset
            self._progress[tp].count(batch, next_offset)

    def release(self, batch: Batch) -> None:
        """The batch is no longer in hand, finished or dropped: there is room for another."""
        if batch.generation == self.app.consumer_generation_id:
            self._in_hand[TP(batch.topic, batch.partition)] -= 1
            self._room.set()
            self._thread.wake()

    def stats(self) -> list[PartitionStats]:
        """How far the lane is in each partition of its topics that this worker holds."""
        held = sorted(tp for tp in self.assignment() if tp.topic in self._lane.topics)
        return [self._progress[tp].stats(tp, self._position(tp), self._thread.end(tp)) for tp in held]

    def _position(self, tp: TP) -> int:
        return self._done.get(tp) or self._committed_offset[tp] or 0

    # --- reading

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's fetcher loop: read whatever there is room for, hand it over."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                taken = await self._take()
                for tp, records in taken.records.items():
                    await self._hand_over(tp, records, taken)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise
        except CorruptRecordException as error:
            what = f"A record cannot be read ({error}). Restore the topic on the broker, or move the group beyond it."
            stop_refused(log, Refused(what))

    async def _take(self) -> Taken:
        if not self.flow_active:
            await self._wait(self.can_resume_flow)
        wanted = self._with_room()
        if not wanted:
            self._room.clear()
            await self._wait(self._room)
            return NOTHING
        return await self._thread.take(wanted, self._lane.settings.batch_max_records, _IDLE_WAIT_S)

    async def _wait(self, event: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(event.wait(), _IDLE_WAIT_S)
        except TimeoutError:
            return

    def _with_room(self) -> set[TP]:
        if not self.flow_active:
            return set()
        full = self._lane.settings.batches_max
        return {
            tp
            for tp in self._get_active_partitions() | self._buffered_partitions
            if self._in_hand[tp] < full and not self._is_changelog_tp(tp)
        }

    async def _hand_over(self, tp: TP, records: Sequence[Record], taken: Taken) -> None:
        self.app.monitor.track_tp_end_offset(tp, taken.ends[tp])
        messages = self._messages(tp, records, taken.generation)
        for message in messages:
            if taken.epoch != self._thread.epoch or not self.flow_active:
                return  # read before a seek that will bring these records again
            if tp.topic in self._lane.topics:
                self._in_hand[tp] += 1
            await self.wait_first(self.callback(message), self.suspend_flow.wait())
            self._read_offset[tp] = message.offset

    def _messages(self, tp: TP, records: Sequence[Record], generation: int) -> Iterator[ConsumerMessage]:
        if tp.topic not in self._lane.topics:
            return (_single(record, tp, generation) for record in records)
        parts = split(records, self._lane.settings.batch_max_bytes)
        return (_message(Batch(tp.topic, tp.partition, part, generation), tp) for part in parts)

    # --- acknowledging

    def ack(self, message: Message) -> bool:
        """Faust's acknowledgement; for the lane's topics it means nothing."""
        if message.topic in self._lane.topics:
            message.acked = True
            return False
        return super().ack(message)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from (tp for tp in self._done if topics is None or tp in topics or tp.topic in topics)
        yield from super()._filter_tps_with_pending_acks(topics)

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic in self._lane.topics:
            return self._done.get(tp)
        return super()._new_offset(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        assigned = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if any(tp.topic not in self._lane.topics for tp in ours):
            await self.app.producer.flush()
        if not ours or not await self._commit(ours):
            return False
        self._committed_offset.update(ours)
        self.app.monitor.on_tp_commit(ours)
        return True

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """Nothing: Faust's crashes the worker when a partition has no position yet. `Lane.stats` shows what stalls."""

    # --- rebalancing and stopping

    async def wait_empty(self) -> None:
        """Come to rest, then commit: bounded by the drain timeout and the delivery timeout."""
        await self._lane.settle()
        await self.maybe_wait_for_commit_to_finish()  # it may have begun before the last acknowledgements
        await self.commit()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish or drop what is in hand and commit it while still a member; then Faust's own steps."""
        self.stop_flow()
        self.app.flow_control.suspend()
        await self.wait_empty()
        self._done.clear()
        self._in_hand.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start afresh from the committed offsets."""
        self._done.clear()
        self._in_hand.clear()
        await self._thread.pause({tp for tp in assigned if self._is_changelog_tp(tp)})
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Go to the committed offsets, or to the beginning where there are none."""
        try:
            committed = await self._thread.rewind({tp for tp in self.assignment() if not self._is_changelog_tp(tp)})
        except IllegalStateError:
            return  # another rebalance has begun; it will seek
        self._in_hand.clear()
        self._read_offset.update(committed)
        self._committed_offset.update(committed)


class _Progress:
    """Counts of one partition since this worker got it first."""

    def __init__(self) -> None:
        self._batches = 0
        self._records = 0
        self._at_s = time.monotonic()

    def count(self, batch: Batch, next_offset: int) -> None:
        self._batches += 1
        rest = batch.after(next_offset - 1) if next_offset <= batch.last_offset else None
        self._records += len(batch.records) - (len(rest.records) if rest else 0)
        self._at_s = time.monotonic()

    def stats(self, tp: TP, position: int, end: int | None) -> PartitionStats:
        lag = None if end is None else max(0, end - position)
        idle_s = time.monotonic() - self._at_s
        return PartitionStats(*tp, position, lag, self._batches, self._records, idle_s)


class Transport(driver.Transport):
    """The aiokafka transport with the lane's consumer and producer."""

    Consumer = Consumer
    Producer = Producer
    driver_version = f"aiokafka={aiokafka.__version__} (lane)"


def split(records: Sequence[Record], max_bytes: int) -> Iterator[list[Record]]:
    """Runs of records of at most `max_bytes` of keys and values each, at least one record each."""
    sizes = [len(record.key or b"") + len(record.value or b"") for record in records]
    if sum(sizes) <= max_bytes:
        yield list(records)
        return
    part: list[Record] = []
    size = 0
    for record, record_bytes in zip(records, sizes, strict=True):
        if part and size + record_bytes > max_bytes:
            yield part
            part, size = [], 0
        part.append(record)
        size += record_bytes
    if part:
        yield part


def _single(record: Record, tp: TP, generation: int) -> ConsumerMessage:
    """A message as Faust knows it, for topics outside the lane."""
    at_s = record.timestamp_ms / 1000.0
    headers = list(record.headers)
    return ConsumerMessage(
        *tp, record.offset, at_s, 0, headers, record.key, record.value, None, tp=tp, generation_id=generation
    )


def _message(batch: Batch, tp: TP) -> ConsumerMessage:
    """The whole batch as one message, at the offset of its last record."""
    last = batch.records[-1]
    value = cast(bytes, batch)
    at_s = last.timestamp_ms / 1000.0
    message = ConsumerMessage(
        *tp, last.offset, at_s, 0, None, None, value, None, 0, 0, tp, generation_id=batch.generation
    )
    message.tracked = True  # not Faust's business: it would wait for it at a rebalance without an end
    return message
