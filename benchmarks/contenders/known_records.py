"""The engine behind binding, and the same engine behind an agent that takes the customer which the change names."""

import asyncio
import logging
import os
from collections.abc import Iterable

from benchmarks.contenders.batch_lane import Counted
from benchmarks.contenders.tally import contest
from benchmarks.settings import Contest
from streams.codec.internal import encode
from streams.core.decide import check_change
from streams.core.rules import Policy
from streams.lane import (
    Batch,
    BatchTable,
    Done,
    Emit,
    LaneApp,
    Processor,
    Rows,
    ensure_topics,
    lane_agent,
    make_app,
    run,
)
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.binder import Binder
from streams.runtime.codecs import public_codec
from streams.runtime.decider import engine_of
from streams.runtime.engine import derive
from streams.runtime.erasing import KEY, erasure_key
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings
from streams.runtime.tombstones import Living
from streams.runtime.tuning import tune


class Passing:
    """Binding switched off: every change must name its customer, and is checked and written as binding does it."""

    def __init__(self, policy: Policy, settings: Settings) -> None:
        self._policy = policy
        self._codec = public_codec(settings)

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """It has no table."""
        return ()

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Each change to the customer that it names."""
        emits = []
        for record in batch.records:
            change = self._codec.decode_change(record.value)
            check_change(change, self._policy)
            key = (change.customer_id or "").encode()
            emits.append(Emit(topics.CUSTOMER_CHANGES, key, encode(change), None, record.timestamp_ms))
        return Done(emits)


def build(task: Contest) -> LaneApp:
    """Two agents in one process, with the product's own processors and tables."""
    os.environ[KEY] = "nothing is erased in a benchmark"
    settings = Settings(bootstrap=task.bootstrap, partitions=task.partitions, datadir=task.directory)
    app = make_app(settings.lane(task.group), web_enabled=False)
    policy, letters, key = load_policy(), Letters("engine", settings), erasure_key(os.environ)
    customers = BatchTable(app, "customers", task.partitions, derive)
    tables, identity = [customers], None
    first: Processor = Passing(policy, settings)
    read = [task.topic]
    if task.binding:
        identity = BatchTable(app, "identity", task.partitions)
        tables.append(identity)
        first = Living(Binder(policy, public_codec(settings), letters, task.partitions, key))
        read.append(topics.IDENTITY)
    asyncio.run(ensure_topics(task.bootstrap, [table.spec for table in tables]))
    lane_agent(app, read, task.partitions, identity, Counted(first), "identity")
    engine = engine_of(settings, policy, letters, key)
    lane_agent(app, [topics.CUSTOMER_CHANGES], task.partitions, customers, engine, "engine")
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    app = build(contest())
    tune()
    run(app, loglevel="error")
