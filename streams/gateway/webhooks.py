"""One webhook delivery: read within bounds, verified over its raw bytes, written, and only then answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from streams.gateway.endpoints import Endpoint
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.raw import RawTopics
from streams.gateway.settings import GatewaySettings
from streams.model import Invalid, Millis, Retry, format_time

log = logging.getLogger(__name__)

RECEIVED_AT: Final = "received_at"

# Not written to the topic: what proves who sent it, and what belongs to the connection.
_CREDENTIALS: Final = ("signature", "hmac", "authorization", "cookie", "token", "secret", "api-key")
_CONNECTION: Final = frozenset(
    {
        RECEIVED_AT,
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)
_CONNECTION_PREFIXES: Final = ("accept", "x-forwarded-", "x-real-")


class Refusal(Exception):
    """The delivery is not taken: an HTTP status, and the reason by which it is counted."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Webhooks:
    """Receives deliveries for all platforms."""

    def __init__(
        self, raw: RawTopics, settings: GatewaySettings, metrics: GatewayMetrics, now: Callable[[], Millis]
    ) -> None:
        self._raw = raw
        self._settings = settings
        self._metrics = metrics
        self._now = now
        self._in_hand = 0

    async def receive(self, endpoint: Endpoint, request: web.Request) -> web.Response:
        """Answer 202 once the broker has the delivery, else why not."""
        started = time.monotonic()
        self._in_hand += 1
        try:
            await self._take(endpoint, request)
        except Refusal as refusal:
            return self._refused(endpoint.platform, refusal)
        finally:
            self._in_hand -= 1
        self._metrics.webhooks.labels(endpoint.platform, "accepted").inc()
        self._metrics.seconds.labels(endpoint.platform).observe(time.monotonic() - started)
        return web.json_response({"accepted": True}, status=HTTPStatus.ACCEPTED)

    async def _take(self, endpoint: Endpoint, request: web.Request) -> None:
        if self._in_hand > self._settings.requests_max:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded")
        _require_json(request)
        body = await self._body(request)
        at = self._now()
        headers = {name.lower(): value for name, value in request.headers.items()}
        key = _verified(endpoint, headers, body, at)
        await self._write(endpoint.topic, key, body, at, _kept(headers, at))

    async def _body(self, request: web.Request) -> bytes:
        """The raw body; never more than the limit in memory, and not for longer than the timeout."""
        limit = self._settings.body_max_bytes
        if (request.content_length or 0) > limit:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.read_timeout_s):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow") from None
        return bytes(body)

    async def _write(
        self, topic: str, key: bytes | None, body: bytes, at: Millis, headers: list[tuple[str, bytes]]
    ) -> None:
        try:
            await self._raw.write(topic, key, body, at, headers)
        except Invalid as invalid:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, invalid.reason) from None
        except Retry as retry:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(retry)) from None

    def _refused(self, platform: str, refusal: Refusal) -> web.Response:
        self._metrics.webhooks.labels(platform, refusal.reason).inc()
        log.info("Refused a delivery of %s: %s", platform, refusal.reason)
        response = web.json_response({"refused": refusal.reason}, status=refusal.status)
        if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = str(self._settings.retry_after_s)
        if refusal.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
            response.force_close()  # the rest of the body is not worth reading
        return response


def _require_json(request: web.Request) -> None:
    """A body that is declared as something else, or compressed, is refused before it is read."""
    declared = request.headers.get("Content-Type", "application/json").split(";")[0].strip().lower()
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if not (declared.endswith(("/json", "+json")) and encoding == "identity"):
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong_type")


def _verified(endpoint: Endpoint, headers: dict[str, str], body: bytes, at: Millis) -> bytes | None:
    """The record key of a delivery that is signed and is JSON; in this order, so that strangers learn nothing."""
    try:
        endpoint.connector.verify(headers, body, endpoint.settings, at)
    except Invalid as invalid:
        raise Refusal(HTTPStatus.UNAUTHORIZED, invalid.reason) from None
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_json") from None
    key = endpoint.connector.record_key(headers, body)
    return None if key is None else key.encode()


def _kept(headers: dict[str, str], at: Millis) -> list[tuple[str, bytes]]:
    kept = [
        (name, value.encode("utf-8", "surrogateescape")) for name, value in headers.items() if _is_the_webhooks(name)
    ]
    return [*kept, (RECEIVED_AT, format_time(at).encode())]


def _is_the_webhooks(name: str) -> bool:
    if name in _CONNECTION or name.startswith(_CONNECTION_PREFIXES):
        return False
    return not any(word in name for word in _CREDENTIALS)
