"""Consent after a merge and an unlink is what it would have been had the record never been joined (C7, I4)."""

from __future__ import annotations

from typing import Any

import pytest

from streams.codec.state import encode_customer
from streams.core.golden import golden_view
from streams.model import ConsentStatement
from streams.replay import Pipeline
from streams.replay.pipeline import Output
from tests.property.vocabulary import Json, policy, stamp, steward, tick
from tests.unit.runtime.test_moving import Scene

ANN = "ann@example.com"
RULES = policy({"consent": {"double_opt_in": False, "purposes": {"service": {"requires_opt_in": False}}}})


class World:
    """Customers that all have the same e-mail address: `homes` says under which id each record is known."""

    def __init__(self, homes: dict[str, str]) -> None:
        self.homes = homes
        self.pipeline = Pipeline(RULES)
        for place, record in enumerate(homes):
            self.hear(record, place, attributes={"email": {"value": ANN}})

    def hear(self, record: str, at: float, **said: Any) -> Output:
        platform, _, record_id = record.partition(":")
        change = {"change_id": f"{record} {at}", "platform": platform, "record_id": record_id}
        change |= {"customer_id": self.homes[record], "observed_at": stamp(at), **said}
        return self.pipeline.feed("changes", change, tick(at + 1).at)

    def consents(self, record: str, at: float, decision: str, purpose: str = "marketing", **more: Any) -> Output:
        said = {"contact_point": ANN, "channel": "email", "purpose": purpose, "decision": decision, "at": stamp(at)}
        act = {"explicit": True, "method": "checkbox", "evidence": {"form": "f1"}}
        return self.hear(record, at, consents=[{**said, **act, **more}])

    def merge(self, at: float, other: str) -> Output:
        return self.ask(at, action="merge", **{"with": other})

    def unlink(self, at: float, record: str) -> Output:
        return self.ask(at, action="unlink", record=record)

    def ask(self, at: float, **asked: Any) -> Output:
        request = steward(at, f"asked {at}", **{"customer_id": "A", **asked})
        return self.pipeline.feed(request.topic, request.value, request.at)

    def consent_of(self, record: str, purpose: str = "marketing") -> tuple[str, bool]:
        """The state at the customer of a record, and whether it may be sent to."""
        consents = self._view(record)["consents"]
        return next((one["state"], one["sendable"]) for one in consents if one["purpose"] == purpose)

    def values_of(self, record: str) -> Json:
        """What is golden for the customer of a record."""
        return {
            name: one["value"] for name, one in self._view(record)["attributes"].items() if one["value"] is not None
        }

    def stored(self, record: str, without_commands: bool = False) -> bytes:
        """The state of the customer of a record; `without_commands`: without what records were told (R11)."""
        state = next(one for one in self.pipeline.customers() if record in one.records)
        if without_commands:
            for one in state.records.values():
                one.slots, one.held = {}, []
        return encode_customer(state)

    def _view(self, record: str) -> Json:
        views = [golden_view(state, RULES) for state in self.pipeline.customers()]
        return next(one for one in views if record in one["records"])


def orders(output: Output) -> list[tuple[str, str]]:
    return [(one.platform, said.decision) for one in output.commands for said in one.consents]


OUT, IN, NOTHING = ("opted_out", False), ("opted_in", True), ("unknown", False)


def test_an_opt_out_that_a_merge_upheld_outlives_the_unlink_of_a_third_one() -> None:
    world = World({"storefront:9": "A", "crm:1": "B", "loyalty:4": "C"})
    world.consents("crm:1", 10, "opt_out")
    world.consents("storefront:9", 20, "opt_in")
    world.consents("loyalty:4", 30, "opt_out")
    world.merge(100, "B")
    world.merge(200, "C")

    told = world.unlink(300, "loyalty:4")

    assert (world.consent_of("storefront:9"), orders(told)) == (OUT, [])


