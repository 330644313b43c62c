"""A fake platform: a real HTTP server on a free port, and a client opened on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from streams.connectors.base import Client
from tests.contract.case import Answering, Case, Request


class Platform:
    """A real HTTP server on a free port that records requests and answers as told."""

    def __init__(self, answer: Answering, delay_s: float = 0.0, drop: bool = False) -> None:
        self.answer = answer
        self.delay_s = delay_s
        self.drop = drop
        self.requests: list[Request] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        seen = Request(
            request.method, request.path, dict(request.query),
            {name.lower(): value for name, value in request.headers.items()}, body,
        )  # fmt: skip
        self.requests.append(seen)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.drop and request.transport is not None:
            request.transport.abort()
        reply = self.answer(seen)
        named = {"Content-Type": "application/json", **reply.headers}
        return web.Response(status=reply.status, body=reply.content(), headers=named)


@asynccontextmanager
async def serving(platform: Platform) -> AsyncIterator[str]:
    """The fake platform's address while it runs."""
    app = web.Application(client_max_size=8_000_000)
    app.router.add_route("*", "/{tail:.*}", platform.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(case: Case, platform: Platform, **changed: str) -> AsyncIterator[Client]:
    """The case's client, opened on a running fake platform; both closed afterwards."""
    async with serving(platform) as url:
        urls = dict.fromkeys(case.url_settings, url)
        client = case.connector.client(case.platform, {**case.settings, **urls, "TOTAL_TIMEOUT_S": "10", **changed})
        await client.open()
        try:
            yield client
        finally:
            await client.close()
