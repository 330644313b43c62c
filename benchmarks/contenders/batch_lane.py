"""The batch lane: the same core, a batch of records at a time, each batch one checkpoint of the lane."""

import asyncio
import logging
from collections.abc import Iterable

from benchmarks.contenders.tally import Tally, contest
from benchmarks.settings import Contest
from benchmarks.subject import fold
from streams.lane import (
    Batch,
    BatchTable,
    Done,
    Emit,
    LaneApp,
    LaneSettings,
    Rows,
    ensure_topics,
    lane_agent,
    make_app,
    run,
)


class Engine:
    """The lane's processor: every record of the batch through the core, in order."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The customers of the batch."""
        return [record.key for record in batch.records]

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """State to the rows, commands to emit."""
        self._tally.add(len(batch.records))
        emits: list[Emit] = []
        for record in batch.records:
            state, outs = fold(rows.get(record.key), record.value, record.timestamp_ms)
            rows.put(record.key, state)
            emits.extend(Emit(*out) for out in outs)
        return Done(emits)


def build(task: Contest) -> LaneApp:
    """One agent with one table; the lane's defaults, which suit Apache Kafka."""
    settings = LaneSettings(bootstrap=task.bootstrap, app_id=task.group, datadir=task.directory, web_enabled=False)
    app = make_app(settings)
    customers = BatchTable(app, "customers", task.partitions)
    asyncio.run(ensure_topics(task.bootstrap, [customers.spec]))
    lane_agent(app, [task.topic], task.partitions, customers, Engine(Tally()), "engine")
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    run(build(contest()), loglevel="error")
