"""The dead letters of a broker, by their reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from streams.delivery.dead_letters import PREFIX, REASON_HEADER

TOPIC = "dead-letters"
POLL_MS = 200


async def dead_letters(bootstrap: str) -> Counter[tuple[str, str]]:
    """How many there are by (topic they came from, reason)."""
    return Counter([_named(record) async for record in records(bootstrap, TOPIC)])


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """What a topic holds now, outside any group."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=POLL_MS // 4
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in batch:
                    yield record
    finally:
        await consumer.stop()


def _named(record: ConsumerRecord[bytes, bytes]) -> tuple[str, str]:
    headers = dict(record.headers)
    return headers.get(f"{PREFIX}topic", b"?").decode(), headers.get(REASON_HEADER, b"?").decode()
