"""Shopify's Admin GraphQL: the operations that we send, and what their answers mean.

HTTP 200 is not success. In this order: top-level `errors` (throttled, denied), a null payload, `userErrors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from streams.connectors.base import Later, Refused
from streams.connectors.http import Http, Reply

Payload: TypeAlias = dict[str, Any]

CUSTOMER: Final = """
id firstName lastName updatedAt verifiedEmail
defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }
defaultPhoneNumber { phoneNumber marketingState marketingOptInLevel marketingUpdatedAt marketingCollectedFrom }
defaultAddress {
  id firstName lastName company phone address1 address2 city province provinceCode zip country countryCodeV2
}
"""
_ERRORS = "userErrors { field message }"
_CODED = "userErrors { code field message }"

# Each name is that of its one root field.
OPERATIONS: Final[Mapping[str, str]] = {
    "customer": f"query customer($id: ID!) {{ customer(id: $id) {{ {CUSTOMER} }} }}",
    "customerByIdentifier": (
        "query customerByIdentifier($identifier: CustomerIdentifierInput!)"
        " { customerByIdentifier(identifier: $identifier) { id } }"
    ),
    "customerCreate": (
        "mutation customerCreate($input: CustomerInput!)"
        f" {{ customerCreate(input: $input) {{ customer {{ id }} {_ERRORS} }} }}"
    ),
    "customerUpdate": (
        "mutation customerUpdate($input: CustomerInput!)"
        f" {{ customerUpdate(input: $input) {{ customer {{ id }} {_ERRORS} }} }}"
    ),
    "customerAddressCreate": (
        "mutation customerAddressCreate($customerId: ID!, $address: MailingAddressInput!, $setAsDefault: Boolean)"
        " { customerAddressCreate(customerId: $customerId, address: $address, setAsDefault: $setAsDefault)"
        f" {{ address {{ id }} {_ERRORS} }} }}"
    ),
    "customerAddressUpdate": (
        "mutation customerAddressUpdate("
        "$customerId: ID!, $addressId: ID!, $address: MailingAddressInput!, $setAsDefault: Boolean)"
        " { customerAddressUpdate("
        "customerId: $customerId, addressId: $addressId, address: $address, setAsDefault: $setAsDefault)"
        f" {{ address {{ id }} {_ERRORS} }} }}"
    ),
    "customerAddressDelete": (
        "mutation customerAddressDelete($customerId: ID!, $addressId: ID!)"
        " { customerAddressDelete(customerId: $customerId, addressId: $addressId)"
        f" {{ deletedAddressId {_ERRORS} }} }}"
    ),
    "customerEmailMarketingConsentUpdate": (
        "mutation customerEmailMarketingConsentUpdate($input: CustomerEmailMarketingConsentUpdateInput!)"
        " { customerEmailMarketingConsentUpdate(input: $input)"
        f" {{ customer {{ id defaultEmailAddress {{ marketingState }} }} {_CODED} }} }}"
    ),
    "customerSmsMarketingConsentUpdate": (
        "mutation customerSmsMarketingConsentUpdate($input: CustomerSmsMarketingConsentUpdateInput!)"
        " { customerSmsMarketingConsentUpdate(input: $input)"
        f" {{ customer {{ id defaultPhoneNumber {{ marketingState }} }} {_CODED} }} }}"
    ),
    "customerRequestDataErasure": (
        "mutation customerRequestDataErasure($customerId: ID!)"
        f" {{ customerRequestDataErasure(customerId: $customerId) {{ customerId {_CODED} }} }}"
    ),
}


# What a mutation that was carried out names in its payload.
_WRITTEN: Final[Mapping[str, str]] = {
    "customerCreate": "customer",
    "customerUpdate": "customer",
    "customerAddressCreate": "address",
    "customerAddressUpdate": "address",
    "customerAddressDelete": "deletedAddressId",
    "customerEmailMarketingConsentUpdate": "customer",
    "customerSmsMarketingConsentUpdate": "customer",
    "customerRequestDataErasure": "customerId",
}


class Gone(msgspec.Struct, frozen=True):
    """The platform has no such customer."""


Outcome: TypeAlias = Payload | Gone | Later | Refused


async def call(http: Http, path: str, operation: str, variables: Mapping[str, Any]) -> Outcome:
    """Send one operation; its root field's payload, or why there is none."""
    query = {"query": OPERATIONS[operation], "operationName": operation, "variables": variables}
    reply = await http.request("POST", path, json=query)
    if isinstance(reply, Later):
        return reply
    if not reply.ok:
        return _by_status(reply.status)
    return _meaning(reply, operation)


