"""The cases of merges and unlinks by name, through the engine's own processors over partitions in memory."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.codec.internal import encode
from streams.codec.moves import decode_move
from streams.core.identity import minted
from streams.core.moves import Absorb, Return, remembered
from streams.lane import partition_of
from streams.model import Change, ConsentStatement, Identifiers, Invalid, Statement, StewardRequest
from streams.runtime import topics
from streams.runtime.engine import DUE
from tests.property.partitions import PARTITIONS, Stack
from tests.property.vocabulary import policy

NOON = 1_768_046_400_000
ANN, BEA = "ann@example.com", "bea@example.com"


class Scene:
    """A stack, told things one after the other, each at its own second."""

    def __init__(self, overrides: dict[str, Any] | None = None, seed: int = 7, **limits: Any) -> None:
        self.stack = Stack(policy(overrides), seed, **limits)
        self.second = 0

    def say(self, record: str, customer: str | None, drain: bool = True, **said: Any) -> None:
        self.stack.change(self.change(record, customer, **said), self.at)
        if drain:
            self.stack.drain()

    def change(self, record: str, customer: str | None, **said: Any) -> Change:
        self.second += 1
        platform, _, record_id = record.partition(":")
        attributes = {name: Statement(value) for name, value in said.items() if name not in ("consents", "identifiers")}
        return Change(
            f"e{self.second}",
            platform,
            record_id,
            observed_at=self.at,
            customer_id=customer,
            attributes=attributes,
            consents=said.get("consents", ()),
            identifiers=said.get("identifiers", Identifiers()),
        )

    def ask(self, action: Any, customer: str, drain: bool = True, **asked: Any) -> str:
        self.second += 1
        request = StewardRequest(action, f"ask-{self.second}", customer, by="sam", why="a call", **asked)
        self.stack.ask(customer, request, self.at)
        if drain:
            self.stack.drain()
        return f"ask-{self.second}"

    @property
    def at(self) -> int:
        return NOON + self.second * 1000

    def golden(self, customer: str, attribute: str) -> Any:
        state = self.stack.state(customer)
        assert state is not None
        found = state.golden.get(attribute)
        return found.value if found is not None else None

    def survivor(self, customer: str) -> str | None:
        state = self.stack.state(customer)
        return remembered(state).survivor if state is not None else None

    def letters(self) -> list[str]:
        found = self.stack.written(topics.DEAD_LETTERS)
        return [dict(record.headers)["writeback.reason"].decode() for record in found]

    def notes(self, kind: str = "review") -> list[dict[str, Any]]:
        told = [msgspec.json.decode(record.value or b"") for record in self.stack.written(topics.NOTES)]
        return [one for one in told if one["kind"] == kind]

    def records(self, customer: str) -> list[str]:
        state = self.stack.state(customer)
        return sorted(state.records) if state is not None else []


def two(**limits: Any) -> Scene:
    """C1 with crm:1, C2 with storefront:9, each with values of its own; C1 is the older."""
    scene = Scene(**limits)
    scene.say("crm:1", "C1", first_name="Ann", email=ANN)
    scene.say("storefront:9", "C2", first_name="Bea", email=BEA)
    return scene


@pytest.mark.parametrize(("one", "other"), [("C1", "C2"), ("C2", "C1")])
def test_the_older_customer_survives_whoever_is_asked(one: str, other: str) -> None:
    scene = two()
    scene.ask("merge", one, with_=other)

    assert scene.survivor("C2") == "C1"
    assert scene.records("C1") == ["crm:1", "storefront:9"]
    assert scene.golden("C1", "first_name") == "Bea"
    assert scene.stack.sink.holds["crm:1"] == {"first_name": "Bea", "email": BEA}


def test_what_comes_for_the_merged_id_reaches_the_survivor() -> None:
    scene = two()
    scene.ask("merge", "C1", with_="C2")
    scene.say("storefront:9", "C2", first_name="Beatrix")
    scene.ask("pin", "C2", attribute="phone", value="+14155550190")

    assert scene.golden("C1", "first_name") == "Beatrix"
    assert scene.golden("C1", "phone") == "+14155550190"
    assert scene.letters() == []
    assert scene.notes("rebind_refused") == []


def test_a_receipt_under_the_old_id_answers_the_command_in_the_state_that_moved() -> None:
    scene = two()
    scene.say("esp:7", "C2", drain=False)
    scene.stack.drain()
    scene.say("storefront:9", "C2", drain=False, first_name="Bo")
    scene.ask("merge", "C1", with_="C2")

    state = scene.stack.state("C1")
    assert state is not None
    assert state.unanswered == {}
    assert any(one.customer_id == "C2" for one in scene.stack.receipts())
    assert scene.notes("receipt_unmatched") == []


def test_a_cycle_of_merges_ends_with_the_oldest() -> None:
    scene = two()
    scene.say("esp:7", "C3", first_name="Cy")
    for one, other in (("C1", "C2"), ("C2", "C3"), ("C3", "C1")):
        scene.ask("merge", one, drain=False, with_=other)
    scene.stack.drain()

    assert [scene.stack.customers()[0].customer_id] == ["C1"]
    assert scene.records("C1") == ["crm:1", "esp:7", "storefront:9"]


def test_a_merge_with_itself_is_refused_by_name() -> None:
    scene = two()
    scene.ask("merge", "C1", with_="C1")
    scene.ask("merge", "C1", with_="C2")
    scene.ask("merge", "C1", with_="C2")

    assert scene.letters() == ["bad_request", "bad_request"]
    assert scene.records("C1") == ["crm:1", "storefront:9"]


def test_a_merge_with_nobody_is_refused_by_name_and_its_letter_holds_no_state() -> None:
    scene = two()
    scene.ask("merge", "C1", with_="C9")

    letter = scene.stack.written(topics.DEAD_LETTERS)[0]
    assert scene.letters() == ["unknown_customer"]
    assert ANN.encode() not in (letter.value or b"")


def test_a_second_record_of_a_unique_platform_goes_to_review_with_the_evidence() -> None:
    scene = Scene()
    scene.say("idp:u1", "C1", first_name="Ann")
    scene.say("idp:u2", "C2", first_name="Bob")
    scene.ask("merge", "C1", with_="C2")

    note = scene.notes()[0]
    assert (note["customer_id"], note["other_id"], note["rule"], note["platform"]) == ("C1", "C2", "records_max", "idp")
    assert scene.survivor("C2") is None


def test_two_that_are_too_large_together_stay_two_with_a_letter_and_a_review() -> None:
    scene = two(limit_bytes=20_000)
    for customer in ("C1", "C2"):
        scene.ask("pin", customer, attribute="last_name", value="L" * 2_000)
    scene.ask("merge", "C1", with_="C2")

    assert scene.letters() == ["too_large"]
    assert scene.notes()[0]["rule"] == "too_large"
    assert (scene.records("C1"), scene.records("C2")) == (["crm:1"], ["storefront:9"])


@pytest.mark.parametrize("rule", ["records_max", "too_large"])
def test_a_state_that_cannot_be_absorbed_on_arrival_goes_back_and_takes_along_what_had_followed_it(rule: str) -> None:
    """The survivor has changed while the other was on its way."""
    scene = two(limit_bytes=14_000)
    scene.say("idp:u2", "C2")
    scene.ask("merge", "C1", drain=False, with_="C2")
    stack = scene.stack
    while not any(_is(record.value, Absorb) for record in stack.written(topics.CUSTOMER_CHANGES)):
        stack.work_once()
    if rule == "too_large":
        scene.ask("pin", "C1", drain=False, attribute="last_name", value="L" * 2_500)
        stack.work_through(topics.STEWARD)
    else:
        change = msgspec.structs.replace(scene.change("idp:u1", "C1"), change_id="overtakes")
        stack.send_first(topics.CUSTOMER_CHANGES, b"C1", encode(change), scene.at)
    scene.say("storefront:9", "C2", drain=False, last_name="Lee")
    stack.drain()
    scene.say("storefront:9", "C2", phone="+14155550123")
    scene.ask("pin", "C2", attribute="first_name", value="Beate")

    assert any(_is(record.value, Return) for record in stack.written(topics.CUSTOMER_CHANGES))
    assert scene.letters() == (["too_large"] if rule == "too_large" else [])
    assert scene.notes()[0]["rule"] == rule
    assert scene.records("C2") == ["idp:u2", "storefront:9"]
    assert [scene.golden("C2", name) for name in ("first_name", "last_name", "phone")] == [
        "Beate",
        "Lee",
        "+14155550123",
    ]
    assert {"storefront:9", "idp:u2"}.isdisjoint(scene.records("C1"))


def _is(value: bytes | None, kind: type) -> bool:
    return value is not None and value[:1] == b"\x02" and isinstance(decode_move(value), kind)


def test_an_unlinked_record_takes_its_own_along_and_each_platform_gets_its_own_back() -> None:
    scene = two()
    scene.ask("merge", "C1", with_="C2")
    request = scene.ask("unlink", "C1", record="storefront:9")
    moved = minted("unlink", "storefront:9", request)
    scene.say("storefront:9", "C2", last_name="Lee")

    assert (scene.records("C1"), scene.records(moved)) == (["crm:1"], ["storefront:9"])
    assert scene.stack.sink.holds["crm:1"] == {"first_name": "Ann", "email": ANN}
    assert scene.golden(moved, "last_name") == "Lee"
    assert set(scene.stack.holders(BEA).holdings) == {moved}
    assert set(scene.stack.holders(ANN).holdings) == {"C1"}


@pytest.mark.parametrize("seed", range(10))
def test_an_unlink_under_the_merged_id_waits_for_the_state_that_is_on_its_way(seed: int) -> None:
    scene = two(seed=seed)
    scene.ask("merge", "C1", drain=False, with_="C2")
    while scene.survivor("C2") is None:
        assert scene.stack.work_once()
    on_its_way = "storefront:9" not in scene.records("C1")
    request = StewardRequest("unlink", "ask-apart", "C1", record="storefront:9", by="sam", why="a call")
    scene.stack.ask("C2", request, scene.at)
    scene.stack.drain()

    assert on_its_way
    assert scene.letters() == []
    assert scene.records("C1") == ["crm:1"]
    assert scene.records(minted("unlink", "storefront:9", "ask-apart")) == ["storefront:9"]


def test_an_unlink_of_a_record_that_is_not_linked_is_refused_by_name() -> None:
    scene = two()
    scene.ask("unlink", "C1", record="storefront:9")

    assert scene.letters() == ["bad_request"]


def test_unlink_and_merge_again_ends_as_one_customer_that_its_record_reaches() -> None:
    scene = two()
    scene.ask("merge", "C1", with_="C2")
    moved = minted("unlink", "storefront:9", scene.ask("unlink", "C2", record="storefront:9"))
    scene.ask("merge", moved, with_="C1")
    scene.say("storefront:9", "C2", last_name="Lee")

    assert scene.records("C1") == ["crm:1", "storefront:9"]
    assert scene.golden("C1", "last_name") == "Lee"
    assert scene.survivor(moved) == "C1"


def test_what_a_steward_has_set_apart_no_identifier_joins_again() -> None:
    scene = two()
    scene.ask("merge", "C1", with_="C2")
    moved = minted("unlink", "storefront:9", scene.ask("unlink", "C2", record="storefront:9"))
    scene.say("storefront:9", None, identifiers=Identifiers(email=(ANN,)))
    scene.say("crm:1", None, identifiers=Identifiers(email=(ANN,)))

    assert scene.records(moved) == ["storefront:9"]
    assert [(note["rule"], note["identifier"]) for note in scene.notes()] == [("unlinked", "email")]


def test_an_identifier_that_another_record_claims_too_stays_when_a_record_leaves() -> None:
    scene = Scene()
    scene.say("storefront:9", None, identifiers=Identifiers(email=(ANN,)), first_name="Ann")
    scene.say("crm:1", None, identifiers=Identifiers(email=(ANN,)), first_name="Anna")
    customer = scene.stack.customers()[0].customer_id
    scene.ask("unlink", customer, record="crm:1")
    scene.say("esp:7", None, identifiers=Identifiers(email=(ANN,)), first_name="Annie")

    assert scene.records(customer) == ["esp:7", "storefront:9"]


def test_a_merge_of_a_customer_that_was_merged_meanwhile_reaches_its_survivor() -> None:
    scene = two()
    scene.say("esp:7", "C3", first_name="Cy")
    scene.ask("merge", "C1", with_="C2")
    scene.ask("merge", "C3", with_="C2")

    assert scene.records("C1") == ["crm:1", "esp:7", "storefront:9"]


def test_the_day_has_a_number_of_automatic_merges_and_the_rest_is_for_a_steward() -> None:
    scene = Scene({"identity": {"merges_per_day_max": 1}})
    for place in range(3):
        scene.say(f"crm:{place}", None, first_name=f"Ann {place}")
    for place in (1, 2):
        scene.say(f"crm:{place}", None, identifiers=Identifiers(external=(f"crm:{place - 1}",)))

    assert len(scene.stack.customers()) == 2
    note = scene.notes()[0]
    assert (note["rule"], note["identifier"], note["change_ids"]) == ("merges_per_day_max", "external", ["e5"])
    assert (note["platform"], note["record_id"]) == ("crm", "2")


def test_an_identifier_that_may_not_merge_goes_to_review_and_names_no_value() -> None:
    scene = Scene({"identity": {"match": ["external", "email"], "merge": ["external"]}})
    scene.say("crm:1", None, first_name="Ann")
    scene.say("esp:7", None, identifiers=Identifiers(email=(ANN,)), first_name="An")
    scene.say("crm:1", None, identifiers=Identifiers(email=(ANN,)))

    notes = scene.stack.written(topics.NOTES)
    assert len(scene.stack.customers()) == 2
    assert [(note["rule"], note["identifier"]) for note in scene.notes()] == [("not_automatic", "email")]
    assert not any(ANN.encode() in (record.value or b"") for record in notes)


def test_an_erasure_that_overtakes_an_agreed_merge_erases_what_arrives_late() -> None:
    scene = two()
    scene.ask("merge", "C1", drain=False, with_="C2")
    stack = scene.stack
    while not any(_is(record.value, Absorb) for record in stack.written(topics.CUSTOMER_CHANGES)):
        stack.work_once()
    scene.ask("erase", "C1", drain=False)
    stack.work_through(topics.STEWARD)
    stack.drain()

    state = stack.state("C1")
    assert state is not None
    assert (state.erased_at is not None, state.records, "C2" in state.aliases) == (True, {}, True)
    assert {one.partition(" ")[0] for one in state.certificate.values()} == {"crm", "storefront"}


def test_an_old_command_under_the_old_key_is_superseded_after_a_merge() -> None:
    """R14: a record's commands stay in the partition in which they began, beside their fence."""
    scene = two()
    scene.say("esp:7", "C2", first_name="Bo")
    old = next(one for one in scene.stack.written(topics.commands("storefront")))
    scene.ask("merge", "C1", with_="C2")
    scene.say("crm:1", "C1", first_name="Anna")
    before = dict(scene.stack.sink.holds["storefront:9"])
    # One that failed then, and is sent back from the dead letters now.
    failed = msgspec.structs.replace(scene.stack.codec.decode_command(old.value), command_id="failed")
    scene.stack.replay(msgspec.structs.replace(old, value=scene.stack.codec.encode_command(failed)))
    scene.stack.drain()

    assert old.partition == partition_of(b"C2", PARTITIONS)
    told = scene.stack.written(topics.commands("storefront"))
    assert {one.partition for one in told} == {old.partition}
    assert {one.key for one in told} == {b"C1", b"C2"}
    assert [one.record_id for one in scene.stack.sink.superseded] == ["9"]
    assert scene.stack.sink.holds["storefront:9"] == before == {**before, "first_name": "Anna"}


