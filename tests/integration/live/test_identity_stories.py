"""The demo's stories about identity as tests: merged, set apart and forgotten through every process."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest

from streams.demo.stack import Stack
from streams.demo.stories import FORGOTTEN, ONE_CUSTOMER, WRONG_LINK
from streams.demo.stories.cast import CAST, HANA, HUGO, arrive
from streams.demo.stories.merging import PARCEL, STANDARD
from streams.demo.world import NotConverged, World
from streams.sandbox.places import national
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running(people=()) as started:
        yield started


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    async with seen(stack) as found:
        yield found


async def test_the_stories_about_identity_end_as_they_are_told(world: World) -> None:
    merged = await ONE_CUSTOMER.play(world)
    customers = [row for row in merged.rows if row.what.startswith("customer of")]

    assert len({row.before for row in customers}) == 3
    assert len({row.now for row in customers}) == 1
    assert {row.platform for row in merged.rows if row.now == STANDARD} == {"storefront", "crm", "esp"}
    assert [remark.partition(":")[0] for remark in merged.remarks[:-1]] == ["bound", "merged", "merged"]

    apart = await WRONG_LINK.play(world)
    names = {row.platform: (row.before, row.now) for row in apart.rows if row.what == "name"}

    assert names == dict.fromkeys(("storefront", "crm", "esp"), ("Hugo Lindqvist", "Hana Sorensen"))
    assert {row.now for row in apart.rows} >= {HUGO.email, HANA.phone}

    forgotten = await FORGOTTEN.play(world)

    assert [row.platform for row in forgotten.rows if row.now.endswith("acked")] == ["storefront", "crm", "esp"]
    assert forgotten.rows[-1].now == "dropped: erased_drop"
    assert (await world.view("reviews") or {})["reviews"] == []
    assert _logged(world.stack) == set()


async def test_an_act_that_the_engine_does_not_take_is_named_with_its_reason(world: World) -> None:
    await arrive(world, HUGO, ("crm",))

    with pytest.raises(NotConverged, match=r"^engine: a steward's unlink was not taken: unknown_customer$"):
        await world.steward("unlink", record="crm:003000000000000AAA", why="a test")


def _logged(stack: Stack) -> set[tuple[str, str]]:
    """Which process logged which kind of personal value or secret: so that a failure does not print it either."""
    phones = {person.phone for person in CAST if person.phone}
    told_nobody = {
        "name": {person.last_name for person in CAST},
        "e-mail": {person.email for person in CAST if person.email},
        "phone": {form for phone in phones for form in (phone, phone[2:], national(phone))},
        "address": {one.shipping_address.line1 for one in CAST if one.shipping_address} | {PARCEL["line1"]},
        "secret": set(stack.secrets),
    }
    return {
        (name, kind)
        for name in stack.processes
        for kind, words in told_nobody.items()
        if any(
            re.search(rf"(?<!\w){re.escape(word)}(?!\w)", stack.log_path(name).read_text(), re.IGNORECASE)
            for word in words
        )
    }
