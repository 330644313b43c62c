"""Two people in one customer, set apart by an unlink: the erasure of either leaves nothing of it with the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.echoes import MARK
from streams.core.state import Customer
from streams.core.timeline import Entry, decode_entry
from streams.lane import partition_of
from streams.model import Address, Change, ConsentStatement, Statement, StewardRequest
from streams.runtime.chapters import decode_chapter, decode_head, head_key, row_key
from tests.property.partitions import PARTITIONS
from tests.property.test_erasure import MAIL, NOON, Everything, found, told

BOB = "bobby@example.com"
UNLINKED = NOON + 900_000
ERASED = NOON + 1_000_000


def bobs(second: int, name: str, number: int = 1) -> Change:
    """What Bob's contact says, which is taken for one of Ann's until it is unlinked."""
    at = NOON + second * 1000
    opt_in = ConsentStatement(BOB, "email", "marketing", "opt_in", at, True, "checkbox", {"form": "1"})
    home = Address(f"{second} Bobson Ave", "", "Chicago", "IL", "60606", "US")
    said = {
        "shipping_address": Statement(home),
        "email": Statement(BOB),
        "last_name": Statement(f"Bobson {name}"),
        "phone": Statement("+13125550123"),
    }
    return Change(f"bob {number}", "crm", "b1", observed_at=at, customer_id="C1", attributes=said, consents=(opt_in,))


def together(seed: int, deaths: float, seconds: list[int], bob_first: bool) -> Everything:
    """Ann's storefront account and Bob's contact, both under C1."""
    stack = Everything(seed, deaths)
    changes = [bobs(1, "0"), told("storefront:gone-9", 1, 1, "C1")]
    for change in changes if bob_first else reversed(changes):
        stack.change(change, NOON + 1000)
        stack.drain()
    for count, second in enumerate(seconds, 2):
        both = (told("storefront:gone-9", count, second, "C1"), bobs(second, str(second), count))
        stack.change(both[count % 2], NOON + second * 1000)
        if seed % 3:
            stack.drain()
    stack.drain()
    return stack


def apart(stack: Everything, record: str) -> str:
    stack.ask("C1", StewardRequest("unlink", "u", "C1", record=record, by="tester"), UNLINKED)
    stack.drain()
    left = stack.named(record)
    assert left is not None
    assert left != "C1"
    return left


def erase(stack: Everything, customer: str) -> None:
    stack.ask(customer, StewardRequest("erase", "forget", customer, by="tester"), ERASED)
    stack.drain()


def known(stack: Everything, customer: str) -> Customer:
    state = stack.state(customer)
    assert state is not None
    assert state.erased_at is None
    return state


def values_of_bob(stack: Everything) -> dict[str, list[bytes]]:
    marks = (b"bobby", b"Bobson", b"3125550123")
    kept = stack.left().items()
    hits = {name: [row for row in rows if any(mark in row for mark in marks)] for name, rows in kept}
    return {name: rows for name, rows in hits.items() if rows}


SECONDS = st.lists(st.integers(2, 800), max_size=5)


@pytest.mark.parametrize("deaths", [0.0, 0.1])
def test_whom_a_record_left_is_erased_with_what_was_written_to_the_record(deaths: float) -> None:
    @given(SECONDS, st.booleans(), st.booleans(), st.integers(0, 10**9))
    def check(seconds: list[int], bob_first: bool, merged: bool, seed: int) -> None:
        stack = together(seed, deaths, seconds, bob_first)
        bob = apart(stack, "crm:b1")
        if merged:
            other = Change("x", "helpdesk", "h1", observed_at=NOON - 5000, attributes={"first_name": Statement("Bo")})
            stack.change(other, NOON - 5000)
            stack.drain()
            survivor = stack.named("helpdesk:h1") or ""
            stack.ask(survivor, StewardRequest("merge", "m", survivor, with_=bob, by="tester"), UNLINKED + 5000)
            stack.drain()
            bob = stack.named("crm:b1") or ""
            assert bob == survivor
        erase(stack, "C1")

        assert found(stack) == {}
        assert known(stack, bob).golden["email"].value == BOB
        stack.read_again()
        assert values_of_ann(stack) == {}

    check()


@pytest.mark.parametrize("deaths", [0.0, 0.1])
def test_a_record_that_left_is_erased_with_what_it_had_said_to_the_others(deaths: float) -> None:
    @given(SECONDS, st.booleans(), st.integers(0, 10**9))
    def check(seconds: list[int], bob_first: bool, seed: int) -> None:
        stack = together(seed, deaths, seconds, bob_first)
        erase(stack, apart(stack, "crm:b1"))

        assert values_of_bob(stack) == {}
        assert known(stack, "C1").golden["email"].value == MAIL
        stack.read_again()
        assert values_of_bob(stack) == {}

    check()


def test_a_third_customer_hears_of_it_by_way_of_the_second() -> None:
    """Ann's values reached Bob's contact and Cid's card, and Cid's card was taken out of Bob's customer later."""
    stack = together(4, 0.0, [], bob_first=False)
    card = Change(
        "c", "loyalty", "c1", observed_at=NOON + 2000, customer_id="C1", attributes={"first_name": Statement("Cid")}
    )
    stack.change(card, NOON + 2000)
    stack.drain()
    cid = apart(stack, "loyalty:c1")
    stack.ask("C1", StewardRequest("unlink", "u2", "C1", record="storefront:gone-9", by="tester"), UNLINKED + 1000)
    stack.drain()
    ann = stack.named("storefront:gone-9") or ""
    assert ann not in ("C1", cid)
    erase(stack, ann)

    rows = {
        name: hits for name, hits in values_of_ann(stack).items() if name.startswith(("table customers", "customer."))
    }
    assert rows == {}


