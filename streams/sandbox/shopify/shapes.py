"""Customers and orders as the storefront shows them: GraphQL objects, and webhook bodies since 2025-01."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.sandbox.clock import with_offset, zulu
from streams.sandbox.shopify.records import Consent, Customer, MailingAddress

SHOP_UTC_OFFSET_H = -5


def gid(kind: str, number: int) -> str:
    """A global id; a customer's address says what it belongs to, and that suffix is part of it."""
    suffix = "?model_name=CustomerAddress" if kind == "MailingAddress" else ""
    return f"gid://shopify/{kind}/{number}{suffix}"


def number_of(kind: str, text: Any) -> int | None:
    """The number in a global id of this kind; None for any other text."""
    number = str(text).removeprefix(f"gid://shopify/{kind}/").partition("?")[0]
    return int(number) if number.isdecimal() and number != str(text) else None


def shop_time(at_ms: int | None) -> str | None:
    return None if at_ms is None else with_offset(at_ms, SHOP_UTC_OFFSET_H)


def graphql_address(address: MailingAddress | None) -> dict[str, Any] | None:
    if address is None:
        return None
    return {
        "id": gid("MailingAddress", address.id),
        "firstName": address.first_name,
        "lastName": address.last_name,
        "name": address.name,
        "company": address.company,
        "address1": address.address1,
        "address2": address.address2,
        "city": address.city,
        "province": address.province,
        "provinceCode": address.province_code,
        "country": address.country,
        "countryCodeV2": address.country_code,
        "zip": address.zip,
        "phone": address.phone,
        "formattedArea": ", ".join(part for part in (address.city, address.province_code, address.country) if part),
    }


