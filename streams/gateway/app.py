"""The gateway's routes."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.gateway.endpoints import Endpoint
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.raw import RawTopics
from streams.gateway.settings import GatewaySettings
from streams.gateway.webhooks import Webhooks
from streams.model import Millis

log = logging.getLogger(__name__)

UNKNOWN: Final = "unknown"
_LINGER_S: Final = 1.0  # to read on after a refusal, so that the sender gets to see it
_REASONS: Final = {HTTPStatus.NOT_FOUND: "unknown_platform", HTTPStatus.METHOD_NOT_ALLOWED: "wrong_method"}


def wall_clock() -> Millis:
    """Milliseconds since the epoch: when a delivery was received."""
    return time.time_ns() // 1_000_000


def make_app(
    settings: GatewaySettings, endpoints: Sequence[Endpoint], now: Callable[[], Millis] = wall_clock
) -> web.Application:
    """The application: `POST /webhooks/<platform>` for each endpoint, `/healthz`, `/readyz`, `/metrics`."""
    metrics = GatewayMetrics()
    raw = RawTopics(settings, watch=metrics.in_flight.set)
    webhooks = Webhooks(raw, settings, metrics, now)
    app = web.Application(
        middlewares=[_in_json(metrics)], handler_args={"access_log": None, "lingering_time": _LINGER_S}
    )
    for endpoint in endpoints:
        app.router.add_post(f"/webhooks/{endpoint.platform}", partial(webhooks.receive, endpoint))
    topics = [endpoint.topic for endpoint in endpoints]
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", partial(_readyz, raw, topics))
    app.router.add_get("/metrics", partial(_metrics, metrics))

    async def connection(_: web.Application) -> AsyncIterator[None]:
        await raw.start()
        yield
        await raw.stop()

    app.cleanup_ctx.append(connection)
    return app


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})


async def _readyz(raw: RawTopics, topics: Sequence[str], _: web.Request) -> web.Response:
    """Ready where the broker answers and has the topics; without its settings the process does not even start."""
    ready = await raw.ready(topics)
    return web.json_response({"ready": ready}, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


async def _metrics(metrics: GatewayMetrics, _: web.Request) -> web.Response:
    return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _in_json(metrics: GatewayMetrics) -> Middleware:
    """Every answer in JSON; a bug is answered 500 and logged by its type alone, since texts may hold values."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            reason = _REASONS.get(HTTPStatus(error.status), "refused")
            if request.path.startswith("/webhooks/"):
                metrics.webhooks.labels(UNKNOWN, reason).inc()
            allowed = {name: value for name, value in error.headers.items() if name == "Allow"}
            return web.json_response({"refused": reason}, status=error.status, headers=allowed)
        except Exception as error:
            log.error("A request ended in %s", type(error).__qualname__)
            metrics.webhooks.labels(UNKNOWN, "bug").inc()
            return web.json_response({"refused": "bug"}, status=HTTPStatus.INTERNAL_SERVER_ERROR)

    return middleware
