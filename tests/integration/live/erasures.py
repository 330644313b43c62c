"""What the erasure tests do: somebody whose every word is rare, her erasure, and a look at every topic."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams.brokers import Broker
from streams.demo.stack import Stack
from streams.demo.world import World
from streams.model import Address
from streams.sandbox import Person

ZOE = Person(
    key="zoe",
    first_name="Zoraida",
    last_name="Quillfeather",
    email="zoraida.q@example.com",
    phone="+13125550177",
    shipping_address=Address("71 Wyvern St", "", "Chicago", "IL", "60601", "US"),
    billing_address=Address("9 Basilisk Ave", "", "Chicago", "IL", "60602", "US"),
    email_consent="subscribed",
    consent_at="2025-03-01T09:00:00Z",
)
VALUES = ("Zoraida", "Quillfeather", "zoraida.q@example.com", "3125550177", "Wyvern", "Basilisk")

QUIET_MAX = 15
"""Empty polls after which a read is over: a compacted topic may have lost its last offsets."""

Hits = dict[str, set[str]]


async def customer_of(world: World, key: str) -> str:
    """The customer of a person of the sandbox."""
    view = await world.view("customers", "by", "crm", await world.record(key, "crm"))
    assert view is not None
    return str(view["customer_id"])


async def ask(stack: Stack, customer_id: str, action: str, **asked: Any) -> None:
    """A steward's request, on its topic."""
    request = {"request_id": f"{action}-{time.time_ns()}", "customer_id": customer_id, "action": action, **asked}
    async with AIOKafkaProducer(bootstrap_servers=stack.broker.bootstrap) as producer:
        await producer.send_and_wait("steward", json.dumps(request | {"by": "tester"}).encode(), customer_id.encode())


async def certified(world: World, customer_id: str) -> dict[str, str]:
    """The certificate by platform, once no platform has still to answer."""

    async def all_answered() -> dict[str, str] | None:
        view = await world.view("customers", customer_id)
        if view is None or "certificate" not in view:
            return None
        told = {one["platform"]: one["outcome"] for one in view["certificate"]}
        return told if "waiting" not in told.values() else None

    return dict(await world.until(f"{customer_id} has no certificate", all_answered))


async def everything(broker: Broker, without: Iterable[str] = ()) -> dict[str, list[bytes]]:
    """Keys, values and headers of every record of every topic, but those of `without`."""
    kept: dict[str, list[bytes]] = {}
    options = {"bootstrap_servers": broker.bootstrap, "auto_offset_reset": "earliest", "enable_auto_commit": False}
    async with AIOKafkaConsumer(**options) as looking:
        names = [name for name in await looking.topics() if name not in without and not name.startswith("__")]
    async with AIOKafkaConsumer(*names, **options) as consumer:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        quiet = 0
        while quiet < QUIET_MAX and any([await consumer.position(one) < ends[one] for one in partitions]):
            polled = await consumer.getmany(timeout_ms=300)
            quiet = 0 if polled else quiet + 1
            for at, records in polled.items():
                for one in records:
                    parts = [one.key or b"", one.value or b"", *(value for _, value in one.headers)]
                    kept.setdefault(at.topic, []).append(b"\n".join(parts))
    return kept


def hits(kept: dict[str, list[bytes]], values: Sequence[str] = VALUES) -> Hits:
    """Which topics hold which of the values."""
    found: Hits = {}
    for topic, records in kept.items():
        whole = b"\n".join(records).lower()
        found[topic] = {value for value in values if value.lower().encode() in whole}
    return {topic: held for topic, held in found.items() if held}