def connection(nodes: list[Any]) -> dict[str, Any]:
    """One page that holds everything."""
    return {
        "nodes": nodes,
        "edges": [{"cursor": str(place), "node": node} for place, node in enumerate(nodes)],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


def graphql_customer(customer: Customer) -> dict[str, Any]:
    addresses = [graphql_address(one) for one in customer.addresses]
    name = " ".join(part for part in (customer.first_name, customer.last_name) if part)
    return {
        "id": gid("Customer", customer.id),
        "legacyResourceId": str(customer.id),
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "displayName": name or customer.email or customer.phone or "",
        "email": customer.email,
        "phone": customer.phone,
        "createdAt": zulu(customer.created_at),
        "updatedAt": zulu(customer.updated_at),
        "state": "ENABLED",
        "locale": "en",
        "note": customer.note,
        "tags": customer.tags,
        "taxExempt": False,
        "verifiedEmail": True,
        "numberOfOrders": str(customer.orders),
        "addresses": addresses,
        "addressesV2": connection(addresses),
        "defaultAddress": graphql_address(customer.default_address),
        **_graphql_consents(customer),
    }


def _graphql_consents(customer: Customer) -> dict[str, Any]:
    email, sms = customer.email_consent, customer.sms_consent
    return {
        "emailMarketingConsent": _consent_state(email) if customer.email else None,
        "smsMarketingConsent": {**_consent_state(sms), "consentCollectedFrom": sms.collected_from}
        if customer.phone
        else None,
        "defaultEmailAddress": {"emailAddress": customer.email, **_marketing(email)} if customer.email else None,
        "defaultPhoneNumber": {
            "phoneNumber": customer.phone,
            "marketingCollectedFrom": sms.collected_from,
            **_marketing(sms),
        }
        if customer.phone
        else None,
    }


def _consent_state(consent: Consent) -> dict[str, Any]:
    return {
        "marketingState": consent.state.upper(),
        "marketingOptInLevel": (consent.opt_in_level or "unknown").upper(),
        "consentUpdatedAt": None if consent.updated_at is None else zulu(consent.updated_at),
    }


def _marketing(consent: Consent) -> dict[str, Any]:
    state = _consent_state(consent)
    return {
        "marketingState": state["marketingState"],
        "marketingOptInLevel": state["marketingOptInLevel"],
        "marketingUpdatedAt": state["consentUpdatedAt"],
    }


def webhook_customer(customer: Customer) -> dict[str, Any]:
    """customers/create and customers/update: no consent and no tags since 2025-01."""
    default = customer.default_address
    return {
        "id": customer.id,
        "created_at": shop_time(customer.created_at),
        "updated_at": shop_time(customer.updated_at),
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "state": "enabled",
        "note": customer.note,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": customer.email,
        "phone": customer.phone,
        "currency": "USD",
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", customer.id),
        "addresses": [webhook_address(one, customer) for one in customer.addresses],
        **({"default_address": webhook_address(default, customer)} if default else {}),
    }


def webhook_address(address: MailingAddress, customer: Customer) -> dict[str, Any]:
    return {
        "id": address.id,
        "customer_id": customer.id,
        **_postal(address),
        "country_name": address.country,
        "default": address.id == customer.default_address_id,
    }


def _postal(address: MailingAddress) -> dict[str, Any]:
    return {
        "first_name": address.first_name,
        "last_name": address.last_name,
        "name": address.name,
        "company": address.company,
        "address1": address.address1,
        "address2": address.address2 or "",
        "city": address.city,
        "province": address.province,
        "province_code": address.province_code,
        "country": address.country,
        "country_code": address.country_code,
        "zip": address.zip,
        "phone": address.phone,
    }


def webhook_email_consent(customer: Customer) -> dict[str, Any]:
    return {
        "customer_id": customer.id,
        "email_address": customer.email or "",
        "email_marketing_consent": _webhook_consent(customer.email_consent),
    }


def webhook_sms_consent(customer: Customer) -> dict[str, Any]:
    """customers_marketing_consent/update: SMS, despite its name."""
    consent = customer.sms_consent
    return {
        "id": customer.id,
        "phone": customer.phone,
        "sms_marketing_consent": {
            **_webhook_consent(consent),
            "consent_collected_from": consent.collected_from,
        },
    }


def _webhook_consent(consent: Consent) -> dict[str, Any]:
    return {
        "state": consent.state,
        "opt_in_level": consent.opt_in_level,
        "consent_updated_at": shop_time(consent.updated_at),
    }


def webhook_deleted(customer: Customer) -> dict[str, Any]:
    return {"id": customer.id, "admin_graphql_api_id": gid("Customer", customer.id)}


def webhook_merged(kept: int, deleted: int, status: str) -> dict[str, Any]:
    """customers/merge: one for each state of the job."""
    failed = {"customer_ids": [kept], "field": "merge_in_progress", "message": "Customer is currently being merged."}
    return {
        "admin_graphql_api_customer_kept_id": gid("Customer", kept),
        "admin_graphql_api_customer_deleted_id": gid("Customer", deleted),
        "admin_graphql_api_job_id": None if status == "failed" else gid("Job", kept),
        "status": status,
        "errors": [failed] if status == "failed" else [],
    }


def webhook_redacted(customer: Customer, shop: str) -> dict[str, Any]:
    return {
        "shop_id": 548_380_009,
        "shop_domain": shop,
        "customer": {"id": customer.id, "email": customer.email, "phone": customer.phone},
        "orders_to_redact": [],
    }


def webhook_order(
    number: int, at_ms: int, customer: Customer | None, addresses: Mapping[str, MailingAddress | None], given: Any
) -> dict[str, Any]:
    """orders/create: the order's own e-mail, phone and addresses need not be the customer's."""
    email = given.get("email", customer.email if customer else None)
    return {
        "id": number,
        "admin_graphql_api_id": gid("Order", number),
        "email": email or "",
        "contact_email": email,
        "phone": given.get("phone", customer.phone if customer else None),
        "buyer_accepts_marketing": bool(given.get("buyer_accepts_marketing", False)),
        "created_at": shop_time(at_ms),
        "updated_at": shop_time(at_ms),
        "processed_at": shop_time(at_ms),
        "cancelled_at": None,
        "test": False,
        "customer_locale": "en",
        "note_attributes": given.get("note_attributes", []),
        "source_name": "web",
        "order_number": 1000 + number % 1000,
        "name": f"#{1000 + number % 1000}",
        "customer": ordering_customer(customer) if customer else None,
        **{name: _postal(address) if address else None for name, address in addresses.items()},
    }


def ordering_customer(customer: Customer) -> dict[str, Any]:
    """The customer inside an order."""
    return {key: value for key, value in webhook_customer(customer).items() if key not in ("addresses",)} | {
        "email_marketing_consent": _webhook_consent(customer.email_consent),
        "sms_marketing_consent": webhook_sms_consent(customer)["sms_marketing_consent"],
    }
