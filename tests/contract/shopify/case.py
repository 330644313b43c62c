"""Shopify's case: a shop that knows one customer, with its answers in the Admin API's own shapes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from streams.model import Address, Assignment, Command, ConsentOrder, Millis
from tests.contract.case import NOW, Case, Fault, Message, Reply, Request, message

SETTINGS = {"ACCESS_TOKEN": "shpat_invented", "WEBHOOK_SECRET": "hush", "REPLAY_WINDOW_S": "100800"}
CUSTOMER = "gid://shopify/Customer/7001"
HOME = Address("77 Lakeview Ave", "Apt 5", "Chicago", "IL", "60601-1077", "US")


def headers(topic: str) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "x-shopify-topic": topic,
        "x-shopify-event-id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
        "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "x-shopify-shop-domain": "example.myshopify.com",
        "x-shopify-triggered-at": "2026-01-09T11:30:03.250Z",
    }


def shopify(name: str, topic: str, *records: str, ignored: tuple[str, ...] = ()) -> Message:
    return message("shopify", name, headers(topic), *records, ignored=ignored)


EMAIL, SMS = "customers_email_marketing_consent/update", "customers_marketing_consent/update"
MESSAGES = (
    shopify("customers_update", "customers/update", "706405506930370084"),
    shopify(
        "customers_create_old_version",
        "customers/create",
        "7002",
        ignored=("customers/create:accepts_marketing", "customers/create:email_marketing_consent"),
    ),
    shopify("customers_update_test_notification", "customers/update", ignored=("customers/update:empty",)),
    shopify("customers_delete", "customers/delete", "706405506930370084"),
    shopify("email_consent_subscribed", EMAIL, "7001"),
    shopify("email_consent_unsubscribed", EMAIL, "7001"),
    shopify("email_consent_reset", EMAIL, ignored=(f"{EMAIL}:not_subscribed",)),
    shopify("email_consent_test_notification", EMAIL, ignored=(f"{EMAIL}:empty",)),
    shopify("email_consent_without_address", EMAIL, "7001"),
    shopify("sms_consent_subscribed", SMS, "7001"),
    shopify("orders_create", "orders/create", "orders-706405506930370084"),
    shopify("orders_updated", "orders/updated", "orders-706405506930370084"),
    shopify("orders_create_guest", "orders/create", "order-450789002"),
    shopify("orders_create_nothing", "orders/create", ignored=("orders/create:no_address",)),
    shopify("orders_updated_linked", "orders/updated", "orders-7001"),
    shopify("customers_merge_completed", "customers/merge", "7002"),
    shopify("customers_merge_failed", "customers/merge", ignored=("customers/merge:failed",)),
    shopify("customers_redact", "customers/redact"),
)


def sign(given: Mapping[str, str], body: bytes, now: Millis) -> Mapping[str, str]:
    digest = hmac.new(b"hush", body, hashlib.sha256).digest()
    return {**given, "x-shopify-hmac-sha256": base64.b64encode(digest).decode()}


def command(op: str, record_id: str | None = "7001", **said: Any) -> Command:
    attributes = {
        name: Assignment(clear=True) if value is None else Assignment(value)
        for name, value in said.get("attributes", {}).items()
    }
    return Command(
        command_id=f"{op}-{record_id}-{'-'.join(attributes)}-{len(said.get('consents', ()))}",
        customer_id="C1",
        platform="storefront",
        record_id=record_id,
        golden_version=4,
        op=op,  # type: ignore[arg-type]
        reason="survivorship",
        caused_by="evt-1",
        issued_at=NOW - 5000,
        attributes=attributes,
        consents=said.get("consents", ()),
    )


def consent(decision: str, contact_point: str = "ines@example.com", channel: str = "email") -> ConsentOrder:
    return ConsentOrder(contact_point, channel, "marketing", decision, NOW - 60_000)  # type: ignore[arg-type]


OPT_OUT = command("update", consents=(consent("opt_out"), consent("opt_out", "+13125550142", "sms")))
COMMANDS = (
    command("update", attributes={"first_name": "Inès", "last_name": "Okafor", "email": "ines@example.com"}),
    command("update", attributes={"phone": None}),
    command("update", attributes={"shipping_address": HOME}),
    command("update", attributes={"shipping_address": None}),
    command("update", consents=(consent("opt_in"),)),
    OPT_OUT,
    command("create", None, attributes={"email": "ines@example.com", "shipping_address": HOME}),
    command("erase"),
    command("erase", "orders-7001"),
)


def row(**changed: Any) -> dict[str, Any]:
    """The customer as the Admin API shows it."""
    marketing = {
        "marketingState": "NOT_SUBSCRIBED",
        "marketingOptInLevel": None,
        "marketingUpdatedAt": "2026-01-09T11:00:00Z",
    }
    return {
        "id": CUSTOMER,
        "firstName": "Ines",
        "lastName": "Okafor",
        "updatedAt": "2026-01-09T11:30:00Z",
        "verifiedEmail": True,
        "defaultEmailAddress": {"emailAddress": "ines@example.com", **marketing},
        "defaultPhoneNumber": {"phoneNumber": "+13125550142", **marketing, "marketingCollectedFrom": "OTHER"},
        "defaultAddress": {
            "id": "gid://shopify/MailingAddress/8101?model_name=CustomerAddress",
            "firstName": "Ines",
            "lastName": "Okafor",
            "company": "Okafor & Co",
            "phone": "555-0142",
            "address1": "12 Harbor St",
            "address2": None,
            "city": "Chicago",
            "province": "Illinois",
            "provinceCode": "IL",
            "zip": "60601",
            "country": "United States",
            "countryCodeV2": "US",
        },
        **changed,
    }


def success(request: Request) -> Reply:
    asked = request.json()
    assert request.headers["x-shopify-access-token"] == SETTINGS["ACCESS_TOKEN"]
    return answer(asked["operationName"], payload(asked["operationName"], asked["variables"]))


def answer(operation: str, found: Any) -> Reply:
    cost = {"requestedQueryCost": 10, "throttleStatus": {"currentlyAvailable": 1990, "restoreRate": 100.0}}
    return Reply(200, {"data": {operation: found}, "extensions": {"cost": cost}})


def payload(operation: str, variables: Any) -> Any:
    match operation:
        case "customer" | "customerByIdentifier":
            return row()
        case "customerEmailMarketingConsentUpdate" | "customerSmsMarketingConsentUpdate":
            ((_, said),) = ((k, v) for k, v in variables["input"].items() if k != "customerId")
            contact = "defaultEmailAddress" if "Email" in operation else "defaultPhoneNumber"
            shown = {"marketingState": said["marketingState"]}
            return {"customer": {"id": CUSTOMER, contact: shown}, "userErrors": []}
        case "customerAddressCreate" | "customerAddressUpdate":
            return {"address": {"id": "gid://shopify/MailingAddress/8101"}, "userErrors": []}
        case "customerAddressDelete":
            return {"deletedAddressId": variables["addressId"], "userErrors": []}
        case "customerRequestDataErasure":
            return {"customerId": variables["customerId"], "userErrors": []}
        case _:
            return {"customer": {"id": CUSTOMER}, "userErrors": []}


def user_error(request: Request) -> Reply:
    """Every write is refused by its first field; reads go on."""
    operation = request.json()["operationName"]
    if operation in ("customer", "customerByIdentifier"):
        return success(request)
    wrong = [{"field": ["input", "phone"], "message": "Phone +13125550142 is already taken"}]
    return answer(operation, {"customer": None, "userErrors": wrong})


def nothing_written(request: Request) -> Reply:
    operation = request.json()["operationName"]
    if operation in ("customer", "customerByIdentifier"):
        return success(request)
    return answer(operation, {"customer": None, "address": None, "userErrors": []})


def throttled(_: Request) -> Reply:
    cost = {
        "requestedQueryCost": 110,
        "throttleStatus": {"maximumAvailable": 1000.0, "currentlyAvailable": 10, "restoreRate": 50.0},
    }
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return Reply(200, {"errors": [error], "extensions": {"cost": cost}})


def coded(code: str) -> Any:
    error = {"message": f"something about ines@example.com: {code}", "extensions": {"code": code}, "path": ["customer"]}
    return lambda _: Reply(200, {"errors": [error], "data": {"customer": None}})


FAULTS = (
    Fault("user errors in a 200", user_error, refused="user_error:input.phone"),
    Fault("a null payload in a 200", nothing_written, later="unreadable_answer"),
    Fault("throttled in a 200", throttled, later="throttled", after_s=2.0),
    Fault("no approval for customer data", coded("ACCESS_DENIED"), refused="access_denied"),
    Fault("an error inside Shopify", coded("INTERNAL_SERVER_ERROR"), later="internal_server_error"),
    Fault("a shop that is closed", coded("SHOP_INACTIVE"), later="shop_inactive"),
    Fault("a query that is too dear", coded("MAX_COST_EXCEEDED"), refused="max_cost_exceeded"),
    Fault("an error without a code", lambda _: Reply(200, {"errors": "something"}), refused="graphql_error"),
    Fault("a frozen shop", lambda _: Reply(402, b"Payment Required"), later="http_402"),
    Fault("a token without the scope", lambda _: Reply(403, b"Forbidden"), later="http_403"),
    Fault("a redirect", lambda _: Reply(302, b"", {"Location": "http://127.0.0.1:9"}), later="http_302"),
    Fault("a request it cannot parse", lambda _: Reply(400, b"Bad Request"), refused="http_400"),
)

CASE = Case(
    vendor="shopify",
    platform="storefront",
    settings=SETTINGS,
    commands=COMMANDS,
    success=success,
    messages=MESSAGES,
    sign=sign,
    unknown=Message("themes", headers("themes/publish"), b'{"id": 1}', ignored=("themes/publish",)),
    faults=FAULTS,
    fetched="7001",
    gone=lambda _: Reply(200, {"data": {"customer": None}}),
)
