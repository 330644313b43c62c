"""The engine dies between any two steps of a checkpoint: no command is lost, and no platform is told twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from streams.codec import PublicCodec
from streams.demo.letters import records
from streams.demo.stack import Stack
from tests.fault.live.deeds import everywhere, killed_by_itself, new_phone, restart, writes
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as started:
        yield started


@pytest.mark.parametrize(
    ("agent", "step"), [("engine", 1), ("engine", 2), ("engine", 3), ("engine", 4), ("identity", 2)]
)
async def test_a_kill_between_two_steps_loses_no_command_and_repeats_none_at_a_platform(
    stack: Stack, agent: str, step: int
) -> None:
    """Without ticks, so that the first checkpoint of the agent is the one of the change."""
    number = f"+15125550{1 if agent == 'engine' else 2}{step:02}"
    fault = {"WRITEBACK_FAULT_STEP": str(step), "WRITEBACK_FAULT_AGENT": agent, "WRITEBACK_TICK_S": "3600"}
    await restart(stack, "engine", **fault)
    async with seen(stack) as world:
        started = await new_phone(world, "esi", number)
        await killed_by_itself(stack, "engine")
        stack.launch("engine")
        await stack.ready("engine")
        await everywhere(world, "esi", number, started)
        await world.settle()  # a receipt still on its way would be the next engine's first checkpoint

        assert await writes(world, number, ("crm", "esp", "storefront")) == {"crm": 1, "esp": 1, "storefront": 0}
        assert len(await _commands(stack, number)) == 2


async def _commands(stack: Stack, number: str) -> Counter[str]:
    """The commands that say this number, by id: one that was emitted again has the id that it had."""
    codec = PublicCodec()
    found = [
        command
        for platform in ("crm", "esp", "storefront")
        async for record in records(stack.broker.bootstrap, f"commands.{platform}")
        if (command := codec.decode_command(record.value)).attributes
    ]
    return Counter(one.command_id for one in found if any(told.value == number for told in one.attributes.values()))
