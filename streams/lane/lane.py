"""Batches in hand: one worker task per partition number of an agent, in order, bounded, and droppable."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from streams.lane.checkpoint import Checkpointer, Lost
from streams.lane.errors import EXIT_BUG, EXIT_REFUSED, AsideFailed, Refused, place_of
from streams.lane.producer import Outbox, Producer
from streams.lane.records import Batch
from streams.lane.settings import LaneSettings
from streams.lane.topics import TopicSpec

if TYPE_CHECKING:
    from faust.types import AppT

    from streams.lane.app import LaneApp
    from streams.lane.transport import Consumer

log = logging.getLogger(__name__)

Release = Callable[[Batch], None]


class PartitionLane:
    """Works through the batches of one partition number, one at a time, in the order in which they came.

    All topics of an agent share it, so that the rows of a partition have one writer.
    """

    def __init__(self, checkpointer: Checkpointer, release: Release) -> None:
        self._checkpointer = checkpointer
        self._release = release
        self._waiting: deque[Batch] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writing = False
        self._settling = asyncio.Event()

    def offer(self, batch: Batch) -> None:
        """Take a batch; dropped without acknowledgement while the lane settles."""
        if self._settling.is_set():
            return
        self._waiting.append(batch)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def settle(self, grace_s: float) -> None:
        """Drop what waits; give the batch in hand `grace_s`, then cancel it unless its writes have begun."""
        self._waiting.clear()
        if (task := self._task) is None:
            return
        self._settling.set()
        try:
            await asyncio.wait([task], timeout=grace_s)
            if not self._writing:
                task.cancel()
            await asyncio.wait([task])
        finally:
            self._settling.clear()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._finish(self._waiting.popleft())
        finally:
            self._task = None

    async def _finish(self, batch: Batch) -> None:
        rest: Batch | None = batch
        try:
            while rest is not None:
                rest = await self._step(rest)
        except Lost:
            log.info("Dropped a batch of %s partition %s: the partition moved on", batch.topic, batch.partition)
        except Exception as error:
            _die(rest or batch, error)
        finally:
            self._release(batch)

    async def _step(self, batch: Batch) -> Batch | None:
        """One checkpoint; the rest of the batch if the processor stopped in the middle of it."""
        try:
            done = await self._checkpointer.checkpoint(batch, self._enter_writes)
        finally:
            self._writing = False
        if done.done_offset is None:
            return None
        rest = batch.after(done.done_offset)
        if rest is not None and done.retry_after_s > 0:
            await self._pause(done.retry_after_s)
        return None if self._settling.is_set() else rest

    def _enter_writes(self) -> None:
        self._writing = True

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._settling.wait(), seconds)
        except TimeoutError:
            return


class AgentLane:
    """The partition lanes of one agent."""

    def __init__(self, checkpointer: Checkpointer, release: Release) -> None:
        self._checkpointer = checkpointer
        self._release = release
        self._by_partition: dict[int, PartitionLane] = {}

    def offer(self, batch: Batch) -> None:
        """Hand the batch to its partition's lane."""
        lane = self._by_partition.get(batch.partition)
        if lane is None:
            lane = self._by_partition[batch.partition] = PartitionLane(self._checkpointer, self._release)
        lane.offer(batch)

    async def settle(self, grace_s: float) -> None:
        """Settle all partitions at the same time."""
        await asyncio.gather(*(lane.settle(grace_s) for lane in self._by_partition.values()))


class PartitionStats(NamedTuple):
    """One partition of an agent's topic: the next offset to commit, the records behind (None: not known yet), the
    batches and records done since the worker started, and the seconds since the last one was."""

    topic: str
    partition: int
    position: int
    lag: int | None
    batches: int
    records: int
    idle_s: float


class Lane:
    """What the agents of one app share; `app.lane`."""

    def __init__(self, app: AppT, settings: LaneSettings) -> None:
        self._app = app
        self.settings = settings
        self.topics: dict[str, TopicSpec] = {}
        self._agents: list[AgentLane] = []
        self._outbox: Outbox | None = None

    @property
    def consumer(self) -> Consumer:
        """The app's consumer."""
        return cast("Consumer", self._app.consumer)

    @property
    def outbox(self) -> Outbox:
        """The app's way out; it exists once the app has a producer."""
        if self._outbox is None:
            self._outbox = Outbox(cast(Producer, self._app.producer), self.settings)
        return self._outbox

    def add(self, agent: AgentLane) -> None:
        """Register an agent, to be settled with the others."""
        self._agents.append(agent)

    @property
    def ready(self) -> bool:
        """Whether rows are recovered and records are being read; False during a rebalance."""
        return self._app.tables.actives_ready and not self._app.rebalancing

    def stats(self) -> list[PartitionStats]:
        """How far this worker is in each partition of the agents' topics that it holds."""
        return self.consumer.stats()

    def owns_partition(self, topic: str, partition: int) -> bool:
        """Whether this worker works on the partition now; for periodic work that one worker should do."""
        return self.consumer.owns_partition(topic, partition)

    async def settle(self) -> None:
        """Come to rest: afterwards no batch is in hand, and nothing more will be written for the old ones."""
        await asyncio.gather(*(agent.settle(self.settings.drain_timeout_s) for agent in self._agents))


def lane_of(app: AppT) -> Lane:
    """The lane of an app that `make_app` made."""
    return cast("LaneApp", app).lane


def _die(batch: Batch, error: Exception) -> None:
    """End the process: the batch stays unacknowledged. The type alone is logged, since texts may hold values."""
    code = EXIT_REFUSED if isinstance(error, Refused) else EXIT_BUG
    where = f"{batch.topic} partition {batch.partition} offsets {batch.first_offset}-{batch.last_offset}"
    what = (
        str(error)
        if isinstance(error, Refused | AsideFailed)
        else f"{type(error).__module__}.{type(error).__qualname__}"
    )
    log.critical("%s while processing %s at %s; ending without acknowledging", what, where, place_of(error))
    logging.shutdown()
    os._exit(code)
