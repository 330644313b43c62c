"""A slow stream of believable edits, so that there is something to look at."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from streams.model import Address
from streams.sandbox.sandbox import Sandbox
from streams.sandbox.simulator import BadEdit, UnknownRecord
from streams.sandbox.smarty.book import BOOK, Building

Pick = Callable[[Sandbox, random.Random, dict[str, str]], dict[str, Any]]


def _home(chance: random.Random) -> dict[str, str]:
    building: Building = chance.choice(BOOK)
    unit = f"{building.designator} {chance.choice(building.units)}" if building.units else ""
    address = Address(building.line.lower(), unit, building.city, building.state, building.zipcode, "US")
    return address.parts()


def _phone(chance: random.Random) -> str:
    return f"+1{chance.choice(('312', '415', '212', '206'))}55501{chance.randrange(100):02d}"


def _checkout(sandbox: Sandbox, chance: random.Random, records: dict[str, str]) -> dict[str, Any]:
    return sandbox.edit("storefront", "checkout", record_id=records["storefront"], shipping_address=_home(chance))


def _new_phone_at_the_shop(sandbox: Sandbox, chance: random.Random, records: dict[str, str]) -> dict[str, Any]:
    return sandbox.edit("storefront", "customer_edits", record_id=records["storefront"], phone=_phone(chance))


def _new_phone_at_the_desk(sandbox: Sandbox, chance: random.Random, records: dict[str, str]) -> dict[str, Any]:
    return sandbox.edit("crm", "agent_edits", record_id=records["crm"], phone=_phone(chance))


def _moved(sandbox: Sandbox, chance: random.Random, records: dict[str, str]) -> dict[str, Any]:
    return sandbox.edit("esp", "profile_edits", record_id=records["esp"], shipping_address=_home(chance))


def _unsubscribes(sandbox: Sandbox, chance: random.Random, records: dict[str, str]) -> dict[str, Any]:
    platform = chance.choice(("storefront", "esp"))
    return sandbox.edit(platform, "unsubscribe", record_id=records[platform])


def _subscribes(sandbox: Sandbox, _chance: random.Random, records: dict[str, str]) -> dict[str, Any]:
    return sandbox.edit("storefront", "subscribe", record_id=records["storefront"], double_opt_in=True)


def _night(sandbox: Sandbox, _chance: random.Random, records: dict[str, str]) -> dict[str, Any]:
    return sandbox.edit("crm", "nightly_batch", record_ids=[records["crm"]])


EDITS: tuple[tuple[Pick, int], ...] = (
    (_checkout, 5),
    (_new_phone_at_the_shop, 3),
    (_new_phone_at_the_desk, 3),
    (_moved, 2),
    (_unsubscribes, 1),
    (_subscribes, 1),
    (_night, 1),
)


def one_edit(sandbox: Sandbox, chance: random.Random) -> str:
    """Let somebody do something; returns what was done, without anybody's values."""
    everywhere = [key for key, records in sandbox.people.items() if len(records) == 3]
    key = chance.choice(everywhere)
    edit = chance.choices([edit for edit, _ in EDITS], [weight for _, weight in EDITS])[0]
    try:
        edit(sandbox, chance, sandbox.people[key])
    except (BadEdit, UnknownRecord):  # e.g. a phone that somebody else has by now, or a record that was erased
        return f"{edit.__name__.strip('_')} {key}: not possible"
    return f"{edit.__name__.strip('_')} {key}"


async def trickle(sandbox: Sandbox, every_s: float, say: Callable[[str], None], seed: int = 0) -> None:
    """One edit about every `every_s` seconds, until cancelled."""
    chance = random.Random(seed)  # noqa: S311 a choice of edits, nothing secret
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * every_s)
        if sandbox.people:
            say(one_edit(sandbox, chance))
