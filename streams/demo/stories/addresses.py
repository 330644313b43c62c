"""Addresses: a verified one reaches everybody, an unverified one nobody."""

from __future__ import annotations

import time
from typing import Any, Final

from streams.demo.stories.story import PLATFORMS, Story, Told, address, billing, home, rows, unmoved, wants
from streams.demo.world import World

TYPED: Final = home("77 lakeview avenue", "apartment 5", "chicago", "IL", "60601")
STANDARD: Final = "77 Lakeview Ave, Apt 5, Chicago, IL 60601-1077"
NOWHERE: Final = home("79 Lakeview Avenue", "", "Chicago", "IL", "60601")


async def _checkout(world: World) -> Told:
    before, record = await world.person("ann"), await world.record("ann", "storefront")
    wanted = [wants(platform, address, "shipping address", STANDARD) for platform in PLATFORMS]
    started = time.monotonic()
    await world.edit("storefront", "checkout", record_id=record, shipping_address=TYPED)
    times = await world.converge("ann", wanted, started)
    await world.settle()
    now = await world.person("ann")
    untouched = unmoved(["crm"], "billing address", billing, before, now)
    return Told([*rows(wanted, before, now, times), *untouched])


async def _unverified(world: World) -> Told:
    before, record = await world.person("ann"), await world.record("ann", "storefront")
    await world.edit("storefront", "checkout", record_id=record, shipping_address=NOWHERE)

    async def judged() -> dict[str, Any] | None:
        view = await world.explain("storefront", record)
        lost = view["attributes"]["shipping_address"]["losers"] if view else []
        ours = [one for one in lost if one["value"]["line1"] == NOWHERE["line1"]]
        return next((one for one in ours if one["confidence"] is not None), None)

    loser = await world.until("engine: the new address has no verdict", judged)
    await world.settle()
    now = await world.person("ann")
    told = [f"typed: {NOWHERE['line1']}, {NOWHERE['city']}", f"explain: {_said(loser)}"]
    return Told(unmoved(PLATFORMS, "shipping address", address, before, now), told)


def _said(loser: dict[str, Any]) -> str:
    return f"the claim of {loser['record']} lost ({loser['reason']}): {loser['why']}."


CHECKOUT = Story(
    "Checkout corrects an address",
    "Ann orders, and types a new address. Smarty confirms it; CRM and ESP still hold the old one.",
    _checkout,
)
UNVERIFIED = Story(
    "An unverified address does not overwrite a verified one",
    "Ann orders again, to a house number that does not exist. The storefront has priority, but not without a verdict.",
    _unverified,
)
