"""Loops: what the platforms say about our own writes moves nothing."""

from __future__ import annotations

import time
from typing import Final

from streams.demo.stories.story import PLATFORMS, Story, Told, phone, rows, unmoved, wants_phone
from streams.demo.world import NotConverged, World

NUMBER: Final = "+12125550177"
TOLD: Final = ("crm", "esp")
COMMANDS, NOTES = "writeback_commands_total", "writeback_notes_total"


async def _no_loop(world: World) -> Told:
    before, record = await world.person("chloe"), await world.record("chloe", "storefront")
    for platform in TOLD:
        await world.admin("PATCH", f"/faults/{platform}", {"duplicate_rate": 1.0})
    commands, echoes = await world.count("engine", COMMANDS), await world.count("engine", NOTES, kind="echo")
    started = time.monotonic()
    await world.edit("storefront", "customer_edits", record_id=record, phone=NUMBER)
    wanted = [wants_phone(platform, NUMBER) for platform in TOLD]
    times = await world.converge("chloe", wanted, started)
    held = await world.person("chloe")
    await world.settle()
    for platform in TOLD:
        await world.admin("DELETE", f"/faults/{platform}")
    now = await world.person("chloe")
    unmoved(PLATFORMS, "phone", phone, held, now)
    sent = await world.count("engine", COMMANDS) - commands
    if sent != len(wanted):
        raise NotConverged(f"engine sent {sent} commands where {len(wanted)} were needed")
    return Told(rows(wanted, before, now, times), await _remarks(world, sent, echoes))


async def _remarks(world: World, sent: int, before: int) -> list[str]:
    echoes = await world.count("engine", NOTES, kind="echo")
    if echoes == before:
        raise NotConverged("engine saw no echo of its own writes")
    return [
        f"{sent} commands, and none more after every platform's own webhooks had come back, each of them twice.",
        f"echoes suppressed: {echoes - before} in this story, {echoes} since the start.",
    ]


NO_LOOP = Story(
    "No loop",
    "Chloé changes her phone number in the shop. Each platform writes it its own way, and tells us of our own write.",
    _no_loop,
)