# Not about this command: a shop frozen (402) or locked (423), a token without a scope (403), a wrong URL (404).
_WHOLE_PLATFORM = frozenset({402, 403, 404, 423})


def _by_status(status: int) -> Later | Refused:
    if status in _WHOLE_PLATFORM or status < 400:
        return Later(f"http_{status}")
    return Refused(f"http_{status}")


def _meaning(reply: Reply, operation: str) -> Outcome:
    answer = reply.object()
    if isinstance(answer, Later):
        return answer
    if answer.get("errors"):
        return _refusal(answer["errors"], answer)
    found = answer.get("data")
    if not isinstance(found, dict) or operation not in found:
        return _UNREADABLE
    payload = found[operation]
    if payload is None and operation not in _WRITTEN:
        return Gone()
    if not isinstance(payload, dict):
        return _UNREADABLE
    if wrong := payload.get("userErrors"):
        return Refused(f"user_error:{_place(wrong)}")
    # No error and nothing written: Shopify does that when it gave up half-way.
    return payload if operation not in _WRITTEN or payload.get(_WRITTEN[operation]) else _UNREADABLE


_UNREADABLE = Later("unreadable_answer", whole_platform=False)
_PLAIN = re.compile(r"[A-Za-z0-9_]{1,60}")


def _place(errors: Any) -> str:
    """Field and code of the first user error: its message may repeat a value, and is left alone."""
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    field, code = first.get("field"), first.get("code")
    steps = [step for step in (field if isinstance(field, list) else []) if _plain(step)]
    place = ".".join(steps) or "unnamed"
    return f"{place}:{code}" if _plain(code) else place


def _plain(word: Any) -> bool:
    return isinstance(word, str) and _PLAIN.fullmatch(word) is not None


def _refusal(errors: Any, answer: Payload) -> Later | Refused:
    code = _code(errors)
    if code == "THROTTLED":
        return Later("throttled", _throttled_s(answer))
    if code in _LATER_CODES:
        return Later(code.lower(), whole_platform=_LATER_CODES[code])
    return Refused(code.lower() if code else "graphql_error")


# Whether anything else would pass meanwhile.
_LATER_CODES = {"SHOP_INACTIVE": True, "UNAUTHENTICATED": True, "INTERNAL_SERVER_ERROR": False, "TIMEOUT": False}


def _code(errors: Any) -> str | None:
    """The worst code among the errors: one throttled field means the whole request was not done."""
    codes = []
    for error in errors if isinstance(errors, list) else []:
        extensions = error.get("extensions") if isinstance(error, dict) else None
        code = extensions.get("code") if isinstance(extensions, dict) else None
        if _plain(code):
            codes.append(code)
    return min(codes, key=lambda code: (code != "THROTTLED", code not in _LATER_CODES), default=None)


class _Throttle(msgspec.Struct):
    currentlyAvailable: float  # noqa: N815 (Shopify's word)
    restoreRate: float  # noqa: N815 (Shopify's word)


class _Cost(msgspec.Struct):
    requestedQueryCost: float  # noqa: N815 (Shopify's word)
    throttleStatus: _Throttle  # noqa: N815 (Shopify's word)


def _throttled_s(answer: Payload) -> float | None:
    """Seconds until the bucket holds what the request costs; None where the answer does not say."""
    extensions = answer.get("extensions")
    cost = extensions.get("cost") if isinstance(extensions, dict) else None
    try:
        stated = msgspec.convert(cost, _Cost)
    except msgspec.ValidationError:
        return None
    throttle = stated.throttleStatus
    if throttle.restoreRate <= 0:
        return None
    return max(0.0, (stated.requestedQueryCost - throttle.currentlyAvailable) / throttle.restoreRate)
