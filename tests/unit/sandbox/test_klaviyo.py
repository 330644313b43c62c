"""The ESP behaves as the vendor's API does: two kinds of limits, jobs that answer nothing, batched webhooks."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from streams.sandbox import BadEdit, Sandbox, UnknownRecord
from streams.sandbox.klaviyo.limits import Windows
from tests.unit.sandbox.conftest import Caller, Gateway

SUBSCRIBE = "/api/profile-subscription-bulk-create-jobs"
UNSUBSCRIBE = "/api/profile-subscription-bulk-delete-jobs"


def profile(attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"type": "profile", "attributes": attributes, **more}}


def job(path: str, *profiles: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    kind = path.removeprefix("/api/").removesuffix("s")
    rows = [{"type": "profile", "attributes": one} for one in profiles]
    return {"data": {"type": kind, "attributes": {"profiles": {"data": rows}, **attributes}}}


def by_email(email: str, consent: str, **marketing: Any) -> dict[str, Any]:
    return {"email": email, "subscriptions": {"email": {"marketing": {"consent": consent, **marketing}}}}


async def subscriptions(esp: Caller, record: str) -> Any:
    query = {"additional-fields[profile]": "subscriptions"}
    _, body, _ = await esp("GET", f"/api/profiles/{record}", params=query)
    return body["data"]["attributes"]["subscriptions"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "not_authenticated"),
        ({"Authorization": "Klaviyo-API-Key wrong"}, 401, "authentication_failed"),
        ({"revision": ""}, 400, "invalid"),
    ],
)
async def test_a_request_without_key_or_revision_is_refused(
    esp: Caller, ann: dict[str, str], headers: dict[str, str], status: int, code: str
) -> None:
    answered, body, _ = await esp("GET", f"/api/profiles/{ann['esp']}", headers=headers)

    assert (answered, body["errors"][0]["code"]) == (status, code)


async def test_a_country_is_read_as_a_name_and_subscriptions_only_when_asked_for(
    esp: Caller, ann: dict[str, str]
) -> None:
    status, body, headers = await esp("GET", f"/api/profiles/{ann['esp']}/")

    assert status == 200
    assert headers["Content-Type"].startswith("application/vnd.api+json")
    assert body["data"]["attributes"]["location"]["country"] == "United States"
    assert "subscriptions" not in body["data"]["attributes"]
    assert (await subscriptions(esp, ann["esp"]))["email"]["marketing"]["consent"] == "SUBSCRIBED"


async def test_a_patch_clears_with_null_and_keeps_what_is_left_out(
    sandbox: Sandbox, esp: Caller, ann: dict[str, str]
) -> None:
    sent = profile({"first_name": None, "location": {"zip": "60602", "country": "US"}}, id=ann["esp"])
    status, _, _ = await esp("PATCH", f"/api/profiles/{ann['esp']}", json=sent)

    held = sandbox.holds("esp", ann["esp"]).attributes
    assert status == 200
    assert held["first_name"] is None
    assert held["last_name"] == "Archer"
    assert held["shipping_address"]["postal_code"] == "60602"
    assert held["shipping_address"]["line1"] == "12 Harbor St"
    assert held["shipping_address"]["country"] == "United States"


async def test_our_own_patch_comes_back_as_a_signed_profile_document(
    sandbox: Sandbox, gateway: Gateway, esp: Caller, ann: dict[str, str]
) -> None:
    sent = profile({"email": "Ann.New@Example.com"}, id=ann["esp"])
    await esp("PATCH", f"/api/profiles/{ann['esp']}", json=sent)
    await sandbox.settled()

    (delivered,) = gateway.of("esp")
    secret = sandbox.environment()["WRITEBACK_ESP_WEBHOOK_SECRET"].encode()
    signed = delivered.body + delivered.headers["klaviyo-timestamp"].encode()
    assert delivered.headers["klaviyo-signature"] == hmac.new(secret, signed, hashlib.sha256).hexdigest()
    assert delivered.json["data"]["type"] == "profile"
    assert delivered.json["data"]["attributes"]["email"] == "ann.new@example.com"


async def test_a_written_profile_can_come_as_an_event_among_the_others(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    sandbox.configure("esp", profiles_as_events=True)
    sandbox.edit("esp", "profile_edits", record_id=ann["esp"], first_name="Anna")
    await sandbox.settled()

    (event,) = gateway.of("esp")[0].json["data"]
    assert event["topic"] == "event:klaviyo.updated_profile"
    assert event["payload"]["data"]["attributes"]["first_name"] == "Anna"


async def test_a_patch_that_changes_nothing_is_no_event(
    sandbox: Sandbox, gateway: Gateway, esp: Caller, ann: dict[str, str]
) -> None:
    await esp("PATCH", f"/api/profiles/{ann['esp']}", json=profile({"last_name": "Archer"}, id=ann["esp"]))
    await sandbox.settled()

    assert gateway.taken == []


@pytest.mark.parametrize(
    "attributes",
    [{"phone_number": "(312) 555-0101"}, {"email": "nobody"}, {"location": {"planet": "Mars"}}, {"shoe_size": "42"}],
)
async def test_what_is_refused_points_at_its_place(
    esp: Caller, ann: dict[str, str], attributes: dict[str, Any]
) -> None:
    status, body, _ = await esp("PATCH", f"/api/profiles/{ann['esp']}", json=profile(attributes, id=ann["esp"]))

    assert status == 400
    assert body["errors"][0]["source"]["pointer"].startswith("/data/attributes/")


async def test_an_identifier_of_another_profile_is_a_conflict_that_names_it(
    sandbox: Sandbox, esp: Caller, ann: dict[str, str]
) -> None:
    sent = profile({"email": "ben@example.com"}, id=ann["esp"])
    status, body, _ = await esp("PATCH", f"/api/profiles/{ann['esp']}", json=sent)

    assert (status, body["errors"][0]["code"]) == (409, "duplicate_profile")
    assert body["errors"][0]["meta"]["duplicate_profile_id"] == sandbox.people["ben"]["esp"]


async def test_an_import_creates_then_updates_and_conflicts_between_two(
    sandbox: Sandbox, esp: Caller, ann: dict[str, str]
) -> None:
    created, new, _ = await esp("POST", "/api/profile-import", json=profile({"email": "new@example.com"}))
    updated, same, _ = await esp(
        "POST", "/api/profile-import", json=profile({"email": "NEW@example.com", "first_name": "N"})
    )
    both = profile({"email": "new@example.com", "phone_number": "+13125550101"})
    conflict, _, _ = await esp("POST", "/api/profile-import", json=both)

    assert (created, updated, conflict) == (201, 200, 409)
    assert same["data"]["id"] == new["data"]["id"]


async def test_a_profile_needs_an_identifier(esp: Caller) -> None:
    status, _, _ = await esp("POST", "/api/profiles", json=profile({"first_name": "Nobody"}))

    assert status == 400


async def test_an_unsubscribe_job_answers_nothing_and_applies_later(
    sandbox: Sandbox, gateway: Gateway, esp: Caller, ann: dict[str, str]
) -> None:
    sent = job(UNSUBSCRIBE, by_email("ann@example.com", "UNSUBSCRIBED"))
    status, body, _ = await esp("POST", UNSUBSCRIBE, json=sent)
    at_once = sandbox.holds("esp", ann["esp"]).consents["email"]
    await sandbox.settled()

    assert (status, body) == (202, "")
    assert at_once == "subscribed"
    assert sandbox.holds("esp", ann["esp"]).consents["email"] == "unsubscribed"
    (event,) = gateway.of("esp")[0].json["data"]
    assert event["topic"] == "event:klaviyo.unsubscribed_from_email_marketing"
    assert event["payload"]["data"]["relationships"]["profile"]["data"]["id"] == ann["esp"]
    assert event["payload"]["data"]["attributes"]["event_properties"]["email_address"] == "ann@example.com"


async def test_a_subscribe_job_lifts_what_the_customer_asked_for_but_not_a_hard_bounce(
    sandbox: Sandbox, esp: Caller, ann: dict[str, str]
) -> None:
    for edit in ("spam_complaint", "suppress", "hard_bounce", "unsubscribe"):
        sandbox.edit("esp", edit, record_id=ann["esp"])
    sent = job(SUBSCRIBE, by_email("ann@example.com", "SUBSCRIBED"), custom_source="writeback")
    await esp("POST", SUBSCRIBE, json=sent)
    await sandbox.settled()

    marketing = (await subscriptions(esp, ann["esp"]))["email"]["marketing"]
    assert [one["reason"] for one in marketing["suppression"]] == ["HARD_BOUNCE"]
    assert marketing["consent"] == "SUBSCRIBED"
    assert marketing["custom_method_detail"] == "writeback"
    assert marketing["can_receive_email_marketing"] is False


async def test_a_subscription_makes_the_profile_that_is_not_there(sandbox: Sandbox, esp: Caller) -> None:
    await esp("POST", SUBSCRIBE, json=job(SUBSCRIBE, by_email("new@example.com", "SUBSCRIBED")))
    await sandbox.settled()

    (record,) = sandbox.simulators["esp"].record_ids()
    assert sandbox.holds("esp", record).consents["email"] == "subscribed"


async def test_a_consent_time_needs_a_historical_import(esp: Caller, ann: dict[str, str]) -> None:
    dated = by_email("ann@example.com", "SUBSCRIBED", consented_at="2026-01-10T12:00:00Z")
    plain = by_email("ann@example.com", "SUBSCRIBED")
    without_flag, _, _ = await esp("POST", SUBSCRIBE, json=job(SUBSCRIBE, dated))
    without_time, _, _ = await esp("POST", SUBSCRIBE, json=job(SUBSCRIBE, plain, historical_import=True))
    with_both, _, _ = await esp("POST", SUBSCRIBE, json=job(SUBSCRIBE, dated, historical_import=True))

    assert (without_flag, without_time, with_both) == (400, 400, 202)


@pytest.mark.parametrize(("path", "most"), [(SUBSCRIBE, 1000), (UNSUBSCRIBE, 100)])
async def test_a_job_has_a_greatest_size(esp: Caller, path: str, most: int) -> None:
    consent = "SUBSCRIBED" if path == SUBSCRIBE else "UNSUBSCRIBED"
    profiles = [by_email(f"p{number}@example.com", consent) for number in range(most + 1)]
    status, body, _ = await esp("POST", path, json=job(path, *profiles))

    assert status == 400
    assert str(most) in body["errors"][0]["detail"]


async def test_a_privacy_deletion_removes_the_profile(sandbox: Sandbox, esp: Caller, ann: dict[str, str]) -> None:
    who = {"data": {"type": "profile", "attributes": {"email": "ann@example.com"}}}
    sent = {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": who}}}
    status, _, _ = await esp("POST", "/api/data-privacy-deletion-jobs", json=sent)
    await sandbox.settled()

    assert status == 202
    with pytest.raises(UnknownRecord):
        sandbox.holds("esp", ann["esp"])


async def test_limits_are_told_on_answers_and_hidden_in_a_429(
    sandbox: Sandbox, esp: Caller, ann: dict[str, str]
) -> None:
    sandbox.simulators["esp"].api.profile_limit.windows = Windows(burst=50, steady=1)  # type: ignore[attr-defined]
    _, _, passed = await esp("GET", f"/api/profiles/{ann['esp']}")
    status, body, refused = await esp("GET", f"/api/profiles/{ann['esp']}")

    assert (passed["RateLimit-Limit"], passed["RateLimit-Remaining"]) == ("1", "0")
    assert (status, body["errors"][0]["code"]) == (429, "throttled")
    assert 0 < float(refused["Retry-After"]) <= 60
    assert "RateLimit-Limit" not in refused


async def test_events_that_come_together_share_a_delivery(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    sandbox.edit("esp", "unsubscribe", record_id=ann["esp"])
    sandbox.edit("esp", "unsubscribe", record_id=ann["esp"], channel="sms")
    await sandbox.settled()

    (delivered,) = gateway.of("esp")
    assert len(delivered.json["data"]) == 2


async def test_a_search_finds_by_an_identifier(esp: Caller, ann: dict[str, str]) -> None:
    _, body, _ = await esp("GET", "/api/profiles", params={"filter": 'equals(email,"ann@example.com")'})

    assert [one["id"] for one in body["data"]] == [ann["esp"]]


async def test_a_channel_that_does_not_exist_cannot_be_left(sandbox: Sandbox, ann: dict[str, str]) -> None:
    with pytest.raises(BadEdit, match="fax"):
        sandbox.edit("esp", "unsubscribe", record_id=ann["esp"], channel="fax")
