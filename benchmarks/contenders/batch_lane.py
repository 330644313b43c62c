"""The engine on the batch lane: the product's own processor and table, without the agents around it."""

import asyncio
import logging
import os
from collections.abc import Iterable

from benchmarks.contenders.tally import Tally, contest
from benchmarks.settings import Contest
from streams.lane import Batch, BatchTable, Done, LaneApp, Processor, Rows, ensure_topics, lane_agent, make_app, run
from streams.policy import load_policy
from streams.runtime.decider import Deciders, engine_of
from streams.runtime.engine import derive
from streams.runtime.erasing import KEY, erasure_key
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings
from streams.runtime.tuning import tune


class Counted:
    """The engine, which tells the tally of each batch before it begins."""

    def __init__(self, engine: Processor) -> None:
        self._engine = engine
        self._tally = Tally()

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """What the engine says."""
        return self._engine.keys(batch)

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """What the engine does."""
        self._tally.add(len(batch.records))
        return await self._engine.process(batch, rows)


def build(task: Contest) -> LaneApp:
    """One agent with one table; the defaults, which suit Apache Kafka, and as many deciders as the task says."""
    os.environ[KEY] = "nothing is erased in a benchmark"
    settings = Settings(
        bootstrap=task.bootstrap, partitions=task.partitions, datadir=task.directory, deciders=task.deciders
    )
    app = make_app(settings.lane(task.group), web_enabled=False)
    customers = BatchTable(app, "customers", task.partitions, derive)
    asyncio.run(ensure_topics(task.bootstrap, [customers.spec]))
    engine: Processor = engine_of(settings, load_policy(), Letters("engine", settings), erasure_key(os.environ))
    if settings.deciders:
        deciders = Deciders(engine, settings)
        deciders.start()
        engine = deciders
    lane_agent(app, [task.topic], task.partitions, customers, Counted(engine), "engine")
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    app = build(contest())
    tune()
    run(app, loglevel="error")
