"""What a steward can ask for over the web, and each way in which it is turned down."""

from __future__ import annotations

from typing import Any

import pytest

from streams.codec.internal import decode_steward
from streams.codec.state import encode_customer, encode_row
from streams.core.identity import Row
from streams.core.reviewing import opened
from streams.core.state import Customer, Moves
from streams.model import Note, StewardRequest
from streams.runtime import topics
from streams.runtime.asked import Decide, Outcome, decode_message
from streams.runtime.reviews import encode_review
from tests.unit.web.conftest import Visit
from tests.unit.web.site import ANN, HOME, NOON, PHONE, Rows, Told

TOKEN = "stewards"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
WHO = {"by": "Sam", "why": "confirmed by phone"}
PHONE_PIN = {"customer": "C1", "attribute": "phone", "value": PHONE, **WHO}
MET = Note("review", "c1", "crm", "r1", None, "C1", "they met", "C2", "email", "bound", ("c1",))


def people(answers: bool = True) -> Rows:
    """Two customers, an erased one, and a case about the first two."""
    told = Told()
    told.values("crm:r1", 0, "C1", first_name="Ann", email=ANN)
    told.values("esp:e1", 1, "C2", first_name="Anna", email=ANN)
    told.values("esp:e9", 2, "C9", first_name="Bo")
    told.ask(5, "erase", customer_id="C9")
    rows = told.rows()
    rows.stored["reviews"][b"r-1"] = encode_review(case())
    if answers:
        rows.answer = lambda request: Outcome(request.request_id or "", NOON, "accepted", request.customer_id)
    return rows


def case() -> Any:
    review = opened(MET, "crm:r1", NOON)
    review.review_id = "r-1"
    return review


def asked(rows: Rows) -> StewardRequest:
    """The one request that was produced, under its customer's key."""
    [emit] = rows.sent
    request = decode_steward(emit.value)
    assert (emit.topic, emit.key) == (topics.STEWARD, (request.customer_id or "").encode())
    return request


