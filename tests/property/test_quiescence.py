"""Nothing goes round for ever: what we write comes back as an echo, or is stopped by the breaker (R11, R12, R15)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.core.canonical import Quirk
from tests.property.platforms import STYLES, Keeps, Platform, Stack, by_quirks, keeps_all
from tests.property.vocabulary import Json, World, policy

RECORDS = ("storefront:9", "crm:1", "loyalty:44", "esp:7")
QUIRKS: dict[str, Json] = {
    "first_name": {"max_length": 3},
    "last_name": {"case": "ignore"},
    "shipping_address.line1": {"max_length": 9},
    "shipping_address.city": {"ascii": True},
    "shipping_address.line2": {"ignore": True},
    "email": {"max_length": 14},
}
# A lap of the longest loop: every platform contradicts each value twice before it is quarantined, one after another.
ROUNDS_MAX = 40

address: st.SearchStrategy[Any] = st.builds(
    lambda line1, line2, city, code: {
        "line1": line1,
        "line2": line2,
        "city": city,
        "region": "IL",
        "postal_code": code,
        "country": "US",
    },
    st.sampled_from(("233 South Wacker Drive", "1 Main St", "875 N Michigan Ave")),
    st.sampled_from(("", "Apt 4B")),
    st.sampled_from(("Chicago", "Évanston")),
    st.sampled_from(("60606", "60601-1234")),
)
values: dict[str, st.SearchStrategy[Any]] = {
    "first_name": st.sampled_from(("Ann", "Annabel", "Zoë")),
    "last_name": st.sampled_from(("Lee", "Mc Donald", "de la Cruz")),
    "email": st.sampled_from(("ann@example.com", "annabel.lee@example.com")),
    "phone": st.sampled_from(("+14155550101", "+14155550102", "+442079460123")),
    "shipping_address": address,
}


@st.composite
def stacks(draw: st.DrawFn, declared: bool, lossy: bool) -> Stack:
    """Platforms with styles and quirks of their own; `declared` in the policy or not."""
    platforms, tables = [], {}
    for record in draw(st.lists(st.sampled_from(RECORDS), min_size=2, max_size=4, unique=True)):
        quirks = draw(st.sets(st.sampled_from(sorted(QUIRKS)), max_size=3)) if lossy else set()
        tables[record.partition(":")[0]] = {"quirks": {path: QUIRKS[path] for path in quirks}}
        style, reformats = draw(st.sampled_from(STYLES)), draw(st.booleans())
        platforms.append(Platform(record, style, keeping(quirks), reformats))
    return Stack(World(policy({"platforms": tables} if declared else {})), platforms)


def keeping(paths: set[str]) -> Keeps:
    return by_quirks({path: Quirk(**QUIRKS[path]) for path in paths}) if paths else keeps_all


@st.composite
def edits(draw: st.DrawFn, stack: Stack) -> tuple[str, Json]:
    """Somebody edits some attributes of one record."""
    record = draw(st.sampled_from(sorted(stack.by_record)))
    names = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=3, unique=True))
    return record, {name: draw(values[name]) for name in names}


@given(st.data())
def test_what_we_wrote_comes_back_as_an_echo_and_causes_no_command(data: st.DataObject) -> None:
    stack = data.draw(stacks(declared=True, lossy=False))

    for _ in range(data.draw(st.integers(1, 4))):
        record, said = data.draw(edits(stack))

        assert stack.rounds(stack.edit(record, **said), ROUNDS_MAX) <= 1


@given(st.data())
def test_it_does_so_also_through_the_quirks_that_the_policy_declares(data: st.DataObject) -> None:
    stack = data.draw(stacks(declared=True, lossy=True))

    for _ in range(data.draw(st.integers(1, 4))):
        record, said = data.draw(edits(stack))

        assert stack.rounds(stack.edit(record, **said), ROUNDS_MAX) <= 1


@given(st.data())
def test_where_platforms_lose_what_the_policy_does_not_know_of_it_still_comes_to_rest(data: st.DataObject) -> None:
    stack = data.draw(stacks(declared=False, lossy=True))

    for _ in range(data.draw(st.integers(1, 3))):
        record, said = data.draw(edits(stack))

        assert stack.rounds(stack.edit(record, **said), ROUNDS_MAX) < ROUNDS_MAX


def test_two_platforms_that_change_each_others_letters_are_stopped_by_the_breaker() -> None:
    upper = Platform("crm:1", "plain", lambda name, text: text.upper())
    lower = Platform("esp:7", "plain", lambda name, text: text.lower())
    stack = Stack(World(policy()), [upper, lower, Platform("storefront:9")])

    rounds = stack.rounds(stack.edit("storefront:9", first_name="Ann"), ROUNDS_MAX)

    assert 2 < rounds < 12
    assert "ping_pong" in {note.kind for note in stack.world.notes}


@given(st.data())
def test_once_it_is_quiet_reading_it_all_again_keeps_it_quiet(data: st.DataObject) -> None:
    stack = data.draw(stacks(declared=True, lossy=True))
    record, said = data.draw(edits(stack))
    stack.rounds(stack.edit(record, **said), ROUNDS_MAX)
    stack.now += 4000

    for platform in stack.by_record.values():
        if platform.held:
            again = platform.tells(stack.now, list(platform.held), data.draw(st.sampled_from(("snapshot", "restate"))))
            assert stack.world.take(again).commands == []
