"""The answer to a request: what the engine's rows made of it, or why it is a dead letter."""

from __future__ import annotations

from typing import Any

from streams.codec.internal import encode
from streams.core.decide import decide
from streams.core.state import Customer
from streams.lane import Emit, Record
from streams.model import Invalid, StewardRequest
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.asked import Decide, Outcome, decode_message, heard, turned_down

NOW = 1_768_046_400_000
POLICY = load_policy()


def answered(request: StewardRequest) -> list[Any]:
    decision = decide(Customer("C1", 0), request, NOW, POLICY)
    return read(heard("C1", request, decision, NOW))


def read(emits: list[Emit]) -> list[Any]:
    return [decode_message(one.value) for one in emits]


def on_the_topic(request: StewardRequest, topic: str = topics.STEWARD) -> Record:
    return Record(topic, 0, 1, NOW, b"C1", encode(request))


def test_a_request_that_was_carried_out_is_accepted_under_its_id() -> None:
    request = StewardRequest("pin", "Q1", "C1", "phone", "+14155550100")
    [emit] = heard("C1", request, decide(Customer("C1", 0), request, NOW, POLICY), NOW)

    assert emit.key == b"request:Q1"
    assert read([emit]) == [Outcome("Q1", NOW, "accepted", "C1")]


def test_a_release_of_a_record_that_is_not_there_is_refused() -> None:
    request = StewardRequest("release", "Q1", "C1", "phone", record="crm:none")

    assert answered(request) == [Outcome("Q1", NOW, "refused", "C1", "not_linked")]


def test_a_decision_on_a_case_goes_on_to_the_record_of_the_case_and_is_answered_there() -> None:
    request = StewardRequest("review", "Q1", "C1", value="dismiss", record="crm:r1", review="r-1")
    [emit] = heard("C1", request, decide(Customer("C1", 0), request, NOW, POLICY), NOW)

    assert (emit.topic, emit.key) == (topics.REVIEWS, b"crm:r1")
    assert read([emit]) == [Decide(request)]


def test_a_request_without_an_id_has_no_answer() -> None:
    assert answered(StewardRequest("unpin", None, "C1", "phone")) == []


def test_a_request_that_is_a_dead_letter_is_refused_with_its_reason() -> None:
    emits = turned_down(on_the_topic(StewardRequest("erase", "Q1")), Invalid("erased_customer", "no values"))

    assert read(emits) == [Outcome("Q1", NOW, "refused", "C1", "erased_customer")]


def test_what_is_no_request_or_cannot_be_read_has_no_answer() -> None:
    broken = Record(topics.STEWARD, 0, 1, NOW, b"C1", b"{")

    assert turned_down(on_the_topic(StewardRequest("erase", "Q1"), topics.RECEIPTS), Invalid("x", "y")) == []
    assert turned_down(broken, Invalid("bad_json", "y")) == []
