"""Erasures in a stack of partitions: whatever the schedule, the crashes and what is read again, nothing comes back."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec.state import decode_row
from streams.core.erasure import erased_view
from streams.core.state import Customer
from streams.lane import Record, partition_of
from streams.model import Address, Change, ConsentStatement, Identifiers, Statement, StewardRequest
from streams.runtime import topics
from streams.runtime.historian import Historian
from streams.runtime.ledger_markers import Fate, Forgetting
from streams.runtime.letters import Letters
from streams.runtime.reviews import Reviews
from streams.runtime.settings import Settings
from streams.runtime.tombstones import Living
from tests.property.partitions import KEY, PARTITIONS, Stack
from tests.property.vocabulary import policy

POLICY = policy()
NOON = 1_768_046_400_000
ERASED_S = 1000
RECORDS = ("storefront:gone-9", "crm:gone-1", "esp:gone-7", "idp:gone-3")
MAIL, PHONE = "ann.gone@example.com", "+14155550199"
# Each has "gone" in it, or is the phone: what must be nowhere afterwards.
MARKS = (b"gone", b"4155550199")


class Everything(Stack):
    """The stack with its history and its review queue."""

    def __init__(self, seed: int, deaths: float = 0.0) -> None:
        super().__init__(POLICY, seed, deaths)
        letters = Letters("test", Settings())
        self._agents[topics.HISTORY] = ("history", Historian(POLICY.history, letters, 1_000_000, lambda: NOON))
        queue = Reviews(letters, 100, 100)
        self._agents.update(dict.fromkeys((topics.NOTES, topics.REVIEWS), ("reviews", queue)))
        for platform in POLICY.platforms:
            name = topics.commands(platform)
            self._agents[name] = (f"fence-{platform}", Living(self.sink))

    def read_again(self) -> None:
        """Every topic from its beginning, onto the rows as they are."""
        self._offsets.clear()
        self._committed.clear()
        self.drain()

    def left(self) -> dict[str, list[bytes]]:
        """What lies in the topics once they are compacted, and in the rows; by topic or table."""
        found: dict[str, list[bytes]] = {}
        for (topic, _), log in self.logs.items():
            if topic != topics.LEDGER:
                found.setdefault(topic, []).extend(compacted(log))
        found[topics.LEDGER] = self.ledger_kept()
        for (table, _), store in self.stores.items():
            if not table.startswith("fence-"):
                rows = [*store.rows.items(), *store.local.items()]
                found.setdefault(f"table {table}", []).extend(key + value for key, value in rows)
        return found

    def ledger_kept(self) -> list[bytes]:
        """What `writeback ledger forget` leaves of the ledger, which is not compacted."""
        rows, forgetting = self.written(topics.LEDGER), Forgetting(KEY, self.codec.decode_ledger)
        for one in rows:
            forgetting.learn(one)
        kept = [one for one in rows if forgetting.fate(one, 0)[0] is not Fate.FORGOTTEN]
        return [b"".join((one.key or b"", one.value or b"", *(text for _, text in one.headers))) for one in kept]

    def named(self, record: str) -> str | None:
        """The customer that a record is bound to."""
        stored = self.stores["identity", partition_of(record.encode(), PARTITIONS)].rows.get(record.encode())
        return decode_row(stored).customer if stored is not None else None


def compacted(log: list[Record]) -> list[bytes]:
    newest = {record.key: record for record in log}
    return [(one.key or b"") + one.value for one in newest.values() if one.value is not None]


def told(record: str, count: int, second: int, customer: str | None, explicit: bool = False) -> Change:
    """A change of Ann's."""
    platform, _, record_id = record.partition(":")
    at = NOON + second * 1000
    home = Address(f"{count} gone St", "", "Chicago", "IL", "60606", "US")
    opt_in = ConsentStatement(MAIL, "email", "marketing", "opt_in", at, explicit, "checkbox", {"form": "gone"})
    return Change(
        f"{platform} {count}",
        platform,
        record_id,
        observed_at=at,
        customer_id=customer,
        identifiers=Identifiers(email=(MAIL,), external=("loyalty:gone-44",)),
        attributes={
            "first_name": Statement(f"Agone {platform} {count}"),
            "email": Statement(MAIL),
            "phone": Statement(PHONE),
            "shipping_address": Statement(home, confidence=0.9),
        },
        consents=(opt_in,) if count % 2 else (),
    )