@pytest.mark.parametrize(("leaving", "left"), [("loyalty:4", OUT), ("crm:1", OUT), ("storefront:9", OUT)])
def test_an_opt_out_that_two_records_brought_along_outlives_the_unlink_of_any_one(leaving: str, left: object) -> None:
    world = World({"storefront:9": "A", "crm:1": "B", "loyalty:4": "B"})
    world.consents("crm:1", 10, "opt_out")
    world.consents("loyalty:4", 11, "opt_out")
    world.consents("storefront:9", 20, "opt_in")
    world.merge(100, "B")

    world.unlink(200, leaving)

    assert {world.consent_of(one) for one in world.homes if one != leaving} == {left}


@pytest.mark.parametrize(("leaving", "left"), [("crm:1", IN), ("storefront:9", OUT)])
def test_an_opt_out_that_a_merge_upheld_ends_when_one_side_of_it_has_left(leaving: str, left: object) -> None:
    world = World({"storefront:9": "A", "crm:1": "B"})
    world.consents("crm:1", 10, "opt_out")
    world.consents("storefront:9", 20, "opt_in")
    world.merge(100, "B")
    assert world.consent_of("storefront:9") == OUT

    world.unlink(200, leaving)

    assert world.consent_of("storefront:9" if leaving == "crm:1" else "crm:1") == left


def test_an_opt_out_holds_when_the_record_that_had_hidden_the_conflict_leaves() -> None:
    """Without it one customer would have met the other's opt-in."""
    world = World({"storefront:9": "A", "esp:5": "B", "crm:1": "B"})
    world.consents("storefront:9", 10, "opt_out")
    world.consents("esp:5", 20, "opt_in")
    world.consents("crm:1", 30, "opt_out")
    world.merge(100, "B")

    world.unlink(200, "crm:1")

    assert world.consent_of("storefront:9") == OUT


def test_an_opt_in_that_ended_before_the_merge_is_no_conflict() -> None:
    world = World({"storefront:9": "A", "crm:1": "B"})
    world.consents("storefront:9", 10, "opt_in", expires_at=stamp(40))
    world.consents("crm:1", 20, "opt_out")
    world.merge(100, "B")
    world.consents("storefront:9", 50, "opt_in")

    assert world.consent_of("storefront:9") == IN


def test_an_opt_out_holds_against_an_opt_in_that_had_expired_where_none_is_required() -> None:
    world = World({"storefront:9": "A", "crm:1": "B"})
    world.consents("crm:1", 10, "opt_out", "service")
    world.consents("storefront:9", 20, "opt_in", "service", expires_at=stamp(30))
    world.merge(100, "B")

    assert world.consent_of("storefront:9", "service") == OUT


def test_platforms_that_were_told_of_anothers_opt_in_are_told_that_it_is_none_of_theirs() -> None:
    world = World({"storefront:9": "A", "esp:5": "A", "crm:1": "B"})
    world.consents("crm:1", 10, "opt_in")
    assert orders(world.merge(100, "B")) == [("esp", "opt_in"), ("storefront", "opt_in")]

    told = world.unlink(200, "crm:1")

    assert orders(told) == [("esp", "opt_out"), ("storefront", "opt_out")]
    assert {one.reason for one in told.commands} == {"unlink"}
    assert (world.consent_of("storefront:9"), world.consent_of("crm:1")) == (NOTHING, IN)


def test_the_record_that_leaves_is_told_that_the_others_opt_in_is_none_of_its_own() -> None:
    world = World({"storefront:9": "A", "crm:1": "B"})
    world.consents("storefront:9", 10, "opt_in")
    assert orders(world.merge(100, "B")) == [("crm", "opt_in")]

    told = world.unlink(200, "crm:1")

    assert orders(told) == [("crm", "opt_out")]
    assert (world.consent_of("storefront:9"), world.consent_of("crm:1")) == (IN, NOTHING)