def test_the_timer_of_a_merged_customer_is_gone_and_the_survivor_has_it() -> None:
    scene = two()
    evidence = {"page": "sign-up"}
    ends = NOON + 90_000_000
    consent = ConsentStatement(BEA, "email", "marketing", "opt_in", NOON, True, "checkbox", evidence, ends)
    scene.say("storefront:9", "C2", consents=(consent,))
    scene.ask("merge", "C1", with_="C2")
    timers = [key for store in scene.stack.stores.values() for key in store.local if key.startswith(DUE)]
    scene.stack.tick(NOON + 100_000_000)
    scene.stack.drain()

    state = scene.stack.state("C1")
    assert state is not None
    assert {key[-2:] for key in timers} == {b"C1"}
    assert {one.state for one in state.consents.values()} == {"unknown"}


def test_a_move_that_cannot_be_read_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="bad_message"):
        decode_move(b"\x02\xff")
    with pytest.raises(Invalid, match="unknown_version"):
        decode_move(b"\x01")


def test_an_alias_of_an_erased_customer_still_says_whom_it_had_become() -> None:
    scene = two()
    scene.say("esp:7", "C3", first_name="Cy")
    scene.ask("merge", "C2", with_="C3")
    scene.ask("merge", "C1", with_="C2")
    scene.ask("erase", "C3")
    scene.say("storefront:9", "C2", first_name="Late")

    tombs = [scene.stack.state(one) for one in ("C2", "C3")]
    assert [one is not None and one.erased_at for one in tombs] == [scene.at - 1000] * 2
    assert [remembered(one).buried_with for one in tombs if one is not None] == ["C1", "C2"]
    assert [remembered(one).survivor for one in tombs if one is not None] == [None, None]
    assert scene.records("C1") == scene.records("C2") == scene.records("C3") == []
