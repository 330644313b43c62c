"""Folding a history twice changes nothing: effects are idempotent under at-least-once delivery."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.histories import ATTRIBUTES, Mix, histories, interleaved
from tests.property.test_order import END, EVERYTHING, RULES
from tests.property.vocabulary import joined, played

MIXES = {
    "all about attributes": {**EVERYTHING, "consents": False, "bounces": False},
    "all about attributes, from nothing": {**EVERYTHING, "consents": False, "bounces": False, "base": False},
    "all about consent": {
        "attributes": (),
        "consents": True,
        "persons": True,
        "expiries": True,
        "bounces": True,
        "untimed": True,
    },
    "verdicts": {"attributes": ATTRIBUTES[4:5], "unverified": True, "verdicts": True, "snapshots": True},
    "everything": EVERYTHING,
}


@pytest.mark.parametrize("name", MIXES)
def test_a_second_reading_of_the_whole_history_changes_and_commands_nothing(name: str) -> None:
    @given(st.data())
    def check(data: st.DataObject) -> None:
        beginning, lanes = data.draw(histories(Mix(**MIXES[name])))
        history = [*beginning, *interleaved(data.draw, lanes)]
        world = played([*history, END], RULES)
        digest, version, shown = world.digest(), world.state().version, joined(world)

        second = world.take(*history)

        assert (second.commands, second.ledger) == ([], [])
        assert (world.digest(), world.state().version, joined(world)) == (digest, version, shown)

    check()


@given(st.data())
def test_a_change_delivered_twice_in_a_row_is_a_change_delivered_once(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(Mix(**EVERYTHING)))
    history = [*beginning, *interleaved(data.draw, lanes)]

    once = played([*history, END], RULES)
    twice = played([*(one for one in history for _ in range(2)), END], RULES)

    assert (once.digest(), joined(once)) == (twice.digest(), joined(twice))
    assert [one.command_id for one in once.commands] == [one.command_id for one in twice.commands]
