"""Whatever the order, the schedule and the crashes: records that share identifiers end as one customer."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.core.moves import held_points
from streams.lane import Record
from streams.model import Change, Identifiers, Statement
from streams.runtime import topics
from tests.property.partitions import Stack
from tests.property.vocabulary import policy

MATCH = ["external", "email", "phone"]
POLICY = policy({"identity": {"match": MATCH, "merge": MATCH, "merges_per_day_max": 1000}, "ping_pong_limit": 100})
NOON = 1_768_046_400_000
LANES = ("storefront:9", "crm:1", "crm:2", "loyalty:44", "esp:7", "helpdesk:h3")
EMAILS = ("ann@example.com", "bo@example.com", "cy@example.com")
PHONES = ("+14155550101", "+14155550102")


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """Up to nine changes that name other records, e-mails and phones as they like."""
    found = []
    for place, lane in enumerate(draw(st.lists(st.sampled_from(LANES), min_size=2, max_size=9))):
        identifiers = Identifiers(
            email=tuple(draw(st.lists(st.sampled_from(EMAILS), max_size=2, unique=True))),
            phone=tuple(draw(st.lists(st.sampled_from(PHONES), max_size=1))),
            external=tuple(draw(st.lists(st.sampled_from(LANES), max_size=1))),
        )
        found.append(_said(lane, place, identifiers))
    return found


def _said(lane: str, place: int, identifiers: Identifiers) -> Change:
    platform, _, record_id = lane.partition(":")
    said = {
        "first_name": Statement(f"{record_id} {place}"),
        "email": Statement(f"{platform}{record_id}{place}@example.com"),
    }
    return Change(
        f"e{place}",
        platform,
        record_id,
        observed_at=NOON + place * 1000,
        identifiers=identifiers,
        attributes=said,
    )


def components(told: list[Change]) -> list[list[str]]:
    """The records that a person would say are one: connected by what they name."""
    groups: dict[str, set[str]] = {}
    for one in told:
        names = {one.record, *one.identifiers.external, *one.identifiers.email, *one.identifiers.phone}
        merged = set(names).union(*(groups[name] for name in names if name in groups))
        groups.update(dict.fromkeys(merged, merged))
    spoken = {one.record for one in told}
    return sorted({tuple(sorted(group & spoken)) for group in groups.values()})  # type: ignore[return-value]


def bound(told: list[Change], seed: int, deaths: float) -> Stack:
    stack = Stack(POLICY, seed, deaths)
    for one in told:
        stack.change(one, one.observed_at or 0)
    stack.drain()
    return stack


SWAPPED = [
    _said("crm:1", 0, Identifiers(external=("storefront:9",))),
    _said("storefront:9", 1, Identifiers(external=("crm:1",))),
]
TENTATIVE = [
    _said("crm:2", 0, Identifiers(phone=PHONES[:1])),
    _said("crm:1", 1, Identifiers(email=EMAILS[:1], phone=PHONES[:1])),
    _said("esp:7", 2, Identifiers(email=EMAILS[:1])),
]


def origin(letter: Record) -> bytes:
    return dict(letter.headers)["__connect.errors.topic"]


@settings(max_examples=150, deadline=None)
@given(changes(), st.integers(0, 2**32))
@example(SWAPPED, 3)
@example(TENTATIVE, 5)
def test_records_end_as_the_customers_that_their_identifiers_say(told: list[Change], seed: int) -> None:
    stack = bound(told, seed, deaths=0.1)

    found = sorted(tuple(sorted(state.records)) for state in stack.customers())
    assert found == components(told)
    # The answer to a command may find nobody where the worker died between the command and its customer's row; the
    # command is sent again.
    assert {origin(record) for record in stack.written(topics.DEAD_LETTERS)} <= {b"receipts"}


@settings(max_examples=40, deadline=None)
@given(changes(), st.integers(0, 2**32), st.integers(0, 2**32))
def test_two_schedules_end_in_the_same_digest(told: list[Change], seed: int, other: int) -> None:
    digests = set()
    for one in (seed, other):
        stack = bound(told, one, deaths=0.1)
        stack.tick(NOON + 2_000_000)
        stack.drain()
        digests.add(stack.digest())

    assert len(digests) == 1


@settings(max_examples=40, deadline=None)
@given(changes(), st.integers(0, 2**32))
def test_a_contact_point_is_published_as_held_by_the_customers_that_have_it_and_by_no_other(
    told: list[Change], seed: int
) -> None:
    stack = bound(told, seed, deaths=0.1)

    holders = defaultdict(set)
    for state in stack.customers():
        for point in held_points(state):
            holders[point].add(state.customer_id)
    points = {record.key.decode() for record in stack.written(topics.CONTACTS) if record.key}
    assert {point: set(stack.holders(point).holdings) for point in points} == holders
