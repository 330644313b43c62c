"""Merges of records and changes of e-mail addresses, over partitions, in any schedule and with deaths between steps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.connectors.merges import merged_into
from streams.model import Change, Identifiers, Statement
from tests.property.partitions import Stack
from tests.property.vocabulary import policy

NOON = 1_768_046_400_000
UNIQUE = policy({"platforms": {"storefront": {"unique": True}}, "ping_pong_limit": 100})
OLD, NEW = "ann@example.com", "ann.new@example.com"


def has(record: str, minute: int, email: str) -> Change:
    platform, _, record_id = record.partition(":")
    return Change(
        f"{record} {minute}",
        platform,
        record_id,
        observed_at=NOON + minute * 60_000,
        identifiers=Identifiers(email=(email,)),
        attributes={"email": Statement(email)},
    )


def merged(gone: str, kept: str, minute: int) -> Change:
    return merged_into("storefront", gone, kept, f"{gone} into {kept}", NOON + minute * 60_000)


def told(changes: list[Change], seed: int, deaths: float = 0.1) -> Stack:
    """All of them at once: nothing is known of their order but that of each record's own."""
    stack = Stack(UNIQUE, seed, deaths)
    for change in changes:
        stack.change(change, NOON + 3_600_000)
    stack.drain()
    return stack


def people(stack: Stack) -> list[tuple[str, ...]]:
    return sorted(tuple(sorted(state.records)) for state in stack.customers())


MERGE = (
    has("storefront:1", 1, "a@example.com"),
    has("storefront:2", 1, "b@example.com"),
    has("crm:7", 1, "a@example.com"),
    has("esp:8", 1, "b@example.com"),
    merged("1", "2", 2),
)


@settings(max_examples=100, deadline=None)
@given(st.permutations(MERGE), st.integers(0, 2**32))
def test_a_merge_of_two_records_is_one_customer_whenever_it_is_heard_of(changes: list[Change], seed: int) -> None:
    spoke = changes.index(MERGE[0]) < changes.index(MERGE[4])

    found = people(told(changes, seed))
    # A record that only speaks after its own deletion names no address: its CRM contact is somebody else.
    everybody = ("crm:7", "esp:8", "storefront:1", "storefront:2")
    assert found == [everybody] if spoke else ("esp:8", "storefront:1", "storefront:2") in [*found, everybody[1:]]


@settings(max_examples=60, deadline=None)
@given(st.permutations([("1", "2", 2), ("2", "3", 3), ("3", "4", 4)]), st.integers(0, 2**32))
def test_a_chain_of_merges_ends_in_one_customer(merges: list[tuple[str, str, int]], seed: int) -> None:
    rows = [has(f"storefront:{one}", 1, f"p{one}@example.com") for one in range(1, 5)]

    stack = told([*rows, *(merged(*one) for one in merges)], seed)
    assert people(stack) == [tuple(f"storefront:{one}" for one in range(1, 5))]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_who_gets_an_address_that_was_given_up_is_somebody_else(seed: int, other: int) -> None:
    found = []
    for one in (seed, other):
        stack = told([has("storefront:9", 1, OLD), has("storefront:9", 2, NEW), has("crm:3", 1, NEW)], one)
        for late in (has("crm:7", 3, OLD), has("esp:4", 4, OLD), has("esp:5", 4, NEW)):
            stack.change(late, NOON + 3_600_000)
        stack.drain()
        found.append(people(stack))

    assert found[0] == found[1] == [("crm:3", "esp:5", "storefront:9"), ("crm:7", "esp:4")]
