"""The gateway as a process: it names all that is missing before it listens, and stops when it is told."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from streams.gateway.app import make_app
from streams.gateway.endpoints import Endpoint, read_endpoints
from streams.gateway.settings import GatewayRefused, GatewaySettings
from streams.quiet import silence_request_texts

log = logging.getLogger(__name__)


def run_gateway(settings: GatewaySettings, platforms: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Serve the webhooks of `platforms` (platform -> vendor) until SIGTERM or SIGINT.

    Raises GatewayRefused before it listens, with every missing secret at once, or where the port is taken.
    """
    endpoints = read_endpoints(platforms, environ)
    silence_request_texts()
    asyncio.run(_until_signalled(settings, endpoints))


async def serve(
    settings: GatewaySettings,
    endpoints: Sequence[Endpoint],
    stop: asyncio.Event,
    started: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve until `stop`; `started` is told the port. Requests in hand are finished within `stop_timeout_s`."""
    runner = web.AppRunner(make_app(settings, endpoints), shutdown_timeout=settings.stop_timeout_s)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            raise GatewayRefused([f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"]) from None
        port = runner.addresses[0][1]
        log.info("Listening on %s port %s for %s", settings.host, port, ", ".join(e.platform for e in endpoints))
        started(port)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _until_signalled(settings: GatewaySettings, endpoints: Sequence[Endpoint]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, endpoints, stop)
