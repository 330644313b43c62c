"""Every limit and address of the lane, in one frozen value; units are in the names."""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from streams.lane.errors import Refused

Compression = Literal["gzip", "lz4", "snappy", "zstd"]

FAULT_STEP_ENV = "WRITEBACK_FAULT_STEP"
FAULT_AGENT_ENV = "WRITEBACK_FAULT_AGENT"


_POSITIVE = (
    "fetch_max_bytes",
    "partition_fetch_max_bytes",
    "batch_max_records",
    "batch_max_bytes",
    "batches_max",
    "heartbeat_s",
    "commit_interval_s",
    "drain_timeout_s",
    "stop_timeout_s",
    "producer_batch_bytes",
    "delivery_timeout_s",
    "record_max_bytes",
)


def _fault_step() -> int | None:
    value = os.environ.get(FAULT_STEP_ENV, "")
    return int(value) if value else None


class LaneSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one worker process talks to the broker and keeps its rows. The defaults suit Apache Kafka.

    `datadir` belongs to this process alone. `node_url` is where other workers reach this one's web port
    (None: `http://<web_host>:<web_port>`) and must differ between workers.
    """

    bootstrap: str
    app_id: str
    datadir: str
    web_enabled: bool = True
    web_host: str = "127.0.0.1"
    web_port: int = 6066
    node_url: str | None = None

    # Reading. The broker may hold an empty fetch for fetch_max_wait_ms; the embedded one always does.
    fetch_max_wait_ms: int = 500
    fetch_max_bytes: int = 16 * 1024 * 1024
    partition_fetch_max_bytes: int = 2 * 1024 * 1024
    # What a fetch and a checkpoint cost beside their records is paid once a batch; a full one takes a whole fetch.
    batch_max_records: int = 2000
    batch_max_bytes: int = 2 * 1024 * 1024
    batches_max: int = 2  # per partition: one in hand, the others waiting

    # Membership of the consumer group.
    session_timeout_s: float = 30.0
    rebalance_timeout_s: float = 60.0
    heartbeat_s: float = 3.0
    request_timeout_s: float = 40.0
    commit_interval_s: float = 1.0
    drain_timeout_s: float = (
        10.0  # for the batches in hand at a rebalance or stop; then they are dropped, unacknowledged
    )
    stop_timeout_s: float = 30.0  # from the request to stop until the process ends, whatever hangs

    # Writing.
    idempotent: bool = True
    compression: Compression | None = None
    producer_batch_bytes: int = 256 * 1024
    producer_single_record_batches: bool = False
    delivery_timeout_s: float = 60.0
    record_max_bytes: int = 1_000_000
    partitions_refresh_s: float = 60.0

    # Rows.
    table_block_cache_bytes: int = 64 * 1024 * 1024  # shared by the partitions of a table
    table_write_buffer_bytes: int = 16 * 1024 * 1024  # per partition
    table_write_buffers_bytes: int = 64 * 1024 * 1024  # the partitions of a table together
    table_open_files_max: int = 256  # per partition
    table_offline_max_s: float = 72_000.0  # below the brokers' delete.retention.ms; older rows are rebuilt

    # For tests: SIGKILL to oneself after this step of the first checkpoint, of one agent or (empty) of any.
    fault_step: int | None = msgspec.field(default_factory=_fault_step)
    fault_agent: str = msgspec.field(default_factory=lambda: os.environ.get(FAULT_AGENT_ENV, ""))

    def __post_init__(self) -> None:
        """Raise Refused for limits that cannot work."""
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise Refused(f"Setting {name} must be greater than 0.")
        if self.session_timeout_s <= 2 * self.heartbeat_s:
            raise Refused("Setting session_timeout_s must be greater than twice heartbeat_s, or one lost beat ends it.")
