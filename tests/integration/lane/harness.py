"""What the lane's tests share: topics, workers as processes, and what was written."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.brokers import Broker
from streams.lane import TopicSpec, ensure_topics, partition_of
from tests.brokers import unique

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("worker.py")
PARTITIONS = 2
SESSION_TIMEOUT_S = 2.0
EXIT_TIMEOUT_S = 20.0


class Pipeline:
    """One source, one sink, one table, and the workers of one group on them."""

    def __init__(self, broker: Broker, directory: Path, **job: Any) -> None:
        self.broker = broker
        self.app_id = unique("lane")
        self.source, self.sink = f"{self.app_id}-in", f"{self.app_id}-out"
        self.changelog = f"{self.app_id}-newest-changelog"
        self._directory = directory
        self._job = job
        self.workers: list[Worker] = []

    async def create_topics(self) -> None:
        compact = {"cleanup.policy": "compact"}
        names = [TopicSpec(self.source, PARTITIONS), TopicSpec(self.sink, PARTITIONS)]
        await ensure_topics(self.broker.bootstrap, [*names, TopicSpec(self.changelog, PARTITIONS, compact)])

    def start(self, name: str = "a", *, fault_step: int | None = None, **job: Any) -> "Worker":
        """Start a worker; its data directory goes by its name."""
        settings = {**self._settings(name), "fault_step": fault_step, **job.pop("settings", {})}
        about = {"settings": settings, "source": self.source, "sink": self.sink, "partitions": PARTITIONS}
        worker = Worker({**about, **self._job, **job}, self._directory / f"{name}-{len(self.workers)}.log")
        self.workers.append(worker)
        return worker

    def data_directory(self, name: str = "a") -> Path:
        return self._directory / name

    def _settings(self, name: str) -> Mapping[str, Any]:
        return {
            "bootstrap": self.broker.bootstrap,
            "app_id": self.app_id,
            "datadir": str(self.data_directory(name)),
            "web_enabled": False,
            "fetch_max_wait_ms": 50,
            "session_timeout_s": SESSION_TIMEOUT_S,
            "rebalance_timeout_s": 3.0,
            "heartbeat_s": 0.3,
            "commit_interval_s": 0.3,
            "batch_max_records": 20,
            "idempotent": bool(self.broker.profile["idempotence"]),
            "node_url": f"http://127.0.0.1/{name}",
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Pipeline"]:
        """With topics; kills every worker at the end."""
        await self.create_topics()
        try:
            yield self
        finally:
            for worker in self.workers:
                worker.kill()

    async def produce(self, pairs: Iterable[tuple[bytes, bytes | None]], compression: str | None = None) -> None:
        """Write to the source, by key, in order."""
        async with producer(self.broker, compression) as out:
            sent = []
            for key, value in pairs:
                partition = partition_of(key, PARTITIONS)
                sent.append(await out.send(self.source, value, key=key, partition=partition))
            await asyncio.gather(*sent)

    async def outputs(self, count: int, timeout_s: float = 30.0) -> dict[bytes, list[bytes]]:
        """Values of the sink by key, in order, once there are `count` distinct (key, value), or at the timeout."""
        seen: dict[bytes, list[bytes]] = defaultdict(list)
        distinct: set[tuple[bytes, bytes]] = set()
        async with reader(self.broker, self.sink) as sink:
            deadline = time.monotonic() + timeout_s
            while len(distinct) < count and time.monotonic() < deadline:
                for records in (await sink.getmany(timeout_ms=100)).values():
                    for record in records:
                        seen[record.key].append(record.value)
                        distinct.add((record.key, record.value))
        return seen

    async def committed(self) -> dict[int, int]:
        """The group's offsets of the source by partition."""
        partitions = [TopicPartition(self.source, number) for number in range(PARTITIONS)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.broker.bootstrap, group_id=self.app_id, enable_auto_commit=False
        )
        async with consumer:
            consumer.assign(partitions)
            return {tp.partition: await consumer.committed(tp) or 0 for tp in partitions}

    async def committed_all(self, written: int, timeout_s: float = 10.0) -> bool:
        """Whether the group's offsets come to add up to `written`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if sum((await self.committed()).values()) == written:
                return True
            await asyncio.sleep(0.1)
        return False


class Worker:
    """A worker process."""

    def __init__(self, job: Mapping[str, Any], log: Path) -> None:
        self._log = log
        with log.open("w") as out:
            self._process = subprocess.Popen(
                [sys.executable, str(WORKER), json.dumps(job)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_code(self, timeout_s: float = EXIT_TIMEOUT_S) -> int:
        """Wait for the end."""
        return self._process.wait(timeout_s)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self.exit_code()

    async def logged(self, text: str, times: int = 1, timeout_s: float = 20.0) -> None:
        """Wait until the log has the text so many times."""
        deadline = time.monotonic() + timeout_s
        while self.log.count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.log}"
            assert self.alive, self.log
            await asyncio.sleep(0.05)

    async def ready(self, times: int = 1) -> None:
        """Wait for the end of the recovery."""
        await self.logged("Worker ready", times)


@asynccontextmanager
async def producer(broker: Broker, compression: str | None = None) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap,
        enable_idempotence=bool(broker.profile["idempotence"]),
        compression_type=compression,
        linger_ms=5,
    ) as out:
        yield out


@asynccontextmanager
async def reader(broker: Broker, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """All of a topic from the beginning, outside any group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    async with consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        yield consumer


async def compacted(broker: Broker, topic: str) -> dict[bytes, bytes | None]:
    """The last value of each key of a topic, as compaction would leave it."""
    last: dict[bytes, bytes | None] = {}
    async with reader(broker, topic) as consumer:
        idle = 0
        while idle < 3:
            batches = await consumer.getmany(timeout_ms=150)
            idle = 0 if batches else idle + 1
            for records in batches.values():
                last.update((record.key, record.value) for record in records)
    return last


def numbers(keys: int, each: int, begin: int = 1) -> list[tuple[bytes, bytes]]:
    """`each` growing numbers for each of so many keys, interleaved."""
    return [(b"key-%d" % key, b"%d" % number) for number in range(begin, begin + each) for key in range(keys)]


def first_sights(values: Sequence[bytes]) -> list[bytes]:
    """Values without their repetitions: what a consumer sees that knows ids."""
    return list(dict.fromkeys(values))


def expected(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """The oracle: for each key every number that is larger than all before it, in order."""
    largest: dict[bytes, int] = {}
    out: dict[bytes, list[bytes]] = defaultdict(list)
    for key, value in pairs:
        if int(value) > largest.get(key, 0):
            largest[key] = int(value)
            out[key].append(value)
    return dict(out)
