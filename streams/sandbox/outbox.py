"""Webhooks on their way to the gateway: bounded queues, retries with backoff, duplicates and disorder on demand.

A record's webhooks share a lane and leave in order, until a retry or a fault lets a later one pass: as with the
vendors, nothing promises order. A webhook that is retried keeps its first body and headers.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, NamedTuple

import aiohttp
import msgspec

from streams.sandbox.faults import FaultSwitch


class OutboxLimits(msgspec.Struct, frozen=True):
    """How much, how often and how long. `drop` means: counted, and never sent again."""

    queued_max: int = 20_000  # over all platforms; a webhook over it is dropped
    lanes: int = 8
    attempts_max: int = 9
    backoff_s: float = 0.2  # doubled after each attempt
    backoff_max_s: float = 5.0
    timeout_s: float = 5.0
    reorder_wait_s: float = 0.5  # how long a webhook waits for one to let pass


class Webhook(NamedTuple):
    """One delivery as it goes over the wire; `about` names the record, for the order."""

    platform: str
    about: str
    headers: Mapping[str, str]
    body: bytes
    attempt: int = 1


class Outbox:
    """Sends webhooks to `<gateway>/webhooks/<platform>`; without a gateway they wait in the queue."""

    def __init__(self, switches: Mapping[str, FaultSwitch], limits: OutboxLimits | None = None) -> None:
        self._limits = limits or OutboxLimits()
        self._switches = switches
        self._lanes: dict[str, list[asyncio.Queue[Webhook]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0  # queued, in flight, or waiting for a retry
        self._has_gateway = asyncio.Event()
        self._gateway = ""
        self._session: aiohttp.ClientSession | None = None
        self.counts: dict[str, Counter[str]] = {}

    @property
    def gateway(self) -> str:
        """The gateway's base URL; empty where webhooks go nowhere yet."""
        return self._gateway

    def point_at(self, gateway: str) -> None:
        """Send to this gateway from now on; empty: hold everything."""
        self._gateway = gateway.rstrip("/")
        if self._gateway:
            self._has_gateway.set()
        else:
            self._has_gateway.clear()

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._limits.timeout_s))

    async def close(self) -> None:
        """Stop sending; what is still queued is dropped."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._lanes.clear()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def send(self, webhook: Webhook) -> None:
        """Queue one webhook; returns at once. Dropped where the queue is full, and where nothing is sent any more."""
        self._count(webhook.platform, "sent")
        copies = 2 if self._switches[webhook.platform].strikes("duplicate_rate") else 1
        for _ in range(copies):
            if self._session is None or self._waiting >= self._limits.queued_max:
                self._count(webhook.platform, "dropped")
                continue
            self._waiting += 1
            self._enqueue(webhook)

    @property
    def is_idle(self) -> bool:
        """True while nothing is queued, in flight or waiting for a retry."""
        return self._waiting == 0

    def _count(self, platform: str, what: str) -> None:
        self.counts.setdefault(platform, Counter())[what] += 1

    def _enqueue(self, webhook: Webhook) -> None:
        lanes = self._lanes.get(webhook.platform) or self._open_lanes(webhook.platform)
        lanes[zlib.crc32(webhook.about.encode()) % len(lanes)].put_nowait(webhook)

    def _open_lanes(self, platform: str) -> list[asyncio.Queue[Webhook]]:
        lanes: list[asyncio.Queue[Webhook]] = [asyncio.Queue() for _ in range(self._limits.lanes)]
        self._lanes[platform] = lanes
        for lane in lanes:
            self._start(self._drain(platform, lane))
        return lanes

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, platform: str, lane: asyncio.Queue[Webhook]) -> None:
        while True:
            webhook = await lane.get()
            await self._has_gateway.wait()
            if self._switches[platform].strikes("reorder_rate"):
                await self._let_one_pass(lane)
            await self._deliver(webhook)

    async def _let_one_pass(self, lane: asyncio.Queue[Webhook]) -> None:
        try:
            passing = await asyncio.wait_for(lane.get(), self._limits.reorder_wait_s)
        except TimeoutError:
            return
        self._count(passing.platform, "reordered")
        await self._deliver(passing)

    async def _deliver(self, webhook: Webhook) -> None:
        if await self._post(webhook):
            self._finish(webhook, "delivered")
        elif webhook.attempt >= self._limits.attempts_max:
            self._finish(webhook, "dropped")
        else:
            self._count(webhook.platform, "retried")
            self._start(self._retry(webhook))

    def _finish(self, webhook: Webhook, what: str) -> None:
        self._count(webhook.platform, what)
        self._waiting -= 1

    async def _retry(self, webhook: Webhook) -> None:
        delay_s = self._limits.backoff_s * 2.0 ** (webhook.attempt - 1)
        await asyncio.sleep(min(delay_s, self._limits.backoff_max_s))
        self._enqueue(webhook._replace(attempt=webhook.attempt + 1))

    async def _post(self, webhook: Webhook) -> bool:
        assert self._session is not None, "the outbox is not open"  # noqa: S101
        url = f"{self._gateway}/webhooks/{webhook.platform}"
        try:
            async with self._session.post(url, data=webhook.body, headers=dict(webhook.headers)) as answer:
                self._count(webhook.platform, f"answer_{answer.status}")
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            self._count(webhook.platform, "unreachable")
            return False
