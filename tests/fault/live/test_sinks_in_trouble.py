"""Sinks that die, platforms that apply and do not answer, input that comes twice: every effect happens once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from streams.demo.stack import Stack
from streams.demo.stories.loops import COMMANDS
from streams.demo.stories.story import PEOPLE
from streams.demo.world import World
from tests.fault.live.deeds import TOLD, everywhere, new_phone, restart, writes
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as started:
        yield started


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    async with seen(stack) as found:
        yield found
        for platform in ("storefront", *TOLD):
            await found.admin("DELETE", f"/faults/{platform}")


async def test_sinks_killed_in_the_middle_of_a_batch_lose_nothing(stack: Stack, world: World) -> None:
    numbers = {person.key: f"+1512555017{place}" for place, person in enumerate(PEOPLE)}
    before = await world.count("engine", COMMANDS)
    for platform in TOLD:
        await world.admin("PATCH", f"/faults/{platform}", {"latency_s": 0.3})
    started = time.monotonic()
    for key, number in numbers.items():
        await new_phone(world, key, number)
    while not await _some_but_not_all(world, numbers):
        await asyncio.sleep(0.01)
    stack.processes["sinks"].kill()
    for platform in TOLD:
        await world.admin("DELETE", f"/faults/{platform}")
    stack.launch("sinks")
    await stack.ready("sinks")
    for key, number in numbers.items():
        await everywhere(world, key, number, started)

    told = [await writes(world, number) for number in numbers.values()]
    assert await world.count("engine", COMMANDS) - before == len(TOLD) * len(numbers)
    assert all(1 <= count <= 2 for one in told for count in one.values()), "only what was out may be said again"


async def _some_but_not_all(world: World, numbers: dict[str, str]) -> bool:
    told = [await writes(world, number) for number in numbers.values()]
    return 0 < sum(one["esp"] for one in told) < len(numbers)


async def test_a_platform_that_applies_and_does_not_answer_ends_with_one_effect(stack: Stack, world: World) -> None:
    """The client gives up after a second, the sink asks again, and the repeated write changes nothing."""
    number = "+15125550181"
    await restart(stack, "sinks", **{f"WRITEBACK_{platform.upper()}_TOTAL_TIMEOUT_S": "1" for platform in TOLD})
    before = await world.count("engine", COMMANDS)
    for platform in TOLD:
        await world.admin("PATCH", f"/faults/{platform}", {"vanish_next": 1, "vanish_after_s": 2.0})
    started = await new_phone(world, "ann", number)
    await world.until("sinks: no receipt", lambda: _answered(world, len(TOLD)))
    await everywhere(world, "ann", number, started)

    assert await writes(world, number) == {"crm": 2, "esp": 2}
    assert await world.count("engine", COMMANDS) - before == len(TOLD)
    assert await _answered(world, len(TOLD)) and not await _answered(world, len(TOLD) + 1)


async def _answered(world: World, count: int) -> bool:
    """Since the sinks were restarted, by the test."""
    applied = [await world.count("sinks", "writeback_receipts_total", platform=one, outcome="applied") for one in TOLD]
    return sum(applied) >= count


async def test_an_opt_out_that_was_applied_and_not_answered_is_one_opt_out(stack: Stack, world: World) -> None:
    record = await world.record("ben", "storefront")
    await restart(stack, "sinks", WRITEBACK_ESP_TOTAL_TIMEOUT_S="1")
    await world.admin("PATCH", "/faults/esp", {"vanish_next": 1, "vanish_after_s": 2.0})
    await world.edit("storefront", "unsubscribe", record_id=record)

    async def told() -> bool:
        return bool(await world.count("sinks", "writeback_receipts_total", platform="esp", outcome="applied"))

    await world.until("sinks: no receipt of esp", told)
    await world.settle()
    held = await world.person("ben")
    view = await world.explain("storefront", record)

    assert {name: one["consents"]["email"] for name, one in held.items()} == dict.fromkeys(held, "unsubscribed")
    assert view is not None
    assert view["unanswered"] == []


async def test_the_same_input_delivered_twice_is_told_once(world: World) -> None:
    number = "+15125550182"
    await world.admin("PATCH", "/faults/storefront", {"duplicate_rate": 1.0})
    started = await new_phone(world, "chloe", number)
    await everywhere(world, "chloe", number, started)

    assert await writes(world, number) == {"crm": 1, "esp": 1}
