"""The CRM behaves as the vendor's REST API and change data capture do."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from streams.sandbox import POPULATION, BadEdit, Sandbox, UnknownRecord
from tests.unit.sandbox.conftest import Caller, Gateway

MANY = "/services/data/v66.0/composite/sobjects"
ONE = "/services/data/v66.0/sobjects/Contact"


def collection(*rows: dict[str, Any], all_or_none: bool = False) -> dict[str, Any]:
    return {"allOrNone": all_or_none, "records": [{"attributes": {"type": "Contact"}, **row} for row in rows]}


async def update(crm: Caller, *rows: dict[str, Any], **sent: Any) -> Any:
    status, body, _ = await crm("PATCH", MANY, json=collection(*rows), **sent)
    assert status == 200, body
    return body


async def test_credentials_that_are_wrong_get_no_token(crm: Caller) -> None:
    form = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "nothing"}
    status, body, _ = await crm("POST", "/services/oauth2/token", data=form)

    assert (status, body["error"]) == (400, "invalid_client_id")


async def test_the_token_names_the_instance(sandbox: Sandbox, crm: Caller) -> None:
    environment = sandbox.environment()
    form = {
        "grant_type": "client_credentials",
        "client_id": environment["WRITEBACK_CRM_CLIENT_ID"],
        "client_secret": environment["WRITEBACK_CRM_CLIENT_SECRET"],
    }
    _, body, _ = await crm("POST", "/services/oauth2/token", data=form)

    assert body["instance_url"] == sandbox.addresses["crm"]
    assert body["token_type"] == "Bearer"


async def test_an_ended_session_is_401_with_an_error_code(sandbox: Sandbox, crm: Caller, ann: dict[str, str]) -> None:
    sandbox.edit("crm", "expire_sessions")
    status, body, _ = await crm("GET", f"{ONE}/{ann['crm']}")

    assert (status, body[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


async def test_a_read_shows_flat_and_compound_fields_and_counts_the_call(crm: Caller, ann: dict[str, str]) -> None:
    status, body, headers = await crm("GET", f"{ONE}/{ann['crm']}")

    assert status == 200
    assert body["MailingStreet"] == body["MailingAddress"]["street"] == "12 Harbor St"
    assert body["OtherStreet"] == "400 Ledger Ave"
    assert body["LastModifiedDate"].endswith("+0000")
    assert body["Writeback_Storefront_Id__c"] == ann["storefront"]
    assert headers["Sforce-Limit-Info"] == "api-usage=1/100000"


async def test_an_id_of_15_characters_names_the_same_record(crm: Caller, ann: dict[str, str]) -> None:
    status, body, _ = await crm("GET", f"{ONE}/{ann['crm'][:15]}", params={"fields": "Id"})

    assert status == 200
    assert body["Id"] == ann["crm"]


async def test_a_collection_answers_row_by_row_in_order(crm: Caller, ann: dict[str, str]) -> None:
    rows = await update(
        crm,
        {"id": ann["crm"], "FirstName": "Anna"},
        {"id": "003Sb0000000zzzIAA", "FirstName": "Nobody"},
        {"id": "not an id", "FirstName": "Nobody"},
        {"FirstName": "Nobody"},
    )

    assert rows[0] == {"id": ann["crm"], "success": True, "errors": []}
    codes = [row["errors"][0]["statusCode"] for row in rows[1:]]
    assert codes == ["INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID", "MISSING_ARGUMENT"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"FirstName": "x" * 41}, "STRING_TOO_LONG"),
        ({"MailingStreet": "x" * 256}, "STRING_TOO_LONG"),
        ({"Email": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"LastName": None}, "REQUIRED_FIELD_MISSING"),
        ({"MailingAddress": {"city": "Chicago"}}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
async def test_a_value_that_does_not_fit_is_an_error_of_its_row(
    sandbox: Sandbox, crm: Caller, ann: dict[str, str], given: dict[str, Any], code: str
) -> None:
    before = sandbox.holds("crm", ann["crm"]).attributes
    (row,) = await update(crm, {"id": ann["crm"], "Title": "Ms", **given})

    assert row["errors"][0]["statusCode"] == code
    assert sandbox.holds("crm", ann["crm"]).attributes == before


async def test_a_single_record_call_names_the_code_differently(crm: Caller, ann: dict[str, str]) -> None:
    status, body, _ = await crm("PATCH", f"{ONE}/{ann['crm']}", json={"FirstName": "x" * 41})

    assert (status, body[0]["errorCode"]) == (400, "STRING_TOO_LONG")


async def test_a_column_that_does_not_exist_refuses_the_whole_request(
    sandbox: Sandbox, crm: Caller, ann: dict[str, str]
) -> None:
    rows = collection({"id": ann["crm"], "FirstName": "Anna"}, {"id": ann["crm"], "ShoeSize": "42"})
    status, body, _ = await crm("PATCH", MANY, json=rows)

    assert (status, body[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert sandbox.holds("crm", ann["crm"]).attributes["first_name"] == "Ann"


async def test_more_than_200_rows_are_refused(crm: Caller, ann: dict[str, str]) -> None:
    rows = collection(*[{"id": ann["crm"]}] * 201)
    status, body, _ = await crm("PATCH", MANY, json=rows)

    assert (status, body[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")


async def test_all_or_none_rolls_back_what_passed(sandbox: Sandbox, crm: Caller, ann: dict[str, str]) -> None:
    rows = collection({"id": ann["crm"], "FirstName": "Anna"}, {"id": ann["crm"], "LastName": None}, all_or_none=True)
    _, body, _ = await crm("PATCH", MANY, json=rows)

    codes = [row["errors"][0]["statusCode"] for row in body]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert sandbox.holds("crm", ann["crm"]).attributes["first_name"] == "Ann"


async def test_an_upsert_by_external_id_creates_once(sandbox: Sandbox, crm: Caller) -> None:
    row = collection({"Writeback_Customer__c": "C1", "LastName": "New", "Email": "new@example.com"})
    _, first, _ = await crm("PATCH", f"{MANY}/Contact/Writeback_Customer__c", json=row)
    _, second, _ = await crm("PATCH", f"{MANY}/Contact/Writeback_Customer__c", json=row)

    assert first[0]["created"] is True
    assert second[0]["id"] == first[0]["id"]
    assert "created" not in second[0]
    assert sandbox.simulators["crm"].record_ids() == [first[0]["id"]]


async def test_a_field_that_is_no_external_id_cannot_be_upserted_by(crm: Caller) -> None:
    status, body, _ = await crm("PATCH", f"{MANY}/Contact/Email", json=collection({"Email": "a@example.com"}))

    assert (status, body[0]["errorCode"]) == (404, "NOT_FOUND")


async def test_a_locked_row_fails_alone(sandbox: Sandbox, crm: Caller, ann: dict[str, str]) -> None:
    sandbox.fault("crm", lock_next=1)
    first, second = await update(crm, {"id": ann["crm"], "Title": "Dr"}, {"id": ann["crm"], "Title": "Dr"})

    assert first["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert second["success"] is True


async def test_our_write_comes_back_with_our_client_in_its_origin(
    sandbox: Sandbox, gateway: Gateway, crm: Caller, ann: dict[str, str]
) -> None:
    await update(crm, {"id": ann["crm"], "Phone": "+13125550199"}, headers={"Sforce-Call-Options": "client=writeback"})
    await sandbox.settled()

    (delivered,) = gateway.of("crm")
    assert delivered.json["Phone"] == "(312) 555-0199"
    assert delivered.json["ChangeEventHeader"]["changeOrigin"] == "com/salesforce/api/rest/66.0;client=writeback"
    assert delivered.json["ChangeEventHeader"]["changedFields"] == ["LastModifiedDate", "Phone"]


async def test_the_relay_signs_timestamp_and_body(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.edit("crm", "agent_edits", record_id=ann["crm"], first_name="Anna")
    await sandbox.settled()

    (delivered,) = gateway.of("crm")
    secret = sandbox.environment()["WRITEBACK_CRM_WEBHOOK_SECRET"].encode()
    signed = delivered.headers["x-relay-timestamp"].encode() + b"." + delivered.body
    assert delivered.headers["x-relay-signature"] == hmac.new(secret, signed, hashlib.sha256).hexdigest()


async def test_a_partial_address_comes_with_its_changed_members_only(
    sandbox: Sandbox, gateway: Gateway, crm: Caller, ann: dict[str, str]
) -> None:
    await update(crm, {"id": ann["crm"], "MailingStreet": "77 Lakeview Ave\nApt 5", "MailingCity": "Chicago"})
    await sandbox.settled()

    event = gateway.of("crm")[0].json
    assert event["MailingAddress"] == {"Street": "77 Lakeview Ave\nApt 5"}
    assert event["ChangeEventHeader"]["changedFields"] == ["LastModifiedDate", "MailingAddress.Street"]


async def test_an_emptied_field_is_listed_and_absent(
    sandbox: Sandbox, gateway: Gateway, crm: Caller, ann: dict[str, str]
) -> None:
    await update(crm, {"id": ann["crm"], "Phone": None})
    await sandbox.settled()

    event = gateway.of("crm")[0].json
    assert "Phone" in event["ChangeEventHeader"]["changedFields"]
    assert "Phone" not in event


async def test_rows_that_change_alike_share_an_event(
    sandbox: Sandbox, gateway: Gateway, crm: Caller, ann: dict[str, str]
) -> None:
    ben = sandbox.people["ben"]
    rows = [{"id": record, "HasOptedOutOfEmail": True} for record in (ann["crm"], ben["crm"])]
    await update(crm, *rows)
    await sandbox.settled()

    (delivered,) = gateway.of("crm")
    assert delivered.json["ChangeEventHeader"]["recordIds"] == [ann["crm"], ben["crm"]]
    assert delivered.json["HasOptedOutOfEmail"] is True


async def test_a_flow_that_cuts_shows_in_the_event(
    sandbox: Sandbox, gateway: Gateway, crm: Caller, ann: dict[str, str]
) -> None:
    sandbox.configure("crm", cut={"MailingStreet": 10})
    await update(crm, {"id": ann["crm"], "MailingStreet": "1450 Tidewater Drive"})
    await sandbox.settled()

    assert gateway.of("crm")[0].json["MailingAddress"] == {"Street": "1450 Tidew"}


async def test_an_enriched_event_carries_a_field_that_did_not_change(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    sandbox.configure("crm", enriched=["Email"])
    sandbox.edit("crm", "agent_opts_out", record_id=ann["crm"])
    await sandbox.settled()

    event = gateway.of("crm")[0].json
    assert event["Email"] == "ann@example.com"
    assert event["ChangeEventHeader"]["changedFields"] == ["LastModifiedDate", "HasOptedOutOfEmail"]


async def test_the_nightly_batch_says_what_it_is_told_with_a_newer_time(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    sandbox.edit("crm", "agent_opts_out", record_id=ann["crm"])
    sandbox.edit("crm", "nightly_batch", record_ids=[ann["crm"]], opted_out=False)
    await sandbox.settled()

    event, batch = (one.json for one in gateway.of("crm"))
    (row,) = batch["records"]
    assert event["HasOptedOutOfEmail"] is True
    assert row["HasOptedOutOfEmail"] is False
    assert row["LastModifiedDate"].replace("+0000", "Z") >= event["LastModifiedDate"]
    assert sandbox.holds("crm", ann["crm"]).consents["email"] == "not_opted_out"


async def test_a_gap_comes_without_values(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.edit("crm", "gap", record_id=ann["crm"])
    await sandbox.settled()

    (delivered,) = gateway.of("crm")
    assert set(delivered.json) == {"ChangeEventHeader"}
    assert delivered.json["ChangeEventHeader"]["changeType"] == "GAP_UPDATE"


async def test_a_deleted_contact_is_gone_and_announced(
    sandbox: Sandbox, gateway: Gateway, crm: Caller, ann: dict[str, str]
) -> None:
    status, _, _ = await crm("DELETE", f"{ONE}/{ann['crm']}")
    again, body, _ = await crm("DELETE", f"{ONE}/{ann['crm']}")
    read, _, _ = await crm("GET", f"{ONE}/{ann['crm']}")
    await sandbox.settled()

    assert (status, again, body[0]["errorCode"], read) == (204, 404, "ENTITY_IS_DELETED", 404)
    assert gateway.of("crm")[0].json["ChangeEventHeader"]["changeType"] == "DELETE"
    with pytest.raises(UnknownRecord):
        sandbox.holds("crm", ann["crm"])


async def test_a_creation_is_announced_with_every_field(sandbox: Sandbox, gateway: Gateway) -> None:
    sandbox.seed(POPULATION[0], "crm", announce=True)
    await sandbox.settled()

    first = gateway.of("crm")[0].json
    assert first["Name"] == {"FirstName": "Ann", "LastName": "Archer"}
    assert first["HasOptedOutOfEmail"] is False
    assert "changedFields" not in first["ChangeEventHeader"]


async def test_two_records_with_one_external_id_are_a_choice(sandbox: Sandbox, crm: Caller) -> None:
    sandbox.seed_everywhere(platforms=("crm",))
    for contact in sandbox.simulators["crm"].org.contacts.values():  # type: ignore[attr-defined]
        contact.fields["Writeback_Customer__c"] = "C1"
    status, body, _ = await crm("GET", f"{ONE}/Writeback_Customer__c/C1")

    assert status == 300
    assert len(body) == 6


async def test_a_narrow_query_finds_by_field(crm: Caller, ann: dict[str, str]) -> None:
    query = "SELECT Id, Phone FROM Contact WHERE Email = 'ann@example.com' AND HasOptedOutOfEmail = false LIMIT 2"
    _, body, _ = await crm("GET", "/services/data/v66.0/query", params={"q": query})

    assert [row["Id"] for row in body["records"]] == [ann["crm"]]


async def test_too_many_calls_are_403_and_say_nothing_of_when_to_come_back(
    sandbox: Sandbox, crm: Caller, ann: dict[str, str]
) -> None:
    sandbox.fault("crm", throttle_next=1)
    status, body, headers = await crm("GET", f"{ONE}/{ann['crm']}")

    assert (status, body[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert "Retry-After" not in headers


async def test_an_agent_cannot_type_what_does_not_fit(sandbox: Sandbox, ann: dict[str, str]) -> None:
    with pytest.raises(BadEdit, match="too large"):
        sandbox.edit("crm", "agent_edits", record_id=ann["crm"], first_name="x" * 41)
