"""Consent: an opt-out reaches everybody at once, and an old copy does not undo it."""

from __future__ import annotations

import time
from typing import Final

from streams.demo.stories.story import Row, Story, Told, email_consent, rows, unmoved, wants
from streams.demo.world import NotConverged, World

CONSENT: Final = "e-mail marketing"
NIGHT: Final = f"{CONSENT}, that night"


async def _opt_out(world: World) -> Told:
    before, record = await world.person("ben"), await world.record("ben", "storefront")
    wanted = [wants(one, email_consent, CONSENT, "unsubscribed") for one in ("storefront", "crm", "esp")]
    started = time.monotonic()
    await world.edit("storefront", "unsubscribe", record_id=record)
    times = await world.converge("ben", wanted, started)
    await world.settle()
    told = Told(rows(wanted, before, await world.person("ben"), times))
    told.rows[0] = Row(*(getattr(told.rows[0], name) for name in ("platform", "what", "before", "now")))
    told.rows += await _night(world)
    told.remarks.append(await _ledger(world))
    return told


async def _night(world: World) -> list[Row]:
    """The batch rewrites the row with what an older copy said, and so gives it a newer time."""
    record = await world.record("ben", "crm")
    evening = await world.person("ben")
    started = time.monotonic()
    await world.edit("crm", "nightly_batch", record_ids=[record], opted_out=False)
    overwritten = await world.person("ben")
    corrected = [wants("crm", email_consent, NIGHT, "unsubscribed")]
    times = await world.converge("ben", corrected, started)
    await world.settle()
    now = await world.person("ben")
    held = unmoved(["storefront", "esp"], NIGHT, email_consent, evening, now)
    return [*rows(corrected, overwritten, now, times), *held]


async def _ledger(world: World) -> str:
    view = await world.view("consents", "ben@example.com")
    states = [one for one in view["states"] if one["channel"] == "email"] if view else []
    if not states or states[0]["sendable"] or states[0]["state"] != "opted_out":
        raise NotConverged("engine (consent of the contact point) does not say opted_out")
    return "the ledger says opted_out, not sendable: the batch was noted as drift, and no opt-in was entered."


OPT_OUT = Story(
    "A customer opts out in the storefront",
    "Ben unsubscribes in the shop. That night's CRM batch still says subscribed, with a newer row time.",
    _opt_out,
)