Input = tuple[int, Change]


@st.composite
def histories(draw: st.DrawFn) -> list[Input]:
    """What Ann's records say before the erasure, some of it delivered long after it was observed."""
    customer = draw(st.sampled_from(("C1", None)))
    found: list[Input] = []
    for record in draw(st.lists(st.sampled_from(RECORDS), min_size=1, unique=True)):
        for count in range(draw(st.integers(1, 3))):
            second = draw(st.integers(0, 800))
            found.append((second + draw(st.sampled_from((0, 1, 90))), told(record, count, second, customer)))
    return sorted(found, key=lambda one: one[0])


def erased(stack: Everything, history: list[Input], chance: random.Random) -> str:
    """Ann's customer, erased while some of her changes may still be on their way."""
    first = history[0][1]
    stack.change(first, NOON + history[0][0] * 1000)
    stack.drain()
    customer = stack.named(first.record)
    assert customer is not None
    late = [one for one in history[1:] if chance.random() < 0.3]
    for second, change in history[1:]:
        if (second, change) not in late:
            stack.change(change, NOON + second * 1000)
    if chance.random() < 0.5:
        stack.drain()
    stack.ask(customer, StewardRequest("erase", "forget her", customer, by="tester"), NOON + ERASED_S * 1000)
    for second, change in late:
        stack.change(change, NOON + (ERASED_S + second) * 1000)
    stack.drain()
    return customer


def found(stack: Everything) -> dict[str, list[bytes]]:
    """Where something of Ann is left."""
    return {
        name: hits
        for name, kept in stack.left().items()
        if (hits := [one for one in kept if any(mark in one for mark in MARKS)])
    }


def alive(stack: Everything) -> list[Customer]:
    return [one for one in stack.customers() if one.erased_at is None]


@pytest.mark.parametrize("deaths", [0.0, 0.1])
def test_after_an_erasure_nothing_is_left_in_rows_or_compacted_topics(deaths: float) -> None:
    @given(histories(), st.integers(0, 10**9))
    def check(history: list[Input], seed: int) -> None:
        stack = Everything(seed, deaths)
        customer = erased(stack, history, random.Random(seed))

        state = stack.state(customer)
        assert state is not None
        assert state.erased_at == NOON + ERASED_S * 1000
        assert {one["outcome"] for one in erased_view(state)["certificate"]} <= {"acked"}
        assert alive(stack) == []
        assert found(stack) == {}

    check()


@given(histories(), st.integers(0, 10**9))
def test_reading_everything_again_brings_nothing_back(history: list[Input], seed: int) -> None:
    stack, chance = Everything(seed), random.Random(seed)
    customer = erased(stack, history, chance)
    told_before = len(stack.sink.told)

    again = [*history, *history]
    chance.shuffle(again)
    for second, change in again:
        stack.change(change, NOON + second * 1000)
    stack.drain()

    state = stack.state(customer)
    assert state is not None
    assert state.erased_at is not None
    assert alive(stack) == []
    assert found(stack) == {}
    assert len(stack.sink.told) == told_before


@given(histories(), st.integers(0, 10**9))
def test_a_restored_table_is_as_empty_as_the_one_that_was_lost(history: list[Input], seed: int) -> None:
    """The rows are what their changelogs say: reading all inputs from their beginning onto them changes nothing."""
    stack = Everything(seed)
    customer = erased(stack, history, random.Random(seed))
    stack.read_again()

    state = stack.state(customer)
    assert state is not None
    assert state.erased_at is not None
    assert alive(stack) == []
    assert found(stack) == {}


@given(histories(), st.integers(0, 10**9))
def test_a_later_explicit_sign_up_is_a_new_customer_without_a_past(history: list[Input], seed: int) -> None:
    stack = Everything(seed)
    customer = erased(stack, history, random.Random(seed))

    for count, explicit in ((2, False), (5, True)):
        second = ERASED_S + 100 * count
        change = told("helpdesk:h1", count, second, None, explicit)
        stack.change(change, NOON + second * 1000)
        stack.drain()
        (reborn,) = alive(stack)
        assert [one.sendable for key, one in reborn.consents.items() if key.startswith(MAIL)] == [explicit]

    assert reborn.customer_id != customer
    assert set(reborn.records) == {"helpdesk:h1"}
    assert min(value.at for value in reborn.golden.values() if value.at is not None) > NOON + ERASED_S * 1000


