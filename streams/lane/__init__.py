"""The batch lane: records in, records out, rows in between, on Faust; it knows bytes and offsets, not customers.

Read `checkpoint.py` for the delivery guarantee.
"""

from streams.lane.agent import lane_agent
from streams.lane.app import LaneApp, check_versions, make_app, run
from streams.lane.aside import Aside, Counts, serve
from streams.lane.checkpoint import Checkpointer
from streams.lane.errors import EXIT_BUG, EXIT_REFUSED, AsideFailed, NotHere, Refused, TooLarge
from streams.lane.lane import Lane, PartitionStats
from streams.lane.murmur import partition_of
from streams.lane.records import Batch, Done, Emit, Headers, Processor, Record
from streams.lane.route import is_here, owner_url, partition_url
from streams.lane.rows import Rows
from streams.lane.settings import LaneSettings
from streams.lane.table import BatchTable
from streams.lane.topics import TopicSpec, ensure_topics

__all__ = [
    "LaneSettings",
    "LaneApp",
    "make_app",
    "Lane",
    "PartitionStats",
    "run",
    "check_versions",
    "Record",
    "Batch",
    "Emit",
    "Headers",
    "Done",
    "Rows",
    "Processor",
    "Aside",
    "AsideFailed",
    "Counts",
    "serve",
    "BatchTable",
    "lane_agent",
    "Checkpointer",
    "TopicSpec",
    "ensure_topics",
    "partition_of",
    "owner_url",
    "partition_url",
    "is_here",
    "TooLarge",
    "Refused",
    "NotHere",
    "EXIT_BUG",
    "EXIT_REFUSED",
]
