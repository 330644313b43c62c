"""The shop's customers, and what becomes of each mutation. Every change that took is announced by webhook."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from streams.sandbox.clock import Clock, millis
from streams.sandbox.shopify.records import (
    Consent,
    Customer,
    MailingAddress,
    UserError,
    write_address,
    write_email,
    write_name,
    write_phone,
)

UPDATED = "customers/update"
EMAIL_CONSENT = "customers_email_marketing_consent/update"
SMS_CONSENT = "customers_marketing_consent/update"
CREATED = "customers/create"
DELETED = "customers/delete"
REDACTED = "customers/redact"
MERGED = "customers/merge"
ORDERED = "orders/create"
ORDER_UPDATED = "orders/updated"

Announce: TypeAlias = Callable[[Customer, list[str]], None]
Outcome: TypeAlias = tuple[Customer | None, list[UserError]]

NO_CUSTOMER = UserError(["id"], "Customer does not exist")


class Store:
    """All customers by id. `announce` is called with the topics of one merchant action."""

    def __init__(self, clock: Clock, announce: Announce) -> None:
        self.clock = clock
        self.customers: dict[int, Customer] = {}
        self._announce = announce
        self._last_id = 7_310_450_286_000

    def next_id(self) -> int:
        self._last_id += 32_768
        return self._last_id

    def clear(self) -> None:
        self.customers.clear()

    def find(self, **wanted: str | None) -> Customer | None:
        """The customer with this `email` or `phone`."""
        for customer in self.customers.values():
            if any(value and getattr(customer, name) == value for name, value in wanted.items()):
                return customer
        return None

    def create(self, given: Mapping[str, Any]) -> Outcome:
        """customerCreate: consents may come along."""
        now = self.clock()
        customer = Customer(self.next_id(), now, now)
        if errors := self._write(customer, given):
            return None, errors
        for channel in ("email", "sms"):
            if consent := given.get(f"{channel}MarketingConsent"):
                self._decide(customer, channel, consent)
        self.customers[customer.id] = customer
        self._announce(customer, [CREATED, *_consent_topics(customer)])
        return customer, []

    def update(self, customer_id: int | None, given: Mapping[str, Any]) -> Outcome:
        """customerUpdate: what is not given stays, null empties; nothing is taken where anything is refused."""
        customer = self.customers.get(customer_id or 0)
        if customer is None:
            return None, [NO_CUSTOMER]
        for channel in ("email", "sms"):
            if f"{channel}MarketingConsent" in given:
                message = f"To update {channel}MarketingConsent, please use the {channel} consent mutation instead"
                return None, [UserError([f"{channel}MarketingConsent"], message)]
        draft = copy.deepcopy(customer)
        if errors := self._write(draft, given):
            return None, errors
        return self._accept(draft), []

    def write_address(
        self, customer_id: int | None, address_id: int | None, given: Mapping[str, Any], as_default: bool | None
    ) -> tuple[MailingAddress | None, list[UserError]]:
        """customerAddressCreate (no id) and customerAddressUpdate."""
        customer = self.customers.get(customer_id or 0)
        if customer is None:
            return None, [UserError(["customerId"], "Customer does not exist")]
        draft = copy.deepcopy(customer)
        address = draft.address(address_id)
        if address_id is None:
            address = MailingAddress(self.next_id(), draft.first_name, draft.last_name)
            draft.addresses.append(address)
        if address is None:
            return None, [UserError(["addressId"], "Address does not exist")]
        if errors := write_address(address, given):
            return None, errors
        if as_default or draft.default_address is None:
            draft.default_address_id = address.id
        return self._accept(draft).address(address.id), []

    def delete_address(self, customer_id: int | None, address_id: int | None) -> list[UserError]:
        """customerAddressDelete: the default goes to the oldest that is left."""
        customer = self.customers.get(customer_id or 0)
        if customer is None or customer.address(address_id) is None:
            return [UserError(["addressId"], "Address does not exist")]
        draft = copy.deepcopy(customer)
        draft.addresses = [one for one in draft.addresses if one.id != address_id]
        if draft.default_address is None:
            draft.default_address_id = draft.addresses[0].id if draft.addresses else None
        self._accept(draft)
        return []

    def set_default(self, customer_id: int | None, address_id: int | None) -> Outcome:
        """customerUpdateDefaultAddress."""
        customer = self.customers.get(customer_id or 0)
        if customer is None:
            return None, [UserError(["customerId"], "Customer does not exist")]
        if customer.address(address_id) is None:
            return None, [UserError(["addressId"], "Address does not exist")]
        draft = copy.deepcopy(customer)
        draft.default_address_id = address_id
        return self._accept(draft), []

    def consent(self, customer_id: int | None, channel: str, given: Mapping[str, Any]) -> Outcome:
        """customerEmailMarketingConsentUpdate and customerSmsMarketingConsentUpdate; `channel` is email or sms."""
        customer = self.customers.get(customer_id or 0)
        if customer is None:
            return None, [UserError(["input", "customerId"], "Customer not found", "INVALID")]
        if error := _bad_consent(customer, channel, given, self.clock()):
            return None, [error]
        if self._decide(customer, channel, given):
            customer.updated_at = self.clock()
            self._announce(customer, [UPDATED, EMAIL_CONSENT if channel == "email" else SMS_CONSENT])
        return customer, []

    def delete(self, customer_id: int | None) -> list[UserError]:
        """customerDelete: refused once there are orders."""
        customer = self.customers.get(customer_id or 0)
        if customer is None:
            return [UserError(["id"], "Customer can't be found")]
        if customer.orders:
            return [UserError(["id"], "Customer can't be deleted because they have associated orders")]
        del self.customers[customer.id]
        self._announce(customer, [DELETED])
        return []

    def merge(self, kept: Customer, other: Customer) -> None:
        """customerMerge, when its job is done: the other is gone, its orders and what the kept one lacks move over."""
        del self.customers[other.id]
        draft = copy.deepcopy(kept)
        for name in ("first_name", "last_name", "email", "phone"):
            setattr(draft, name, getattr(kept, name) or getattr(other, name))
        draft.addresses += copy.deepcopy(other.addresses)
        draft.default_address_id = kept.default_address_id or other.default_address_id
        draft.orders += other.orders
        self._accept(draft)

    def redact(self, customer_id: int) -> None:
        """The erasure that was requested happens: the customer is gone, and the apps are told to redact too."""
        customer = self.customers.pop(customer_id, None)
        if customer is not None:
            self._announce(customer, [REDACTED])

    def _write(self, draft: Customer, given: Mapping[str, Any]) -> list[UserError]:
        errors = [
            write_name(draft, "first_name", given["firstName"]) if "firstName" in given else None,
            write_name(draft, "last_name", given["lastName"]) if "lastName" in given else None,
            write_email(draft, given["email"]) if "email" in given else None,
            write_phone(draft, given["phone"]) if "phone" in given else None,
            *self._taken(draft),
            *self._replace_addresses(draft, given.get("addresses")),
        ]
        draft.note = given.get("note", draft.note)
        draft.tags = list(given.get("tags", draft.tags))
        if draft.is_nobody:
            errors.append(UserError(None, "Customer must have a name, phone number or email address"))
        return [error for error in errors if error is not None]

    def _taken(self, draft: Customer) -> list[UserError]:
        errors = []
        for name in ("email", "phone"):
            other = self.find(**{name: getattr(draft, name)})
            if other is not None and other.id != draft.id:
                errors.append(UserError([name], f"{name.capitalize()} has already been taken"))
        return errors

    def _replace_addresses(self, draft: Customer, given: list[Mapping[str, Any]] | None) -> list[UserError]:
        """`addresses` in a customer's input replaces the whole list."""
        if given is None:
            return []
        draft.addresses, errors = [], []
        for one in given:
            address = MailingAddress(self.next_id(), draft.first_name, draft.last_name)
            errors += write_address(address, one)
            draft.addresses.append(address)
        draft.default_address_id = draft.addresses[0].id if draft.addresses else None
        return errors

    def _accept(self, draft: Customer) -> Customer:
        """Store the draft; an update that changes nothing is answered as done and announced to nobody."""
        stored = self.customers[draft.id]
        if draft == stored:
            return stored
        draft.updated_at = self.clock()
        self.customers[draft.id] = draft
        reset = [EMAIL_CONSENT] if draft.email_consent != stored.email_consent else []
        self._announce(draft, [UPDATED, *reset])
        return draft

    def _decide(self, customer: Customer, channel: str, given: Mapping[str, Any]) -> bool:
        stated = given.get("consentUpdatedAt")
        at = millis(stated) if stated else self.clock()
        level = given.get("marketingOptInLevel")
        consent: Consent = getattr(customer, f"{channel}_consent")
        return consent.decide(given["marketingState"].lower(), level.lower() if level else None, at)


