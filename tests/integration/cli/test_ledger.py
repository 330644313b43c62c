"""`writeback ledger forget` on Apache Kafka: what goes, what stays to the byte, and what a killed run leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import count

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from streams.brokers import ApacheKafka, Broker
from streams.codec import PublicCodec, SchemaRegistry
from streams.codec.public import ledger_key
from streams.core.erasure import Erasure
from streams.core.state import Customer
from streams.lane import Emit, Headers
from streams.model import LedgerEntry
from streams.runtime import ledger_copy
from streams.runtime.engine_app import APP_ID
from streams.runtime.ledger_copy import Ledger
from streams.runtime.ledger_markers import COPIED, copied_from, markers
from streams.runtime.topics import LEDGER
from tests.brokers import require
from tests.integration.cli.conftest import Command
from tests.unit.codec.test_registry import Registry, serving

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

KEY = "k" * 32
AT = 1_768_046_400_000
CODEC = PublicCodec()
WAIT_S = 15.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[Broker]:
    """A broker of its own: the ledger's name is fixed."""
    require(ApacheKafka())
    with ApacheKafka() as broker:
        yield broker


class Topic:
    """The ledger of one test, with the command that works on it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.command = Command(broker)
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})

    def create(self, **config: str) -> None:
        topic = NewTopic(LEDGER, 2, 1, config={"retention.ms": "-1", **config})
        for one in self._admin.create_topics([topic]).values():
            one.result(WAIT_S)

    def alter(self, name: str, value: str) -> None:
        change = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)]
        asked = ConfigResource(ResourceType.TOPIC, LEDGER, incremental_configs=change)
        for one in self._admin.incremental_alter_configs([asked]).values():
            one.result(WAIT_S)

    def delete(self) -> None:
        for one in self._admin.delete_topics([LEDGER]).values():
            one.result(WAIT_S)

    def write(self, emits: Sequence[Emit]) -> None:
        producer = Producer(
            {"bootstrap.servers": self.broker.bootstrap, "message.max.bytes": 1_048_588, "log_level": 0}
        )
        for one in emits:
            at = {"timestamp": one.timestamp_ms, "headers": list(one.headers)}
            producer.produce(one.topic, value=one.value, key=one.key, partition=one.partition, **at)
        assert producer.flush(WAIT_S) == 0

    def bounds(self, partition: int) -> tuple[int, int]:
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "looking", "log_level": 0})
        try:
            return consumer.get_watermark_offsets(TopicPartition(LEDGER, partition), timeout=WAIT_S)
        finally:
            consumer.close()

    def holds(self, partition: int) -> list[Emit]:
        low, end = self.bounds(partition)
        return self.command.read(LEDGER, partition, end - low)

    def forget(self, *options: str, fails: bool = False) -> str:
        return self.command("ledger", "forget", "--yes", *options, fails=fails).output

    def killed(self, at: str) -> None:
        """Run the command in a process that kills itself instead of `at`, a method of the ledger's."""
        environment = {**os.environ, "WRITEBACK_BOOTSTRAP": self.broker.bootstrap}
        run = subprocess.run([sys.executable, "-c", _KILLED % at], env=environment, check=False, timeout=60)
        assert run.returncode == -signal.SIGKILL


_KILLED = """
import os, signal
from streams.runtime import ledger_copy

def ends(*_):
    os.kill(os.getpid(), signal.SIGKILL)

place, _, name = "%s".partition(".")
setattr(getattr(ledger_copy, place), name, ends)
from streams.cli import main
main(["ledger", "forget", "--yes"])
"""


