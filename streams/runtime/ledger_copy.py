"""The consent ledger written anew without what an erasure has ended: copy, compare, cut (docs/decisions/0006).

A partition's entries are appended once more in their order, and only when the broker has every copy, and nothing but
the copies behind the old end, is the old part deleted. A run that dies before that leaves copies whose original is
still there, which the next run does not copy again: so it may end and be repeated at any point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.lane import Record
from streams.runtime import topics
from streams.runtime.ledger_markers import Fate, Forgetting, copied
from streams.runtime.security import native_auth
from streams.runtime.settings import Settings

CONNECT_TIMEOUT_S: Final = 10.0
REQUEST_TIMEOUT_S: Final = 30.0
READ_MAX: Final = 1000
READ_TIMEOUT_S: Final = 0.1  # so long a read waits to bring `READ_MAX`
WRITE_TIMEOUT_S: Final = 1.0
# A read that brings nothing for so long cannot be finished.
QUIET_MAX_S: Final = 60.0
IN_FLIGHT_MAX: Final = 10_000
IN_FLIGHT_KBYTES_MAX: Final = 65_536
DELIVERY_TIMEOUT_MS: Final = 120_000
# What a copy has more than the record it was made from.
OVERHEAD_BYTES_MAX: Final = 65_536
UNREADABLE_SHOWN_MAX: Final = 20

AGAIN_S: Final = 0.2
# The group's coordinator is being found.
_MOVING: Final = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)

# A broker that is there, and will not have us.
REFUSALS: Final = (KafkaError._AUTHENTICATION, KafkaError._SSL)

Tell = Callable[[int], None]


class CopyRefused(Exception):
    """The ledger cannot be copied now; nothing has been deleted for it. The text is one sentence."""


class Span(NamedTuple):
    """The entries of a partition from `low` to before `end`."""

    partition: int
    low: int
    end: int


class Plan:
    """What would become of one partition's records. `customers` are the ids under which the forgotten ones lie."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.counts = dict.fromkeys(Fate, 0)
        self.customers: set[str] = set()
        self.unreadable: list[int] = []

    def add(self, record: Record, fate: Fate, customer_id: str | None) -> None:
        """Count a record."""
        self.counts[fate] += 1
        if fate is Fate.FORGOTTEN and customer_id is not None:
            self.customers.add(customer_id)
        elif fate is Fate.UNREADABLE and len(self.unreadable) < UNREADABLE_SHOWN_MAX:
            self.unreadable.append(record.offset)

    @property
    def copies(self) -> int:
        """How many records are to be written again."""
        return self.counts[Fate.KEPT] + self.counts[Fate.UNREADABLE]

    @property
    def forgets(self) -> bool:
        """True where there is anything to remove."""
        return self.counts[Fate.FORGOTTEN] > 0


