"""`writeback steward` against the engine's own application, over rows in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.codec.internal import decode_steward
from streams.core.reviewing import settle
from streams.model import Address
from streams.runtime.asked import Outcome
from streams.runtime.reviews import decode_review, encode_review
from tests.unit.web.site import ANN, NOON, PHONE, Rows, open_site
from tests.unit.web.test_steward import TOKEN, people

WHY = ("--why", "asked by phone")


class Desk:
    """An engine's address, and what it was asked."""

    def __init__(self, url: str, rows: Rows) -> None:
        self.url = url
        self.rows = rows

    def steward(self, *words: str, token: str = TOKEN, by: str = "Sam") -> Result:
        """One call of the command."""
        environment = {"WRITEBACK_URL": self.url, "WRITEBACK_STEWARD_TOKEN": token, "WRITEBACK_STEWARD_BY": by}
        return CliRunner().invoke(main, ["steward", *words], env=environment)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    rows = people()
    with open_site(tmp_path, rows, steward_token=TOKEN, steward_wait_s=0.2) as url:
        yield Desk(url, rows)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pin", "C1", "phone", PHONE], {"action": "pin", "attribute": "phone", "value": PHONE}),
        (["pin", "C1", "phone", "--clear"], {"attribute": "phone", "value": None}),
        (
            [
                "pin",
                "crm:r1",
                "shipping_address",
                '{"line1": "1 Main St", "city": "Cork", "postal_code": "T1", "country": "IE"}',
            ],
            {"customer_id": "C1", "value": Address("1 Main St", city="Cork", postal_code="T1", country="IE")},
        ),
        (
            ["pin", "C1", "--opt-out", ANN],
            {"contact_point": ANN, "channel": "email", "purpose": "marketing", "value": "opt_out"},
        ),
        (["unpin", "C1", "--opt-out", PHONE], {"action": "unpin", "channel": "sms", "contact_point": PHONE}),
        (["unpin", "C1", "phone"], {"action": "unpin", "attribute": "phone"}),
        (["merge", "crm:r1", "C2"], {"action": "merge", "customer_id": "C1", "with_": "C2"}),
        (["unlink", "esp:e1"], {"action": "unlink", "customer_id": "C2", "record": "esp:e1"}),
        (["release", "crm:r1", "phone"], {"action": "release", "record": "crm:r1", "attribute": "phone"}),
        (["release", "crm:r1", "--consent", ANN], {"action": "release", "contact_point": ANN, "channel": "email"}),
        (["erase", "C2", "--yes"], {"action": "erase", "customer_id": "C2"}),
        (["review", "approve", "r-1"], {"action": "review", "review": "r-1", "value": "approve"}),
        (["review", "dismiss", "r-1"], {"action": "review", "review": "r-1", "value": "dismiss"}),
    ],
    ids=lambda one: " ".join(one[:2]) if isinstance(one, list) else "",
)
def test_every_act_is_asked_and_its_answer_told(desk: Desk, words: list[str], expected: dict[str, object]) -> None:
    result = desk.steward(*words, *WHY, "--request-id", "Q1")

    assert result.exit_code == 0, result.output
    assert result.output.startswith("accepted: ")
    [emit] = desk.rows.sent
    request = decode_steward(emit.value)
    assert {name: getattr(request, name) for name in expected} == expected
    assert (request.request_id, request.by, request.why) == ("Q1", "Sam", "asked by phone")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pin", "C7", "phone", PHONE], "unknown_customer: customer: no customer has this id, record or address"),
        (["pin", "C1", "shoe_size", "9"], "unknown_attribute: the policy has no such attribute"),
        (["merge", "C1", "crm:r1"], "same_customer: a customer cannot be merged with itself; these two are one"),
        (["erase", "C9", "--yes"], "erased_customer: customer: this customer was erased"),
        (["review", "approve", "r-9"], "unknown_review: no case of the review queue has this id"),
    ],
)
def test_what_is_turned_down_is_one_sentence_that_begins_with_the_reason(
    desk: Desk, words: list[str], sentence: str
) -> None:
    result = desk.steward(*words, *WHY)

    assert (result.exit_code, desk.rows.sent) == (1, [])
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_what_the_engine_refuses_and_what_it_has_not_answered_end_otherwise(desk: Desk) -> None:
    desk.rows.answer = lambda request: Outcome(request.request_id or "", NOON, "refused", "C1", "records_max")
    refused = desk.steward("merge", "C1", "C2", *WHY, "--request-id", "Q1")
    desk.rows.answer = lambda request: None
    waiting = desk.steward("merge", "C1", "C2", *WHY, "--request-id", "Q2")

    assert (refused.exit_code, waiting.exit_code) == (1, 75)
    assert "refused: records_max (request Q1)" in refused.output
    assert "has not answered request Q2 yet" in waiting.output


