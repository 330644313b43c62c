"""Contacts as the REST API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streams.sandbox.clock import zulu_ms
from streams.sandbox.salesforce.fields import ADDRESS_MEMBERS, COMPOUNDS, STANDARD
from streams.sandbox.salesforce.org import Contact


def rest_time(at_ms: int) -> str:
    """`2026-01-10T12:00:00.000+0000`: an offset without a colon."""
    return zulu_ms(at_ms).replace("Z", "+0000")


def rest_contact(contact: Contact, version: str, names: Iterable[str] | None = None) -> dict[str, Any]:
    """All fields, or those that were asked for."""
    whole = _whole(contact)
    attributes = {"type": "Contact", "url": f"/services/data/{version}/sobjects/Contact/{contact.id}"}
    shown = whole if names is None else {name: whole.get(name) for name in names}
    return {"attributes": attributes, **shown}


def _whole(contact: Contact) -> dict[str, Any]:
    flat = {
        name: contact.fields.get(name, False if field.type == "boolean" else None) for name, field in STANDARD.items()
    }
    custom = {name: value for name, value in contact.fields.items() if name not in STANDARD}
    stamps = {
        "CreatedDate": rest_time(contact.created_at),
        "LastModifiedDate": rest_time(contact.modified_at),
        "SystemModstamp": rest_time(contact.modified_at),
    }
    compounds = {compound: _compound(contact, prefix) for prefix, compound in COMPOUNDS.items()}
    bin_ = {"IsDeleted": contact.deleted, "MasterRecordId": contact.master}
    return {"Id": contact.id, **bin_, "Name": contact.name, **flat, **compounds, **stamps, **custom}


def _compound(contact: Contact, prefix: str) -> dict[str, Any] | None:
    members = {name[0].lower() + name[1:]: contact.fields.get(f"{prefix}{name}") for name in ADDRESS_MEMBERS}
    if not any(members.values()):
        return None
    return {**members, "geocodeAccuracy": None, "latitude": None, "longitude": None}


def address_in_our_words(contact: Contact, prefix: str) -> dict[str, str] | None:
    """The street's lines parted; None where no part is set."""
    values = {name: contact.fields.get(f"{prefix}{name}") or "" for name in ADDRESS_MEMBERS}
    if not any(values.values()):
        return None
    line1, _, line2 = values["Street"].partition("\n")
    return {
        "line1": line1.strip(),
        "line2": line2.strip(),
        "city": values["City"],
        "region": values["State"],
        "postal_code": values["PostalCode"],
        "country": values["Country"],
    }
