"""The dead letters of a broker, by their reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.delivery.dead_letters import PREFIX, REASON_HEADER

TOPIC = "dead-letters"
POLL_MS = 200


async def dead_letters(bootstrap: str) -> Counter[tuple[str, str]]:
    """How many there are by (topic they came from, reason)."""
    return Counter([_named(record) async for record in records(bootstrap, TOPIC)])


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """What a topic holds now, outside any group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=POLL_MS // 4)
    await consumer.start()
    try:
        await consumer.topics()
        partitions = [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in batch:
                    yield record
    finally:
        await consumer.stop()


def _named(record: ConsumerRecord[bytes, bytes]) -> tuple[str, str]:
    headers = dict(record.headers)
    return headers.get(f"{PREFIX}topic", b"?").decode(), headers.get(REASON_HEADER, b"?").decode()
