"""A broker for these tests alone: the commands read topics by their fixed names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from click.testing import CliRunner, Result

from streams.brokers import Broker, Embedded
from streams.cli import main
from streams.lane import Emit
from tests.brokers import require


@pytest.fixture
def own_broker() -> Iterator[Broker]:
    """An embedded broker without topics."""
    broker = Embedded()
    require(broker)
    with broker:
        yield broker


class Command:
    """The command, pointed at one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __call__(self, *arguments: str, fails: bool = False) -> Result:
        """One call; it must succeed, or fail with a sentence."""
        environment = {"WRITEBACK_BOOTSTRAP": self._broker.bootstrap, "WRITEBACK_PROFILE": "embedded"}
        result = CliRunner().invoke(main, arguments, env=environment)
        assert "Traceback" not in result.output
        assert (result.exit_code != 0) == fails, result.output + repr(result.exception)
        return result

    def write(self, emits: Sequence[Emit]) -> None:
        """Produce records, each in a batch of its own."""
        asyncio.run(self._write(emits))

    async def _write(self, emits: Sequence[Emit]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._broker.bootstrap, max_batch_size=1) as producer:
            for one in emits:
                await producer.send_and_wait(
                    one.topic,
                    one.value,
                    one.key,
                    partition=one.partition,
                    timestamp_ms=one.timestamp_ms,
                    headers=list(one.headers),
                )

    def read(self, topic: str, partition: int, count: int) -> list[Emit]:
        """The first `count` records of a partition."""
        return asyncio.run(self._read(topic, partition, count))

    async def _read(self, topic: str, partition: int, count: int) -> list[Emit]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._broker.bootstrap, auto_offset_reset="earliest")
        async with consumer:
            consumer.assign([TopicPartition(topic, partition)])
            records = [await asyncio.wait_for(consumer.getone(), 10) for _ in range(count)]
        return [
            Emit(one.topic, one.key, one.value, one.partition, one.timestamp, tuple(one.headers)) for one in records
        ]


@pytest.fixture
def command(own_broker: Broker) -> Command:
    """`command("tail", "changes")`."""
    return Command(own_broker)


@pytest.fixture
def with_topics(command: Command) -> Command:
    """The command, once `topics create` has run."""
    command("topics", "create", "--partitions", "2")
    return command
