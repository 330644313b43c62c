"""A Faust agent over record batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import faust
from faust.types import AgentT, StreamT

from streams.lane.checkpoint import Checkpointer
from streams.lane.errors import Refused
from streams.lane.lane import AgentLane, Lane
from streams.lane.records import Batch, Processor
from streams.lane.table import BatchTable
from streams.lane.topics import TopicSpec

if TYPE_CHECKING:
    from streams.lane.app import LaneApp


class _Whole(faust.Schema[Any, Any]):
    """Hands keys and values through: decoding is the processor's, record by record, so that it can dead-letter."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


def lane_agent(
    app: LaneApp,
    topics: Sequence[str],
    partitions: int,
    table: BatchTable | None,
    processor: Processor,
    name: str,
) -> AgentT[Any]:
    """A Faust agent that takes the records of `topics`, each of `partitions`, through the checkpoint.

    Raises Refused if a topic or the table already has an agent, or the table has another number of partitions.
    """
    _require(app.lane, topics, partitions, table)
    app.lane.topics.update((topic, TopicSpec(topic, partitions)) for topic in topics)
    lane: AgentLane | None = None

    def start() -> AgentLane:
        consumer, settings = app.lane.consumer, app.lane.settings
        fault_step = settings.fault_step if settings.fault_agent in ("", name) else None
        checkpointer = Checkpointer(processor, table, app.lane.outbox, consumer, settings.record_max_bytes, fault_step)
        made = AgentLane(checkpointer, consumer.release)
        app.lane.add(made)
        return made

    channel = app.topic(*topics, schema=_Whole(), key_type=bytes, value_type=bytes, maxsize=_QUEUE_MAX)

    @app.agent(channel, name=name, concurrency=1)
    async def agent(batches: StreamT[Any]) -> None:
        nonlocal lane
        lane = lane or start()
        async for event in batches.events():
            lane.offer(cast(Batch, event.value))

    return agent


# Never reached: the consumer bounds what is in hand per partition.
_QUEUE_MAX = 100_000


def _require(lane: Lane, topics: Sequence[str], partitions: int, table: BatchTable | None) -> None:
    if taken := lane.topics.keys() & set(topics):
        raise Refused(f"Topic {min(taken)} already has an agent; one agent must read a topic.")
    if table is None:
        return
    if table.partitions != partitions:
        raise Refused(
            f"Table {table.name} has {table.partitions} partitions, its topics {partitions}; they must be equal."
        )
    table.claim()
