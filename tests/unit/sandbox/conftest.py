"""A sandbox on free ports, a gateway that only remembers, and callers of the vendors' APIs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from streams.sandbox import OutboxLimits, Sandbox

QUICK = OutboxLimits(backoff_s=0.01, backoff_max_s=0.05, attempts_max=4, reorder_wait_s=0.2)


class Delivered:
    """One webhook as the gateway got it."""

    def __init__(self, platform: str, headers: dict[str, str], body: bytes, json: Any) -> None:
        self.platform, self.headers, self.body, self.json = platform, headers, body, json

    @property
    def topic(self) -> str | None:
        return self.headers.get("x-shopify-topic")


class Gateway:
    """Answers the statuses that are put into `answers`, then 202, and keeps what it took."""

    def __init__(self) -> None:
        self.taken: list[Delivered] = []
        self.refused: list[Delivered] = []
        self.answers: list[int] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivered = Delivered(request.match_info["platform"], headers, await request.read(), await request.json())
        status = self.answers.pop(0) if self.answers else 202
        (self.taken if status < 300 else self.refused).append(delivered)
        return web.Response(status=status)

    def of(self, platform: str) -> list[Delivered]:
        return [one for one in self.taken if one.platform == platform]

    def topics(self) -> list[str | None]:
        return [one.topic for one in self.of("storefront")]


class Caller:
    """Calls one platform's API with fixed headers."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, headers: dict[str, str]) -> None:
        self._session, self._base_url, self.headers = session, base_url, headers

    async def __call__(self, method: str, path: str, **sent: Any) -> tuple[int, Any, dict[str, str]]:
        headers = {**self.headers, **sent.pop("headers", {})}
        async with self._session.request(method, self._base_url + path, headers=headers, **sent) as answer:
            text = await answer.text()
            is_json = "json" in answer.content_type and text
            return answer.status, await answer.json(content_type=None) if is_json else text, dict(answer.headers)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    kept = Gateway()
    application = web.Application()
    application.router.add_post("/webhooks/{platform}", kept.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield kept
    await runner.cleanup()


@pytest.fixture
async def sandbox(gateway: Gateway) -> AsyncIterator[Sandbox]:
    async with Sandbox(gateway.url, environment={}, limits=QUICK) as running:
        running.configure("storefront", erasure_delay_s=0.02)
        running.configure("esp", job_delay_s=0.02)
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def storefront(sandbox: Sandbox, session: aiohttp.ClientSession) -> Caller:
    token = sandbox.environment()["WRITEBACK_STOREFRONT_ACCESS_TOKEN"]
    return Caller(session, sandbox.addresses["storefront"], {"X-Shopify-Access-Token": token})


@pytest.fixture
async def crm(sandbox: Sandbox, session: aiohttp.ClientSession) -> Caller:
    caller = Caller(session, sandbox.addresses["crm"], {})
    environment = sandbox.environment()
    form = {
        "grant_type": "client_credentials",
        "client_id": environment["WRITEBACK_CRM_CLIENT_ID"],
        "client_secret": environment["WRITEBACK_CRM_CLIENT_SECRET"],
    }
    _, granted, _ = await caller("POST", "/services/oauth2/token", data=form)
    caller.headers["Authorization"] = f"Bearer {granted['access_token']}"
    return caller


@pytest.fixture
def esp(sandbox: Sandbox, session: aiohttp.ClientSession) -> Caller:
    key = sandbox.environment()["WRITEBACK_ESP_API_KEY"]
    headers = {"Authorization": f"Klaviyo-API-Key {key}", "revision": "2026-07-15"}
    return Caller(session, sandbox.addresses["esp"], headers)


@pytest.fixture
def validator(sandbox: Sandbox, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, sandbox.addresses["validator"], {})


@pytest.fixture
def ann(sandbox: Sandbox) -> dict[str, str]:
    """Ann's record ids by platform."""
    return sandbox.seed_everywhere()["ann"]
