"""Customers, addresses and consents as the storefront stores them, and the rules by which it takes new values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streams.model import Address
from streams.sandbox.places import country_code, country_name, e164, region_code, region_name

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
NAME_MAX = 255


class UserError(NamedTuple):
    """What a mutation refuses, in a 200 answer."""

    field: list[str] | None
    message: str
    code: str | None = None


@dataclass(slots=True)
class Consent:
    """One channel's marketing consent; states and levels in lower case, `updated_at` moves only with the state."""

    state: str = "not_subscribed"
    opt_in_level: str | None = None
    updated_at: int | None = None
    collected_from: str = "OTHER"

    def decide(self, state: str, level: str | None, at: int) -> bool:
        """Take a decision made at `at`; False where it changes nothing.

        The trap of this platform: a decision that repeats the stored state does not move `updated_at`, so an older
        contrary one that comes late is still newer than what is stored, and is taken.
        """
        if state == self.state or (self.updated_at is not None and at < self.updated_at):
            return False
        self.state, self.updated_at = state, at
        self.opt_in_level = level or self.opt_in_level or "single_opt_in"
        return True


@dataclass(slots=True)
class MailingAddress:
    """A customer's address; country and province are kept as codes and shown with their names."""

    id: int
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province_code: str | None = None
    country_code: str | None = None
    zip: str | None = None
    phone: str | None = None

    @property
    def country(self) -> str | None:
        return country_name(self.country_code) if self.country_code else None

    @property
    def province(self) -> str | None:
        return region_name(self.country_code or "", self.province_code) if self.province_code else None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)

    def in_our_words(self) -> dict[str, str]:
        return {
            "line1": self.address1 or "",
            "line2": self.address2 or "",
            "city": self.city or "",
            "region": self.province_code or "",
            "postal_code": self.zip or "",
            "country": self.country_code or "",
        }


@dataclass(slots=True)
class Customer:
    """One customer of the shop."""

    id: int
    created_at: int
    updated_at: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    tags: list[str] = field(default_factory=list)
    addresses: list[MailingAddress] = field(default_factory=list)
    default_address_id: int | None = None
    email_consent: Consent = field(default_factory=Consent)
    sms_consent: Consent = field(default_factory=Consent)
    orders: int = 0

    @property
    def default_address(self) -> MailingAddress | None:
        return self.address(self.default_address_id)

    def address(self, address_id: int | None) -> MailingAddress | None:
        return next((one for one in self.addresses if one.id == address_id), None)

    @property
    def is_nobody(self) -> bool:
        """True without a name, a phone or an e-mail: the shop refuses such a customer."""
        return not (self.email or self.phone or self.first_name or self.last_name)


def native_address(address: Address) -> dict[str, str | None]:
    """Our address as the input of a mutation."""
    return {
        "address1": address.line1,
        "address2": address.line2 or None,
        "city": address.city,
        "provinceCode": address.region or None,
        "countryCode": address.country or None,
        "zip": address.postal_code or None,
    }


_TEXTS = {
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "company": "company",
    "firstName": "first_name",
    "lastName": "last_name",
    "phone": "phone",
    "zip": "zip",
}


def write_address(address: MailingAddress, given: Mapping[str, Any]) -> list[UserError]:
    """Write the fields that are given; null empties. Nothing is checked but that country and province exist."""
    errors = _write_places(address, given)
    if errors:
        return errors
    for name, attribute in _TEXTS.items():
        if name in given:
            setattr(address, attribute, _trimmed(given[name]))
    if address.zip:
        address.zip = address.zip.upper()
    return []


def _write_places(address: MailingAddress, given: Mapping[str, Any]) -> list[UserError]:
    country = _given(given, "countryCode", "country", address.country_code)
    code = country_code(country) if country else None
    if country and code is None:
        return [UserError(["address", "country"], "Country is invalid")]
    province = _given(given, "provinceCode", "province", address.province_code)
    region = region_code(code or "", province) if province else None
    if province and region is None and code in ("US", "CA"):
        return [UserError(["address", "province"], "Province is invalid")]
    address.country_code, address.province_code = code, region or province
    return []


def _given(given: Mapping[str, Any], code: str, name: str, stored: str | None) -> str | None:
    for key in (code, name):
        if key in given:
            return _trimmed(given[key])
    return stored


def _trimmed(value: Any) -> str | None:
    text = str(value).strip() if value is not None else ""
    return text or None


def write_phone(customer: Customer, given: Any) -> UserError | None:
    """Keep a phone in E.164, whatever notation it came in."""
    text = _trimmed(given)
    number = e164(text) if text else None
    if text and number is None:
        return UserError(["phone"], "Phone is invalid")
    customer.phone = number
    return None


def write_email(customer: Customer, given: Any) -> UserError | None:
    """Keep an e-mail in lower case; another e-mail starts without consent, and says so nowhere but in the state."""
    text = _trimmed(given)
    if text and not EMAIL.fullmatch(text):
        return UserError(["email"], "Email is invalid")
    email = text.lower() if text else None
    if email != customer.email:
        customer.email_consent = Consent(opt_in_level=customer.email_consent.opt_in_level)
    customer.email = email
    return None


def write_name(customer: Customer, attribute: str, given: Any) -> UserError | None:
    """`attribute` is `first_name` or `last_name`."""
    text = _trimmed(given)
    if text and len(text) > NAME_MAX:
        label = attribute.replace("_", " ").capitalize()
        return UserError([_CAMEL[attribute]], f"{label} is too long (maximum is {NAME_MAX} characters)")
    setattr(customer, attribute, text)
    return None


_CAMEL = {"first_name": "firstName", "last_name": "lastName"}
