"""The engine on the batch lane: the product's own processor and table, without the agents around it."""

import asyncio
import logging

from benchmarks.contenders.tally import Tally, contest
from benchmarks.settings import Contest
from streams.codec import PublicCodec
from streams.lane import Batch, BatchTable, Done, LaneApp, Rows, ensure_topics, lane_agent, make_app, run
from streams.policy import load_policy
from streams.runtime.engine import Engine, derive
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings


class Counted(Engine):
    """The engine, which tells the tally of each batch before it begins."""

    tally: Tally

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """What the engine does."""
        self.tally.add(len(batch.records))
        return await super().process(batch, rows)


def build(task: Contest) -> LaneApp:
    """One agent with one table; the defaults, which suit Apache Kafka."""
    settings = Settings(bootstrap=task.bootstrap, partitions=task.partitions, datadir=task.directory)
    app = make_app(settings.lane(task.group), web_enabled=False)
    customers = BatchTable(app, "customers", task.partitions, derive)
    asyncio.run(ensure_topics(task.bootstrap, [customers.spec]))
    engine = Counted(
        load_policy(), PublicCodec(), Letters("engine", settings), settings.record_max_bytes, settings.due_max
    )
    engine.tally = Tally()
    lane_agent(app, [task.topic], task.partitions, customers, engine, "engine")
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    run(build(contest()), loglevel="error")
