"""How soon a loaded worker answers `GET /customers/by/email/...`, and the memory that it has, by the number of records.

One `writeback engine` with all its agents and views and one decider; its tables hold the rows of all known records
when it starts. Changes of known records come at a steady rate while random known customers are asked for.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import aiohttp
from confluent_kafka import Producer

from benchmarks import broker_side, pipeline
from benchmarks.known import TABLES, People, email_of
from benchmarks.processes import peak_rss_mb
from benchmarks.race import Failed, Progress
from benchmarks.settings import PARTITIONS
from benchmarks.terminal import Terminal
from benchmarks.throughput import full_speed
from streams.lane import TopicSpec, ensure_topics
from streams.runtime import topics
from streams.runtime.engine_app import APP_ID

RATE = 500
"""Changes a second."""

ASKED = 50
"""Look-ups a second."""

WARM_UP_S = 10.0
P99_MAX_MS = 10.0
"""What is promised."""

_TICK_S = 0.02
_READY_TIMEOUT_S = 300.0


class Caches(NamedTuple):
    """What each table may keep in memory, in bytes."""

    block_cache_bytes: int
    write_buffers_bytes: int


class Answers(NamedTuple):
    """Milliseconds from the request to the whole answer over `lookups` of them, and the worker's memory."""

    records: int
    caches: Caches
    customers: int
    lookups: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    peak_rss_mb: float


def measure(records: int, caches: Caches, seconds: float, home: Path, terminal: Terminal) -> Answers:
    """Start a broker and a worker whose tables hold `records` known records, and ask it."""
    people = People(records, PARTITIONS)
    people.check()
    with full_speed() as broker:
        for table in TABLES:
            terminal.say(f"writing the rows of {people.customers:,} customers to the table {table}")
            _write(people, table, broker.bootstrap)
        terminal.say("starting the engine")
        with pipeline.engine(broker, home, _limits(caches), _READY_TIMEOUT_S) as (url, pid):
            terminal.say("the engine has recovered its tables")
            label = f"{ASKED} look-ups and {RATE} changes a second"
            with terminal.progress(label, round((WARM_UP_S + seconds) * ASKED)) as progress:
                took_ms = asyncio.run(_ask(people, url, broker.bootstrap, seconds, progress))
            found = _summed_up(people, caches, took_ms, peak_rss_mb(pid))
    terminal.say(line(found))
    return found


def line(found: Answers) -> str:
    """The figures in one sentence."""
    return (
        f"{found.records:,} known records: p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms, largest "
        f"{found.max_ms:.1f} ms over {found.lookups:,} look-ups; peak RSS {found.peak_rss_mb:,.0f} MB."
    )


def _limits(caches: Caches) -> dict[str, str]:
    return {f"WRITEBACK_TABLE_{name.upper()}": str(value) for name, value in caches._asdict().items()}


def _write(people: People, table: str, bootstrap: str) -> None:
    changelog = f"{APP_ID}-{table}-changelog"
    asyncio.run(ensure_topics(bootstrap, [TopicSpec(changelog, PARTITIONS, {"cleanup.policy": "compact"})]))
    broker_side.produce(bootstrap, changelog, people.rows(table))


async def _ask(people: People, url: str, bootstrap: str, seconds: float, progress: Progress) -> list[float]:
    """Milliseconds of each look-up after the warm-up."""
    told = list(people.changes(round(RATE * (WARM_UP_S + seconds))))
    chance = random.Random(7)
    begin_s = time.monotonic()
    telling = asyncio.create_task(_tell(told, bootstrap))
    asked: list[asyncio.Task[float]] = []
    async with aiohttp.ClientSession() as session:
        for n in range(round(ASKED * (WARM_UP_S + seconds))):
            await asyncio.sleep(max(0.0, begin_s + n / ASKED - time.monotonic()))
            asked.append(asyncio.create_task(_look_up(session, url, chance.choice(people.numbers))))
            progress(n + 1, time.monotonic() - begin_s)
        took_ms = await asyncio.gather(*asked)
        await telling
    return took_ms[round(ASKED * WARM_UP_S) :]


async def _look_up(session: aiohttp.ClientSession, url: str, number: int) -> float:
    begin_s = time.perf_counter()
    async with session.get(f"{url}/customers/by/email/{email_of(number)}") as answer:
        body = await answer.json()
    took_s = time.perf_counter() - begin_s
    if answer.status != 200 or body["customer_id"] != f"C{number}":
        raise Failed(f"the engine answered {answer.status} for another customer than the one asked for")
    return 1000 * took_s


async def _tell(told: list[tuple[bytes, bytes, int]], bootstrap: str) -> None:
    """Write the changes at their rate; raises Failed where the broker does not take them."""
    with _producing(bootstrap) as producer:
        begin_s = time.monotonic()
        for n, (key, value, _) in enumerate(told):
            while n > (time.monotonic() - begin_s) * RATE:
                producer.poll(0)
                await asyncio.sleep(_TICK_S)
            producer.produce(topics.CHANGES, value, key)


@contextmanager
def _producing(bootstrap: str) -> Iterator[Producer]:
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})
    yield producer
    if producer.flush(_READY_TIMEOUT_S):
        raise Failed("the broker did not take all changes")


def _summed_up(people: People, caches: Caches, took_ms: list[float], rss_mb: float) -> Answers:
    cuts = quantiles(took_ms, n=100)
    return Answers(people.records, caches, people.customers, len(took_ms), cuts[49], cuts[98], max(took_ms), rss_mb)
