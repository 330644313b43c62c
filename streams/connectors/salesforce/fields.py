"""Contact fields and our attributes, both ways.

`shipping_address` is the Contact's MailingAddress, `billing_address` its OtherAddress. A street is one text whose
second and later lines are separated by newlines: they are our `line2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streams.model import Address, Assignment, Identifiers, Invalid, Millis, parse_time
from streams.model.command import ToldDecision

ENTITY = "Contact"
OPTED_OUT = "HasOptedOutOfEmail"
CUSTOMER_FIELD = "Writeback_Customer__c"
MASTER = "MasterRecordId"
SCALARS = {"first_name": "FirstName", "last_name": "LastName", "email": "Email", "phone": "Phone"}
ADDRESSES = {"shipping_address": "Mailing", "billing_address": "Other"}
# A part of an address: the members that may hold it, the one to believe first in front.
MEMBERS = {
    "street": ("Street",),
    "city": ("City",),
    "region": ("StateCode", "State"),
    "postal_code": ("PostalCode",),
    "country": ("CountryCode", "Country"),
}
# What Salesforce holds at most, in characters; it refuses more, so the client cuts these (never an e-mail or a phone).
LENGTHS = {
    "first_name": 40,
    "last_name": 80,
    "line1": 255,
    "line2": 255,
    "city": 40,
    "region": 80,
    "postal_code": 20,
    "country": 80,
}
LAST_MILLIS = 253_402_300_799_999  # the end of the year 9999

_EXTERNAL = re.compile(r"Writeback_([A-Za-z]+)_Id__c", re.ASCII)
_RECORD_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ID15 = re.compile(r"[A-Za-z0-9]{15}", re.ASCII)
_ID_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def text(value: Any) -> str | None:
    """The text of a scalar; None where it is absent, null, blank or no scalar."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def flag(value: Any) -> bool | None:
    """A boolean, also where an export spells it as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def plain(value: Any) -> Any:
    """The value without the wrapper that Avro's JSON encoding puts around a union: `{"string": "x"}` is `x`."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if name in ("string", "boolean", "long", "int", "double") or name.startswith("com.sforce.eventbus."):
            return inner
    return value


def moment(value: Any) -> Millis | None:
    """Epoch milliseconds, or ISO 8601 with `Z`, `+0000` or no fraction; None where unreadable or not before 10000."""
    value = plain(value)
    if isinstance(value, str):
        if value.isdecimal() and value.isascii() and len(value) < 16:
            value = int(value)
        else:
            try:
                value = parse_time(value)
            except Invalid:
                return None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LAST_MILLIS else None


def record_id(value: Any) -> str | None:
    """The 18-character id; a 15-character one, as reports export it, gets its suffix: one record, one name."""
    if not isinstance(value, str) or not _RECORD_ID.fullmatch(value):
        return None
    return value + _suffix(value) if _ID15.fullmatch(value) else value


def _suffix(id15: str) -> str:
    """Three characters that say which of the fifteen are upper case."""
    return "".join(
        _ID_SUFFIX[sum(1 << place for place in range(5) if id15[start + place].isupper())] for start in (0, 5, 10)
    )


def street_lines(street: str | None) -> tuple[str, str]:
    """`line1` and `line2` of a street; a third and later lines join the second after a comma."""
    lines = [line.strip() for line in (street or "").splitlines() if line.strip()]
    return (lines[0] if lines else ""), ", ".join(lines[1:])


def address_of(members: Mapping[str, Any]) -> Address:
    """The address that these members state; a member that is absent, null or blank leaves its part empty."""
    line1, line2 = street_lines(first_text(members, "street"))
    rest = {part: first_text(members, part) or "" for part in MEMBERS if part != "street"}
    return Address(line1=line1, line2=line2, **rest)


def first_text(members: Mapping[str, Any], part: str) -> str | None:
    """The first text among the members that may hold a part."""
    return next((found for name in MEMBERS[part] if (found := text(plain(members.get(name))))), None)


def row_members(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The members of an address in a row: flat (`MailingCity`), else of the compound (`MailingAddress.city`)."""
    compound = row.get(f"{prefix}Address")
    found: dict[str, Any] = {}
    if isinstance(compound, dict):
        found = {name[:1].upper() + name[1:]: value for name, value in compound.items()}
    for names in MEMBERS.values():
        found.update({name: row[prefix + name] for name in names if row.get(prefix + name) is not None})
    return found


def master_of(fields: Mapping[str, Any]) -> str | None:
    """The record into which a deleted one was merged; None where it was only deleted, or the event does not say."""
    return record_id(plain(fields.get(MASTER)))


def identifiers(fields: Mapping[str, Any], trust_email: bool) -> Identifiers:
    """What the record may be bound by: its e-mail unless untrusted or bounced, and `Writeback_<Platform>_Id__c`."""
    email = text(plain(fields.get("Email")))
    usable = trust_email and email is not None and not text(plain(fields.get("EmailBouncedDate")))
    external = sorted(
        f"{match[1].lower()}:{value}"
        for name, raw in fields.items()
        if (match := _EXTERNAL.fullmatch(name)) and (value := text(plain(raw)))
    )
    return Identifiers(email=(email,) if usable and email else (), external=tuple(external))


def scalar_fields(attribute: str, assignment: Assignment) -> dict[str, Any]:
    """The field that a plain attribute is written to; null clears it."""
    value = None if assignment.clear or not isinstance(assignment.value, str) else assignment.value
    most = LENGTHS.get(attribute)
    return {SCALARS[attribute]: value[:most] if value is not None else None}


def address_fields(attribute: str, assignment: Assignment, codes: bool) -> dict[str, Any]:
    """The flat fields of an address, all five, so that no old part stays (the compound is read-only).

    `codes`: the org uses state and country picklists, which take `StateCode` and `CountryCode`.
    """
    prefix = ADDRESSES[attribute]
    value = Address() if assignment.clear or not isinstance(assignment.value, Address) else assignment.value
    parts = {part: held[: LENGTHS[part]] for part, held in value.parts().items()}
    state, country = ("StateCode", "CountryCode") if codes else ("State", "Country")
    named = {
        "Street": "\n".join(line for line in (parts["line1"], parts["line2"]) if line),
        "City": parts["city"],
        state: parts["region"],
        "PostalCode": parts["postal_code"],
        country: parts["country"],
    }
    return {prefix + name: held or None for name, held in named.items()}


def decision_of(opted_out: bool) -> ToldDecision:
    """What the checkbox says."""
    return "opt_out" if opted_out else "opt_in"