def _consent_topics(customer: Customer) -> list[str]:
    topics = [(customer.email_consent, EMAIL_CONSENT), (customer.sms_consent, SMS_CONSENT)]
    return [topic for consent, topic in topics if consent.updated_at is not None]


def _bad_consent(customer: Customer, channel: str, given: Mapping[str, Any], now: int) -> UserError | None:
    place = ["input", f"{channel}MarketingConsent"]
    state = given["marketingState"]
    if not (customer.email if channel == "email" else customer.phone):
        holds = "an email address" if channel == "email" else "a phone number"
        return UserError(place, f"The customer must have {holds} to update their consent", "INVALID")
    if state not in ("SUBSCRIBED", "UNSUBSCRIBED", "PENDING"):
        return UserError([*place, "marketingState"], f"Cannot specify {state} as a marketing state input", "INCLUSION")
    if state == "PENDING" and given.get("marketingOptInLevel") != "CONFIRMED_OPT_IN":
        return UserError([*place, "marketingOptInLevel"], "Must be CONFIRMED_OPT_IN when pending", "INVALID")
    return _bad_time(place, given.get("consentUpdatedAt"), now)


def _bad_time(place: list[str], stated: Any, now: int) -> UserError | None:
    if stated is None:
        return None
    try:
        at = millis(str(stated))
    except ValueError:
        return UserError([*place, "consentUpdatedAt"], "Consent updated at is not a time", "INVALID")
    if at > now + 60_000:
        return UserError([*place, "consentUpdatedAt"], "Consent updated at cannot be in the future", "INVALID")
    return None
