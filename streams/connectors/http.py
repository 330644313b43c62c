"""The HTTP that every connector's client shares: bounded, timed, and with faults turned into `Later`.

A connector sees a `Reply` only where the vendor had something to say; what says "not now" whoever the vendor is
(network faults, timeouts, 401, 408, 429, 5xx) is a `Later` already. Redirects are not followed: a credential must
not travel to another host.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar

import aiohttp
import msgspec

from streams.connectors.base import Later, Setting
from streams.model import Invalid, Millis

Clock: TypeAlias = Callable[[], Millis]
T = TypeVar("T")


def now_ms() -> Millis:
    """The wall clock."""
    return time.time_ns() // 1_000_000


class Limits(msgspec.Struct, frozen=True):
    """What one platform's client may spend on one request; `retry_after_max_s` caps what a platform may ask for."""

    connect_timeout_s: float = 5.0
    total_timeout_s: float = 20.0
    body_max_bytes: int = 4_000_000
    connections_max: int = 8
    retry_after_max_s: float = 3600.0

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Limits:
        """The limits that a connector's settings state, else the defaults; raises Invalid("bad_setting")."""
        stated = {name: settings[name.upper()] for name in cls.__struct_fields__ if name.upper() in settings}
        try:
            limits = msgspec.convert(stated, cls, strict=False)
        except msgspec.ValidationError as error:
            raise Invalid("bad_setting", str(error)) from None
        for name in cls.__struct_fields__:
            if not 0 < getattr(limits, name) < float("inf"):
                raise Invalid("bad_setting", name.upper())
        return limits


# For a connector's own `settings`, so that each platform's client can be tuned from the environment.
LIMIT_SETTINGS = (
    Setting("CONNECT_TIMEOUT_S", "seconds to connect", default=str(Limits().connect_timeout_s)),
    Setting("TOTAL_TIMEOUT_S", "seconds for one request, answer included", default=str(Limits().total_timeout_s)),
    Setting("BODY_MAX_BYTES", "bytes of one answer that are read", default=str(Limits().body_max_bytes)),
    Setting("CONNECTIONS_MAX", "connections kept open", default=str(Limits().connections_max)),
    Setting("RETRY_AFTER_MAX_S", "longest Retry-After obeyed, seconds", default=str(Limits().retry_after_max_s)),
)


class Reply(msgspec.Struct, frozen=True):
    """What the platform answered; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """True for 2xx: the vendor's own error fields may still say otherwise."""
        return 200 <= self.status < 300

    def read(self, shape: type[T]) -> T | Later:
        """The JSON body as `shape`; `Later("unreadable_answer")` where it is not that."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Later("unreadable_answer", whole_platform=False)

    def object(self) -> dict[str, Any] | Later:
        """The JSON body as an object."""
        return self.read(dict[str, Any])

    def array(self) -> list[Any] | Later:
        """The JSON body as an array."""
        return self.read(list[Any])


class Http:
    """One host's session: `base_url` is joined with each path as text, `headers` go with every request.

    Raises Invalid("bad_setting") for a header that cannot be sent, such as a token with a line break in it.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        clock: Clock = now_ms,
    ) -> None:
        self.clock = clock
        self._base_url = base_url.rstrip("/")
        self._headers = {"User-Agent": "writeback", **(headers or {})}
        for name, value in self._headers.items():
            if not value.isprintable():
                raise Invalid("bad_setting", name)
        self._limits = limits or Limits()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open the session; opening twice changes nothing."""
        if self._session is not None:
            return
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limits.connections_max),
            timeout=aiohttp.ClientTimeout(
                total=self._limits.total_timeout_s, sock_connect=self._limits.connect_timeout_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
        )

    async def close(self) -> None:
        """Close the session; closing twice changes nothing."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply | Later:
        """Send `json` or `form` (or neither) to the base URL plus `path`. Never raises for a fault."""
        sent = dict(headers or {})
        body: bytes | aiohttp.FormData | None = None
        if json is not None:
            body = msgspec.json.encode(json)
            sent.setdefault("Content-Type", "application/json")
        elif form is not None:
            body = aiohttp.FormData(form)
        try:
            async with self._send(method, self._base_url + path, body, params, sent) as response:
                return await self._reply(response)
        except TimeoutError:
            return Later("timeout")
        except (aiohttp.ClientError, OSError):
            return Later("network")

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | aiohttp.FormData | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("the client is not open")
        async with self._session.request(
            method, url, data=body, params=params, headers=headers, allow_redirects=False
        ) as response:
            yield response

    async def _reply(self, response: aiohttp.ClientResponse) -> Reply | Later:
        """Read at most `body_max_bytes`, unless the status alone already says "later"."""
        if (later := self._later(response)) is not None:
            return later
        parts = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            parts += chunk
            if len(parts) > self._limits.body_max_bytes:
                return Later("answer_too_large", whole_platform=False)
        named = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, named, bytes(parts))

    def _later(self, response: aiohttp.ClientResponse) -> Later | None:
        reason = _LATER.get(response.status)
        if reason is None and response.status < 500:
            return None
        after_s = retry_after_s(response.headers.get("Retry-After"), self.clock(), self._limits.retry_after_max_s)
        # A plain 500 may be about this one request; everything else here would stop the next one as well.
        return Later(reason or f"http_{response.status}", after_s, whole_platform=response.status != 500)


_LATER = {401: "unauthorized", 408: "timeout", 429: "throttled", 503: "unavailable", 504: "timeout"}


def retry_after_s(text: str | None, now: Millis, most_s: float) -> float | None:
    """`Retry-After` as seconds from `now`: a number or an HTTP date, within 0 and `most_s`; None where unreadable."""
    if not text:
        return None
    try:
        after_s = float(text)
    except ValueError:
        try:
            after_s = parsedate_to_datetime(text).timestamp() - now / 1000
        except (ValueError, TypeError, OverflowError):
            return None
    if after_s != after_s:
        return None
    return min(max(after_s, 0.0), most_s)