def test_an_opt_in_of_its_own_is_not_taken_back_from_a_platform() -> None:
    world = World({"storefront:9": "A", "esp:5": "A", "crm:1": "B"})
    world.consents("storefront:9", 5, "opt_in")
    world.consents("crm:1", 10, "opt_in")
    world.merge(100, "B")

    assert orders(world.unlink(200, "crm:1")) == []
    assert world.consent_of("esp:5") == IN


OPT_OUT = {"contact_point": ANN, "channel": "email", "purpose": "marketing", "value": "opt_out"}


def test_what_a_steward_had_pinned_leaves_with_whom_it_was_pinned_at() -> None:
    world = World({"storefront:9": "A", "crm:1": "B"})
    world.consents("storefront:9", 5, "opt_in")
    world.consents("crm:1", 6, "opt_in")
    world.hear("storefront:9", 7, attributes={"first_name": {"value": "Ann"}})
    world.ask(10, customer_id="B", action="pin", **OPT_OUT)
    world.ask(11, customer_id="B", action="pin", attribute="first_name", value="Bobby")
    world.merge(100, "B")
    world.ask(150, action="pin", attribute="last_name", value="Lee")

    told = world.unlink(200, "crm:1")

    assert (world.consent_of("storefront:9"), world.consent_of("crm:1")) == (IN, OUT)
    assert orders(told) == [("storefront", "opt_in")]
    assert world.values_of("storefront:9") == {"email": ANN, "first_name": "Ann", "last_name": "Lee"}
    assert world.values_of("crm:1") == {"email": ANN, "first_name": "Bobby"}


def test_nothing_that_was_pinned_at_another_stays_in_the_state() -> None:
    """Or it would be found there after the other one's erasure."""
    world = World({"storefront:9": "A", "crm:1": "B", "loyalty:4": "C"})
    world.ask(10, customer_id="B", action="pin", attribute="email", value="bo@example.com")
    world.merge(100, "B")
    world.merge(200, "C")
    assert b"bo@example.com" in world.stored("storefront:9")

    world.unlink(300, "crm:1")

    assert b"bo@example.com" in world.stored("crm:1")
    slots = world.stored("storefront:9", without_commands=True)
    assert b"bo@example.com" not in slots


def test_a_pinned_opt_out_holds_for_all_of_a_customer_that_leave_one_by_one() -> None:
    world = World({"storefront:9": "A", "crm:1": "B", "loyalty:4": "B"})
    world.consents("crm:1", 5, "opt_in")
    world.ask(10, customer_id="B", action="pin", **OPT_OUT)
    world.merge(100, "B")

    for at, record in ((200, "crm:1"), (300, "loyalty:4")):
        world.unlink(at, record)
        assert world.consent_of(record) == OUT
    assert world.consent_of("storefront:9") == NOTHING


def test_a_pinned_opt_out_outlives_a_merge_with_one_who_has_said_nothing() -> None:
    world = World({"storefront:9": "A", "crm:1": "B"})
    world.ask(10, customer_id="B", action="pin", **{**OPT_OUT, "purpose": "service"})
    world.merge(100, "B")

    assert world.consent_of("storefront:9", "service") == OUT


@pytest.mark.parametrize(("point", "channel"), [(ANN, "email"), ("token-1", "push")])
def test_what_left_with_a_record_is_published_as_unknown_whatever_its_purpose(point: str, channel: str) -> None:
    scene = Scene()
    said = [
        ConsentStatement(point, channel, purpose, "opt_in", at=scene.at, explicit=True, method="form")
        for purpose in ("news", "marketing", "surveys")
    ]
    scene.say("storefront:9", "C1", email=ANN, consents=tuple(said[:1]))
    scene.say("crm:1", "C1", consents=tuple(said[1:]))
    before = scene.stack.state("C1")

    scene.ask("unlink", "C1", record="crm:1")

    published = scene.stack.holders(point).holdings["C1"]
    states = {one.purpose: (one.state, one.sendable) for one in published.values()}
    assert states == {"news": IN, "marketing": NOTHING, "surveys": NOTHING}
    after = scene.stack.state("C1")
    assert before is not None and after is not None and after.version > before.version
