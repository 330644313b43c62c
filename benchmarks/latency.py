"""How soon a signed webhook has become commands: from the POST until a sink's consumer holds the last of them.

The storefront's customers change their phone at a steady rate; each change is due at the CRM and at the ESP. What
comes after a command is read is the platform's own rate limit and answer, and is not measured.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks import pipeline
from benchmarks.race import Failed, Progress
from benchmarks.settings import PARTITIONS
from streams.brokers import Broker
from streams.codec import PublicCodec
from streams.model import Change, Identifiers, Statement
from streams.runtime.topics import CHANGES, commands
from streams.sandbox import Sandbox, shared_secrets
from streams.sandbox.shopify import shapes
from streams.sandbox.shopify.records import Customer

CUSTOMERS = 1000
WARM_UP_S = 5.0
TOLD = ("crm", "esp")
_FIRST_ID = 7_000_000_000_000
_LAST_TIMEOUT_S = 20.0


class Latency(NamedTuple):
    """Milliseconds from webhook to sink at `rate` webhooks a second, over `webhooks` of them."""

    rate: int
    webhooks: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class _Watch:
    """When each phone number was sent, and by which platforms' commands it has come out."""

    def __init__(self) -> None:
        self.sent_at_s: dict[str, float] = {}
        self.arrived: dict[str, set[str]] = {}
        self.took_s: dict[str, float] = {}

    def arrive(self, platform: str, phone: str, at_s: float) -> None:
        """Note a command; the last platform's ends the measurement of its webhook."""
        if phone not in self.sent_at_s:
            return
        seen = self.arrived.setdefault(phone, set())
        seen.add(platform)
        if len(seen) == len(TOLD):
            self.took_s.setdefault(phone, at_s - self.sent_at_s[phone])


def measure(broker: Broker, home: Path, rate: int, seconds: float, progress: Progress) -> Latency:
    """Run gateway and engine on the broker and send `rate` webhooks a second for `seconds` after a warm-up."""
    secrets = shared_secrets({})
    with pipeline.running(broker, home, secrets) as gateway:
        return asyncio.run(_measure(broker, gateway, Sandbox(environment=secrets), rate, seconds, progress))


async def _measure(
    broker: Broker, gateway: str, sandbox: Sandbox, rate: int, seconds: float, progress: Progress
) -> Latency:
    watch = _Watch()
    customers = [_customer(number) for number in range(CUSTOMERS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="latest")
    async with consumer, aiohttp.ClientSession() as session:
        consumer.assign([TopicPartition(commands(name), each) for name in TOLD for each in range(PARTITIONS)])
        await consumer.seek_to_end()
        listening = asyncio.create_task(_listen(consumer, watch))
        await _seed(broker, customers)
        begin_s = time.monotonic()
        sends = []
        for due_s, customer in _schedule(customers, rate, WARM_UP_S + seconds):
            await asyncio.sleep(max(0.0, begin_s + due_s - time.monotonic()))
            sends.append(asyncio.create_task(_send(session, gateway, sandbox, customer, watch)))
            progress(len(sends), due_s)
        await asyncio.gather(*sends)
        await _until_all_arrived(watch, listening)
    return _summed_up(watch, begin_s + WARM_UP_S, rate)


def _customer(number: int) -> Customer:
    now = time.time_ns() // 1_000_000
    return Customer(_FIRST_ID + number, now, now, "Ann", "Berg", email=f"person{number}@example.com")


def _schedule(customers: list[Customer], rate: int, seconds: float) -> Iterator[tuple[float, Customer]]:
    """When each webhook is due; each has a phone number that was never used before (555-0100 to 555-0199)."""
    for number in range(int(rate * seconds)):
        customer = customers[number % len(customers)]
        customer.phone = f"+1{201 + number // 100}5550{100 + number % 100}"
        yield number / rate, customer


async def _seed(broker: Broker, customers: list[Customer]) -> None:
    """Bind three records to each customer, as earlier changes would have done."""
    codec = PublicCodec()
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=20) as producer:
        sent = [
            await producer.send(CHANGES, codec.encode_change(change), change.record.encode())
            for customer in customers
            for change in _records(customer)
        ]
        await asyncio.gather(*sent)


def _records(customer: Customer) -> Iterator[Change]:
    for platform in ("storefront", *TOLD):
        record_id = str(customer.id) if platform == "storefront" else f"{platform}{customer.id}"
        yield Change(
            change_id=f"seed-{platform}-{customer.id}",
            platform=platform,
            record_id=record_id,
            observed_at=customer.created_at,
            customer_id=f"C{customer.id}",
            identifiers=Identifiers(email=(str(customer.email),)),
            attributes={"email": Statement(value=customer.email), "first_name": Statement(value="Ann")},
        )


async def _send(
    session: aiohttp.ClientSession, gateway: str, sandbox: Sandbox, customer: Customer, watch: _Watch
) -> None:
    customer.updated_at = time.time_ns() // 1_000_000
    body = msgspec.json.encode(shapes.webhook_customer(customer))
    headers = sandbox.simulators["storefront"].sign(body)
    watch.sent_at_s[str(customer.phone)] = time.monotonic()
    async with session.post(f"{gateway}/webhooks/storefront", data=body, headers=headers) as answer:
        if answer.status >= 300:
            raise Failed(f"the gateway answered {answer.status}: {await answer.text()}")


async def _listen(consumer: AIOKafkaConsumer, watch: _Watch) -> None:
    codec = PublicCodec()
    async for record in consumer:
        at_s = time.monotonic()
        command = codec.decode_command(record.value)
        phone = command.attributes.get("phone")
        if phone is not None:
            watch.arrive(command.platform, str(phone.value), at_s)


async def _until_all_arrived(watch: _Watch, listening: asyncio.Task[None]) -> None:
    deadline = time.monotonic() + _LAST_TIMEOUT_S
    while len(watch.took_s) < len(watch.sent_at_s):
        if listening.done() or time.monotonic() > deadline:
            raise Failed(f"of {len(watch.sent_at_s)} webhooks only {len(watch.took_s)} came out")
        await asyncio.sleep(0.05)
    listening.cancel()


def _summed_up(watch: _Watch, from_s: float, rate: int) -> Latency:
    took_ms = [1000 * took for phone, took in watch.took_s.items() if watch.sent_at_s[phone] >= from_s]
    cuts = quantiles(took_ms, n=100)
    return Latency(rate, len(took_ms), cuts[49], cuts[98], max(took_ms))
