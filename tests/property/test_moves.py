"""Merges and unlinks across partitions end as they would one after the other, whatever the schedule and the crashes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.codec.moves import decode_move
from streams.core.digest import digest
from streams.core.moves import Carry
from streams.lane import Record
from streams.model import Change, Invalid, Statement, StewardRequest, format_time
from streams.replay import Pipeline
from streams.runtime import topics
from tests.property.partitions import Stack
from tests.property.vocabulary import policy

# The breaker counts what it happens to see contradicted (R15): how often depends on the order by its nature.
POLICY = policy({"ping_pong_limit": 100})
NOON = 1_768_046_400_000
RECORDS = {"C1": ("storefront:9", "crm:1"), "C2": ("loyalty:44", "esp:7"), "C3": ("crm:2",), "C4": ("storefront:8",)}
HOMES = {record: customer for customer, records in RECORDS.items() for record in records}
NAMES = ("Ann", "Bo", "Cy", "Di", "Ed", "Flo", "Gus")


def said(record: str, count: int) -> dict[str, Statement]:
    """Values that no other record ever states (R11 would take them for an echo)."""
    place = list(HOMES).index(record)
    return {
        "first_name": Statement(f"{NAMES[place]} {count}"),
        "phone": Statement(f"+1415555{100 + place * 100 + count:04}"),
        "email": Statement(f"{NAMES[place].lower()}{count}@example.com"),
    }


def changed(record: str, count: int, second: int) -> Change:
    """What a record says at a moment, under the customer that its upstream knows it by."""
    platform, _, record_id = record.partition(":")
    return Change(
        f"{record} {count}",
        platform,
        record_id,
        observed_at=NOON + second * 1000,
        customer_id=HOMES[record],
        attributes=said(record, count),
    )


def merge(one: str, other: str, name: str) -> StewardRequest:
    return StewardRequest("merge", name, one, with_=other, by="tester")


def unlink(record: str, name: str) -> StewardRequest:
    return StewardRequest("unlink", name, HOMES[record], record=record, by="tester")


SECONDS = st.integers(100, 900)
Input = tuple[int, Change | StewardRequest]


@st.composite
def histories(draw: st.DrawFn) -> list[Input]:
    """Later words of the records, merges of anybody with anybody, unlinks of some records; each with its own second."""
    found: list[Input] = []
    for record in HOMES:
        said_at = draw(st.lists(st.tuples(SECONDS, SECONDS), max_size=3))
        found += [(heard, changed(record, count, at)) for count, (heard, at) in enumerate(said_at, 1)]
    customers = st.sampled_from(sorted(RECORDS))
    for place in range(draw(st.integers(1, 5))):
        one, other = draw(customers), draw(customers)
        found.append((draw(SECONDS), merge(one, other, f"merge {place}")))
    leaving = draw(st.lists(st.sampled_from(sorted(HOMES)), max_size=2, unique=True))
    found += [(draw(SECONDS), unlink(record, f"unlink {record}")) for record in leaving]
    return sorted(found, key=lambda one: one[0])


def begun(seed: int, deaths: float = 0.0, **limits: Any) -> Stack:
    """Every record is known."""
    stack = Stack(POLICY, seed, **limits)
    for place, record in enumerate(HOMES):
        stack.change(changed(record, 0, place), NOON + place * 1000)
        stack.drain()
    stack.deaths = deaths
    return stack


def feed(stack: Stack, history: list[Input], calm: bool) -> Stack:
    for second, one in history:
        at = NOON + second * 1000
        if isinstance(one, Change):
            stack.change(one, at)
        else:
            stack.ask(one.customer_id or "", one, at)
        if calm:
            stack.drain()
    stack.drain()
    return stack


def bindings(stack: Stack) -> list[list[str]]:
    return sorted(sorted(state.records) for state in stack.customers() if state.records)


def settled(stack: Stack) -> Stack:
    """Long after: whatever was in flight has been sent again, and every golden value is where it belongs."""
    stack.tick(NOON + 2_000_000)
    stack.drain()
    return stack


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_any_schedule_with_crashes_ends_as_one_thing_after_the_other(history: list[Input], seed: int) -> None:
    calm = settled(feed(begun(1), history, calm=True))
    wild = settled(feed(begun(seed, deaths=0.1), history, calm=False))

    assert bindings(wild) == bindings(calm)
    assert wild.digest() == calm.digest()


@settings(max_examples=30, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_a_replay_takes_the_same_steps_to_the_same_end(history: list[Input], seed: int) -> None:
    beginning: list[Input] = [(place, changed(record, 0, place)) for place, record in enumerate(HOMES)]
    pipeline = Pipeline(POLICY)
    for second, one in (*beginning, *history):
        topic, value = as_json(one)
        with suppress(Invalid):  # a merge of two that are one by now
            pipeline.feed(topic, value, NOON + second * 1000)
    stack = settled(feed(begun(seed, deaths=0.1), history, calm=False))

    assert digest(pipeline.customers()) == stack.digest()


def as_json(one: Change | StewardRequest) -> tuple[str, Any]:
    if isinstance(one, StewardRequest):
        return "steward", msgspec.to_builtins(one)
    value = msgspec.to_builtins(one)
    value["observed_at"] = format_time(one.observed_at or 0)
    return "changes", value


@settings(max_examples=30, deadline=None)
@given(histories())
def test_a_late_merge_yields_the_state_that_an_early_one_yields(history: list[Input]) -> None:
    changes = [one for one in history if isinstance(one[1], Change)]
    acts = [one for one in history if not isinstance(one[1], Change)]
    early = settled(feed(begun(1), [*acts, *changes], calm=True))
    late = settled(feed(begun(1), [*changes, *acts], calm=True))

    assert bindings(late) == bindings(early)
    assert late.digest() == early.digest()


@settings(max_examples=30, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_nothing_is_lost_and_nothing_is_applied_to_two(history: list[Input], seed: int) -> None:
    stack = settled(feed(begun(seed, deaths=0.1), history, calm=False))

    said_last = {record: latest(history, record) for record in HOMES}
    states = stack.customers()
    found = {name: record.slots for state in states for name, record in state.records.items()}
    assert sorted(name for state in states for name in state.records) == sorted(HOMES)
    for record, change in said_last.items():
        newest = found[record]["first_name"].newest
        assert newest is not None and newest.value == change.attributes["first_name"].value
    # A merge of two that are one by now is refused; a receipt may find nobody where a worker died (it is asked again).
    assert {origin(letter) for letter in stack.written(topics.DEAD_LETTERS)} <= {"steward", "receipts"}


def latest(history: list[Input], record: str) -> Change:
    """What a record has said last, where a time in the future counts as the time of its arrival (R2)."""
    first = list(HOMES).index(record)
    told = [(first, changed(record, 0, first))]
    told += [(heard, one) for heard, one in history if isinstance(one, Change) and one.record == record]
    return max(told, key=lambda one: _effective(*one))[1]


def _effective(heard: int, one: Change) -> tuple[int, str]:
    received, observed = NOON + heard * 1000, one.observed_at or 0
    at = received if observed > received + POLICY.clock_skew_tolerance_ms else observed
    return (at, str(one.attributes["first_name"].value).casefold())


def origin(letter: Record) -> str:
    """The topic of a dead letter; of what was sent on from another row, the topic that it came by."""
    topic = dict(letter.headers)["__connect.errors.topic"].decode()
    value = letter.value or b""
    carried = decode_move(value) if topic == topics.CUSTOMER_CHANGES and value[:1] == b"\x02" else None
    return carried.topic if isinstance(carried, Carry) else topic


@settings(max_examples=30, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_every_platform_ends_with_the_golden_values_of_whom_its_record_belongs_to(
    history: list[Input], seed: int
) -> None:
    stack = settled(feed(begun(seed, deaths=0.1), history, calm=False))

    for state in stack.customers():
        golden = {name: one.value for name, one in state.golden.items()}
        for name, record in state.records.items():
            shown = {attribute: slot.shadow() for attribute, slot in record.slots.items()}
            held = {attribute: shadow.value for attribute, shadow in shown.items() if shadow is not None}
            assert held == golden, name
        assert state.unanswered == {}
