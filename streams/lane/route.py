"""Which worker holds a row, so that a view can pass a GET on to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from faust.assignor.partition_assignor import PartitionAssignor
from faust.types import TP

from streams.lane.table import BatchTable

if TYPE_CHECKING:
    from streams.lane.app import LaneApp


def owner_url(app: LaneApp, table: BatchTable, key: bytes) -> str | None:
    """`node_url` of the worker that holds the row; None while nobody is known to (a rebalance): answer 503."""
    return partition_url(app, table, table.partition_of(key))


def partition_url(app: LaneApp, table: BatchTable, partition: int) -> str | None:
    """`node_url` of the worker that holds a partition of the table, None while nobody is known to."""
    assignor = cast(PartitionAssignor, app.assignor)
    return assignor._tps_url.get(TP(table.changelog_name, partition))


def is_here(app: LaneApp, url: str) -> bool:
    """Whether the URL is this worker's own."""
    return url.rstrip("/") == str(app.conf.canonical_url).rstrip("/")
