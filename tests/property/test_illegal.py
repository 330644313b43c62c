"""Illegal input raises Invalid and nothing else and leaves all as it was; what is taken leads to no crash."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.codec.state import encode_customer
from streams.model import Invalid
from tests.property.test_determinism import crowd
from tests.property.test_order import RULES
from tests.property.vocabulary import CUSTOMER, T0, Json, World, stamp

HOME: Json = {"line1": "1 Main St", "city": "Chicago", "postal_code": "60601", "country": "US"}
CHANGE: Json = {
    "change_id": "E1",
    "platform": "crm",
    "record_id": "1",
    "kind": "event",
    "op": "upsert",
    "actor": "customer",
    "observed_at": stamp(500),
    "sequence": 3,
    "customer_id": CUSTOMER,
    "identifiers": {"email": ["ann@example.com"], "phone": ["+14155550100"], "external": ["loyalty:44"]},
    "attributes": {
        "email": {"value": "ann@example.com"},
        "phone": {"value": "+14155550100"},
        "first_name": {"clear": True},
        "last_name": {"retract": True},
        "shipping_address": {"value": HOME, "confidence": 0.5, "verified_by": "smarty"},
    },
    "consents": [
        {
            "contact_point": "ann@example.com",
            "channel": "email",
            "purpose": "marketing",
            "decision": "opt_in",
            "at": stamp(500),
            "explicit": True,
            "method": "checkbox",
            "evidence": {"form": "f1"},
            "expires_at": stamp(9000),
        }
    ],
    "verdicts": [
        {
            "record": "crm:1",
            "attribute": "shipping_address",
            "input": HOME,
            "confidence": 0.9,
            "deliverable": True,
            "standardized": HOME,
            "at": stamp(500),
        }
    ],
    "suppressions": [
        {
            "contact_point": "ann@example.com",
            "channel": "email",
            "reason": "hard_bounce",
            "active": True,
            "at": stamp(1),
        }
    ],
}
RECEIPT: Json = {
    "command_id": "none",
    "customer_id": CUSTOMER,
    "platform": "crm",
    "record_id": "1",
    "outcome": "applied",
    "at": stamp(600),
}
REQUEST: Json = {
    "request_id": "R1",
    "customer_id": CUSTOMER,
    "action": "pin",
    "attribute": "phone",
    "value": "+14155550109",
    "at": stamp(600),
    "by": "tester",
    "record": "crm:1",
    "contact_point": None,
    "channel": "email",
    "purpose": "marketing",
    "with": "C2",
}
LEGAL = {"changes": CHANGE, "receipts": RECEIPT, "steward": REQUEST}
ODD_TEXTS = (
    "",
    " ",
    "\x1f",
    "a\x1fb@example.com",
    "\x00",
    "*",
    "@",
    ":",
    "é" * 5000,
    "\ud800",
    "+1",
    "noreply@example.com",
)
odd: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((0, -1, 2**63, -(2**63), 2**70, 1.5, float("inf"), float("nan"))),
    st.sampled_from(ODD_TEXTS),
    st.text(max_size=8),
    st.sampled_from(([], {}, [[]], [None], [{}], {"value": None}, {"value": {}}, [1, "a"])),
    st.sampled_from(("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2036-01-01T00:00:00Z", "yesterday")),
    st.sampled_from(("opt_out", "confirm", "expire", "delete", "restate", "snapshot", "unpin", "release", "merge")),
)


@st.composite
def disturbed(draw: st.DrawFn) -> tuple[str, Any]:
    """A legal input in which something was replaced, left out, or put in."""
    topic = draw(st.sampled_from(sorted(LEGAL)))
    value: Any = copy.deepcopy(LEGAL[topic])
    for _ in range(draw(st.integers(1, 3))):
        value = disturb(draw, value)
    return topic, value


def disturb(draw: st.DrawFn, value: Any) -> Any:
    """One place somewhere within, chosen by walking down."""
    if isinstance(value, dict) and value and draw(st.integers(1, 8)) > 1:
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(1, 6)) == 1:
            return {name: one for name, one in value.items() if name != key}
        if draw(st.integers(1, 8)) == 1:
            return {**value, draw(st.text(max_size=4)): draw(odd)}
        return {**value, key: disturb(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(1, 4)) > 1:
        return [disturb(draw, value[0]), *value[1:]]
    return draw(odd)


def everything(world: World) -> list[bytes]:
    """All that a pipeline keeps, to the byte."""
    pipeline = world.pipeline
    rows = [key.encode() + row for key, row in sorted(pipeline._rows.items())]
    return [encode_customer(one) for one in pipeline.customers()] + rows


def crowded() -> World:
    world = World(RULES)
    world.take(*crowd()[:6])
    return world


@given(st.lists(disturbed(), min_size=1, max_size=4))
def test_what_is_refused_changes_nothing_and_what_is_taken_breaks_nothing(inputs: list[tuple[str, Any]]) -> None:
    world = crowded()
    for place, (topic, value) in enumerate(inputs):
        before = everything(world)
        try:
            world.pipeline.feed(topic, value, T0 + 600_000 + place)
        except Invalid:
            assert everything(world) == before
        else:
            assert world.view()
            assert world.digest()
    world.pipeline.feed("clock", None, T0 + 10**9)


@given(
    st.sampled_from(("changes", "receipts", "steward", "raw.crm", "raw.nobody", "nothing")), st.recursive(odd, st.lists)
)
def test_anything_at_all_is_taken_or_refused(topic: str, value: Any) -> None:
    world = crowded()
    before = everything(world)

    try:
        world.pipeline.feed(topic, value, T0 + 600_000)
    except Invalid as invalid:
        assert invalid.reason
        assert everything(world) == before


@given(st.lists(disturbed(), min_size=1, max_size=4), st.data())
def test_bad_input_between_good_leaves_no_trace(bad: list[tuple[str, Any]], data: st.DataObject) -> None:
    world, clean = crowded(), crowded()
    refused = [one for one in bad if is_refused(one)]
    assume(refused)
    for good in crowd()[6:9]:
        topic, value = data.draw(st.sampled_from(refused))
        with pytest.raises(Invalid):
            world.pipeline.feed(topic, value, good.at)
        world.take(good)
        clean.take(good)

    assert everything(world) == everything(clean)


def is_refused(given_input: tuple[str, Any]) -> bool:
    try:
        crowded().pipeline.feed(given_input[0], given_input[1], T0 + 600_000)
    except Invalid:
        return True
    return False


def test_the_undisturbed_inputs_are_taken() -> None:
    world = crowded()
    for topic, value in LEGAL.items():
        world.pipeline.feed(topic, value, T0 + 600_000)

    assert world.state().golden["phone"].status == "pinned"
