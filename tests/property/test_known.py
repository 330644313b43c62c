"""A change of a known record that goes straight to its customer goes where the step sends it, and no row differs."""

from __future__ import annotations

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from streams.codec.state import decode_row, encode_row
from streams.core.identity import Arrive, Forward, Row, step
from streams.core.known import goes_straight
from streams.core.rules import Policy
from streams.model import Change, Identifiers, Statement
from tests.property.vocabulary import policy

NOON = 1_768_046_400_000
POLICIES = tuple(policy({"identity": {"match": kinds}}) for kinds in (["external", "email"], ["email", "phone"]))
EMAILS = (
    *("ann@example.com", " ann@example.com", "Ann@Example.com", "noreply@example.com", "bo@example.com"),
    *("ann@b\u00fccher.example", "ann@bu\u0308cher.example", "ann@xn--bcher-kva.example", "no address", ""),
)
PHONES = ("+14155550101", "415-555-0101", "+10000000000")
EXTERNALS = ("loyalty:44", " loyalty:44", "crm:1", "@email:ann@example.com")
CLAIMS = (
    *("@email:ann@example.com", "@email:bo@example.com", "@email:noreply@example.com"),
    *("@email:ann@xn--bcher-kva.example", "@phone:+14155550101", "loyalty:44", "@email: ann@example.com"),
)

some_time = st.none() | st.integers(NOON - 2, NOON + 2)
rows = st.builds(
    Row,
    customer=st.sampled_from([None, "C1", "C1", "C1"]),
    joined=st.sampled_from([True, True, True, False]),
    closed_at=some_time,
    claimed=st.lists(st.sampled_from(CLAIMS), unique=True),
    fenced_at=st.none() | some_time,
    erased_at=st.none() | some_time,
)
changes = st.builds(
    Change,
    change_id=st.just("evt-1"),
    platform=st.just("crm"),
    record_id=st.just("1"),
    op=st.sampled_from(["upsert", "upsert", "restate", "delete"]),
    observed_at=some_time,
    customer_id=st.sampled_from([None, "C1", "C2"]),
    identifiers=st.builds(
        Identifiers,
        email=st.lists(st.sampled_from(EMAILS), max_size=2).map(tuple),
        phone=st.lists(st.sampled_from(PHONES), max_size=1).map(tuple),
        external=st.lists(st.sampled_from(EXTERNALS), max_size=2).map(tuple),
    ),
    attributes=st.sampled_from([{}, {"email": Statement("ann@example.com")}, {"email": Statement("Bo@example.com")}]),
)
BOUND = Row("C1", True, claimed=["@email:ann@example.com", "loyalty:44"])
NAMED = Change("evt-1", "crm", "1", identifiers=Identifiers(email=("ann@example.com",), external=("loyalty:44",)))


@given(rows, changes, st.sampled_from(POLICIES))
@example(BOUND, NAMED, POLICIES[0])
def test_what_goes_straight_is_what_the_step_forwards_and_nothing_else(row: Row, change: Change, rules: Policy) -> None:
    """Whatever the row and the change: no message, no note, no proposal, and the row to the byte as it was."""
    if not goes_straight(row, change, rules):
        return
    stored = encode_row(row)
    hop = step(change.record, decode_row(stored), Arrive(change), NOON, rules)

    assert hop.forwards == [Forward(row.customer or "", change, NOON)]
    assert (hop.sends, hop.notes, hop.proposals) == ([], [], [])
    assert encode_row(hop.row) == stored


def test_a_change_that_names_what_its_record_has_claimed_goes_straight() -> None:
    """The usual case is told apart, or the look was for nothing."""
    assert goes_straight(BOUND, NAMED, POLICIES[0])


def test_a_change_that_names_something_new_does_not_go_straight() -> None:
    """It has something to claim."""
    new = msgspec.structs.replace(NAMED, identifiers=Identifiers(email=("bo@example.com",)))

    assert not goes_straight(BOUND, new, POLICIES[0])
