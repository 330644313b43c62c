"""Pages that every process has: health, readiness, metrics. They name no person and need no token."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest

from streams.lane import BatchTable, LaneApp
from streams.web.access import Access
from streams.web.answers import in_json
from streams.web.guard import protect
from streams.web.serving import application, page


def add_health(app: LaneApp, tables: list[BatchTable], access: Access | None = None) -> None:
    """`/healthz`: the process answers. `/readyz`: it works on its partitions. `/metrics`: Prometheus.

    Every page of the app, also those added later, is answered through the guard.
    """
    protect(application(app), access or Access())
    progress = Progress(app)

    @page(app, "/healthz")
    async def healthz(request: web.Request) -> web.Response:
        return in_json({"status": "ok"})

    @page(app, "/readyz")
    async def readyz(request: web.Request) -> web.Response:
        ready = app.lane.ready
        body: dict[str, Any] = {"ready": ready, "partitions": {table.name: table.held for table in tables}}
        return in_json(body, 200 if ready else 503, {} if ready else {"Retry-After": "2"})

    @page(app, "/metrics")
    async def metrics(request: web.Request) -> web.Response:
        body = generate_latest(REGISTRY) + progress.text()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


class Progress:
    """How far the worker is, read when it is asked for."""

    def __init__(self, app: LaneApp) -> None:
        self._app = app
        self._registry = CollectorRegistry()
        self._ready = Gauge("writeback_ready", "1 while the worker works on its partitions", registry=self._registry)
        self._lag = Gauge(
            "writeback_lag_records", "Records behind the end", ["topic", "partition"], registry=self._registry
        )

    def text(self) -> bytes:
        """In Prometheus' form; partitions that have gone to another worker are left out."""
        self._ready.set(self._app.lane.ready)
        self._lag.clear()
        for one in self._app.lane.stats() if self._app.lane.ready else ():
            if one.lag is not None:
                self._lag.labels(one.topic, one.partition).set(one.lag)
        return generate_latest(self._registry)
