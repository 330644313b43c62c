"""What the harness does at the broker: topics, the input, the growth of the outputs, and reading them back."""

import time
from collections.abc import Iterable, Iterator, Sequence

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from benchmarks.digest import Digest

_TIMEOUT_S = 30.0
_BATCH_MAX = 10_000
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]

Offsets = dict[tuple[str, int], int]


def create(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    """Create the topics and wait until they exist; kept for ever, since the input's timestamps lie in the past."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [NewTopic(name, partitions, 1, config={"retention.ms": "-1"}) for name in names]
    for created in admin.create_topics(wanted).values():
        created.result(_TIMEOUT_S)


def produce(bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes, int]]) -> int:
    """Write (key, value, timestamp in ms) where Kafka's own partitioner would put them; returns the bytes of values."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "enable.idempotence": True,  # or a retry after the topic's creation changes the order of the input
        }
    )
    written = 0
    for key, value, timestamp_ms in records:
        while True:
            try:
                producer.produce(topic, value, key, timestamp=timestamp_ms)
                break
            except BufferError:
                producer.poll(0.1)
        written += len(value)
        producer.poll(0)
    assert producer.flush(_TIMEOUT_S) == 0
    return written


class Ends:
    """End offsets of a set of topics, asked for in one request."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._partitions: list[TopicPartition] = []

    def watch(self, names: Sequence[str], containing: str) -> None:
        """Watch the named topics and every topic whose name contains `containing` (a contender's own)."""
        topics = self._admin.list_topics(timeout=_TIMEOUT_S).topics
        self._partitions = [
            TopicPartition(name, partition)
            for name, topic in topics.items()
            if name in names or containing in name
            for partition in topic.partitions
        ]

    def now(self) -> Offsets:
        """End offset by (topic, partition)."""
        asked = self._admin.list_offsets(dict.fromkeys(self._partitions, _LATEST))
        return {(at.topic, at.partition): found.result(_TIMEOUT_S).offset for at, found in asked.items()}


def digest(bootstrap: str, begin: Offsets, end: Offsets) -> Digest:
    """Digest of everything between the two sets of offsets."""
    found = Digest()
    for message in _between(bootstrap, begin, end):
        found.add(message.key() or b"", message.value() or b"")
    return found


def _between(bootstrap: str, begin: Offsets, end: Offsets) -> Iterator[Message]:
    """Every record from `begin` up to `end`; raises if they do not come in time."""
    left = {at: end[at] - begin.get(at, 0) for at in end if end[at] > begin.get(at, 0)}
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "benchmarks-reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(*at, begin.get(at, 0)) for at in left])
    deadline = time.monotonic() + _TIMEOUT_S
    remaining = sum(left.values())
    try:
        while remaining:
            assert time.monotonic() < deadline, f"{remaining} records missing"
            for message in consumer.consume(_BATCH_MAX, timeout=1.0):
                assert message.error() is None, message.error()
                if _before(message, end):
                    remaining -= 1
                    yield message
    finally:
        consumer.close()


def _before(message: Message, end: Offsets) -> bool:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None and partition is not None and offset is not None
    return offset < end[topic, partition]


def skip(bootstrap: str, group: str, topic: str) -> None:
    """Let a group that has not begun yet begin behind what the topic holds now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        ends = [
            TopicPartition(topic, each, consumer.get_watermark_offsets(TopicPartition(topic, each), _TIMEOUT_S)[1])
            for each in partitions
        ]
        consumer.commit(offsets=ends, asynchronous=False)
    finally:
        consumer.close()
