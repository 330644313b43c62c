"""What the fault tests do over and over: restart a process, change a phone, count what a platform was told."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Sequence

from streams.demo.stack import Stack
from streams.demo.stories.story import wants_phone
from streams.demo.world import World

TOLD = ("crm", "esp")
DEATH_TIMEOUT_S = 30.0


async def restart(stack: Stack, name: str, **environment: str) -> None:
    """End a process as an operator would, and start it again with more in its environment."""
    process = stack.processes[name]
    process.stop(45.0)  # longer than the engine gives itself (stop_timeout_s), so that a slow stop is not ours to judge
    assert process.exit_code == 0, name
    stack.launch(name, **environment)
    await stack.ready(name)


async def killed_by_itself(stack: Stack, name: str) -> None:
    """Wait for the SIGKILL that the process was told to send to itself."""
    process = stack.processes[name]
    deadline = time.monotonic() + DEATH_TIMEOUT_S
    while process.exit_code is None and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert process.exit_code == -signal.SIGKILL, name


async def new_phone(world: World, key: str, number: str) -> float:
    """Somebody changes their number in the shop; when."""
    record = await world.record(key, "storefront")
    started = time.monotonic()
    await world.edit("storefront", "customer_edits", record_id=record, phone=number)
    return started


async def everywhere(world: World, key: str, number: str, started: float) -> None:
    """Wait until crm and esp hold the number, and nothing moves any more."""
    await world.converge(key, [wants_phone(platform, number) for platform in TOLD], started)
    await world.settle()


async def writes(world: World, number: str, platforms: Sequence[str] = TOLD) -> dict[str, int]:
    """How many requests told each platform this number."""
    counted = {}
    for platform in platforms:
        asked = await world.admin("GET", f"/requests/{platform}")
        counted[platform] = sum(number in json.dumps(one["body"]) for one in asked if one["method"] != "GET")
    return counted