async def test_a_request_says_who_when_why_and_is_answered_with_what_the_engine_did(visit: Visit) -> None:
    rows = people()
    async with visit(rows, steward_token=TOKEN) as visitor:
        status, body = await visitor.post("/steward/pin", PHONE_PIN, **BEARER)
        again = await visitor.get(f"/steward/requests/{body['request_id']}")

    request = asked(rows)
    assert (status, body["state"], body["customer_id"], body["action"]) == (200, "accepted", "C1", "pin")
    assert (request.by, request.why, request.at) == ("Sam", "confirmed by phone", NOON)
    assert (request.attribute, request.value, request.request_id) == ("phone", PHONE, body["request_id"])
    assert again[1] == {
        "request_id": body["request_id"],
        "customer_id": "C1",
        "state": "accepted",
        "at": "2026-01-10T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("action", "given", "expected"),
    [
        ("pin", {"customer": "C1", "attribute": "phone", "value": None}, {"attribute": "phone", "value": None}),
        ("pin", {"customer": "crm:r1", "attribute": "shipping_address", "value": HOME}, {"customer_id": "C1"}),
        (
            "pin",
            {"customer": "C1", "contact_point": ANN, "channel": "email", "purpose": "marketing", "value": "opt_out"},
            {"contact_point": ANN, "value": "opt_out"},
        ),
        ("unpin", {"customer": "C1", "attribute": "phone"}, {"attribute": "phone"}),
        ("merge", {"customer": "crm:r1", "with": "esp:e1"}, {"customer_id": "C1", "with_": "C2"}),
        ("unlink", {"record": "esp:e1"}, {"customer_id": "C2", "record": "esp:e1"}),
        ("release", {"record": "crm:r1", "attribute": "phone"}, {"customer_id": "C1", "attribute": "phone"}),
        ("erase", {"customer": "C2"}, {"customer_id": "C2"}),
        ("review", {"review": "r-1", "value": "dismiss"}, {"customer_id": "C1", "record": "crm:r1", "review": "r-1"}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_every_act_reaches_the_topic_under_its_customer(
    visit: Visit, action: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    rows = people()
    async with visit(rows, steward_token=TOKEN) as visitor:
        status, body = await visitor.post(f"/steward/{action}", {**given, **WHO}, **BEARER)

    request = asked(rows)
    assert (status, request.action) == (200, action), body
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("action", "given", "status", "reason"),
    [
        ("dance", PHONE_PIN, 404, "unknown_action"),
        ("pin", {**PHONE_PIN, "customer": "C7"}, 404, "unknown_customer"),
        ("pin", {**PHONE_PIN, "customer": "crm:none"}, 404, "unknown_customer"),
        ("pin", {**PHONE_PIN, "customer": "nobody@example.com"}, 404, "unknown_customer"),
        ("pin", {**PHONE_PIN, "customer": ANN}, 409, "ambiguous"),
        ("pin", {**PHONE_PIN, "customer": "C9"}, 409, "erased_customer"),
        ("pin", {**PHONE_PIN, "customer": ""}, 422, "bad_request"),
        ("pin", {**PHONE_PIN, "attribute": "shoe_size"}, 422, "unknown_attribute"),
        ("pin", {**PHONE_PIN, "attribute": ["phone"]}, 422, "unknown_attribute"),
        ("pin", {**PHONE_PIN, "value": HOME}, 422, "bad_value"),
        ("pin", {**PHONE_PIN, "value": 7}, 422, "bad_field"),
        ("pin", {"customer": "C1", "attribute": "phone", **WHO}, 422, "bad_request"),
        ("pin", {**PHONE_PIN, "by": " "}, 422, "by_missing"),
        ("pin", {**PHONE_PIN, "why": None}, 422, "why_missing"),
        ("pin", {**PHONE_PIN, "why": "y" * 1001}, 422, "too_long"),
        ("pin", {**PHONE_PIN, "request_id": "a b"}, 422, "bad_request_id"),
        ("merge", {"customer": "C1", "with": "crm:r1", **WHO}, 409, "same_customer"),
        ("merge", {"customer": "C1", "with": "C9", **WHO}, 409, "erased_customer"),
        ("merge", {"customer": "C1", **WHO}, 422, "bad_request"),
        ("unlink", {"customer": "C1", "record": "esp:e1", **WHO}, 409, "not_linked"),
        ("unlink", {"customer": "C1", **WHO}, 422, "bad_request"),
        ("release", {"record": "crm:r1", **WHO}, 422, "bad_request"),
        ("review", {"review": "r-7", "value": "approve", **WHO}, 404, "unknown_review"),
        ("review", {"review": "r-1", "value": "perhaps", **WHO}, 422, "bad_request"),
        ("review", {"value": "approve", **WHO}, 422, "bad_request"),
        ("erase", [], 400, "bad_json"),
        ("erase", b"{", 400, "bad_json"),
        ("erase", b"[" * 5000, 400, "bad_json"),
        ("erase", b"\xff", 400, "bad_json"),
        ("erase", {"customer": "C1", "why": "y" * 20_000, "by": "Sam"}, 413, "too_large"),
    ],
)
async def test_what_makes_no_sense_is_turned_down_with_a_named_reason_and_nothing_is_produced(
    visit: Visit, action: str, given: Any, status: int, reason: str
) -> None:
    rows = people()
    async with visit(rows, steward_token=TOKEN) as visitor:
        headers = {**BEARER, "Content-Type": "application/json"}
        found, body = await visitor.post(f"/steward/{action}", given, **headers)

    assert (found, body["reason"]) == (status, reason)
    assert body["error"]
    assert rows.sent == []


def merging() -> Rows:
    """C2 has just become an alias of C1, its state is still on its way there."""
    rows = people()
    rows.stored["customers"][b"C2"] = encode_customer(Customer("C2", NOON + 1, moves=Moves(survivor="C1")))
    return rows


@pytest.mark.parametrize("named", [{"customer": "C1"}, {"customer": "C2"}, {}], ids=["survivor", "alias", "record"])
@pytest.mark.parametrize("action", ["unlink", "release"])
async def test_an_act_on_a_record_that_is_on_its_way_to_its_survivor_follows_it(
    visit: Visit, action: str, named: dict[str, str]
) -> None:
    rows = merging()
    more = {"attribute": "phone"} if action == "release" else {}
    async with visit(rows, steward_token=TOKEN) as visitor:
        status, body = await visitor.post(f"/steward/{action}", {**named, "record": "esp:e1", **more, **WHO}, **BEARER)

    [emit] = rows.sent
    assert (status, body["state"]) == (200, "accepted")
    assert (emit.topic, emit.key) == (topics.STEWARD, b"C2")
    assert (decode_steward(emit.value).customer_id, decode_steward(emit.value).record) == ("C1", "esp:e1")


async def test_a_state_that_arrives_between_two_reads_is_seen(visit: Visit) -> None:
    rows = merging()
    rows.stored["identity"][b"esp:e1"] = encode_row(Row(customer="C1", joined=True))
    told = Told()
    told.values("crm:r1", 0, "C1", first_name="Ann")
    told.values("esp:e1", 1, "C1", first_name="Ann")
    whole, read = told.rows().stored["customers"][b"C1"], rows.read

    async def reading(table: str, key: bytes) -> bytes | None:
        found = await read(table, key)
        if table == "identity":
            rows.stored["customers"][b"C1"] = whole
        return found

    rows.read = reading  # type: ignore[method-assign]
    async with visit(rows, steward_token=TOKEN) as visitor:
        status, _ = await visitor.post("/steward/unlink", {"customer": "C1", "record": "esp:e1", **WHO}, **BEARER)

    assert (status, asked(rows).customer_id) == (200, "C1")


async def test_without_a_stewards_token_set_nobody_can_act(visit: Visit) -> None:
    rows = people()
    async with visit(rows, view_token="views") as visitor:
        for headers in ({}, {"Authorization": "Bearer views"}, {"Authorization": "Bearer "}, BEARER):
            status, body = await visitor.post("/steward/pin", PHONE_PIN, **headers)
            assert (status, body["reason"]) == (403, "no_steward_token")
            assert "WRITEBACK_STEWARD_TOKEN" in body["error"]

    assert rows.sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer views"},
        {"Authorization": "Bearer stewardsx"},
        {"Writeback-Steward-Token": "views"},
        {"Writeback-Steward-Token": ""},
    ],
)
async def test_only_the_stewards_token_lets_one_act(visit: Visit, headers: dict[str, str]) -> None:
    rows = people()
    async with visit(rows, view_token="views", steward_token=TOKEN) as visitor:
        status, body = await visitor.post("/steward/pin", PHONE_PIN, **headers)

    assert (status, body["reason"]) == (401, "bad_token")
    assert rows.sent == []


async def test_the_token_is_also_taken_in_a_header_of_its_own_beside_the_one_for_looking(visit: Visit) -> None:
    rows = people()
    async with visit(rows, view_token="views", steward_token=TOKEN) as visitor:
        headers = {"Authorization": "Bearer views", "Writeback-Steward-Token": TOKEN}
        status, _ = await visitor.post("/steward/pin", PHONE_PIN, **headers)
        looked = await visitor.get("/reviews", **BEARER)

    assert status == 200
    assert looked[0] == 401


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403, "foreign_page"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "foreign_page"),
        ({"Content-Type": "text/plain"}, 415, "not_json"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "not_json"),
    ],
)
async def test_a_foreign_page_cannot_act_in_a_stewards_name(
    visit: Visit, headers: dict[str, str], status: int, reason: str
) -> None:
    rows = people()
    async with visit(rows, steward_token=TOKEN) as visitor:
        found, body = await visitor.post(
            "/steward/pin", b"{}", **{"Content-Type": "application/json"} | headers | BEARER
        )

    assert (found, body["reason"]) == (status, reason)
    assert rows.sent == []


