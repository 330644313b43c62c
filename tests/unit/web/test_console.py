"""The console without a browser: finding by body, asking, confirming, acting, and each way in which it is refused."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import pytest

from streams.codec.state import encode_customer
from streams.core.erasure import buried
from streams.core.reviewing import settle
from streams.core.state import Customer, Moves
from streams.runtime.asked import Outcome, request_key
from streams.runtime.contacts import VERSION, _encoder
from streams.runtime.reviews import decode_review, encode_review
from tests.unit.web.conftest import Visit
from tests.unit.web.site import ANN, HOME, NOON, PHONE, Rows, Told, Visitor
from tests.unit.web.test_steward import asked, people

VIEW, ACT = "only looking", "also acting"
TOKENS = {"view_token": VIEW, "steward_token": ACT}
SIGNED = {"view": VIEW, "steward": ACT, "by": "Sam"}
WHO = {"by": "Sam", "why": "confirmed by phone"}
PIN = {"action": "pin", "customer": "C1", "attribute": "phone", "value": PHONE}


class Steward:
    """A signed-in steward with a form of theirs."""

    def __init__(self, visitor: Visitor, mark: str) -> None:
        self.visitor = visitor
        self.mark = mark

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str, Any]:
        """A form with the mark of this session."""
        status, text, found = await self.visitor.send(path, {"mark": self.mark, **fields}, **headers)
        return status, " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split()), found


@asynccontextmanager
async def signed_in(visit: Visit, rows: Rows, **settings: Any) -> AsyncIterator[Steward]:
    async with visit(rows, **{**TOKENS, **settings}) as visitor:
        await visitor.send("/sign-in", SIGNED)
        [mark, *_] = re.findall(r'name="mark" value="([0-9a-f]+)"', await visitor.page("/customers/C1"))
        yield Steward(visitor, mark)


# Finding


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("C1", "/customers/C1"),
        (" crm:a/b ", "/customers/C1"),
        ("Bo@Example.com", "/customers/C%2F2"),
        ("(415) 555-0100", "/customers/C%2F2"),
        ("C/2", "/customers/C%2F2"),
        ("by", "/customers/by"),
        ("4155550177", "/customers/4155550177"),
        ("esp:e", "/customers/esp:e"),
        ("", "/"),
    ],
)
async def test_what_a_person_types_leads_to_the_customer_and_the_address_holds_the_id_alone(
    visit: Visit, typed: str, place: str
) -> None:
    told = Told()
    told.values("crm:a/b", 0, "C1", first_name="Ann")
    told.values("crm:c", 1, "C/2", email="bo@example.com", phone=PHONE)
    for number, customer in enumerate(("by", "4155550177", "esp:e")):
        told.values(f"crm:{number}", 2, customer, first_name="Di")
    async with visit(told.rows()) as visitor:
        status, _, headers = await visitor.send("/search", {"q": typed})

    assert (status, headers["Location"]) == (303, place)


@pytest.mark.parametrize("typed", ["C7", "crm:none", "nowhere:1", "cy@example.com", "+14155550199", "..", "\x01"])
async def test_what_leads_to_nobody_is_one_sentence_that_does_not_repeat_it(visit: Visit, typed: str) -> None:
    async with visit(people()) as visitor:
        status, page, _ = await visitor.send("/search", {"q": typed})

    assert status == 404
    assert "Nobody is known by that." in page
    assert f">{typed}<" not in page and f'value="{typed}"' not in page


async def test_a_contact_point_of_several_customers_shows_each_and_what_may_be_sent(visit: Visit) -> None:
    async with visit(people()) as visitor:
        status, page, _ = await visitor.send("/search", {"q": ANN})

    assert status == 200
    assert 'href="/customers/C1"' in page and 'href="/customers/C2"' in page
    assert "must not be sent to" in page


async def test_no_page_links_to_an_address_with_a_contact_point(visit: Visit) -> None:
    rows = people()
    async with visit(rows, **TOKENS) as visitor:
        await visitor.send("/sign-in", SIGNED)
        pages = [await visitor.page(path) for path in ("/customers/C1", "/explain/C1", "/reviews")]
        pages.append((await visitor.send("/search", {"q": ANN}))[1])

    links = [link for page in pages for link in re.findall(r'(?:href|action)="([^"]*)"', page)]
    assert len(links) > 20
    assert not [link for link in links if "@" in link or "example" in link]


async def test_what_a_person_types_reaches_no_log(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rows = people()
    async with signed_in(visit, rows) as steward:
        for path, fields in (("/search", {"q": ANN}), ("/console/ask", PIN), ("/console/act", {**PIN, **WHO})):
            await steward.send(path, fields)

    assert not [value for value in (ANN, PHONE, "confirmed", "Sam") if value in caplog.text]


async def test_searching_needs_the_view_token(visit: Visit) -> None:
    async with visit(people(), **TOKENS) as visitor:
        status, page, _ = await visitor.send("/search", {"q": "C1"})

    assert status == 401
    assert "View token" in page


@pytest.mark.parametrize("path", ["/search", "/console/ask", "/console/act"])
async def test_who_comes_back_to_the_address_of_a_form_begins_anew(visit: Visit, path: str) -> None:
    async with visit() as visitor:
        status, _, headers = await visitor.get(path)

    assert (status, headers["Location"]) == (303, "/")


# Asking


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (PIN, ["Pin the phone?", "whatever any record says, until the pin is taken back", f"nothing → {PHONE}"]),
        (
            {**PIN, "attribute": "first_name", "value": "Anne"},
            ["Ann → Anne", "crm:r1 is told the first name: Anne", "pinned"],
        ),
        ({**PIN, "attribute": "first_name", "clear": "yes"}, ["The customer has no first name", "Ann → nothing"]),
        (
            {"action": "pin", "customer": "C1", "value": "opt_out", "contact_point": ANN, "channel": "email"}
            | {"purpose": "marketing"},
            ["Pin the opt-out?", f"{ANN} is opted out of marketing by email", "unknown → opted out"],
        ),
        (
            {"action": "unpin", "customer": "C1", "attribute": "phone"},
            ["the records decide again", "No platform needs to be told anything"],
        ),
        (
            {"action": "merge", "customer": "C2", "with": "C1"},
            ["C2 becomes part of C1, which is the older one", "Ann → Anna", "crm:r1 is told the first name: Anna"],
        ),
        (
            {"action": "unlink", "record": "crm:r1"},
            ["crm:r1 leaves C1 and becomes a customer of its own", "Ann → nothing"],
        ),
        ({"action": "release", "record": "crm:r1", "attribute": "phone"}, ["crm:r1 is told once more"]),
        (
            {"action": "erase", "customer": "C1"},
            ["There is no way back", "crm:r1 is told to erase it", "I know that there is no way back"],
        ),
        (
            {"action": "review", "review": "r-1", "value": "approve"},
            ["Approve the case?", "C2 becomes part of C1", "crm:r1 names an e-mail address"],
        ),
        ({"action": "review", "review": "r-1", "value": "dismiss"}, ["Nothing is changed", "It can still be approved"]),
    ],
)
async def test_before_an_act_its_consequence_is_said_and_nothing_is_done(
    visit: Visit, fields: dict[str, str], said: list[str]
) -> None:
    rows = people()
    async with signed_in(visit, rows) as steward:
        status, text, _ = await steward.send("/console/ask", fields)

    assert status == 200, text
    assert [one for one in said if one not in text] == [], text
    assert "Who asks" in text and "Why" in text
    assert rows.sent == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"action": "pin", "customer": "C1", "attribute": "phone"}, "What it should be"),
        ({"action": "pin", "customer": "C1", "attribute": "shipping_address"}, "Street and number"),
        ({"action": "merge", "customer": "C1"}, "The other customer"),
    ],
)
async def test_what_is_still_missing_is_asked_for_first(visit: Visit, fields: dict[str, str], said: str) -> None:
    async with signed_in(visit, people()) as steward:
        status, text, _ = await steward.send("/console/ask", fields)

    assert status == 200
    assert said in text
    assert "Nothing is done yet" in text


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({**PIN, "value": ""}, 422, "A pin needs a value"),
        ({**PIN, "customer": "C9"}, 409, "erased"),
        ({**PIN, "customer": "C7"}, 404, "no customer"),
        ({**PIN, "attribute": "shoe_size"}, 422, "the policy has no such attribute"),
        ({"action": "merge", "customer": "C1", "with": ANN}, 409, "Several customers hold this address"),
        ({"action": "merge", "customer": "C1", "with": "crm:r1"}, 409, "cannot be merged with itself"),
        ({"action": "unlink", "customer": "C1", "record": "esp:e1"}, 409, "not linked"),
        ({"action": "review", "review": "r-7", "value": "approve"}, 404, "no case"),
        ({"action": "dance"}, 404, "a steward can"),
        ({}, 404, "a steward can"),
    ],
)
async def test_what_makes_no_sense_is_said_where_it_was_typed(
    visit: Visit, fields: dict[str, str], status: int, said: str
) -> None:
    rows = people()
    async with signed_in(visit, rows) as steward:
        found, text, _ = await steward.send("/console/ask", fields)

    assert found == status, text
    assert said.lower() in text.lower()
    assert rows.sent == []


async def test_what_was_typed_is_shown_again_as_text_and_never_as_markup(visit: Visit) -> None:
    typed = '"><script>alert(1)</script>'
    async with signed_in(visit, people()) as steward:
        fields = {"mark": steward.mark, "action": "merge", "customer": "C1", "with": typed}
        _, merge, _ = await steward.visitor.send("/console/ask", fields)
        pin = {**PIN, "mark": steward.mark, "attribute": "first_name", "value": typed}
        _, confirm, _ = await steward.visitor.send("/console/ask", pin)

    for page in (merge, confirm):
        assert "&lt;script&gt;" in page
        assert "<script" not in page


# Acting


async def test_an_act_is_sent_with_who_and_why_and_leads_to_what_came_of_it(visit: Visit) -> None:
    rows = people()
    async with signed_in(visit, rows) as steward:
        status, _, headers = await steward.send("/console/act", {**PIN, **WHO, "request_id": "Q1"})
        page = await steward.visitor.page(headers["Location"])

    request = asked(rows)
    assert (status, headers["Location"]) == (303, "/steward/requests/Q1?action=pin")
    assert (request.action, request.by, request.why, request.value) == ("pin", "Sam", "confirmed by phone", PHONE)
    assert "The pin was carried out" in page
    assert 'href="/customers/C1"' in page


async def test_an_address_is_pinned_whole(visit: Visit) -> None:
    rows = people()
    async with signed_in(visit, rows) as steward:
        fields = {"action": "pin", "customer": "C1", "attribute": "shipping_address", **HOME, **WHO}
        await steward.send("/console/act", fields)

    assert asked(rows).value.parts() == HOME  # type: ignore[union-attr]


@pytest.mark.parametrize(("field", "said"), [("by", "By is missing"), ("why", "Why is missing")])
async def test_an_act_without_who_or_why_comes_back_with_the_rest_of_it(visit: Visit, field: str, said: str) -> None:
    rows = people()
    async with signed_in(visit, rows) as steward:
        kept = {name: value for name, value in WHO.items() if name != field}
        status, text, _ = await steward.send("/console/act", {**PIN, **kept, field: " ", "request_id": "Q1"})

    assert status == 422
    assert said in text and "Pin the phone?" in text
    assert rows.sent == []


async def test_an_erasure_needs_its_tick(visit: Visit) -> None:
    rows = people()
    async with signed_in(visit, rows) as steward:
        erase = {"action": "erase", "customer": "C1", **WHO}
        without = await steward.send("/console/act", erase)
        sent_without = list(rows.sent)
        given = await steward.send("/console/act", {**erase, "sure": "yes"})

    assert (without[0], sent_without, given[0]) == (422, [], 303)
    assert asked(rows).action == "erase"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome("Q1", NOON, "refused", "C1", "records_max"), ["refused", "more records of one platform"]),
        (Outcome("Q1", NOON, "refused", "C1", "some_rule"), ["refused", "Some rule."]),
        (None, ["on its way", "Look again"]),
    ],
)
async def test_what_came_of_an_act_is_told_in_words(visit: Visit, outcome: Outcome | None, said: list[str]) -> None:
    rows = people()
    rows.answer = lambda request: outcome
    async with signed_in(visit, rows, steward_wait_s=0.1) as steward:
        _, _, headers = await steward.send("/console/act", {**PIN, **WHO, "request_id": "Q1"})
        page = await steward.visitor.page(headers["Location"])

    assert [one for one in said if one not in page] == []


async def test_an_approval_that_came_to_nothing_is_told_as_such(visit: Visit) -> None:
    rows = people()
    rows.answer = lambda request: Outcome(request.request_id or "", NOON, "accepted", "C1", None, "r-1-merge")
    follow = Outcome("r-1-merge", NOON, "refused", "C1", "records_max")
    rows.stored["reviews"][request_key("r-1-merge")] = VERSION + _encoder.encode(follow)
    async with signed_in(visit, rows) as steward:
        fields = {"action": "review", "review": "r-1", "value": "approve", "request_id": "Q1", **WHO}
        _, _, headers = await steward.send("/console/act", fields)
        page = await steward.visitor.page(headers["Location"])

    assert "The approval came to nothing" in page
    assert "records_max" in page


@pytest.mark.parametrize("path", ["/console/ask", "/console/act"])
async def test_only_a_steward_with_a_form_of_this_session_acts(visit: Visit, path: str) -> None:
    rows = people()
    act = {**PIN, **WHO}
    async with signed_in(visit, rows) as steward:
        marked = {**act, "mark": steward.mark}
        foreign = await steward.send(path, act, **{"Sec-Fetch-Site": "cross-site"})
        unmarked = await steward.visitor.send(path, act)
        wrong = await steward.visitor.send(path, {**act, "mark": "0" * 64})
        await steward.visitor.send("/sign-in", SIGNED)
        stale = await steward.visitor.send(path, marked)
        await steward.visitor.send("/sign-out", {})
        nobody = await steward.visitor.send(path, marked)
        await steward.visitor.send("/sign-in", {"view": VIEW})
        looking = await steward.visitor.send(path, marked)

    assert [one[0] for one in (foreign, unmarked, wrong, stale, nobody, looking)] == [403, 403, 403, 403, 401, 401]
    assert rows.sent == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"q=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"q=%FF", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % number for number in range(50)), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"q=C1", "text/plain", 415),
    ],
)
@pytest.mark.parametrize("path", ["/search", "/console/act"])
async def test_a_body_that_cannot_be_read_is_refused(
    visit: Visit, path: str, body: bytes, kind: str, status: int
) -> None:
    async with signed_in(visit, people()) as steward:
        found, _ = await steward.visitor.post(path, body, **{"Content-Type": kind})

    assert found == status


async def test_a_confirmation_that_no_longer_makes_sense_is_refused(visit: Visit) -> None:
    rows = people()
    rows.answer = lambda request: pytest.fail("nothing may be asked")
    async with signed_in(visit, rows) as steward:
        del rows.stored["customers"][b"C1"]
        status, text, _ = await steward.send("/console/act", {**PIN, **WHO})

    assert status == 404
    assert "no customer has this id" in text.lower()


# Pages


async def test_a_merged_customers_id_shows_the_survivor_and_says_why(visit: Visit) -> None:
    told = Told()
    told.values("crm:r1", 0, "C1", first_name="Ann")
    told.values("esp:e1", 1, "C2", first_name="Anna")
    told.ask(5, "merge", **{"with": "C2", "why": "one person"})
    rows = told.rows()
    alias = Customer("C2", NOON + 1000, moves=Moves(survivor="C1"))
    rows.stored["customers"][b"C2"] = encode_customer(alias)
    async with visit(rows) as visitor:
        page = await visitor.page("/customers/C2")
        own = await visitor.page("/customers/C1")

    assert "was merged into this one" in page
    assert "One person" in page or "one person" in page
    assert 'role="note"' not in own


async def test_an_unlink_of_a_record_that_is_on_its_way_says_so_before_it_is_confirmed(visit: Visit) -> None:
    rows = people()
    alias = Customer("C2", NOON + 1000, moves=Moves(survivor="C1"))
    rows.stored["customers"][b"C2"] = encode_customer(alias)
    asked_for = {"action": "unlink", "customer": "C1", "record": "esp:e1"}
    async with signed_in(visit, rows) as steward:
        status, text, _ = await steward.send("/console/ask", asked_for)

    assert status == 200
    assert "esp:e1 leaves C1 and becomes a customer of its own" in text
    assert "The record is just arriving here by a merge; what the act changes shows only then." in text
    assert "No platform needs to be told anything" not in text


async def test_the_queue_shows_its_evidence_and_never_a_value(visit: Visit) -> None:
    async with signed_in(visit, people()) as steward:
        queue = await steward.visitor.page("/reviews")
        case = await steward.visitor.page("/reviews/r-1")
        dismissed = await steward.visitor.page("/reviews?state=dismissed")

    for page in (queue, case):
        assert "crm:r1 names an e-mail address that leads to both of them." in page
        assert "Approve" in page and "Dismiss" in page
        assert ANN not in page
    assert "There is no such case." in dismissed


async def test_a_settled_case_is_not_open_and_nothing_is_left_to_press(visit: Visit) -> None:
    rows = people()
    case = decode_review(rows.stored["reviews"][b"r-1"])
    settle(case, "C1", NOON)
    rows.stored["reviews"][b"r-1"] = encode_review(case)
    async with signed_in(visit, rows) as steward:
        opened = await steward.visitor.page("/reviews")
        settled = await steward.visitor.page("/reviews?state=settled")
        _, told, _ = await steward.visitor.get("/reviews?state=settled")

    assert "No case is open." in opened
    assert "Settled without a steward at" in settled
    assert 'the two are one customer already, <a href="/customers/C1">' in settled
    assert "/console/ask" not in settled
    assert (told["reviews"][0]["state"], told["reviews"][0]["became"]) == ("settled", "C1")


async def test_who_does_not_act_sees_the_queue_without_its_buttons(visit: Visit) -> None:
    async with visit(people()) as visitor:
        page = await visitor.page("/reviews")

    assert "Two customers met" in page
    assert "/console/ask" not in page


@pytest.mark.parametrize("path", ["/customers/C8", "/customers/C8/history", "/explain/C8"])
async def test_an_id_that_was_merged_into_an_erased_customer_shows_that_ones_certificate(
    visit: Visit, path: str
) -> None:
    rows = people()
    rows.stored["customers"][b"C8"] = encode_customer(buried("C8", NOON, "C9"))
    async with visit(rows) as visitor:
        _, told, _ = await visitor.get(path)
        _, own, _ = await visitor.get("/customers/C9")
        page = await visitor.page(path)
        plain = await visitor.page("/customers/C9")

    assert told["certificate"] == own["certificate"] != []
    assert (told["customer_id"], told["erased"], told["asked"]) == ("C9", True, "C8")
    assert "Customer <code>C8</code> was erased" in page
    assert 'It had been merged into <a href="/customers/C9"><code>C9</code></a>' in page
    assert "merged into" not in plain
    assert "asked" not in own


async def test_an_erased_customer_shows_its_certificate_in_words(visit: Visit) -> None:
    told = Told(acknowledge=False)
    told.values("crm:r1", 0, "C9", first_name="Ann")
    told.ask(5, "erase", customer_id="C9")
    async with visit(told.rows()) as visitor:
        page = await visitor.page("/customers/C9")

    assert "has been told and has not answered yet" in page
    assert "Ann" not in page and "r1" not in page
