"""Salesforce's case: an org that knows one Contact, with its answers in the REST API's own shapes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from streams.model import Address, Assignment, Command, ConsentOrder, Millis
from tests.contract.case import NOW, Case, Fault, Message, Reply, Request, message

CONTACT, OTHER = "003Hs00004QkTzAIAV", "003Hs00004QkTzBIAV"
SETTINGS = {"CLIENT_ID": "invented", "CLIENT_SECRET": "hush", "WEBHOOK_SECRET": "relay-hush", "API_VERSION": "62.0"}
HEADERS = {"content-type": "application/json"}
HOME = Address("18 Orchard Lane", "Flat 3", "Madison", "WI", "53703", "US")


def salesforce(name: str, *records: str, ignored: tuple[str, ...] = ()) -> Message:
    return message("salesforce", name, HEADERS, *records, ignored=ignored)


DELETED = "1767958200000.5216556007620085763"
MESSAGES = (
    salesforce("cdc_update_relay", CONTACT),
    salesforce("cdc_create_cometd", OTHER, ignored=("consent_default",)),
    salesforce("cdc_update_pubsub_names", CONTACT),
    salesforce("cdc_delete_eventbridge", CONTACT, OTHER, *(f"{one}@{DELETED}" for one in (CONTACT, OTHER))),
    salesforce("cdc_delete_master", CONTACT),
    salesforce("deleted_rows", CONTACT, OTHER),
    salesforce("cdc_undelete", CONTACT),
    salesforce("cdc_gap_update", CONTACT),
    salesforce("cdc_gap_overflow", ignored=("wildcard:GAP_OVERFLOW",)),
    salesforce("cdc_update_nothing_of_ours", ignored=("nothing_relevant",)),
    salesforce("cdc_our_own_write", CONTACT, ignored=("echo_without_contact_point",)),
    salesforce("nightly_batch", CONTACT, OTHER, ignored=("entity:Lead", "invalid:bad_row")),
    salesforce("batch_rows_plain", CONTACT),
)


def sign(given: Mapping[str, str], body: bytes, now: Millis) -> Mapping[str, str]:
    timestamp = str(now // 1000)
    digest = hmac.new(b"relay-hush", timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {**given, "x-relay-timestamp": timestamp, "x-relay-signature": digest}


def command(op: str, record_id: str | None = CONTACT, customer_id: str = "C1", **said: Any) -> Command:
    attributes = {
        name: Assignment(clear=True) if value is None else Assignment(value)
        for name, value in said.get("attributes", {}).items()
    }
    return Command(
        command_id=f"{op}-{record_id}-{'-'.join(attributes)}-{len(said.get('consents', ()))}",
        customer_id=customer_id,
        platform="crm",
        record_id=record_id,
        golden_version=4,
        op=op,  # type: ignore[arg-type]
        reason="survivorship",
        caused_by="evt-1",
        issued_at=NOW - 5000,
        attributes=attributes,
        consents=said.get("consents", ()),
    )


def order(decision: str, channel: str = "email", contact_point: str = "mira.holt@example.com") -> ConsentOrder:
    return ConsentOrder(contact_point, channel, "marketing", decision, NOW - 60_000, explicit=True)  # type: ignore[arg-type]


UPDATE = command("update", attributes={"phone": "+16085550143", "first_name": None, "shipping_address": HOME})
COMMANDS = (
    UPDATE,
    command("update", OTHER, "C2", consents=(order("opt_out"),)),
    command("create", None, "C3", attributes={"email": "new@example.com", "last_name": "Nilsen"}),
    command("erase", "003Hs00004QkTzCIAV", "C4"),
)
ROW = {
    "attributes": {"type": "Contact"},
    "Id": CONTACT,
    "IsDeleted": False,
    "LastName": "Holt",
    "Email": "mira.holt@example.com",
    "HasOptedOutOfEmail": False,
    "LastModifiedDate": "2026-01-09T02:10:11.000+0000",
}


def token(request: Request) -> Reply | None:
    """The token, for whoever asks for one."""
    if request.path != "/services/oauth2/token":
        return None
    return Reply(200, {"access_token": "00Dinvented!token", "token_type": "Bearer"})


def rows_of(request: Request) -> list[str]:
    """The ids of a collection request, "" where there is none."""
    if request.method == "DELETE":
        return request.query["ids"].split(",")
    return [row.get("id", "") for row in request.json()["records"]]


def success(request: Request) -> Reply:
    if (granted := token(request)) is not None:
        return granted
    if request.method == "GET":
        return Reply(200, ROW)
    made = [{"id": one or "003Hs00004QkTzDIAV", "success": True, "errors": []} for one in rows_of(request)]
    return Reply(200, made, {"Sforce-Limit-Info": "api-usage=18/100000"})


def gone(request: Request) -> Reply:
    missing = [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]
    return token(request) or Reply(404, missing)


def failing(code: str, message_text: str = "as invented") -> Any:
    """Every row of every collection fails with the code."""

    def answer(request: Request) -> Reply:
        error = {"statusCode": code, "message": message_text, "fields": []}
        rows = [] if request.path.endswith("token") else rows_of(request)
        return token(request) or Reply(200, [{"success": False, "errors": [error]} for _ in rows])

    return answer


def refusing(status: int, code: str, message_text: str = "as invented") -> Any:
    """Every request is refused as a whole."""
    return lambda request: token(request) or Reply(status, [{"message": message_text, "errorCode": code}])


PERMANENT = (
    "DUPLICATES_DETECTED",
    "INVALID_FIELD",
    "INVALID_FIELD_FOR_INSERT_UPDATE",
    "STRING_TOO_LONG",
    "REQUIRED_FIELD_MISSING",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "FIELD_INTEGRITY_EXCEPTION",
    "ENTITY_IS_DELETED",
    "MALFORMED_ID",
)
FAULTS = (
    *(Fault(code, failing(code), refused=code, commands=(UPDATE,)) for code in PERMANENT),
    Fault("locked", failing("UNABLE_TO_LOCK_ROW"), later="UNABLE_TO_LOCK_ROW"),
    Fault("rolled back", failing("ALL_OR_NONE_OPERATION_ROLLED_BACK"), later="ALL_OR_NONE_OPERATION_ROLLED_BACK"),
    Fault("daily limit", refusing(403, "REQUEST_LIMIT_EXCEEDED"), later="REQUEST_LIMIT_EXCEEDED", after_s=900),
    Fault(
        "concurrent limit",
        refusing(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        later="REQUEST_LIMIT_EXCEEDED",
        after_s=10,
    ),
    Fault("no right", refusing(403, "INSUFFICIENT_ACCESS"), later="INSUFFICIENT_ACCESS", after_s=300),
    Fault("no such object", refusing(404, "NOT_FOUND"), later="NOT_FOUND", after_s=300),
    Fault("bad field", refusing(400, "INVALID_FIELD"), refused="INVALID_FIELD", commands=(UPDATE,)),
    Fault(
        "bad client",
        lambda _: Reply(400, {"error": "invalid_client", "error_description": "invalid client credentials"}),
        later="no_token",
        after_s=300,
    ),
)

CASE = Case(
    vendor="salesforce",
    platform="crm",
    settings=SETTINGS,
    commands=COMMANDS,
    success=success,
    messages=MESSAGES,
    sign=sign,
    unknown=salesforce("cdc_other_entity", ignored=("entity:Case",)),
    faults=FAULTS,
    fetched=CONTACT,
    gone=gone,
)
