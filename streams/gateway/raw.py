"""The way into the raw topics: a bounded producer that says no instead of keeping what it cannot hand over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
)

from streams.gateway.settings import GatewaySettings
from streams.model import Invalid, Millis, Retry

log = logging.getLogger(__name__)

Headers: TypeAlias = Sequence[tuple[str, bytes]]

_RECORD_OVERHEAD_BYTES = 65_536  # headers, key and framing around a body of the largest size
_READY_TIMEOUT_S = 2.0
_FATAL = (InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerClosed, ProducerFenced)


class RawTopics:
    """Writes to the broker while there is one: connects in the background, and again when it must.

    What was sent counts as in flight until the broker or the producer has settled it, also when nobody waits any
    more: so memory stays bounded while the broker is away.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Callable[[], float] = time.monotonic,
        watch: Callable[[int], None] = lambda in_flight: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._watch = watch
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._failing_since: float | None = None
        self._topics: frozenset[str] = frozenset()
        self._looked_at = 0.0

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._connect()

    async def stop(self) -> None:
        """Hand over what is in flight, as far as `stop_timeout_s` allows, and disconnect."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._close(producer)

    async def ready(self, topics: Sequence[str]) -> bool:
        """Whether the broker answers now and has the topics."""
        if self._producer is None:
            return False
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await self._look(self._producer)
        except (KafkaError, TimeoutError, OSError):
            return False
        return self._topics.issuperset(topics)

    async def write(self, topic: str, key: bytes | None, value: bytes, at: Millis, headers: Headers) -> None:
        """Return when all replicas in sync have it. Raises Retry, or Invalid("too_large") where the broker says so.

        After Retry it may have been written all the same: the sender repeats it, and folding it twice is harmless.
        """
        settings = self._settings
        producer = self._producer
        if producer is None:
            raise Retry("broker_unavailable")
        if topic not in self._topics:
            await self._require(topic)
        if self._in_flight >= settings.in_flight_max or self._in_flight_bytes >= settings.in_flight_bytes_max:
            raise Retry("overloaded")
        try:
            async with asyncio.timeout(settings.acknowledge_timeout_s):
                await self._acknowledged(producer, topic, key, value, at, headers)
        except MessageSizeTooLargeError:
            raise Invalid("too_large", "the broker's limit") from None
        except (KafkaError, TimeoutError) as error:
            self._failed(producer, error)
            raise Retry("broker_unavailable") from error
        self._failing_since = None

    async def _require(self, topic: str) -> None:
        """Look before writing: to ask a broker for a topic by name may create it, with the wrong partitions."""
        if self._clock() < self._looked_at + self._settings.reconnect_s or not await self.ready((topic,)):
            raise Retry("no_topic")

    async def _look(self, producer: AIOKafkaProducer) -> None:
        self._looked_at = self._clock()
        self._topics = frozenset((await producer.client.fetch_all_metadata()).topics())

    async def _acknowledged(
        self, producer: AIOKafkaProducer, topic: str, key: bytes | None, value: bytes, at: Millis, headers: Headers
    ) -> None:
        self._count(1, len(value))
        try:
            sent = await producer.send(topic, value, key, timestamp_ms=at, headers=list(headers))
        except BaseException:
            self._count(-1, -len(value))
            raise
        sent.add_done_callback(partial(self._settled, len(value)))
        await asyncio.shield(sent)

    def _settled(self, size: int, sent: asyncio.Future[Any]) -> None:
        self._count(-1, -size)
        if not sent.cancelled():
            sent.exception()  # nobody may wait for it any more

    def _count(self, messages: int, size: int) -> None:
        self._in_flight += messages
        self._in_flight_bytes += size
        self._watch(self._in_flight)

    def _failed(self, producer: AIOKafkaProducer, error: Exception) -> None:
        """Begin anew where this producer will not recover: a fatal error, or silence for too long."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        fatal = isinstance(error, _FATAL)
        if producer is self._producer and (fatal or now - self._failing_since > self._settings.renew_after_s):
            log.warning("The producer does not recover from %s; beginning with a new one", type(error).__name__)
            self._producer, self._failing_since = None, None
            self._connect(producer)

    def _connect(self, old: AIOKafkaProducer | None = None) -> None:
        self._connecting = asyncio.create_task(self._connected(old))

    async def _connected(self, old: AIOKafkaProducer | None) -> None:
        if old is not None:
            await self._close(old)
        said = False
        while True:
            producer = AIOKafkaProducer(**_options(self._settings))
            try:
                await producer.start()
                await self._look(producer)
            except (KafkaError, OSError) as error:
                await self._close(producer)
                if not said:
                    log.warning("No broker yet (%s); answering 503 until there is", type(error).__name__)
                said = True
                await asyncio.sleep(self._settings.reconnect_s)
            else:
                self._producer = producer
                log.info("Connected to the broker")
                return

    async def _close(self, producer: AIOKafkaProducer) -> None:
        with contextlib.suppress(KafkaError, TimeoutError, OSError):
            async with asyncio.timeout(self._settings.stop_timeout_s):
                await producer.stop()


def _options(settings: GatewaySettings) -> dict[str, Any]:
    largest = settings.body_max_bytes + _RECORD_OVERHEAD_BYTES
    return {
        "bootstrap_servers": settings.bootstrap,
        "acks": "all",
        "enable_idempotence": settings.idempotent,
        "max_batch_size": settings.batch_bytes,
        "max_request_size": largest,
        "request_timeout_ms": int(settings.delivery_timeout_s * 1000),
        "linger_ms": 0,
        **_security(settings),
    }


def _security(settings: GatewaySettings) -> dict[str, Any]:
    security: dict[str, Any] = {"ssl_context": ssl.create_default_context()} if settings.tls else {}
    if not settings.sasl_mechanism:
        return {**security, "security_protocol": "SSL" if settings.tls else "PLAINTEXT"}
    return {
        **security,
        "security_protocol": "SASL_SSL" if settings.tls else "SASL_PLAINTEXT",
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password,
    }
