"""The demo's stories as tests: real processes, signed webhooks, simulated platforms."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from streams.demo.stack import Stack
from streams.demo.stories import CHECKOUT, GARBAGE, NO_LOOP, OPT_OUT, OUTAGE, UNVERIFIED, Story
from streams.demo.stories.addresses import NOWHERE, TYPED
from streams.demo.stories.story import PEOPLE, wants_phone
from streams.demo.world import NotConverged, World
from streams.sandbox.places import national
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


@pytest.mark.parametrize("story", [CHECKOUT, UNVERIFIED, OPT_OUT, NO_LOOP, GARBAGE, OUTAGE], ids=lambda one: one.title)
async def test_the_story_ends_as_it_is_told(world: World, story: Story) -> None:
    told = await story.play(world)

    assert {row.platform for row in told.rows} >= {"crm", "esp"}
    assert all(row.now for row in told.rows)


async def test_explain_says_why_an_unverified_address_did_not_win(world: World) -> None:
    told = await UNVERIFIED.play(world)

    assert any("below_threshold" in remark and "min_confidence" in remark for remark in told.remarks)


async def test_a_platform_that_does_not_converge_is_named(stack: Stack) -> None:
    async with seen(stack, story_timeout_s=1.5) as hasty:
        record = await hasty.record("esi", "storefront")
        await hasty.admin("PATCH", "/faults/esp", {"down_s": 3.0, "retry_after_s": 0.5})
        await hasty.edit("storefront", "customer_edits", record_id=record, phone="+15125550166")
        wanted = [wants_phone(platform, "+15125550166") for platform in ("crm", "esp")]

        with pytest.raises(NotConverged, match=r"1.5 s: esp \(phone\)$"):
            await hasty.converge("esi", wanted, time.monotonic())

    async with seen(stack) as patient:
        await patient.converge("esi", wanted, time.monotonic())


async def test_a_process_that_ends_is_named_with_its_last_words(world: World) -> None:
    gateway = world.stack.processes["gateway"]
    gateway.kill()
    try:
        with pytest.raises(RuntimeError, match="gateway ended with -9"):
            world.stack.check()
    finally:
        world.stack.launch("gateway")
        await world.stack.ready("gateway")


async def test_no_log_holds_a_personal_value_or_a_secret(world: World) -> None:
    for story in (CHECKOUT, UNVERIFIED, GARBAGE):
        await story.play(world)
    logged = {name: world.stack.log_path(name).read_text() for name in world.stack.processes}

    found = {
        (name, kind)
        for name, text in logged.items()
        for kind, words in _told_nobody(world.stack).items()
        if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)
    }

    assert found == set()
    assert all(logged[name] for name in ("engine", "sinks", "gateway"))


def _told_nobody(stack: Stack) -> dict[str, set[str]]:
    """What must not be logged, by kind: so that a failure does not print it either."""
    phones = {person.phone for person in PEOPLE if person.phone}
    homes = [one for person in PEOPLE for one in (person.shipping_address, person.billing_address) if one]
    return {
        "name": {name for person in PEOPLE for name in (person.first_name, person.last_name)},
        "e-mail": {person.email for person in PEOPLE if person.email},
        "phone": {form for phone in phones for form in (phone, phone[2:], national(phone))},
        "address": {home.line1 for home in homes} | {TYPED["line1"], NOWHERE["line1"]},
        "secret": set(stack.secrets),
    }
