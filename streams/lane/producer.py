"""Writing record batches to explicit partitions, and knowing that they have arrived."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError
from faust.transport.drivers import aiokafka as driver

from streams.lane.errors import Refused, TooLarge
from streams.lane.murmur import partition_of
from streams.lane.records import Emit, Headers
from streams.lane.settings import LaneSettings
from streams.lane.store import Position

if TYPE_CHECKING:
    from streams.lane.app import LaneApp

_Builder = Any  # aiokafka's BatchBuilder has no public name
_Line = tuple[bytes | None, bytes | None, int | None, Headers]


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
        targets: dict[tuple[str, int], list[_Line]] = {}
        for emit in emits:
            target = emit.topic, _partition(emit, counts, default_partition)
            line = emit.key, emit.value, emit.timestamp_ms, emit.headers
            if target in targets:
                targets[target].append(line)
            else:
                targets[target] = [line]
        await self._deliver(targets)

    async def send_rows(self, topic: str, partition: int, rows: dict[bytes, bytes | None]) -> Position | None:
        """Write a table's changed rows to its changelog; the place of the last, None if the broker did not tell."""
        lines: list[_Line] = [(key, value, None, ()) for key, value in rows.items()]
        offset = await self._deliver({(topic, partition): lines})
        last_key, last_value = next(reversed(rows.items()))
        return None if offset is None else Position.of(offset, last_key, last_value)

    def require_fit(self, emits: Iterable[Emit]) -> None:
        """Raise TooLarge for the first emit over the record limit."""
        limit = self._settings.record_max_bytes
        for emit in emits:
            plain = len(emit.key or b"") + len(emit.value or b"")
            if plain > limit or (emit.headers and size_bytes(emit) > limit):
                raise TooLarge(f"topic {emit.topic}", size_bytes(emit), limit)

    async def _deliver(self, targets: Mapping[tuple[str, int], list[_Line]]) -> int | None:
        """Send everything and wait for the acknowledgements; the last offset written, None if unknown."""
        client = self._producer.client
        lines_max = 1 if self._settings.producer_single_record_batches else None
        filled = {target: _fill(client, lines, lines_max) for target, lines in targets.items()}
        deliveries = []
        # First batches first: aiokafka takes one batch of a partition at a time, and waits with the next.
        for batches in itertools.zip_longest(*filled.values()):
            for (topic, partition), batch in zip(filled, batches, strict=True):
                if batch is not None:
                    sent = await client.send_batch(batch, topic, partition=partition)
                    deliveries.append((sent, batch.record_count()))
        written = await asyncio.gather(*(sent for sent, _ in deliveries))
        if not written or written[-1].offset < 0:
            return None
        last_offset: int = written[-1].offset + deliveries[-1][1] - 1
        return last_offset

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


def _partition(emit: Emit, counts: Mapping[str, int], default: int) -> int:
    if emit.partition is not None:
        return emit.partition
    if emit.key is not None:
        return partition_of(emit.key, counts[emit.topic])
    return default % counts[emit.topic]


def _fill(client: AIOKafkaProducer, lines: Sequence[_Line], lines_max: int | None) -> list[_Builder]:
    """Closed batches with the lines in order, each as full as the producer's batch size allows."""
    batches = []
    begin = 0
    while begin < len(lines):
        batch = client.create_batch()
        count = _append(batch._builder, lines, begin, lines_max or len(lines))
        batch._relative_offset = count  # what its own append, which costs more than the work, would have kept
        batch.close()
        batches.append(batch)
        begin += count
    return batches


def _append(builder: Any, lines: Sequence[_Line], begin: int, lines_max: int) -> int:
    """Append lines from `begin` until the builder is full; how many. A batch takes its first line at any size."""
    append = builder.append
    count = 0
    for key, value, timestamp_ms, headers in itertools.islice(lines, begin, begin + lines_max):
        if append(count, timestamp_ms, key, value, list(headers)) is None:
            break
        count += 1
    return count
