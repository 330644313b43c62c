"""The async side: commands as Admin GraphQL requests, each safe to repeat.

Shopify has no idempotency key. Everything written here is idempotent by nature but the creation of an address or a
customer, and those read first: what a request that timed out has created is found and taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.http import Http, Limits
from streams.connectors.shopify.body import digits_of
from streams.connectors.shopify.consent import PURPOSE
from streams.connectors.shopify.graphql import Gone, Payload, call
from streams.connectors.shopify.records import customer_of, is_row
from streams.connectors.shopify.rows import Contact, Mailing, Row, restated
from streams.core import canonical
from streams.model import Address, Assignment, Change, Command, ConsentOrder, Invalid, Retry, format_time

API_VERSION: Final = "2026-07"
_FIELDS = {"first_name": "firstName", "last_name": "lastName", "email": "email", "phone": "phone"}
_ATTRIBUTES = frozenset({*_FIELDS, "shipping_address"})
T = TypeVar("T")


class Stopped(Exception):
    """A command that can go no further, with its answer."""

    def __init__(self, answer: Later | Refused) -> None:
        super().__init__(answer)
        self.answer = answer


class ShopifyClient:
    """One shop. Commands are delivered one after the other."""

    def __init__(self, platform: str, settings: Mapping[str, str]) -> None:
        self._platform = platform
        self._path = f"/admin/api/{settings.get('API_VERSION', API_VERSION)}/graphql.json"
        token = settings["ACCESS_TOKEN"]
        self._http = Http(settings["BASE_URL"], {"X-Shopify-Access-Token": token}, Limits.of(settings))

    async def open(self) -> None:
        """Open the session."""
        await self._http.open()

    async def close(self) -> None:
        """Close the session."""
        await self._http.close()

    async def deliver(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """One answer for each command, in order."""
        return [await self._answer(command) for command in commands]

    async def fetch(self, record_id: str) -> Change | None:
        """A customer's row; None where it is gone.

        Raises Retry where the shop cannot answer now, Invalid where it never will: an order has no view of its own.
        """
        if not is_row(record_id):
            raise Invalid("no_view", "only a customer's row can be read")
        try:
            payload = await self._call("customer", {"id": _gid(record_id)})
        except Stopped as stopped:
            if isinstance(stopped.answer, Later):
                raise Retry(stopped.answer.reason, stopped.answer.after_s) from None
            raise Invalid("fetch_refused", stopped.answer.detail) from None
        if isinstance(payload, Gone):
            return None
        try:
            return restated(self._platform, record_id, msgspec.convert(payload, Row), payload)
        except msgspec.ValidationError:
            raise Retry("unreadable_answer") from None

    async def _answer(self, command: Command) -> Answer:
        try:
            return await self._carry_out(command)
        except Stopped as stopped:
            return stopped.answer

    async def _carry_out(self, command: Command) -> Answer:
        unknown = sorted(set(command.attributes) - _ATTRIBUTES)
        if unknown:
            return Refused(f"attribute_not_supported:{unknown[0]}")
        if command.op == "create":
            return await self._create(command)
        customer = customer_of(command.record_id or "")
        if customer is None:
            return Refused("no_customer")
        if command.op == "erase":
            return await self._erase(customer)
        if command.op != "update":
            return Refused("op_not_supported")
        if not is_row(command.record_id or ""):
            return Refused("order_record")  # an order is history: nothing in it is rewritten
        await self._update(customer, command)
        return Applied()

    async def _create(self, command: Command) -> Answer:
        """A new customer, or the one that is there already, such as one whose creation was not answered."""
        found = await self._find(command.attributes)
        if found is None:
            created = await self._write("customerCreate", {"input": _input(command.attributes)})
            found = _digits(created["customer"])
            command = msgspec.structs.replace(
                command, attributes={k: v for k, v in command.attributes.items() if k not in _FIELDS}
            )
        await self._update(found, command)
        return Applied(record_id=found)

    async def _find(self, attributes: Mapping[str, Assignment]) -> str | None:
        """By the e-mail, and by the phone only where there is none: two people may share a phone."""
        for attribute, word in (("email", "emailAddress"), ("phone", "phoneNumber")):
            wanted = attributes.get(attribute)
            if wanted is not None and wanted.value:
                payload = await self._call("customerByIdentifier", {"identifier": {word: wanted.value}})
                return None if isinstance(payload, Gone) else _digits(payload)
        return None

    async def _erase(self, customer: str) -> Answer:
        """Asks Shopify to erase, and not to delete: a customer with orders cannot be deleted, but can be erased.

        Shopify erases in its own time (it keeps what a pending chargeback needs) and tells apps by customers/redact.
        """
        try:
            await self._write("customerRequestDataErasure", {"customerId": _gid(customer)})
        except Stopped as stopped:
            if isinstance(stopped.answer, Refused) and stopped.answer.detail.endswith(":DOES_NOT_EXIST"):
                return Applied(detail="not_there")
            raise
        return Applied()

    async def _update(self, customer: str, command: Command) -> None:
        """Consent first, opt-outs before opt-ins; what one consent is refused does not hold up the others."""
        stopped: list[Stopped] = []
        for order in sorted(command.consents, key=lambda order: order.decision != "opt_out"):
            try:
                await self._consent(customer, order)
            except Stopped as one:
                stopped.append(one)
        if stopped:
            raise next((one for one in stopped if isinstance(one.answer, Later)), stopped[0])
        if fields := _input(command.attributes):
            await self._write("customerUpdate", {"input": {"id": _gid(customer), **fields}})
        if (address := command.attributes.get("shipping_address")) is not None:
            await self._address(customer, address)

    async def _address(self, customer: str, wanted: Assignment) -> None:
        """The default address: read first, because a second create would make a second address."""
        stored = (await self._row(customer)).default_address
        if not isinstance(wanted.value, Address):
            if stored is not None:
                await self._write("customerAddressDelete", {"customerId": _gid(customer), "addressId": stored.id})
            return
        if stored is not None and _same(stored.address, wanted.value):
            return
        variables = {"customerId": _gid(customer), "address": _mailing(wanted.value, stored), "setAsDefault": True}
        if stored is None:
            await self._write("customerAddressCreate", variables)
        else:
            await self._write("customerAddressUpdate", {**variables, "addressId": stored.id})

    async def _consent(self, customer: str, order: ConsentOrder) -> None:
        if order.channel not in _CONSENT or order.purpose != PURPOSE:
            raise Stopped(Refused("consent_not_supported"))
        held = (await self._row(customer)).contact(order.channel)
        opt_out = order.decision == "opt_out"
        if held is None or not _same_contact(order.channel, held.value, order.contact_point):
            if opt_out:
                return  # nothing can be sent to an address that is not there
            raise Stopped(Refused("contact_point_not_held"))
        wanted = _WANTED[order.decision]
        if held.marketing_state == wanted:
            return
        if not (opt_out or order.explicit) and held.marketing_state == _WANTED["opt_out"]:
            raise Stopped(Refused("opt_in_not_explicit"))  # it would lift an opt-out that we were never told of
        at = min(order.decided_at, self._http.clock())
        if await self._decide(customer, order.channel, wanted, format_time(at)) == wanted:
            return
        # Shopify keeps the later decision. An opt-out that is in force holds all the same: it is given as of now.
        if not opt_out or await self._decide(customer, order.channel, wanted, None) != wanted:
            raise Stopped(Refused("consent_not_taken"))

    async def _decide(self, customer: str, channel: str, state: str, at: str | None) -> str | None:
        """Send one decision; the state that the platform holds afterwards."""
        operation, word, contact_word = _CONSENT[channel]
        decision: dict[str, Any] = {"marketingState": state}
        if state == "SUBSCRIBED":
            decision["marketingOptInLevel"] = "UNKNOWN"  # so that its echo does not look like the customer's own act
        if at is not None:
            decision["consentUpdatedAt"] = at
        payload = await self._write(operation, {"input": {"customerId": _gid(customer), word: decision}})
        shown = _converted(payload["customer"], dict[str, Any])
        return _converted(shown.get(contact_word), Contact).marketing_state

    async def _row(self, customer: str) -> Row:
        payload = await self._call("customer", {"id": _gid(customer)})
        if isinstance(payload, Gone):
            raise Stopped(Refused("no_customer"))
        return _converted(payload, Row)

    async def _write(self, operation: str, variables: Mapping[str, Any]) -> Payload:
        payload = await self._call(operation, variables)
        return {} if isinstance(payload, Gone) else payload

    async def _call(self, operation: str, variables: Mapping[str, Any]) -> Payload | Gone:
        outcome = await call(self._http, self._path, operation, variables)
        if isinstance(outcome, Later | Refused):
            raise Stopped(outcome)
        return outcome


# By channel: the mutation, its input's word, and where its answer shows the state.
_CONSENT: Final = {
    "email": ("customerEmailMarketingConsentUpdate", "emailMarketingConsent", "defaultEmailAddress"),
    "sms": ("customerSmsMarketingConsentUpdate", "smsMarketingConsent", "defaultPhoneNumber"),
}
_WANTED: Final = {"opt_in": "SUBSCRIBED", "opt_out": "UNSUBSCRIBED"}


def _gid(customer: str) -> str:
    return f"gid://shopify/Customer/{customer}"


def _digits(payload: Any) -> str:
    try:
        return digits_of(str(payload.get("id")) if isinstance(payload, dict) else "", "Customer")
    except Invalid:
        raise Stopped(Later("unreadable_answer", whole_platform=False)) from None


def _converted(payload: Any, shape: type[T]) -> T:
    try:
        return msgspec.convert(payload, shape)
    except msgspec.ValidationError:
        raise Stopped(Later("unreadable_answer", whole_platform=False)) from None


def _input(attributes: Mapping[str, Assignment]) -> dict[str, Any]:
    """The plain attributes as `CustomerInput`; null empties a field."""
    return {_FIELDS[name]: given.value for name, given in attributes.items() if name in _FIELDS}


def _mailing(wanted: Address, stored: Mailing | None) -> dict[str, Any]:
    """The address as `MailingAddressInput`; whose it is stays as it was, since an update may replace it whole."""
    country = canonical.country(wanted.country)
    if len(country) != 2:
        raise Stopped(Refused("country_unknown"))
    whose = {} if stored is None else {word: getattr(stored, ours) for word, ours in _WHOSE.items()}
    return {
        **whose,
        "address1": wanted.line1 or None,
        "address2": wanted.line2 or None,
        "city": wanted.city or None,
        "provinceCode": canonical.region(wanted.region, country) or None,
        "zip": wanted.postal_code or None,
        "countryCode": country,
    }


_WHOSE = {"firstName": "first_name", "lastName": "last_name", "company": "company", "phone": "phone"}


def _same(stored: Address, wanted: Address) -> bool:
    return canonical.address(stored) == canonical.address(wanted)


def _same_contact(channel: str, stored: str, wanted: str) -> bool:
    if channel == "email":
        return canonical.email(stored) == canonical.email(wanted)
    return _plain_number(stored) == _plain_number(wanted)


def _plain_number(phone: str) -> str:
    return "".join(character for character in phone if character.isdigit())
