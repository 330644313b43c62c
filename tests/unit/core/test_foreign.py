"""What two customers had written into each other's records goes with the erasure of either (K3)."""

from __future__ import annotations

from typing import Any

import pytest

from streams.codec.state import encode_customer
from streams.core.echoes import MARK
from streams.core.foreign import disown
from streams.core.state import Customer
from streams.replay import Pipeline
from tests.property.vocabulary import policy, stamp, steward, tick

ANN, BOB, PHONE = "ann@example.com", "bob@example.com", "+13125550123"
CREATING = {"platforms": {"esp": {"create": True}}}


class World:
    """Ann's storefront account and Bob's contact under one customer, whose commands nobody has answered yet."""

    def __init__(self, acknowledge: bool = False, **rules: Any) -> None:
        self.policy = policy(rules)
        self.pipeline = Pipeline(self.policy, acknowledge)
        self.commands = self.hear("storefront:a", 0, email=ANN, first_name="Annabel")
        self.commands += self.hear("crm:b", 1, email=BOB, phone=PHONE)

    def hear(self, record: str, at: float, more: dict[str, Any] | None = None, **said: str) -> list[Any]:
        platform, _, record_id = record.partition(":")
        change = {"change_id": f"{record} {at}", "platform": platform, "record_id": record_id, "customer_id": "C1"}
        change |= {"observed_at": stamp(at), "attributes": {name: {"value": value} for name, value in said.items()}}
        return self.pipeline.feed("changes", change | (more or {}), tick(at).at).commands

    def ask(self, at: float, **asked: Any) -> None:
        request = steward(at, f"asked {at}", **{"customer_id": "C1", **asked})
        self.pipeline.feed(request.topic, request.value, request.at)

    def apart(self, record: str = "crm:b") -> str:
        self.ask(10, action="unlink", record=record)
        return next(one.customer_id for one in self.pipeline.customers() if record in one.records)

    def state(self, customer_id: str) -> Customer:
        state = self.pipeline.customer(customer_id)
        assert state is not None
        return state


def has(state: Customer, *values: str) -> list[str]:
    """Which of the values are in the state as it is stored."""
    return [one for one in values if one.encode() in encode_customer(state)]


@pytest.mark.parametrize("acknowledge", [False, True])
def test_what_was_told_to_the_record_that_left_goes_with_whom_it_left(acknowledge: bool) -> None:
    world = World(acknowledge)
    bob = world.apart()
    assert has(world.state(bob), ANN, "Annabel")
    world.ask(20, action="erase")

    assert has(world.state(bob), ANN, "Annabel") == []
    assert has(world.state(bob), BOB, PHONE) == [BOB, PHONE]


@pytest.mark.parametrize("acknowledge", [False, True])
def test_what_the_record_had_said_to_the_others_goes_with_it(acknowledge: bool) -> None:
    world = World(acknowledge, **CREATING)
    bob = world.apart()
    assert has(world.state("C1"), BOB, PHONE)
    world.ask(20, action="erase", customer_id=bob)

    assert has(world.state("C1"), BOB, PHONE) == []
    assert has(world.state("C1"), ANN, "Annabel") == [ANN, "Annabel"]


@pytest.mark.parametrize("acknowledge", [False, True])
def test_what_a_record_was_to_be_made_with_goes_too(acknowledge: bool) -> None:
    world = World(acknowledge, **CREATING)
    assert "esp" in world.state("C1").creates
    ann = world.apart("storefront:a")
    assert has(world.state("C1"), ANN, "Annabel")
    world.ask(20, action="erase", customer_id=ann)

    assert has(world.state("C1"), ANN, "Annabel") == []
    assert "esp" in world.state("C1").creates


def test_contact_points_of_a_record_that_left_go_with_it() -> None:
    world = World()
    bounce = {"contact_point": BOB, "channel": "email", "reason": "hard_bounce", "active": True, "at": stamp(5)}
    world.hear("crm:b", 5, {"suppressions": [bounce]})
    bob = world.apart()
    world.ask(20, action="erase", customer_id=bob)

    assert has(world.state("C1"), BOB) == []


def test_a_late_answer_to_what_was_told_before_brings_no_value_back() -> None:
    world = World()
    bob = world.apart()
    told = next(one for one in world.commands if one.record_id == "b" and "first_name" in one.attributes)
    world.ask(20, action="erase")
    receipt = {"command_id": told.command_id, "customer_id": bob, "platform": "crm", "record_id": "b"}
    world.pipeline.feed("receipts", receipt | {"outcome": "applied", "at": stamp(21)}, tick(21).at)

    state = world.state(bob)
    shadow = state.records["crm:b"].slots["first_name"].shadow()
    assert shadow is not None
    assert (shadow.seen[:1], shadow.value) == (MARK, None)
    assert has(state, ANN, "Annabel") == []


def test_what_is_sent_again_has_no_foreign_value() -> None:
    world = World()
    bob = world.apart()
    world.ask(20, action="erase")
    again = world.pipeline.feed("clock", None, tick(1_000_000).at).commands

    told = [one for one in again if one.customer_id in ("C1", bob) and one.record_id == "b"]
    assert all(value.value not in (ANN, "Annabel") for one in told for value in one.attributes.values())


def test_disowning_again_changes_nothing() -> None:
    world = World()
    bob = world.apart()
    world.ask(20, action="erase")
    state = world.state(bob)
    before = encode_customer(state)
    disown(state, ("C1",), world.policy)
    assert encode_customer(state) == before


def test_a_value_that_both_had_stated_stays_with_the_one_who_is_left() -> None:
    world = World()
    world.hear("crm:b", -1000, first_name="Annabel")
    bob = world.apart()
    world.ask(20, action="erase")

    assert world.state(bob).golden["first_name"].value == "Annabel"
    assert has(world.state(bob), ANN) == []
