"""The storefront behaves as the vendor's API does, down to its traps."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from streams.sandbox import BadEdit, Sandbox, UnknownRecord
from streams.sandbox.people import POPULATION
from tests.unit.sandbox.conftest import Caller, Gateway

PATH = "/admin/api/2026-07/graphql.json"
READ = """query read($id: ID!) { customer(id: $id) {
  id phone updatedAt
  defaultEmailAddress { emailAddress marketingState marketingUpdatedAt }
  defaultAddress { id address1 city province provinceCode country countryCodeV2 zip }
  addressesV2(first: 10) { nodes { id } } } }"""
UPDATE = """mutation update($input: CustomerInput!) { customerUpdate(input: $input) {
  customer { id phone email } userErrors { field message } } }"""
CONSENT = """mutation consent($input: CustomerEmailMarketingConsentUpdateInput!) {
  customerEmailMarketingConsentUpdate(input: $input) {
    customer { emailMarketingConsent { marketingState consentUpdatedAt } } userErrors { field message code } } }"""
ADD_ADDRESS = """mutation add($customerId: ID!, $address: MailingAddressInput!) {
  customerAddressCreate(customerId: $customerId, address: $address) { address { id } userErrors { field message } } }"""
CHANGE_ADDRESS = """mutation change($customerId: ID!, $addressId: ID!, $address: MailingAddressInput!) {
  customerAddressUpdate(customerId: $customerId, addressId: $addressId, address: $address, setAsDefault: true) {
    address { id province country } userErrors { field message } } }"""
DEFAULT = """mutation default($customerId: ID!, $addressId: ID!) {
  customerUpdateDefaultAddress(customerId: $customerId, addressId: $addressId) {
    customer { defaultAddress { id } } userErrors { field message } } }"""
DELETE = """mutation delete($input: CustomerDeleteInput!) {
  customerDelete(input: $input) { deletedCustomerId userErrors { field message } } }"""
ERASE = """mutation erase($customerId: ID!) {
  customerRequestDataErasure(customerId: $customerId) { customerId userErrors { field message code } } }"""


def gid(number: str) -> str:
    return f"gid://shopify/Customer/{number}"


async def run(storefront: Caller, query: str, **variables: Any) -> Any:
    status, body, _ = await storefront("POST", PATH, json={"query": query, "variables": variables})
    assert status == 200
    return body


async def decide(storefront: Caller, record: str, state: str, at: str | None = None) -> Any:
    consent = {"marketingState": state, **({"consentUpdatedAt": at} if at else {})}
    body = await run(storefront, CONSENT, input={"customerId": gid(record), "emailMarketingConsent": consent})
    return body["data"]["customerEmailMarketingConsentUpdate"]


async def test_a_wrong_token_is_refused_with_401(storefront: Caller, ann: dict[str, str]) -> None:
    headers = {"X-Shopify-Access-Token": "wrong"}
    status, body, _ = await storefront("POST", PATH, json={"query": READ}, headers=headers)

    assert status == 401
    assert "Invalid API key" in body["errors"]


async def test_a_read_tells_the_default_address_with_names_and_codes(storefront: Caller, ann: dict[str, str]) -> None:
    body = await run(storefront, READ, id=gid(ann["storefront"]))

    address = body["data"]["customer"]["defaultAddress"]
    assert (address["province"], address["provinceCode"]) == ("Illinois", "IL")
    assert (address["country"], address["countryCodeV2"]) == ("United States", "US")
    assert address["id"].endswith("?model_name=CustomerAddress")
    assert body["extensions"]["cost"]["throttleStatus"]["maximumAvailable"] == 2000


async def test_an_unknown_customer_is_read_as_null(storefront: Caller) -> None:
    assert (await run(storefront, READ, id=gid("1")))["data"] == {"customer": None}


async def test_an_id_beyond_2_to_the_53_stays_exact(sandbox: Sandbox, gateway: Gateway, storefront: Caller) -> None:
    number = "706405506930370084"
    sandbox.seed(POPULATION[0], "storefront", record_id=number, announce=True)
    await sandbox.settled()

    assert gateway.of("storefront")[0].json["id"] == int(number)
    assert (await run(storefront, READ, id=gid(number)))["data"]["customer"]["id"] == gid(number)


async def test_a_query_for_a_field_that_does_not_exist_is_an_error_in_a_200_answer(storefront: Caller) -> None:
    body = await run(storefront, "{ shop { favouriteColour } }")

    assert "favouriteColour" in body["errors"][0]["message"]
    assert "data" not in body


async def test_a_phone_is_stored_in_e164_whatever_its_notation(storefront: Caller, ann: dict[str, str]) -> None:
    body = await run(storefront, UPDATE, input={"id": gid(ann["storefront"]), "phone": "(312) 555-0177"})

    assert body["data"]["customerUpdate"]["customer"]["phone"] == "+13125550177"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"phone": "12"}, "Phone is invalid"),
        ({"email": "nobody"}, "Email is invalid"),
        ({"phone": "+14155550102"}, "Phone has already been taken"),
        ({"email": "ben@example.com"}, "Email has already been taken"),
        ({"firstName": "x" * 256}, "First name is too long (maximum is 255 characters)"),
    ],
)
async def test_what_is_refused_is_a_user_error_and_nothing_is_taken(
    sandbox: Sandbox, storefront: Caller, ann: dict[str, str], given: dict[str, Any], message: str
) -> None:
    before = sandbox.holds("storefront", ann["storefront"])
    body = await run(storefront, UPDATE, input={"id": gid(ann["storefront"]), "lastName": "Changed", **given})

    assert body["data"]["customerUpdate"]["customer"] is None
    assert [error["message"] for error in body["data"]["customerUpdate"]["userErrors"]] == [message]
    assert sandbox.holds("storefront", ann["storefront"]) == before


async def test_consent_cannot_be_written_with_the_customer(storefront: Caller, ann: dict[str, str]) -> None:
    given = {"id": gid(ann["storefront"]), "emailMarketingConsent": {"marketingState": "SUBSCRIBED"}}
    body = await run(storefront, UPDATE, input=given)

    assert body["data"]["customerUpdate"]["userErrors"][0]["field"] == ["emailMarketingConsent"]


async def test_our_own_update_comes_back_as_a_signed_webhook(
    sandbox: Sandbox, gateway: Gateway, storefront: Caller, ann: dict[str, str]
) -> None:
    await run(storefront, UPDATE, input={"id": gid(ann["storefront"]), "firstName": "Anna"})
    await sandbox.settled()

    (delivered,) = gateway.of("storefront")
    secret = sandbox.environment()["WRITEBACK_STOREFRONT_WEBHOOK_SECRET"]
    digest = hmac.new(secret.encode(), delivered.body, hashlib.sha256).digest()
    assert delivered.topic == "customers/update"
    assert delivered.headers["x-shopify-hmac-sha256"] == base64.b64encode(digest).decode()
    assert delivered.json["first_name"] == "Anna"
    assert delivered.json["updated_at"].endswith("-05:00")
    assert "email_marketing_consent" not in delivered.json


async def test_an_update_that_changes_nothing_is_announced_to_nobody(
    sandbox: Sandbox, gateway: Gateway, storefront: Caller, ann: dict[str, str]
) -> None:
    await run(storefront, UPDATE, input={"id": gid(ann["storefront"]), "firstName": "Ann"})
    await sandbox.settled()

    assert gateway.taken == []


async def test_a_second_create_makes_a_second_address(storefront: Caller, ann: dict[str, str]) -> None:
    address = {"address1": "77 Lakeview Ave", "city": "Chicago", "provinceCode": "IL", "countryCode": "US"}
    for _ in range(2):
        await run(storefront, ADD_ADDRESS, customerId=gid(ann["storefront"]), address=address)

    body = await run(storefront, READ, id=gid(ann["storefront"]))
    assert len(body["data"]["customer"]["addressesV2"]["nodes"]) == 3
    assert body["data"]["customer"]["defaultAddress"]["address1"] == "12 Harbor St"


async def test_an_address_is_updated_by_its_id_and_names_follow_the_codes(
    storefront: Caller, ann: dict[str, str]
) -> None:
    customer = (await run(storefront, READ, id=gid(ann["storefront"])))["data"]["customer"]
    named = {"customerId": customer["id"], "addressId": customer["defaultAddress"]["id"]}
    body = await run(storefront, CHANGE_ADDRESS, **named, address={"provinceCode": "CA", "zip": "94107"})

    assert body["data"]["customerAddressUpdate"]["address"]["province"] == "California"


@pytest.mark.parametrize("wrong", [{"countryCode": "Atlantis"}, {"provinceCode": "ZZ"}])
async def test_a_place_that_does_not_exist_is_a_user_error(
    storefront: Caller, ann: dict[str, str], wrong: dict[str, str]
) -> None:
    body = await run(storefront, ADD_ADDRESS, customerId=gid(ann["storefront"]), address={"countryCode": "US", **wrong})

    assert body["data"]["customerAddressCreate"]["address"] is None
    assert body["data"]["customerAddressCreate"]["userErrors"]


async def test_the_default_address_can_be_changed(storefront: Caller, ann: dict[str, str]) -> None:
    added = await run(
        storefront, ADD_ADDRESS, customerId=gid(ann["storefront"]), address={"city": "Boston", "countryCode": "US"}
    )
    new = added["data"]["customerAddressCreate"]["address"]["id"]
    body = await run(storefront, DEFAULT, customerId=gid(ann["storefront"]), addressId=new)

    assert body["data"]["customerUpdateDefaultAddress"]["customer"]["defaultAddress"]["id"] == new


async def test_a_repeated_opt_out_does_not_move_the_clock_so_an_older_opt_in_passes(
    storefront: Caller, ann: dict[str, str]
) -> None:
    await decide(storefront, ann["storefront"], "UNSUBSCRIBED", "2026-01-10T10:00:00Z")
    repeated = await decide(storefront, ann["storefront"], "UNSUBSCRIBED", "2026-01-10T12:00:00Z")
    late = await decide(storefront, ann["storefront"], "SUBSCRIBED", "2026-01-10T11:00:00Z")

    assert repeated["customer"]["emailMarketingConsent"]["consentUpdatedAt"] == "2026-01-10T10:00:00Z"
    assert late["customer"]["emailMarketingConsent"]["marketingState"] == "SUBSCRIBED"


async def test_a_decision_older_than_the_stored_one_changes_nothing(storefront: Caller, ann: dict[str, str]) -> None:
    await decide(storefront, ann["storefront"], "UNSUBSCRIBED", "2026-01-10T10:00:00Z")
    older = await decide(storefront, ann["storefront"], "SUBSCRIBED", "2026-01-10T09:00:00Z")

    assert older["userErrors"] == []
    assert older["customer"]["emailMarketingConsent"]["marketingState"] == "UNSUBSCRIBED"


@pytest.mark.parametrize("state", ["NOT_SUBSCRIBED", "REDACTED", "INVALID"])
async def test_states_that_are_read_only_cannot_be_written(storefront: Caller, ann: dict[str, str], state: str) -> None:
    assert "Cannot specify" in (await decide(storefront, ann["storefront"], state))["userErrors"][0]["message"]


async def test_a_consent_from_the_future_is_a_user_error(storefront: Caller, ann: dict[str, str]) -> None:
    answer = await decide(storefront, ann["storefront"], "UNSUBSCRIBED", "2999-01-01T00:00:00Z")

    assert "future" in answer["userErrors"][0]["message"]


async def test_an_unsubscribe_click_comes_under_the_topic_of_consent(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    sandbox.edit("storefront", "unsubscribe", record_id=ann["storefront"])
    await sandbox.settled()

    told = {one.topic: one for one in gateway.of("storefront")}
    assert set(told) == {"customers/update", "customers_email_marketing_consent/update"}
    assert len({one.headers["x-shopify-event-id"] for one in told.values()}) == 1
    consent = told["customers_email_marketing_consent/update"].json
    assert consent["email_marketing_consent"]["state"] == "unsubscribed"
    assert consent["email_address"] == "ann@example.com"


async def test_another_email_starts_without_consent(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.edit("storefront", "customer_edits", record_id=ann["storefront"], email="Ann.Archer@Example.com")
    await sandbox.settled()

    holding = sandbox.holds("storefront", ann["storefront"])
    assert holding.attributes["email"] == "ann.archer@example.com"
    assert holding.consents["email"] == "not_subscribed"
    assert "customers_email_marketing_consent/update" in gateway.topics()


async def test_a_text_message_consent_comes_under_the_topic_without_a_channel(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    sandbox.edit("storefront", "subscribe", record_id=ann["storefront"], channel="sms")
    await sandbox.settled()

    told = next(one for one in gateway.of("storefront") if one.topic == "customers_marketing_consent/update")
    assert told.json["phone"] == "+13125550101"
    assert told.json["sms_marketing_consent"]["state"] == "subscribed"


async def test_a_checkout_is_an_order_and_leaves_the_default_address_alone(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    before = sandbox.holds("storefront", ann["storefront"])
    address = {"line1": "77 lakeview avenue", "line2": "apt 5", "city": "chicago", "region": "IL", "country": "US"}
    sandbox.edit("storefront", "checkout", record_id=ann["storefront"], shipping_address=address)
    await sandbox.settled()

    (order,) = gateway.of("storefront")
    assert order.topic == "orders/create"
    assert order.json["shipping_address"]["address1"] == "77 lakeview avenue"
    assert order.json["shipping_address"]["province"] == "Illinois"
    assert order.json["billing_address"] is None
    assert order.json["customer"]["id"] == int(ann["storefront"])
    assert sandbox.holds("storefront", ann["storefront"]).attributes == before.attributes


async def test_a_guest_orders_without_a_customer(sandbox: Sandbox, gateway: Gateway) -> None:
    sandbox.edit("storefront", "checkout", email="guest@example.com")
    await sandbox.settled()

    assert gateway.of("storefront")[0].json["customer"] is None


async def test_a_customer_with_orders_cannot_be_deleted_but_erased(
    sandbox: Sandbox, gateway: Gateway, storefront: Caller, ann: dict[str, str]
) -> None:
    sandbox.edit("storefront", "checkout", record_id=ann["storefront"])
    deleted = await run(storefront, DELETE, input={"id": gid(ann["storefront"])})
    erased = await run(storefront, ERASE, customerId=gid(ann["storefront"]))
    await sandbox.settled()

    assert "associated orders" in deleted["data"]["customerDelete"]["userErrors"][0]["message"]
    assert erased["data"]["customerRequestDataErasure"]["userErrors"] == []
    assert gateway.topics() == ["orders/create", "customers/redact"]
    with pytest.raises(UnknownRecord):
        sandbox.holds("storefront", ann["storefront"])


async def test_a_customer_without_orders_can_be_deleted(
    sandbox: Sandbox, gateway: Gateway, storefront: Caller, ann: dict[str, str]
) -> None:
    body = await run(storefront, DELETE, input={"id": gid(ann["storefront"])})
    await sandbox.settled()

    assert body["data"]["customerDelete"]["deletedCustomerId"] == gid(ann["storefront"])
    assert gateway.topics() == ["customers/delete"]


async def test_without_approval_customer_fields_are_denied_in_a_200_answer(
    sandbox: Sandbox, storefront: Caller, ann: dict[str, str]
) -> None:
    sandbox.configure("storefront", protected_data_approved=False)
    body = await run(storefront, READ, id=gid(ann["storefront"]))

    assert body["data"] == {"customer": None}
    assert body["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


async def test_an_empty_bucket_throttles_in_a_200_answer(sandbox: Sandbox, storefront: Caller) -> None:
    bucket = sandbox.simulators["storefront"].api.bucket  # type: ignore[attr-defined]
    bucket.take(bucket.points_max)
    body = await run(storefront, UPDATE, input={"id": gid("1")})

    assert body["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert body["extensions"]["cost"]["requestedQueryCost"] == 10
    assert body["extensions"]["cost"]["actualQueryCost"] is None


async def test_a_throttle_fault_speaks_as_the_vendor_does(sandbox: Sandbox, storefront: Caller) -> None:
    sandbox.fault("storefront", throttle_next=1)
    throttled = await run(storefront, "{ shop { name } }")

    cost = throttled["extensions"]["cost"]
    assert throttled["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert cost["throttleStatus"]["currentlyAvailable"] < cost["requestedQueryCost"]
    assert (await run(storefront, "{ shop { name } }"))["data"] == {"shop": {"name": "Sandbox"}}


async def test_the_account_page_has_no_other_fields(sandbox: Sandbox, ann: dict[str, str]) -> None:
    with pytest.raises(BadEdit, match="shoe_size"):
        sandbox.edit("storefront", "customer_edits", record_id=ann["storefront"], shoe_size="42")
