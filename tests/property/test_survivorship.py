"""What is golden was said by somebody, whole; and whoever was not heard is told why (R6, R7, R8, R10)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.state import VALUE, Claim, Customer, Slot
from streams.core.survivorship import losers
from streams.model import Address
from tests.property.histories import ATTRIBUTES, Mix, histories, interleaved
from tests.property.test_order import EVERYTHING, RULES
from tests.property.vocabulary import Input, World, played, steward

REASONS = {
    "older",
    "lower_priority",
    "tie",
    "below_threshold",
    "incomplete",
    "undeliverable",
    "pinned_over",
    "retracted",
    "erased",
}
ADDRESSES = ATTRIBUTES[4:]


@st.composite
def worlds(draw: st.DrawFn, pins: bool = True) -> tuple[World, list[Input]]:
    """A world somewhere within a history, sometimes with a pin; and the inputs that led there."""
    mix = Mix(**{**EVERYTHING, "consents": False, "bounces": False, "base": draw(st.booleans())})
    beginning, lanes = draw(histories(mix))
    history = [*beginning, *interleaved(draw, lanes)]
    if pins and draw(st.booleans()):
        pinned = {"first_name": "Pia", "phone": "+14155550199", "email": "pia@example.com"}
        attribute = draw(st.sampled_from(sorted(pinned)))
        history.append(steward(100, "pin", action="pin", attribute=attribute, value=pinned[attribute]))
    return played(history, RULES), history


def stored(state: Customer, attribute: str) -> list[Claim]:
    """Every claim that the state keeps for an attribute."""
    slots = [record.slots[attribute] for record in state.records.values() if attribute in record.slots]
    return [claim for slot in slots for claim in claims_of(slot)]


def claims_of(slot: Slot) -> list[Claim]:
    return [claim for claim in (slot.newest, *slot.verified) if claim is not None]


@given(worlds())
def test_the_golden_address_is_one_stored_claim_or_its_standard_form_whole(played_world: tuple) -> None:
    world, _ = played_world
    state = world.state()

    for attribute in ADDRESSES:
        golden = state.golden.get(attribute)
        if golden is not None and golden.value is not None:
            claims = stored(state, attribute)
            assert golden.value in [claim.standard if claim.standard is not None else claim.value for claim in claims]


@given(worlds())
def test_a_settled_address_was_stated_whole_or_completed_by_the_same_record(played_world: tuple) -> None:
    world, history = played_world
    for attribute in ADDRESSES:
        shown = world.view()["attributes"].get(attribute) or {}
        if shown.get("status") in ("settled", "provisional") and shown["value"] is not None:
            said = parts_said(history, shown["record"], attribute)

            assert {part: text for part, text in shown["value"].items() if text not in said[part]} == {}


def parts_said(history: list[Input], record: str, attribute: str) -> dict[str, set[str]]:
    """Every part that a record, or a validator about it, ever stated of an address."""
    said: dict[str, set[str]] = {part: {""} for part in Address().parts()}
    for one in history:
        value = one.value or {}
        stated = [value.get("attributes", {}).get(attribute, {}).get("value")] if one.lane == record else []
        stated += [verdict.get("standardized") for verdict in value.get("verdicts", ()) if verdict["record"] == record]
        for address in stated:
            for part, text in (address or {}).items():
                said[part].add(text)
    return said


@given(worlds())
def test_every_claim_that_lost_has_one_reason_and_the_winner_has_none(played_world: tuple) -> None:
    world, _ = played_world
    state = world.state()

    for attribute, rule in RULES.attributes.items():
        golden = state.golden.get(attribute)
        lost = losers(state, RULES, attribute, golden)
        assert {one.reason for one in lost} <= REASONS
        claimed = {name for name, record in state.records.items() if has_claim(record.slots.get(attribute))}
        heard = {one.record for one in lost}
        won = {golden.record} if golden is not None and golden.record is not None else set()
        assert heard | won == claimed
        assert len(lost) == len({(one.record, one.at, str(one.value)) for one in lost})
        if won:
            assert (golden.record, golden.at) not in {(one.record, one.at) for one in lost if one.value == golden.value}
        elif golden is not None:
            assert {one.reason for one in lost} <= {"pinned_over", "retracted"}
        assert rule.name == attribute


def has_claim(slot: Slot | None) -> bool:
    return slot is not None and slot.newest is not None


@given(worlds(pins=False))
def test_what_is_settled_beats_every_loser_by_the_rule_that_its_reason_names(played_world: tuple) -> None:
    world, _ = played_world
    state = world.state()

    for attribute, rule in RULES.attributes.items():
        golden = state.golden.get(attribute)
        if golden is None or golden.record is None or golden.at is None or golden.status == "provisional":
            continue
        won = rule.place(state.records[golden.record].platform)
        for one in losers(state, RULES, attribute, golden):
            lost = rule.place(state.records[one.record].platform)
            holds = {
                "lower_priority": won < lost,
                "older": won == lost and golden.at > one.at,
                "tie": won == lost and golden.at == one.at,
            }
            assert holds.get(one.reason, True), one


@given(worlds(pins=False))
def test_only_what_meets_its_threshold_is_settled(played_world: tuple) -> None:
    world, _ = played_world
    golden = world.state().golden.get("shipping_address")

    if golden is not None and golden.status == "settled":
        assert (golden.confidence or 0.0) >= 0.8
        winner = [one for one in stored(world.state(), "shipping_address") if one.at == golden.at]
        assert any(one.kind == VALUE and one.complete and one.deliverable is not False for one in winner)
