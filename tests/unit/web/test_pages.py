"""Health, readiness and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from streams.lane.lane import PartitionStats
from streams.web.pages import Progress
from tests.unit.web.conftest import Visit


def progress(ready: bool, stats: Sequence[PartitionStats]) -> tuple[Progress, Any]:
    lane: Any = SimpleNamespace(ready=ready, stats=lambda: stats)
    app: Any = SimpleNamespace(lane=lane)
    return Progress(app), lane


async def test_a_worker_without_its_partitions_is_alive_and_not_ready(visit: Visit) -> None:
    async with visit() as visitor:
        alive = await visitor.get("/healthz")
        ready = await visitor.get("/readyz")

    assert (alive[0], alive[1]) == (200, {"status": "ok"})
    assert (ready[0], ready[2]["Retry-After"]) == (503, "2")
    assert ready[1] == {
        "ready": False,
        "partitions": {"customers": [], "identity": [], "contacts": [], "history": [], "reviews": []},
    }


async def test_metrics_are_in_the_form_that_prometheus_reads(visit: Visit) -> None:
    async with visit() as visitor:
        status, text, headers = await visitor.get("/metrics")

    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "writeback_ready 0.0" in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_lag_is_told_for_each_partition_that_is_held_now() -> None:
    held = [PartitionStats("changes", 0, 5, 7, 1, 5, 0.1), PartitionStats("changes", 1, 5, None, 1, 5, 0.1)]
    told, lane = progress(True, held)
    assert 'writeback_lag_records{partition="0",topic="changes"} 7.0' in told.text().decode()

    lane.stats = list
    assert "writeback_lag_records{" not in told.text().decode()
    lane.ready, lane.stats = False, lambda: held
    assert "writeback_lag_records{" not in told.text().decode()
    assert "writeback_ready 0.0" in told.text().decode()
