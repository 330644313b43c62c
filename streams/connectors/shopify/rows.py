"""A customer's row as the Admin API shows it, and as a change."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from streams.connectors.shopify.consent import Marketing, statement
from streams.model import Address, Change, ConsentStatement, Identifiers, Invalid, Statement, parse_time


class Contact(msgspec.Struct, frozen=True, rename="camel"):
    """The default e-mail address or phone number, with its marketing state."""

    email_address: str | None = None
    phone_number: str | None = None
    marketing_state: str | None = None
    marketing_opt_in_level: str | None = None
    marketing_updated_at: str | None = None
    marketing_collected_from: str | None = None

    @property
    def value(self) -> str:
        return self.email_address or self.phone_number or ""


class Mailing(msgspec.Struct, frozen=True, rename="camel"):
    """The default address."""

    id: str
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = msgspec.field(default=None, name="countryCodeV2")

    @property
    def address(self) -> Address:
        return Address(
            line1=self.address1 or "",
            line2=self.address2 or "",
            city=self.city or "",
            region=self.province_code or self.province or "",
            postal_code=self.zip or "",
            country=self.country_code or self.country or "",
        )


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """One customer."""

    id: str
    first_name: str | None = None
    last_name: str | None = None
    updated_at: str | None = None
    verified_email: bool = False
    default_email_address: Contact | None = None
    default_phone_number: Contact | None = None
    default_address: Mailing | None = None

    def contact(self, channel: str) -> Contact | None:
        """The contact point that consent of this channel is kept for."""
        return self.default_email_address if channel == "email" else self.default_phone_number


def restated(platform: str, record_id: str, row: Row, payload: Any) -> Change:
    """The row's full current view; the same view makes the same change. Raises Invalid for a time it cannot read."""
    email, phone = row.default_email_address, row.default_phone_number
    fingerprint = hashlib.sha256(msgspec.json.encode(payload, order="deterministic")).hexdigest()[:32]
    return Change(
        change_id=f"shopify:view:{record_id}:{fingerprint}",
        platform=platform,
        record_id=record_id,
        kind="snapshot",
        op="restate",
        observed_at=parse_time(row.updated_at) if row.updated_at else None,
        identifiers=Identifiers(email=(email.value,))
        if email and email.value and row.verified_email
        else Identifiers(),
        attributes=_attributes(row),
        consents=tuple(
            said
            for channel, contact in (("email", email), ("sms", phone))
            if contact is not None and (said := _consent(channel, contact)) is not None
        ),
    )


def _attributes(row: Row) -> dict[str, Statement]:
    email, phone = row.default_email_address, row.default_phone_number
    texts = {
        "first_name": row.first_name,
        "last_name": row.last_name,
        "email": email.value if email else None,
        "phone": phone.value if phone else None,
    }
    said = {name: Statement(value=text.strip()) for name, text in texts.items() if text and text.strip()}
    if row.default_address is not None and row.default_address.address != Address():
        said["shipping_address"] = Statement(value=row.default_address.address)
    return said


def _consent(channel: str, contact: Contact) -> ConsentStatement | None:
    said = Marketing(
        state=(contact.marketing_state or "").lower() or None,
        level=(contact.marketing_opt_in_level or "").lower() or None,
        at=parse_time(contact.marketing_updated_at) if contact.marketing_updated_at else None,
        collected_from=(contact.marketing_collected_from or "").lower() or None,
    )
    if not said.decided or not contact.value:
        return None
    if said.state not in ("subscribed", "unsubscribed"):
        raise Invalid("unknown_enum", "marketingState")
    return statement(said, channel, contact.value, {"source": "admin_api"})