async def test_a_refusal_of_the_engine_is_told_by_name(visit: Visit) -> None:
    rows = people()
    rows.answer = lambda request: Outcome(request.request_id or "", NOON, "refused", "C1", "records_max")
    async with visit(rows, steward_token=TOKEN) as visitor:
        status, body = await visitor.post("/steward/merge", {"customer": "C1", "with": "C2", **WHO}, **BEARER)

    assert (status, body["state"], body["reason"]) == (409, "refused", "records_max")


async def test_a_request_that_takes_longer_is_on_its_way_and_can_be_asked_for(visit: Visit) -> None:
    rows = people(answers=False)
    async with visit(rows, steward_token=TOKEN, steward_wait_s=0.1) as visitor:
        status, body = await visitor.post("/steward/pin", {**PHONE_PIN, "request_id": "Q1"}, **BEARER)
        unknown = await visitor.get("/steward/requests/Q1")

    assert (status, body["state"], body["request_id"]) == (202, "waiting", "Q1")
    assert unknown[0] == 404


async def test_an_approval_waits_for_what_follows_from_it(visit: Visit) -> None:
    rows = people()
    rows.answer = lambda request: Outcome(request.request_id or "", NOON, "accepted", "C1", None, "r-1")
    async with visit(rows, steward_token=TOKEN, steward_wait_s=0.1) as visitor:
        approve = {"review": "r-1", "value": "approve", **WHO}
        before = await visitor.post("/steward/review", approve, **BEARER)
        await rows.send(rows.sent[-1])
        rows.answer = lambda request: Outcome("r-1", NOON, "refused", "C1", "records_max")
        await rows.send(rows.sent[-1])
        rows.answer = lambda request: Outcome(request.request_id or "", NOON, "accepted", "C1", None, "r-1")
        after = await visitor.post("/steward/review", approve, **BEARER)

    assert (before[0], before[1]["state"]) == (202, "waiting")
    assert (after[0], after[1]["state"], after[1]["reason"]) == (409, "refused", "records_max")


