"""Any interleaving that keeps each record's own order ends in the same customer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.histories import ATTRIBUTES, Mix, histories, interleaved
from tests.property.vocabulary import World, joined, played, policy, tick

# The breaker counts what was contradicted, which depends on what had been commanded before: it is left open here.
RULES = policy({"ping_pong_limit": 100})
DOUBLE = policy({"ping_pong_limit": 100, "consent": {"double_opt_in": True}})
# Past every expiry and every verdict that did not come, so that nothing waits.
END = tick(200_000)

EVERYTHING = {
    "clears": True,
    "retracts": True,
    "deletes": True,
    "snapshots": True,
    "restates": True,
    "partials": True,
    "unverified": True,
    "verdicts": True,
    "untimed": True,
    "sequences": True,
    "consents": True,
    "expiries": True,
    "persons": True,
    "bounces": True,
}

# Clears stand apart from retracts and deletions: nothing is cleared where the shadow is unknown (R12), so that it
# depends on the order whether a record is told to forget a value that it has withdrawn.
# Expiries stand apart from shadows: who had been told of an opt-in before it lapsed depends on the order (C8).
WITH_SHADOWS: dict[str, dict[str, Any]] = {
    "values": {},
    "values at any time, with sequences": {"untimed": True, "sequences": True},
    "clears": {"clears": True},
    "exports and full views": {"snapshots": True, "restates": True, "clears": True},
    "retracts and deletions": {"retracts": True, "deletes": True, "untimed": True},
    "addresses, partial and unverified": {"attributes": ATTRIBUTES[4:], "partials": True, "unverified": True},
    "verdicts": {"attributes": ATTRIBUTES[3:5], "unverified": True, "verdicts": True, "snapshots": True},
    "all about attributes": {name: True for name in EVERYTHING if name not in ("clears", "consents", "bounces")}
    | {"consents": False},
    "consents": {"attributes": (), "consents": True},
    "consents of contact points and of the person": {
        "attributes": (),
        "consents": True,
        "persons": True,
        "untimed": True,
    },
    "consents and bounces": {"attributes": (), "consents": True, "bounces": True},
}


def ends_alike(mix: Mix, seen: Callable[[World], Any], rules: Any = RULES) -> Any:
    """A test that two interleavings of one history end in what `seen` sees alike."""

    @given(st.data())
    def check(data: st.DataObject) -> None:
        beginning, lanes = data.draw(histories(mix))
        one, other = (interleaved(data.draw, lanes) for _ in range(2))

        ends = [seen(played([*beginning, *order, END], rules)) for order in (one, other)]

        assert ends[0] == ends[1]

    return check


@pytest.mark.parametrize("name", WITH_SHADOWS)
def test_the_digest_does_not_depend_on_the_order_of(name: str) -> None:
    ends_alike(Mix(**WITH_SHADOWS[name]), World.digest)()


def test_claims_golden_values_ledger_and_consents_of_everything_do_not_depend_on_the_order() -> None:
    ends_alike(Mix(**EVERYTHING), joined)()


def test_they_do_not_depend_on_it_where_nothing_was_known_before() -> None:
    ends_alike(Mix(**{**EVERYTHING, "consents": False, "bounces": False, "base": False}), joined)()


def test_nor_do_double_opt_ins() -> None:
    ends_alike(Mix(attributes=(), consents=True, expiries=True, persons=True), joined, DOUBLE)()
