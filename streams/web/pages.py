"""Pages that every process has: health, readiness, metrics."""

from __future__ import annotations

from typing import Any

from faust.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.lane import BatchTable, LaneApp


def ready(app: LaneApp, tables: list[BatchTable]) -> bool:
    """True once the group has assigned partitions and the tables are recovered."""
    return not app.rebalancing and app.tables.actives_ready and any(table.held for table in tables)


def add_health(app: LaneApp, tables: list[BatchTable]) -> None:
    """`/healthz`: the process answers. `/readyz`: it works on its partitions. `/metrics`: Prometheus."""

    @app.page("/healthz")
    async def healthz(web: View, request: Request) -> Response:
        return web.json({"status": "ok"})

    @app.page("/readyz")
    async def readyz(web: View, request: Request) -> Response:
        is_ready = ready(app, tables)
        body: dict[str, Any] = {"ready": is_ready, "partitions": {table.name: table.held for table in tables}}
        return web.json(body, status=200 if is_ready else 503)

    @app.page("/metrics")
    async def metrics(web: View, request: Request) -> Response:
        return web.bytes(generate_latest(), content_type=CONTENT_TYPE_LATEST.partition(";")[0])