async def test_a_case_of_an_erased_customer_is_decided_without_its_row(visit: Visit) -> None:
    rows = people()
    review = case()
    review.customer_id, review.key = "C9", "esp:e9"
    rows.stored["reviews"][b"r-1"] = encode_review(review)
    async with visit(rows, steward_token=TOKEN, steward_wait_s=0.1) as visitor:
        await visitor.post("/steward/review", {"review": "r-1", "value": "dismiss", **WHO}, **BEARER)

    [emit] = rows.sent
    assert (emit.topic, emit.key) == (topics.REVIEWS, b"esp:e9")
    message = decode_message(emit.value)
    assert isinstance(message, Decide) and message.request.value == "dismiss"


async def test_the_queue_is_seen_by_state_and_by_customer(visit: Visit) -> None:
    rows = people()
    other = case()
    other.review_id, other.customer_id, other.other_id, other.state = "r-2", "C5", "C6", "dismissed"
    rows.stored["reviews"][b"r-2"] = encode_review(other)
    async with visit(rows) as visitor:
        seen = {
            query: [one["review_id"] for one in (await visitor.get(f"/reviews{query}"))[1]["reviews"]]
            for query in ("", "?state=dismissed", "?state=all", "?customer=C2", "?customer=C6&state=all")
        }
        one = await visitor.get("/reviews/r-1")
        none = await visitor.get("/reviews/r-9")
        asked_for = ("?state=odd", "?limit=0", "?limit=x", "?limit=%C2%B2")
        bad = [(await visitor.get(f"/reviews{query}"))[0] for query in asked_for]
        more = (await visitor.get("/reviews?state=all&limit=1"))[1]

    assert seen == {
        "": ["r-1"],
        "?state=dismissed": ["r-2"],
        "?state=all": ["r-1", "r-2"],
        "?customer=C2": ["r-1"],
        "?customer=C6&state=all": ["r-2"],
    }
    assert one[1]["approval"] == "merges C2 with C1"
    assert (none[0], bad, more["more"], len(more["reviews"])) == (404, [400] * 4, True, 1)


async def test_the_request_says_when_it_was_asked_whatever_the_body_says(visit: Visit) -> None:
    rows = people()
    async with visit(rows, steward_token=TOKEN) as visitor:
        await visitor.post("/steward/pin", {**PHONE_PIN, "at": "2030-01-01T00:00:00Z"}, **BEARER)

    assert asked(rows).at == NOON