def values_of_ann(stack: Everything) -> dict[str, list[bytes]]:
    marks = (b"ann.gone", b"Agone", b"gone St", b"4155550199")
    kept = stack.left().items()
    hits = {name: [row for row in rows if any(mark in row for mark in marks)] for name, rows in kept}
    return {name: rows for name, rows in hits.items() if rows}


def test_the_echo_of_an_erased_value_is_still_known() -> None:
    """A platform that repeats late what it had been told does not make the value a claim of the one who is left."""
    stack = together(7, 0.0, [], bob_first=False)
    bob = apart(stack, "crm:b1")
    erase(stack, "C1")
    attributes = {"email": Statement(MAIL), "first_name": Statement("Agone storefront 1")}
    echo = Change("late", "crm", "b1", observed_at=NOON + 2000, attributes=attributes)
    stack.change(echo, ERASED + 1000)
    stack.drain()

    state = known(stack, bob)
    assert state.golden["email"].value == BOB
    assert "first_name" not in state.golden
    assert any(one.seen[:1] == MARK for one in state.records["crm:b1"].slots["first_name"].sent)
    assert [row for row in stack.left()["table customers"] if b"gone" in row] == []


def test_own_values_and_later_commands_are_kept() -> None:
    stack = together(9, 0.0, [], bob_first=False)
    bob = apart(stack, "crm:b1")
    before = known(stack, bob)
    erase(stack, "C1")
    after = known(stack, bob)

    assert after.golden == before.golden
    assert after.entries == before.entries
    assert after.consents == before.consents
    email = after.records["crm:b1"].slots["email"]
    assert email.newest == before.records["crm:b1"].slots["email"].newest
    assert email.sent[-1] == before.records["crm:b1"].slots["email"].sent[-1]


def test_the_history_of_the_one_who_is_left_keeps_its_own_past() -> None:
    stack = together(9, 0.0, [5, 6, 7], bob_first=True)
    bob = apart(stack, "crm:b1")
    before = entries(stack)
    assert any(shown is not None and shown.record == "crm:b1" for one in before for shown in one.golden.values())
    erase(stack, bob)
    after = entries(stack)

    assert [(one.at, one.version, one.kind, one.cause) for one in after] == [
        (one.at, one.version, one.kind, one.cause) for one in before
    ]
    for one, known_before in zip(after, before, strict=True):
        for name, shown in known_before.golden.items():
            theirs = shown is not None and shown.record == "crm:b1"
            assert one.golden[name] == (None if theirs else shown)


def entries(stack: Everything) -> list[Entry]:
    """The history of C1, oldest first."""
    rows = stack.stores["history", partition_of(b"C1", PARTITIONS)].rows
    head = decode_head(rows[head_key(b"C1")])
    chapters = [one for part in head.own.chapters for one in decode_chapter(rows[row_key(b"C1", part.number)])]
    return [decode_entry(one) for one in (*chapters, *head.tail)]


@given(st.booleans(), st.integers(0, 10**9))
def test_a_record_that_left_just_before_the_erasure_is_not_erased_with_it(bob_first: bool, seed: int) -> None:
    """The erasure may reach the rows of the identities before the unlink does."""
    stack = together(seed, 0.0, [2, 3], bob_first)
    stack.ask("C1", StewardRequest("unlink", "u", "C1", record="crm:b1", by="tester"), UNLINKED)
    stack.ask("C1", StewardRequest("erase", "forget", "C1", by="tester"), ERASED)
    stack.drain()

    bob = stack.named("crm:b1")
    assert bob not in (None, "C1")
    assert known(stack, bob or "").golden["email"].value == BOB
    assert values_of_ann(stack) == {}
    late = bobs(2000, "late", 9)
    stack.change(late, ERASED + 2_000_000)
    stack.drain()
    assert known(stack, bob or "").golden["last_name"].value == "Bobson late"


def test_an_erasure_never_overtakes_the_unlink_before_it_whenever_the_worker_dies() -> None:
    """Both are asked at once: who has left by then is not erased."""
    for seed in range(60):
        stack = together(seed, 0.0, [2, 3], bob_first=True)
        stack.deaths = 0.3
        stack.ask("C1", StewardRequest("unlink", "u", "C1", record="crm:b1", by="tester"), UNLINKED)
        stack.ask("C1", StewardRequest("erase", "forget", "C1", by="tester"), UNLINKED + 1)
        stack.drain()

        bob = stack.named("crm:b1")
        assert bob not in (None, "C1"), f"seed {seed}"
        assert known(stack, bob or "").golden["email"].value == BOB
