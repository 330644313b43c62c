"""Garbage: refused at the gateway, or kept as a dead letter with its reason; the stream goes on."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any, Final, NamedTuple

from streams.demo.letters import dead_letters
from streams.demo.stories.story import Row, Story, Told, rows, wants_phone
from streams.demo.world import NotConverged, World

UPDATE: Final = "customers/update"
CONSENT: Final = "customers_email_marketing_consent/update"
TOO_LARGE_BYTES: Final = 1_200_000
NUMBER: Final = "+15125550188"


class Garbage(NamedTuple):
    """A delivery as somebody might send it; `refused` None: the gateway takes it, and it becomes a dead letter."""

    what: str
    topic: str
    body: bytes
    signed: bool
    status: int
    reason: str


def _unknown_enum(record: str) -> bytes:
    consent = {"state": "perhaps", "opt_in_level": "single_opt_in", "consent_updated_at": "2026-01-10T12:00:00Z"}
    body = {"customer_id": int(record), "email_address": "esi@example.com", "email_marketing_consent": consent}
    return json.dumps(body).encode()


def _all(record: str) -> list[Garbage]:
    customer = json.dumps({"id": int(record), "phone": "+15125550199"}).encode()
    large = json.dumps({"id": int(record), "note": "x" * TOO_LARGE_BYTES}).encode()
    return [
        Garbage("a bad signature", UPDATE, customer, False, 401, "bad_signature"),
        Garbage("bad JSON", UPDATE, customer[:-5], True, 400, "bad_json"),
        Garbage(f"a body of {TOO_LARGE_BYTES / 1e6:.1f} MB", UPDATE, large, True, 413, "too_large"),
        Garbage("an unknown enum value", CONSENT, _unknown_enum(record), True, 202, "unknown_enum"),
        Garbage("a customer without an id", UPDATE, b'{"phone": "+15125550199"}', True, 202, "no_id"),
    ]


async def _garbage(world: World) -> Told:
    before, record = await world.person("esi"), await world.record("esi", "storefront")
    letters = await dead_letters(world.stack.broker.bootstrap)
    garbage = _all(record)
    shown = [await _sent(world, one) for one in garbage]
    wanted = [wants_phone(platform, NUMBER) for platform in ("crm", "esp")]
    started = time.monotonic()
    await world.edit("storefront", "customer_edits", record_id=record, phone=NUMBER)
    times = await world.converge("esi", wanted, started)
    await world.settle()
    await _lettered(world, [one for one in garbage if one.status == 202], letters)
    after = rows(wanted, before, await world.person("esi"), times)
    remarks = ["and Esi's new phone number, in the next honest webhook, passed through as ever."]
    return Told([*shown, *after], remarks, ("what came", "what became of it"))


async def _sent(world: World, one: Garbage) -> Row:
    headers = await world.sign("storefront", one.body if one.signed else b"something else", one.topic)
    status, answer = await world.deliver("storefront", one.body, headers)
    if status != one.status or (status != 202 and answer.get("refused") != one.reason):
        raise NotConverged(f"gateway answered {status} {answer.get('refused', '')} to {one.what}, not {one.status}")
    now = f"dead letter: {one.reason}" if status == 202 else f"refused with {status}: {one.reason}"
    return Row("gateway" if status != 202 else "engine", "webhook", one.what, now)


async def _lettered(world: World, expected: list[Garbage], before: Counter[tuple[str, str]]) -> None:
    wanted: Counter[tuple[str, str]] = Counter(("raw.storefront", one.reason) for one in expected)

    async def found() -> Any:
        return await dead_letters(world.stack.broker.bootstrap) - before == wanted

    await world.until(f"engine: topic dead-letters lacks one of {', '.join(one.reason for one in expected)}", found)


GARBAGE = Story(
    "Garbage",
    "Somebody posts what no platform would. It is refused or kept with its reason, and the stream goes on.",
    _garbage,
)
