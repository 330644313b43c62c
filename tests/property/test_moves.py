"""Merges and unlinks across partitions end as they would one after the other, whatever the schedule and the crashes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.model import Change, Statement, StewardRequest
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
