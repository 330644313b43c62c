"""The engine dies again and again between the hops of a merge and of an unlink: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from streams.brokers import Broker
from streams.core.identity import minted
from tests.integration.live.moves import apart, merge, produce, said, shows, unlink
from tests.integration.test_views import Worker, engines

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

DEATH_WITHIN_S = 20.0


async def killed(worker: Worker) -> bool:
    """Whether the worker has sent itself the SIGKILL that it was told to send at its first checkpoint."""
    deadline = time.monotonic() + DEATH_WITHIN_S
    while worker.process.exit_code is None and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert worker.process.exit_code in (None, -signal.SIGKILL), worker.tail
    return worker.process.exit_code is not None


async def _kill_on_the_way(broker: Broker, directory: Path, agent: str, step: int, kills: int) -> None:
    """Start the worker so many times, each time to die at the first checkpoint that the agent comes to."""
    fault = {"WRITEBACK_FAULT_STEP": str(step), "WRITEBACK_FAULT_AGENT": agent, "WRITEBACK_TICK_S": "3600"}
    for _ in range(kills):
        dying = Worker(broker, directory, "one", **fault)
        try:
            assert await killed(dying)
        finally:
            dying.process.stop(15.0)


@pytest.mark.parametrize(("agent", "step"), [("engine", 2), ("engine", 4), ("identity", 2)])
async def test_a_merge_and_an_unlink_end_as_they_should_whenever_the_engine_dies(
    tmp_path: Path, agent: str, step: int
) -> None:
    ((older, younger),) = apart(1, "K")
    async with engines(tmp_path, ["one"], WRITEBACK_TICK_S="3600") as (broker, [one]):
        await produce(broker, [said("crm:1", older, 1)])
        await shows(one, f"/customers/{older}")
        await produce(broker, [said("storefront:9", younger, 2)])
        await shows(one, f"/customers/{younger}")
        one.process.ask_to_stop()
        one.process.stop(15.0)

        await produce(broker, [merge(older, younger), said("storefront:9", younger, 3)])
        await _kill_on_the_way(broker, tmp_path, agent, step, kills=2)
        await produce(broker, [unlink(younger, "storefront:9"), said("storefront:9", younger, 4)])
        await _kill_on_the_way(broker, tmp_path, agent, step, kills=1)
        last = Worker(broker, tmp_path, "one")
        try:
            await last.until("/readyz")
            moved = minted("unlink", "storefront:9", "unlink storefront:9")
            await shows(last, "/customers/by/storefront/9", customer_id=moved, first_name="9 4")
            await shows(last, f"/customers/{moved}", records=["storefront:9"])
            await shows(last, f"/customers/{younger}", customer_id=older, records=["crm:1"], first_name="1 1")
        finally:
            last.process.ask_to_stop()
            last.process.stop(15.0)
