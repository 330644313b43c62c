"""Writing record batches to explicit partitions, and knowing that they have arrived."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError
from faust.transport.drivers import aiokafka as driver

from streams.lane.errors import Refused, TooLarge
from streams.lane.murmur import partition_of
from streams.lane.records import Emit
from streams.lane.settings import LaneSettings

if TYPE_CHECKING:
    from streams.lane.app import LaneApp

_Builder = Any  # aiokafka's BatchBuilder has no public name
_OVERHEAD_BYTES = 128  # of a batch and a record around key, value and headers


class Producer(driver.Producer):
    """Faust's producer with the lane's settings: all replicas, and idempotent without transactions where allowed."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": cast("LaneApp", self.app).lane.settings.idempotent}

    @property
    def client(self) -> AIOKafkaProducer:
        """The running aiokafka producer. Raises NotReady before the start."""
        return self._ensure_producer()


class Outbox:
    """Sends records in the order given within each partition; returns when every replica in sync has them."""

    def __init__(self, producer: Producer, settings: LaneSettings) -> None:
        self._producer = producer
        self._settings = settings
        self._counts: dict[str, int] = {}
        self._refresh_at_s = 0.0

    async def send(self, emits: Sequence[Emit], default_partition: int) -> None:
        """Write the emits; `default_partition` is for those with neither partition nor key."""
        if not emits:
            return
        counts = await self._partition_counts({emit.topic for emit in emits})
        batches = _Batches(self._producer.client, self._settings.producer_single_record_batches)
        for emit in emits:
            batches.add(emit.topic, _partition(emit, counts[emit.topic], default_partition), emit)
        await batches.deliver()

    async def send_rows(self, topic: str, partition: int, rows: Mapping[bytes, bytes | None]) -> int | None:
        """Write a table's changed rows to its changelog; the last offset, None if the broker did not tell."""
        batches = _Batches(self._producer.client, self._settings.producer_single_record_batches)
        for key, value in rows.items():
            batches.add(topic, partition, Emit(topic, key, value))
        return await batches.deliver()

    def require_fit(self, emits: Iterable[Emit]) -> None:
        """Raise TooLarge for the first emit over the record limit."""
        limit = self._settings.record_max_bytes
        for emit in emits:
            if (size := size_bytes(emit)) > limit:
                raise TooLarge(f"topic {emit.topic}", size, limit)

    async def _partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        now = time.monotonic()
        if now > self._refresh_at_s:
            self._counts.clear()
            self._refresh_at_s = now + self._settings.partitions_refresh_s
        for topic in topics:
            if topic not in self._counts:
                self._counts[topic] = await self._count(topic)
        return self._counts

    async def _count(self, topic: str) -> int:
        try:
            return len(await self._producer.client.partitions_for(topic))
        except UnknownTopicOrPartitionError:
            raise Refused(f"Topic {topic} does not exist. Create the topics first, then start again.") from None


def size_bytes(emit: Emit) -> int:
    """What counts against the record limit: key, value, headers."""
    size = len(emit.key or b"") + len(emit.value or b"")
    return size + sum(len(name) + len(value) for name, value in emit.headers) if emit.headers else size


def _partition(emit: Emit, count: int, default: int) -> int:
    if emit.partition is not None:
        return emit.partition
    if emit.key is not None:
        return partition_of(emit.key, count)
    return default % count


class _Batches:
    """Fills aiokafka batches per partition and hands them over, oldest first."""

    def __init__(self, client: AIOKafkaProducer, single: bool) -> None:
        self._client = client
        self._single = single
        self._by_partition: dict[tuple[str, int], list[_Builder]] = {}

    def add(self, topic: str, partition: int, emit: Emit) -> None:
        """Append to the open batch of the partition, or to a new one when it is full."""
        target = (topic, partition)
        builders = self._by_partition.get(target)
        if builders is None:
            builders = self._by_partition[target] = [self._client.create_batch()]
        elif self._single:
            builders.append(self._client.create_batch())
        if not _append(builders[-1], emit):
            builders.append(self._client.create_batch())
            _append(builders[-1], emit)

    async def deliver(self) -> int | None:
        """Send everything and wait for the acknowledgements; the last offset written, None if unknown."""
        deliveries = []
        rounds = max((len(builders) for builders in self._by_partition.values()), default=0)
        for number in range(rounds):
            for (topic, partition), builders in self._by_partition.items():
                if number < len(builders):
                    builder = builders[number]
                    builder.close()
                    sent = await self._client.send_batch(builder, topic, partition=partition)
                    deliveries.append((sent, builder.record_count()))
        written = await asyncio.gather(*(sent for sent, _ in deliveries))
        if not written or written[-1].offset < 0:
            return None
        last_offset: int = written[-1].offset + deliveries[-1][1] - 1
        return last_offset


def _append(builder: _Builder, emit: Emit) -> bool:
    appended = builder.append(timestamp=emit.timestamp_ms, key=emit.key, value=emit.value, headers=list(emit.headers))
    return appended is not None
