"""Customers on partitions of their own, for tests of merges and unlinks on running engines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.brokers import Broker
from streams.codec import PublicCodec
from streams.codec.internal import encode
from streams.lane import partition_of
from streams.model import Change, Statement, StewardRequest
from tests.integration.test_views import PARTITIONS, Worker

WITHIN_S = 60.0


def apart(count: int, prefix: str) -> list[tuple[str, str]]:
    """Pairs of customer ids whose rows lie on different partitions."""
    names = iter(f"{prefix}{place}" for place in range(1000))
    found: list[tuple[str, str]] = []
    while len(found) < count:
        one, other = next(names), next(names)
        if partition_of(one.encode(), PARTITIONS) != partition_of(other.encode(), PARTITIONS):
            found.append((one, other))
    return found


def said(record: str, customer: str, count: int) -> Change:
    """The word number `count` of a record; it has said it `count` milliseconds after its first."""
    platform, _, record_id = record.partition(":")
    named = {
        "first_name": Statement(f"{record_id} {count}"),
        "email": Statement(f"{record_id}.{platform}@example.com".lower()),
    }
    observed = FIRST_MS + count
    return Change(
        f"{record} {count}", platform, record_id, observed_at=observed, customer_id=customer, attributes=named
    )


FIRST_MS = time.time_ns() // 1_000_000 - 3_600_000


async def produce(broker: Broker, told: Sequence[Change | StewardRequest]) -> None:
    """Changes and requests, in order, each acknowledged."""
    codec = PublicCodec()
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_batch_size=1) as producer:
        for one in told:
            if isinstance(one, Change):
                await producer.send_and_wait("changes", codec.encode_change(one), key=one.record.encode())
            else:
                await producer.send_and_wait("steward", encode(one), key=(one.customer_id or "").encode())


def merge(one: str, other: str) -> StewardRequest:
    """A steward's merge."""
    return StewardRequest("merge", f"merge {one} {other}", one, with_=other, by="sam", why="a call")


def unlink(customer: str, record: str) -> StewardRequest:
    """A steward's unlink."""
    return StewardRequest("unlink", f"unlink {record}", customer, record=record, by="sam", why="a mistake")


async def shows(worker: Worker, path: str, **wanted: Any) -> dict[str, Any]:
    """The golden record at a path, once it has these parts; `first_name` is the golden value."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        status, body, _ = await worker.get(path)
        if status == 200:
            found = {**body, "first_name": (body["attributes"].get("first_name") or {}).get("value")}
            if all(found.get(name) == value for name, value in wanted.items()):
                return dict(body)
        ended = worker.process.exit_code
        assert ended is None and time.monotonic() < deadline, f"{path}: {status} {body}, exit {ended}\n{worker.tail}"
        await asyncio.sleep(0.1)