def test_an_erasure_is_asked_for_twice_unless_it_is_told_not_to(desk: Desk) -> None:
    environment = {"WRITEBACK_URL": desk.url, "WRITEBACK_STEWARD_TOKEN": TOKEN}
    words = ["steward", "erase", "C2", "--by", "Sam", *WHY]
    refused = CliRunner().invoke(main, words, env=environment, input="n\n")

    assert (refused.exit_code, desk.rows.sent) == (1, [])
    assert CliRunner().invoke(main, words, env=environment, input="y\n").exit_code == 0
    assert len(desk.rows.sent) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["pin", "C1", "phone"],
        ["pin", "C1", "phone", PHONE, "--clear"],
        ["pin", "C1", "phone", "--opt-out", ANN],
        ["pin", "C1", "shipping_address", "{not json"],
        ["unpin", "C1"],
        ["unpin", "C1", "phone", "--opt-out", ANN],
    ],
)
def test_words_that_fit_no_act_are_a_usage_error(desk: Desk, words: list[str]) -> None:
    result = desk.steward(*words, *WHY)

    assert (result.exit_code, desk.rows.sent) == (2, [])


def test_who_and_why_are_always_needed(desk: Desk) -> None:
    without_why = desk.steward("unpin", "C1", "phone")
    without_who = CliRunner().invoke(main, ["steward", "unpin", "C1", "phone", *WHY])

    assert (without_why.exit_code, without_who.exit_code) == (2, 2)


def test_the_token_is_needed_and_never_shown(desk: Desk) -> None:
    none = desk.steward("unpin", "C1", "phone", *WHY, token="")
    wrong = desk.steward("unpin", "C1", "phone", *WHY, token="a wrong one")

    assert (none.exit_code, wrong.exit_code) == (1, 1)
    assert "WRITEBACK_STEWARD_TOKEN must hold" in none.output
    assert "bad_token" in wrong.output
    assert "a wrong one" not in wrong.output


def test_the_queue_is_listed_with_its_evidence_and_one_case_is_shown_whole(desk: Desk) -> None:
    listed = desk.steward("review", "list")
    shown = desk.steward("review", "show", "r-1")
    none = desk.steward("review", "list", "--state", "approved")

    for part in ("r-1", "they met", "customer C1", "other C2", "identifier email", "changes c1", "merges C2 with C1"):
        assert part in listed.output
    assert json.loads(shown.output)["rule"] == "bound"
    assert none.output == "the queue is empty\n"
    assert desk.steward("review", "show", "r-9").exit_code == 1


def test_a_case_that_was_settled_by_nobody_says_why(desk: Desk) -> None:
    stored = desk.rows.stored["reviews"]
    case = decode_review(stored[b"r-1"])
    settle(case, "C1", NOON)
    stored[b"r-1"] = encode_review(case)
    opened = desk.steward("review", "list")
    settled = desk.steward("review", "list", "--state", "settled")

    assert opened.output == "the queue is empty\n"
    assert "settled: the two are one customer already" in " ".join(settled.output.split())


def test_an_address_where_no_engine_answers_is_named(tmp_path: Path) -> None:
    with open_site(tmp_path, Rows()) as url:
        pass

    assert f"no engine answers at {url}" in Desk(url, Rows()).steward("unlink", "crm:r1", *WHY).output
