"""Puts the journal and the fault switch in front of a vendor's API."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web

from streams.sandbox.journal import Received
from streams.sandbox.simulator import Simulator

Answering: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_MAX_BYTES = 6_000_000


def serve(simulator: Simulator) -> web.Application:
    """The vendor's API with its faults, ready to be bound to a port."""
    application = simulator.application()

    @web.middleware
    async def faults(request: web.Request, handler: Answering) -> web.StreamResponse:
        received = simulator.journal.add(await _received(simulator, request))
        response = await _fault(simulator) or await handler(request)
        if response.status < 400 and simulator.is_write(received) and simulator.switch.take("vanish_next"):
            await _vanish(simulator, request)
            return response
        received.status = response.status
        return response

    application.middlewares.append(faults)
    return application


async def _received(simulator: Simulator, request: web.Request) -> Received:
    return Received(
        platform=simulator.platform,
        method=request.method,
        path=request.path,
        at_ms=simulator.clock(),
        body=_readable(await request.read(), request.content_type),
        client=request.headers.get("Sforce-Call-Options"),
    )


def _readable(body: bytes, content_type: str) -> Any:
    """The JSON body; None for a form, which may carry credentials, and for what is not JSON."""
    if not body or "json" not in content_type:
        return None
    with contextlib.suppress(ValueError):
        return json.loads(body)
    return None


async def _fault(simulator: Simulator) -> web.Response | None:
    """The refusal that is due before the request is looked at, if any."""
    switch = simulator.switch
    if switch.faults.latency_s:
        await asyncio.sleep(switch.faults.latency_s)
    if switch.is_down():
        return simulator.refusal(503, switch.faults.retry_after_s)
    if switch.take("throttle_next"):
        return simulator.refusal(429, switch.faults.retry_after_s)
    if switch.take("fail_next") or switch.strikes("fail_rate"):
        return simulator.refusal(500, switch.faults.retry_after_s)
    return None


async def _vanish(simulator: Simulator, request: web.Request) -> None:
    """The request was applied; its answer never leaves."""
    await asyncio.sleep(simulator.switch.faults.vanish_after_s)
    if request.transport is not None:
        request.transport.abort()