class Ledger:
    """The topic `consent.ledger`, for one who maintains it. Every call may raise KafkaException."""

    def __init__(self, settings: Settings, topic: str = topics.LEDGER) -> None:
        common: dict[str, Any] = {
            "bootstrap.servers": settings.bootstrap,
            "log_level": 2,  # what it would say of a connection, the exception says
            **native_auth(settings),
        }
        self._topic = topic
        self._told: list[KafkaError] = []
        self._admin = AdminClient(common | {"error_cb": self._told.append})
        self._reading = common | {
            "group.id": "writeback-ledger",  # nothing joins it, and nothing is committed
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "isolation.level": "read_uncommitted",  # what is not read would be deleted unread
            "auto.offset.reset": "error",
            "check.crcs": True,
        }
        self._writing = common | {
            "enable.idempotence": True,
            "acks": "all",
            "queue.buffering.max.messages": IN_FLIGHT_MAX,
            "queue.buffering.max.kbytes": IN_FLIGHT_KBYTES_MAX,
            "message.max.bytes": settings.record_max_bytes + OVERHEAD_BYTES_MAX,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
        }

    def members(self, group: str) -> int:
        """How many members a consumer group has, 0 where there is none of this name."""
        deadline_s = time.monotonic() + REQUEST_TIMEOUT_S
        while True:
            asked = self._admin.describe_consumer_groups([group], request_timeout=REQUEST_TIMEOUT_S)
            try:
                return len(asked[group].result().members)
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError.GROUP_ID_NOT_FOUND:
                    return 0
                if code not in _MOVING or time.monotonic() > deadline_s:
                    raise
            time.sleep(AGAIN_S)

    def spans(self) -> list[Span]:
        """Every partition with its bounds; raises CopyRefused where there is no such topic."""
        try:
            found = self._admin.list_topics(timeout=CONNECT_TIMEOUT_S).topics.get(self._topic)
        except KafkaException:
            self._admin.poll(0)  # what the connection said of it is told by callback alone
            for one in self._told:
                if one.code() in REFUSALS:
                    raise KafkaException(one) from None
            raise
        if found is None:
            raise CopyRefused(f"there is no topic {self._topic}")
        return [self.span(one) for one in sorted(found.partitions)]

    def span(self, partition: int) -> Span:
        """The bounds of a partition as they are now."""
        with closing(Consumer(self._reading)) as consumer:
            place = TopicPartition(self._topic, partition)
            found = consumer.get_watermark_offsets(place, timeout=REQUEST_TIMEOUT_S, cached=False)
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return Span(partition, *found)

    def records(self, span: Span) -> Iterator[Record]:
        """What a span holds, in order; raises CopyRefused where it cannot be read to its end."""
        if span.low >= span.end:
            return
        with closing(Consumer(self._reading)) as consumer:
            consumer.assign([TopicPartition(self._topic, span.partition, span.low)])
            for message in _polled(consumer):
                if _is_end(message):
                    if (message.offset() or 0) >= span.end:
                        return
                    continue  # a broker that has just become the leader may not know of the rest yet
                record = _record(message)
                if record.offset < span.end:
                    yield record
                if record.offset >= span.end - 1:
                    return
        raise CopyRefused(f"{self._topic}[{span.partition}] could not be read to its end; nothing was deleted")

    def copy(self, plan: Plan, forgetting: Forgetting, tell: Tell) -> None:
        """Append what is kept of a span behind its end; all is acknowledged, or CopyRefused is raised."""
        span = plan.span
        if self.span(span.partition) != span:
            raise CopyRefused(f"{self._topic}[{span.partition}] was written to meanwhile; nothing was deleted there")
        self._delete(span.partition, span.low)  # nothing: whether we may is known before anything is written
        writer = _Writer(self._writing)
        try:
            for done, record in enumerate(self.records(span)):
                if forgetting.fate(record, span.low)[0] in (Fate.KEPT, Fate.UNREADABLE):
                    writer.write(record)
                tell(done)
            writer.finish()
        finally:
            writer.abandon()
        if writer.acknowledged != plan.copies:
            raise CopyRefused(f"{self._topic}[{span.partition}] has other entries than before; nothing was deleted")

    def cut(self, plan: Plan) -> None:
        """Delete the span that was copied; raises CopyRefused where anything but its copies is behind it.

        Whatever is written from here on is behind the copies, so that no entry comes to lie before an older one.
        """
        partition, low, end = plan.span
        if self.span(partition) != Span(partition, low, end + plan.copies):
            told = "was written to while it was copied; nothing was deleted there, and the copies will be left out"
            raise CopyRefused(f"{self._topic}[{partition}] {told}")
        self._delete(partition, end)
        if self.span(partition).low < end:
            raise CopyRefused(f"{self._topic}[{partition}] still begins before its copies")

    def _delete(self, partition: int, before: int) -> None:
        place = TopicPartition(self._topic, partition, before)
        for deleted in self._admin.delete_records([place], request_timeout=REQUEST_TIMEOUT_S).values():
            deleted.result()


def _polled(consumer: Consumer) -> Iterator[Message]:
    """Messages, until none comes for `QUIET_MAX_S`."""
    news_s = time.monotonic()
    while time.monotonic() - news_s < QUIET_MAX_S:
        for message in consumer.consume(READ_MAX, READ_TIMEOUT_S):
            yield message
            news_s = time.monotonic()


def _is_end(message: Message) -> bool:
    """True for the notice that there is no more; raises KafkaException for any other notice."""
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return error is not None


def _record(message: Any) -> Record:  # the stubs say of a record what holds for a notice
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )


class _Writer:
    """Appends copies in order; the first that fails ends it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._producer = Producer(options)
        self._failed: KafkaError | None = None
        self.acknowledged = 0

    def write(self, record: Record) -> None:
        """Hand a copy to the producer, once there is room."""
        while True:
            self._check()
            with suppress(BufferError):
                self._produce(record)
                self._producer.poll(0)
                return
            self._producer.poll(WRITE_TIMEOUT_S)

    def finish(self) -> None:
        """Wait for every acknowledgement."""
        self._producer.flush()  # each message ends within delivery.timeout.ms
        self._check()

    def abandon(self) -> None:
        """Send nothing more; does nothing to what is acknowledged."""
        self._producer.purge()
        self._producer.flush(WRITE_TIMEOUT_S)

    def _produce(self, record: Record) -> None:
        self._producer.produce(
            record.topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            timestamp=record.timestamp_ms,
            headers=list(copied(record)),
            on_delivery=self._delivered,
        )

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.acknowledged += 1
        elif self._failed is None:
            self._failed = error

    def _check(self) -> None:
        if self._failed is not None:
            raise KafkaException(self._failed)


def planned(ledger: Ledger, span: Span, forgetting: Forgetting, tell: Tell) -> Plan:
    """Look at a partition without changing it."""
    plan = Plan(span)
    for done, record in enumerate(ledger.records(span)):
        plan.add(record, *forgetting.fate(record, span.low))
        tell(done)
    return plan
