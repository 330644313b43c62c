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
from streams.lane.records import Emit
from streams.lane.settings import LaneSettings
from streams.lane.store import Position

if TYPE_CHECKING:
    from streams.lane.app import LaneApp

_Builder = Any  # aiokafka's BatchBuilder has no public name
_Target = tuple[str, int]
_Headers = list[tuple[str, bytes]]
_NO_HEADERS: _Headers = []  # read by the builder, never kept


class Producer(driver.Producer):
    """Faust's producer with the lane's settings: all replicas, and idempotent without transactions where allowed."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": cast("LaneApp", self.app).lane.settings.idempotent}

    @property
    def client(self) -> AIOKafkaProducer:
        """The running aiokafka producer. Raises NotReady before the start."""
        return self._ensure_producer()


class Filling:
    """Batches for one partition, each as full as the producer's batch size allows, or of one record each."""

    __slots__ = ("_append", "_batch", "_batches", "_client", "_count", "_single")

    def __init__(self, client: AIOKafkaProducer, single: bool) -> None:
        self._client = client
        self._single = single
        self._batches: list[_Builder] = []
        self._open()

    def _open(self) -> None:
        self._batch: _Builder = self._client.create_batch()
        # The builder's own: what the batch adds around it costs more than the work.
        self._append = self._batch._builder.append
        self._count = 0

    def _close(self) -> None:
        self._batch._relative_offset = self._count
        self._batch.close()
        self._batches.append(self._batch)

    def add(self, timestamp_ms: int | None, key: bytes | None, value: bytes | None, headers: _Headers) -> None:
        """Append one record. A batch takes its first record at any size."""
        count = self._count
        if (self._single and count) or self._append(count, timestamp_ms, key, value, headers) is None:
            self._close()
            self._open()
            self._append(0, timestamp_ms, key, value, headers)
        self._count += 1

    def closed(self) -> list[_Builder]:
        """The batches, ready to be sent; nothing can be added any more."""
        self._close()
        return self._batches


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
        await self._deliver(self._filled(emits, counts, default_partition))

    async def send_rows(self, topic: str, partition: int, rows: dict[bytes, bytes | None]) -> Position | None:
        """Write a table's changed rows to its changelog; the place of the last, None if the broker did not tell."""
        filling = self._filling()
        for key, value in rows.items():
            filling.add(None, key, value, _NO_HEADERS)
        offset = await self._deliver({(topic, partition): filling.closed()})
        last_key, last_value = next(reversed(rows.items()))
        return None if offset is None else Position.of(offset, last_key, last_value)

    def require_fit(self, emits: Iterable[Emit]) -> None:
        """Raise TooLarge for the first emit over the record limit."""
        limit = self._settings.record_max_bytes
        for emit in emits:
            plain = len(emit.key or b"") + len(emit.value or b"")
            if plain > limit or (emit.headers and size_bytes(emit) > limit):
                raise TooLarge(f"topic {emit.topic}", size_bytes(emit), limit)

    def _filling(self) -> Filling:
        return Filling(self._producer.client, self._settings.producer_single_record_batches)

    def _filled(self, emits: Iterable[Emit], counts: Mapping[str, int], default: int) -> dict[_Target, list[_Builder]]:
        """What goes to each (topic, partition), in the order given."""
        targets: dict[_Target, Filling] = {}
        for emit in emits:
            topic, key, partition, headers = emit.topic, emit.key, emit.partition, emit.headers
            if partition is None:
                partition = default % counts[topic] if key is None else partition_of(key, counts[topic])
            filling = targets.get((topic, partition))
            if filling is None:
                filling = targets[topic, partition] = self._filling()
            filling.add(emit.timestamp_ms, key, emit.value, list(headers) if headers else _NO_HEADERS)
        return {target: filling.closed() for target, filling in targets.items()}

    async def _deliver(self, filled: Mapping[_Target, list[_Builder]]) -> int | None:
        """Send everything and wait for the acknowledgements; the last offset written, None if unknown."""
        client = self._producer.client
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
