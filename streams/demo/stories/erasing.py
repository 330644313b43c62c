"""Erasure: every platform is told and answers, and what comes late brings nothing back."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from streams.demo.stories.cast import IVO, arrive, customers_of, post
from streams.demo.stories.story import PLATFORMS, Row, Story, Told, address, email, name
from streams.demo.world import NotConverged, World

WHY: Final = "request 2026-14"
NOTES: Final = "writeback_notes_total"
DROPPED: Final = "erased_drop"


async def _forgotten(world: World) -> Told:
    await arrive(world, IVO)
    await world.settle()
    before = await world.person("ivo")
    record = str(before["storefront"]["record_id"])
    customer_id = (await customers_of(world, [f"storefront:{record}"]))[f"storefront:{record}"]
    started = time.monotonic()
    await world.steward("erase", customer=customer_id, why=WHY)
    certificate, times = await _certified(world, customer_id, started)
    await _gone(world)
    table = [
        Row(one, "record", _in_short(before[one]), f"erased; certificate: {certificate[one]}", times[one])
        for one in PLATFORMS
    ]
    dropped = await _late(world, record)
    await _nothing_back(world, customer_id, record)
    late = Row("engine", "late webhook", "customers/update, with his name and e-mail", f"dropped: {DROPPED}", dropped)
    remarks = [
        f'writeback steward erase {customer_id} --by Sam --why "{WHY}" --yes',
        "no view finds him by e-mail or record any more; his contact points stay suppressed, by a keyed hash.",
    ]
    return Told([*table, late], remarks)


async def _certified(world: World, customer_id: str, started: float) -> tuple[dict[str, str], dict[str, float]]:
    """The certificate once every platform has acknowledged, and the seconds that each took; raises NotConverged."""
    told: dict[str, str] = {}
    times: dict[str, float] = {}

    async def answered() -> bool:
        view = await world.view("customers", customer_id)
        told.update({one["platform"]: one["outcome"] for one in (view or {}).get("certificate", ())})
        for one, outcome in told.items():
            if outcome != "waiting":
                times.setdefault(one, time.monotonic() - started)
        return set(times) >= set(PLATFORMS)

    await world.until("engine: the certificate of ivo has no answer of every platform", answered)
    refused = [f"{one} ({outcome})" for one, outcome in told.items() if outcome != "acked"]
    if refused:
        raise NotConverged(f"certificate of ivo: not acknowledged by {', '.join(refused)}")
    return told, times


async def _gone(world: World) -> None:
    """Every platform has let go of what it had; a record that is left has no value of his."""

    async def nothing_left() -> bool:
        return not [one for one, held in (await world.person("ivo")).items() if _holds_him(held)]

    await world.until("a platform still holds values of ivo", nothing_left)
    await world.settle()


def _holds_him(held: Mapping[str, Any]) -> bool:
    text = json.dumps(held).casefold()
    line1 = IVO.shipping_address.line1 if IVO.shipping_address else ""
    digits = (IVO.phone or "")[-7:]
    return any(one.casefold() in text for one in (IVO.last_name, IVO.email or "", line1, digits))


async def _late(world: World, record: str) -> float:
    """A webhook that was on its way all the time; the seconds until it was dropped."""
    drops, started = await world.count("engine", NOTES, kind=DROPPED), time.monotonic()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    named = {"first_name": IVO.first_name, "last_name": IVO.last_name, "email": IVO.email, "verified_email": True}
    await post(world, "storefront", "customers/update", {"id": int(record), "updated_at": now, **named})

    async def dropped() -> bool:
        return await world.count("engine", NOTES, kind=DROPPED) > drops

    await world.until("engine: a late webhook of ivo was not dropped", dropped)
    return time.monotonic() - started


async def _nothing_back(world: World, customer_id: str, record: str) -> None:
    """Raises NotConverged, naming who shows him again."""
    await world.settle()
    view = await world.view("customers", customer_id)
    by_record = await world.view("customers", "by", "storefront", record)
    by_email = await world.view("customers", "by", "email", IVO.email or "")
    if not (view or {}).get("erased") or by_record or by_email:
        raise NotConverged("engine: the late webhook of ivo brought something back")
    for platform, held in (await world.person("ivo")).items():
        if _holds_him(held):
            raise NotConverged(f"{platform} was told of ivo again")


def _in_short(held: Mapping[str, Any]) -> str:
    return ", ".join((name(held), email(held), address(held)))


FORGOTTEN = Story(
    "A customer asks to be forgotten",
    "A steward erases Ivo. Every platform that has a record of him is told, and the certificate says what each has\n"
    "answered. Then a webhook comes in that was on its way all the time.",
    _forgotten,
)