@pytest.fixture
def topic(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    monkeypatch.setenv("WRITEBACK_ERASURE_KEY", KEY)
    found = Topic(kafka)
    found.create()
    yield found
    found.delete()


schemas = pytest.fixture(serving, name="schemas")


_times = count(AT)


def said(
    customer_id: str,
    partition: int = 0,
    point: str = "",
    headers: Headers = (),
    decision: str = "opt_in",
    codec: PublicCodec = CODEC,
) -> Emit:
    """An entry of a customer, later than all before it."""
    at = next(_times)
    point = point or f"{customer_id.lower()}@example.com"
    row = LedgerEntry(customer_id, point, "email", "marketing", decision, at, "accepted", seq=at - AT)  # type: ignore[arg-type]
    return Emit(LEDGER, ledger_key(row).encode(), codec.encode_ledger(row), partition, at, headers)


def erased(customer_id: str, partition: int = 0) -> Emit:
    at = next(_times)
    (marker,) = markers(Erasure(at, (customer_id,), (), {}, {}), Customer(customer_id, 1), KEY.encode())
    return Emit(marker.topic, marker.key, marker.value, partition, at, marker.headers)


def plain(emits: Sequence[Emit]) -> list[Emit]:
    """Without the header of a copy."""
    return [
        Emit(
            one.topic,
            one.key,
            one.value,
            one.partition,
            one.timestamp_ms,
            tuple(h for h in one.headers if h[0] != COPIED),
        )
        for one in emits
    ]


def test_other_peoples_entries_stay_to_the_byte_and_in_order_and_the_erased_ones_are_gone(topic: Topic) -> None:
    trace = (("trace", b"\x00\xff"), ("trace", b"2"))
    entries = [
        said("C1"),
        said("C2", headers=trace),
        said("C1", point="shared@example.com"),
        said("C3", point="shared@example.com"),
        said("C1", point="*"),
        Emit(LEDGER, b"odd", b"", 0, next(_times), ()),
        Emit(LEDGER, b"odd", b"\xff\xfe", 0, next(_times), ()),
        Emit(LEDGER, None, None, 0, next(_times), ()),
        said("C2", decision="opt_out"),
        erased("C1"),
        said("C2", decision="opt_in"),
    ]
    topic.write([*entries, said("C1", 1), said("C3", 1)])

    output = topic.forget()

    held = topic.holds(0)
    assert plain(held) == [entries[place] for place in (1, 3, 5, 6, 7, 8, 9, 10)]
    assert [copied_from(one.headers) for one in held] == [1, 3, 5, 6, 7, 8, 9, 10]
    assert topic.bounds(0) == (11, 19)
    assert [one.value for one in topic.holds(1)] == [topic.holds(1)[0].value]
    assert "3 entries of 1 customer to remove, 8 to keep" in output
    assert "4 entries removed" in output
    assert [f"consent.ledger[0]@{one} cannot be decoded" in output for one in (5, 6, 7)] == [True] * 3
    assert "@example.com" not in output


def test_a_partition_without_an_erased_customer_is_left_alone(topic: Topic) -> None:
    others = [said("C2", 1), said("C3", 1)]
    topic.write([said("C1"), erased("C1"), *others])

    output = topic.forget()

    assert topic.holds(1) == others
    assert topic.bounds(1) == (0, 2)
    assert "partition 1: nothing to remove, 2 stay as they are" in output


def test_what_is_run_again_finds_nothing_and_a_later_erasure_is_found_among_the_copies(topic: Topic) -> None:
    entries = [said("C1"), said("C2"), said("C3"), erased("C1")]
    topic.write(entries)
    topic.forget()
    before = topic.bounds(0)

    assert "nothing to remove" in topic.forget()
    assert topic.bounds(0) == before

    later = erased("C2", 1)
    topic.write([later])
    topic.forget()
    assert plain(topic.holds(0)) == [entries[2], entries[3]]
    assert topic.holds(1) == [later]


def test_a_run_that_is_killed_between_copy_and_delete_is_repeated_as_if_it_had_not_been(topic: Topic) -> None:
    entries = [said("C2"), said("C1"), said("C3"), erased("C1")]
    topic.write(entries)
    topic.killed("Ledger.cut")
    assert topic.bounds(0) == (0, 7)
    written_meanwhile = said("C2", decision="opt_out")
    topic.write([written_meanwhile])

    output = topic.forget()

    assert plain(topic.holds(0)) == [entries[0], entries[2], entries[3], written_meanwhile]
    assert "3 copies of an interrupted run" in output


def test_a_run_that_is_killed_while_it_copies_is_repeated_as_if_it_had_not_been(topic: Topic) -> None:
    entries = [said("C2"), said("C1"), said("C3"), erased("C1")]
    topic.write(entries)
    topic.killed("_Writer._delivered")
    topic.killed("Ledger.cut")

    topic.forget()

    assert plain(topic.holds(0)) == [entries[0], entries[2], entries[3]]


def test_nothing_is_deleted_where_somebody_wrote_between_the_copies(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, copy = said("C2", decision="opt_out"), Ledger.copy

    def disturbed(*arguments: object) -> None:
        copy(*arguments)  # type: ignore[arg-type]
        topic.write([late])

    entries = [said("C2"), said("C1"), erased("C1")]
    topic.write(entries)
    monkeypatch.setattr(Ledger, "copy", disturbed)
    assert "was written to while it was copied" in topic.forget(fails=True)
    monkeypatch.undo()
    monkeypatch.setenv("WRITEBACK_ERASURE_KEY", KEY)
    assert topic.bounds(0)[0] == 0

    topic.forget()

    assert plain(topic.holds(0)) == [entries[0], entries[2], late]


def test_a_dry_run_says_what_would_go_and_changes_nothing(topic: Topic) -> None:
    entries = [said("C1"), said("C2"), said("C1"), said("C9"), erased("C1"), erased("C9")]
    topic.write(entries)

    output = topic.command("ledger", "forget", "--dry-run").output

    assert "partition 0: 3 entries of 2 customers to remove, 3 to keep" in output
    assert "3 entries would be removed" in output
    assert topic.holds(0) == entries


async def test_while_a_worker_is_in_the_engines_group_it_is_one_sentence(topic: Topic) -> None:
    topic.write([said("C1"), erased("C1")])
    async with AIOKafkaConsumer(LEDGER, bootstrap_servers=topic.broker.bootstrap, group_id=APP_ID) as engine:
        assert engine.assignment()
        output = await in_thread(topic.forget, fails=True)
        dry = await in_thread(topic.forget, "--dry-run")

    assert output.strip() == f"Error: the engine is running: the group {APP_ID} has 1 member; stop every engine first"
    assert "1 entry would be removed" in dry
    assert topic.bounds(0) == (0, 2)
    assert "1 entry removed" in await in_thread(topic.forget)


async def in_thread(work: object, *arguments: str, **options: bool) -> str:
    return str(await asyncio.to_thread(work, *arguments, **options))  # type: ignore[arg-type]


def test_another_key_and_no_key_are_one_sentence_and_nothing_is_deleted(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.write([said("C1"), erased("C1")])

    monkeypatch.setenv("WRITEBACK_ERASURE_KEY", "o" * 32)
    assert "WRITEBACK_ERASURE_KEY is not the key" in topic.forget(fails=True)
    monkeypatch.delenv("WRITEBACK_ERASURE_KEY")
    assert "WRITEBACK_ERASURE_KEY is missing" in topic.forget(fails=True)
    assert topic.bounds(0) == (0, 2)


def test_a_broker_that_refuses_our_password_is_one_sentence(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MECHANISM", "PLAIN"), ("USERNAME", "writeback"), ("PASSWORD", "hush")):
        monkeypatch.setenv(f"WRITEBACK_SASL_{name}", value)
    monkeypatch.setattr(ledger_copy, "CONNECT_TIMEOUT_S", 1.0)

    output = topic.forget(fails=True)

    assert output.strip() == (
        f"Error: {topic.broker.bootstrap} (--bootstrap, WRITEBACK_BOOTSTRAP) refuses us: "
        "see WRITEBACK_TLS and WRITEBACK_SASL_*"
    )


def test_where_records_may_not_be_deleted_none_is_copied(topic: Topic) -> None:
    topic.delete()
    topic.create(**{"cleanup.policy": "compact"})
    topic.write([said("C1"), erased("C1")])

    output = topic.forget(fails=True)

    assert output.endswith("Error: the broker did not answer as expected: POLICY_VIOLATION\n")
    assert topic.bounds(0) == (0, 2)


def test_where_one_copy_is_refused_nothing_is_deleted_and_the_next_run_is_whole(topic: Topic) -> None:
    long = Emit(LEDGER, b"long", b"x" * 20_000, 0, next(_times), ())
    entries = [said("C2"), said("C1"), long, said("C3"), erased("C1")]
    topic.write(entries)

    topic.alter("max.message.bytes", "10000")
    assert "did not answer as expected: MSG_SIZE_TOO_LARGE" in topic.forget(fails=True)
    assert topic.bounds(0)[0] == 0
    topic.alter("max.message.bytes", "1048588")

    topic.forget()
    assert plain(topic.holds(0)) == [entries[0], *entries[2:]]


def test_without_the_topic_it_is_one_sentence(topic: Topic) -> None:
    topic.delete()
    output = topic.forget(fails=True)
    topic.create()

    assert output.strip() == "Error: there is no topic consent.ledger"


def test_entries_in_a_schema_registrys_framing_are_read_with_it(
    topic: Topic, schemas: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    framed = PublicCodec(SchemaRegistry(schemas.url))
    entries = [said(name, codec=framed) for name in ("C1", "C2")]
    topic.write([*entries, erased("C1")])
    assert (entries[0].value or b"")[:1] == b"\x00"

    assert "nothing to remove, 3 stay as they are" in topic.forget()
    assert topic.bounds(0) == (0, 3)

    monkeypatch.setenv("SCHEMA_REGISTRY_URL", schemas.url)
    assert "1 entry removed" in topic.forget()
    assert plain(topic.holds(0))[0] == entries[1]

    schemas.status = 500
    assert "schema_registry" in topic.forget(fails=True)


def test_without_consent_nothing_is_removed(topic: Topic) -> None:
    topic.write([said("C1"), erased("C1")])

    output = topic.command("ledger", "forget", fails=True).output

    assert "Remove 1 entry?" in output
    assert topic.bounds(0) == (0, 2)


def test_the_largest_entries_and_more_than_fit_in_flight_are_copied_whole(topic: Topic) -> None:
    large = [Emit(LEDGER, b"large", bytes([n]) * 1_000_000, 0, AT + n, ()) for n in range(3)]
    many = [said("C2") for _ in range(12_000)]
    topic.write([said("C1"), *large, *many[:5000]])
    topic.write([*many[5000:], erased("C1")])

    output = topic.forget()

    assert plain(topic.holds(0))[:-1] == [*large, *many]
    assert "12004 copied, 1 removed" in output
