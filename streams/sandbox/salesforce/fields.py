"""The Contact object of the org: its fields, their lengths, and what it says of a value that does not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

FieldType = Literal["string", "textarea", "email", "phone", "boolean"]
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Field(NamedTuple):
    """One writable field; `length_max` in characters, 0 for a boolean."""

    label: str
    type: FieldType
    length_max: int


class RowError(NamedTuple):
    """Why one row was not taken. Collections call the code `statusCode`, single-record calls `errorCode`."""

    code: str
    message: str
    fields: list[str]

    def in_collection(self) -> dict[str, Any]:
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}

    def alone(self) -> dict[str, Any]:
        return {"message": self.message, "errorCode": self.code, "fields": self.fields}


class BadRequest(Exception):
    """The whole request is refused with `status`, before any row is tried."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.status = status
        self.body = [{"message": message, "errorCode": code}]


def _address(prefix: str, label: str) -> dict[str, Field]:
    return {
        f"{prefix}Street": Field(f"{label} Street", "textarea", 255),
        f"{prefix}City": Field(f"{label} City", "string", 40),
        f"{prefix}State": Field(f"{label} State/Province", "string", 80),
        f"{prefix}PostalCode": Field(f"{label} Zip/Postal Code", "string", 20),
        f"{prefix}Country": Field(f"{label} Country", "string", 80),
    }


STANDARD: dict[str, Field] = {
    "Salutation": Field("Salutation", "string", 40),
    "FirstName": Field("First Name", "string", 40),
    "LastName": Field("Last Name", "string", 80),
    "Email": Field("Email", "email", 80),
    "Phone": Field("Business Phone", "phone", 40),
    "MobilePhone": Field("Mobile Phone", "phone", 40),
    "HomePhone": Field("Home Phone", "phone", 40),
    "Title": Field("Title", "string", 128),
    "Description": Field("Contact Description", "textarea", 32_000),
    "HasOptedOutOfEmail": Field("Email Opt Out", "boolean", 0),
    "HasOptedOutOfFax": Field("Fax Opt Out", "boolean", 0),
    "DoNotCall": Field("Do Not Call", "boolean", 0),
    **_address("Mailing", "Mailing"),
    **_address("Other", "Other"),
}
READ_ONLY = (
    "Id",
    "Name",
    "MailingAddress",
    "OtherAddress",
    "CreatedDate",
    "LastModifiedDate",
    "SystemModstamp",
    "IsDeleted",
    "MasterRecordId",
)
COMPOUNDS = {"Mailing": "MailingAddress", "Other": "OtherAddress"}
ADDRESS_MEMBERS = ("Street", "City", "State", "PostalCode", "Country")
NAME_MEMBERS = ("Salutation", "FirstName", "LastName")


def field_of(name: str, custom: Mapping[str, Field]) -> Field | None:
    """The field, its name read without case as the API does."""
    wanted = name.casefold()
    return next((field for known, field in {**STANDARD, **custom}.items() if known.casefold() == wanted), None)


def proper_name(name: str, custom: Mapping[str, Field]) -> str:
    """The field's name as the org writes it; raises BadRequest for a column that the object does not have."""
    wanted = name.casefold()
    for known in (*STANDARD, *custom, *READ_ONLY):
        if known.casefold() == wanted:
            return known
    raise BadRequest("INVALID_FIELD", f"No such column '{name}' on sobject of type Contact")


def check(name: str, field: Field, value: Any) -> RowError | None:
    """What the org has against this value in this field."""
    if value is None:
        return _required(name)
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise BadRequest("JSON_PARSER_ERROR", f"Cannot deserialize instance of boolean from value for {name}")
        return None
    text = str(value)
    if not text.strip():
        return _required(name)
    if len(text) > field.length_max:
        message = f"{field.label}: data value too large: {text} (max length={field.length_max})"
        return RowError("STRING_TOO_LONG", message, [name])
    if field.type == "email" and not EMAIL.fullmatch(text):
        return RowError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", [name])
    return None


def _required(name: str) -> RowError | None:
    if name != "LastName":
        return None
    return RowError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ["LastName"])