@given(histories(), st.booleans(), st.integers(0, 10**9))
def test_a_merged_customer_is_erased_with_all_that_it_became(history: list[Input], at_alias: bool, seed: int) -> None:
    """Under either id, and while changes of both are on their way."""
    stack = Everything(seed)
    stack.change(told("storefront:gone-9", 0, 0, "C1"), NOON)
    stack.change(told("crm:gone-1", 0, 1, "C2"), NOON + 1000)
    stack.drain()
    stack.ask("C1", StewardRequest("merge", "m", "C1", with_="C2", by="tester"), NOON + 900_000)
    for second, change in history:
        named = "C1" if change.platform in ("storefront", "esp") else "C2"
        stack.change(msgspec.structs.replace(change, customer_id=named), NOON + second * 1000)
    if seed % 2:
        stack.drain()
    asked = "C2" if at_alias else "C1"
    stack.ask(asked, StewardRequest("erase", "forget her", asked, by="tester"), NOON + ERASED_S * 1000)
    stack.drain()

    rows = {name: stack.state(name) for name in ("C1", "C2")}
    if all(row is not None and row.erased_at is not None for row in rows.values()):
        assert (alive(stack), found(stack)) == ([], {})
    else:
        # The erasure was there before the merge, which was refused: the other one lives on.
        assert seed % 2 == 0
        assert rows[asked] is not None
        assert [one.customer_id for one in alive(stack)] == ["C1" if at_alias else "C2"]


@given(histories(), st.integers(0, 10**9))
def test_who_has_the_same_address_is_kept_and_suppressed(history: list[Input], seed: int) -> None:
    stack = Everything(seed)
    other = told("wms:b2", 1, 0, "C2", explicit=True)
    other = msgspec.structs.replace(other, identifiers=Identifiers())
    stack.change(other, NOON)
    stack.drain()
    assert sendable(stack, "C2") == [True]

    named = [(at, msgspec.structs.replace(one, identifiers=Identifiers(), customer_id="C1")) for at, one in history]
    customer = erased(stack, named, random.Random(seed))

    assert [one.customer_id for one in alive(stack)] == ["C2"]
    assert sendable(stack, "C2") == [False]
    assert set(stack.holders(MAIL).holdings) == {"C2"}
    assert customer not in stack.holders(MAIL).holdings
    published = [one for one in stack.written(topics.SUPPRESSIONS) if one.key == MAIL.encode()]
    assert published[-1].value is not None


def sendable(stack: Everything, customer_id: str) -> list[bool]:
    state = stack.state(customer_id)
    assert state is not None
    return [one.sendable for key, one in state.consents.items() if key.startswith(MAIL)]


def test_a_record_that_was_unlinked_keeps_its_decisions_when_the_other_customer_is_erased() -> None:
    """And loses them with its own: the ledger has what it had said before under the id of the customer it left."""
    stack = Everything(5)
    stack.change(told("storefront:gone-9", 1, 0, "C1"), NOON)
    stack.change(other_person(), NOON + 1000)
    stack.drain()
    unlink = StewardRequest("unlink", "u", "C1", record="crm:bob", at=NOON + 5000, by="tester")
    stack.ask("C1", unlink, NOON + 5000)
    stack.drain()
    bob = stack.named("crm:bob")
    assert bob not in (None, "C1")

    stack.ask("C1", StewardRequest("erase", "forget her", "C1", by="tester"), NOON + 6000)
    stack.drain()
    assert found(stack) == {}
    assert [one for one in stack.ledger_kept() if b"bob@example.com" in one]

    stack.ask(bob or "", StewardRequest("erase", "forget him", bob, by="tester"), NOON + 7000)
    stack.drain()
    assert [one for one in stack.ledger_kept() if b"bob" in one] == []


def other_person() -> Change:
    """Bob, whose contact was linked to Ann's customer by mistake."""
    at = NOON + 1000
    opt_in = ConsentStatement("bob@example.com", "email", "marketing", "opt_in", at, True, "checkbox", {"form": "1"})
    said = {"email": Statement("bob@example.com")}
    return Change("bob 1", "crm", "bob", observed_at=at, customer_id="C1", attributes=said, consents=(opt_in,))
