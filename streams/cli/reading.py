"""Reading a topic as a person does: from the beginning, the last few, or since a time; to the end, or on and on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from streams.cli.errors import Sentence
from streams.lane import Record
from streams.runtime.security import client_auth

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from streams.runtime.settings import Settings

POLL_MS = 200
IDLE_MAX_S = 10.0
"""Without news for this long a read to the end is over: compaction may have removed the last offsets."""


class Topic:
    """One topic, assigned whole and outside any group: looking changes nothing."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._partitions = partitions

    async def from_beginning(self) -> None:
        """Start at the oldest record."""
        await self._consumer.seek_to_beginning(*self._partitions)

    async def from_last(self, count: int) -> None:
        """Start at most `count` records before the end of each partition."""
        ends = await self._consumer.end_offsets(self._partitions)
        begins = await self._consumer.beginning_offsets(self._partitions)
        for partition in self._partitions:
            self._consumer.seek(partition, max(begins[partition], ends[partition] - count))

    async def from_time(self, at_ms: int) -> None:
        """Start at the first record of each partition that is not older."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._partitions, at_ms))
        ends = await self._consumer.end_offsets(self._partitions)
        for partition in self._partitions:
            first = found.get(partition)
            self._consumer.seek(partition, first.offset if first is not None else ends[partition])

    async def to_end(self) -> AsyncIterator[Record]:
        """What was there when the call began."""
        ends = await self._consumer.end_offsets(self._partitions)
        open_ones = {one: end for one, end in ends.items() if await self._consumer.position(one) < end}
        news_s = time.monotonic()
        while open_ones and time.monotonic() - news_s < IDLE_MAX_S:
            records = await self._poll()
            for record in records:
                if record.offset < ends[self._partition_of(record)]:
                    yield record
            if records:
                news_s = time.monotonic()
            open_ones = {one: end for one, end in open_ones.items() if await self._consumer.position(one) < end}

    async def for_ever(self) -> AsyncIterator[Record]:
        """Everything from here on."""
        while True:
            for record in await self._poll():
                yield record

    async def record(self, partition: int, offset: int) -> Record | None:
        """One record by its place, None where there is none."""
        wanted = [one for one in self._partitions if one.partition == partition]
        if not wanted:
            return None
        others = [one for one in self._partitions if one.partition != partition]
        self._consumer.pause(*others)
        self._consumer.seek(wanted[0], offset)
        async for record in self.to_end_of(wanted[0]):
            return record if record.offset == offset else None
        return None

    async def to_end_of(self, partition: TopicPartition) -> AsyncIterator[Record]:
        """What one partition holds now, the others being paused."""
        end = (await self._consumer.end_offsets([partition]))[partition]
        deadline_s = time.monotonic() + IDLE_MAX_S
        while await self._consumer.position(partition) < end and time.monotonic() < deadline_s:
            for record in await self._poll():
                yield record

    async def _poll(self) -> list[Record]:
        polled = await self._consumer.getmany(timeout_ms=POLL_MS)
        records = [_record(one) for batch in polled.values() for one in batch]
        return sorted(records, key=lambda record: (record.timestamp_ms, record.partition, record.offset))

    def _partition_of(self, record: Record) -> TopicPartition:
        return next(one for one in self._partitions if one.partition == record.partition)


@asynccontextmanager
async def opened(settings: Settings, topic: str) -> AsyncIterator[Topic]:
    """A topic to read; raises Sentence where there is none of this name."""
    async with _consumer(settings) as looking:  # to ask for one topic by its name may create it
        if topic not in await looking.topics():
            raise Sentence(f"there is no topic {topic} at {settings.bootstrap}")
    async with _consumer(settings, topic) as consumer:
        yield Topic(consumer, sorted(consumer.assignment()))


@asynccontextmanager
async def _consumer(settings: Settings, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer of no group, with every partition of the topics."""
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=settings.bootstrap.split(","),
        group_id=None,
        auto_offset_reset="earliest",  # with another one the first look-up may overtake a seek to the beginning
        enable_auto_commit=False,
        fetch_max_wait_ms=POLL_MS,
        **client_auth(settings),
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


def _record(one: Any) -> Record:
    headers = tuple((name, value) for name, value in one.headers)
    return Record(one.topic, one.partition, one.offset, one.timestamp, one.key, one.value, headers)
