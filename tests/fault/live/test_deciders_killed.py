"""Processes that decide aside: they end with their engine, an engine ends with them, and nothing is lost by either."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.demo.stack import Stack
from tests.fault.live.deeds import DEATH_TIMEOUT_S, everywhere, killed_by_itself, new_phone, restart, writes
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

_ONE_DECIDER = {"WRITEBACK_DECIDERS": "1", "WRITEBACK_TICK_S": "3600"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as started:
        yield started


async def test_an_engine_killed_after_its_commands_takes_its_decider_along(stack: Stack) -> None:
    """The change is decided again by the next engine's decider; the platforms are told once."""
    number = "+15125550131"
    await restart(stack, "engine", **_ONE_DECIDER, WRITEBACK_FAULT_STEP="2", WRITEBACK_FAULT_AGENT="engine")
    async with seen(stack) as world:
        (decider,) = _deciders(stack)
        started = await new_phone(world, "esi", number)
        await killed_by_itself(stack, "engine")
        await _gone(decider)
        stack.launch("engine", **_ONE_DECIDER)
        await stack.ready("engine")
        await everywhere(world, "esi", number, started)
        await world.settle()  # a receipt still on its way would be the next engine's first checkpoint

        assert await writes(world, number, ("crm", "esp", "storefront")) == {"crm": 1, "esp": 1, "storefront": 0}


async def test_a_decider_that_dies_ends_its_engine_without_acknowledging(stack: Stack) -> None:
    """The engine says so and exits with 1; started again, it goes on where it was."""
    number = "+15125550132"
    await restart(stack, "engine", **_ONE_DECIDER)
    async with seen(stack) as world:
        (decider,) = _deciders(stack)
        os.kill(decider, signal.SIGKILL)
        started = await new_phone(world, "esi", number)
        await _ended(stack)
        assert "the process that decides ended" in stack.processes["engine"].log_path.read_text()
        stack.launch("engine", **_ONE_DECIDER)
        await stack.ready("engine")
        await everywhere(world, "esi", number, started)


def _deciders(stack: Stack) -> list[int]:
    engine = stack.processes["engine"].pid
    return [int(one) for one in Path(f"/proc/{engine}/task/{engine}/children").read_text().split()]


async def _gone(pid: int) -> None:
    deadline = time.monotonic() + DEATH_TIMEOUT_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


async def _ended(stack: Stack) -> None:
    engine, deadline = stack.processes["engine"], time.monotonic() + DEATH_TIMEOUT_S
    while engine.exit_code is None and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert engine.exit_code == 1
