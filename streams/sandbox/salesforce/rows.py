"""sObject Collections: up to 200 rows in one call, one result a row, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from streams.sandbox.salesforce.fields import BadRequest, RowError
from streams.sandbox.salesforce.org import By, Committed, Org, Row

ROWS_MAX = 200
Write: TypeAlias = Callable[[dict[str, Any]], tuple[Row, Committed | None, bool]]

ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
    [],
)


def rows_of(body: Any) -> tuple[list[dict[str, Any]], bool]:
    """The rows and `allOrNone`; raises BadRequest for what is no collection, and for more than 200."""
    if not isinstance(body, dict) or not isinstance(body.get("records"), list):
        raise BadRequest("JSON_PARSER_ERROR", "Unexpected parameter encountered during deserialization: records")
    rows = body["records"]
    if len(rows) > ROWS_MAX:
        raise BadRequest("LIMIT_EXCEEDED", f"record limit reached. cannot submit more than {ROWS_MAX} records")
    for row in rows:
        kind = row.get("attributes", {}).get("type") if isinstance(row, dict) else None
        if kind is None:
            raise BadRequest("INVALID_INPUT", "Include an entity type of record in the attributes")
        if kind != "Contact":
            raise BadRequest("INVALID_TYPE", f"sObject type '{kind}' is not supported.")
    return rows, bool(body.get("allOrNone", False))


def values_of(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """The row's fields, without its attributes and its key."""
    out = {"attributes", *(key.casefold() for key in keys)}
    return {name: value for name, value in row.items() if name.casefold() not in out}


def run(org: Org, rows: list[dict[str, Any]], all_or_none: bool, write: Write, by: By) -> list[dict[str, Any]]:
    """Write each row in its own right, or all of them or none."""
    before = {key: (contact.fields, contact.modified_at, contact.deleted) for key, contact in org.contacts.items()}
    try:
        done = [write(row) for row in rows]
    except BadRequest:
        _roll_back(org, before)
        raise
    failed = any(contact is None for (contact, _), _, _ in done)
    if all_or_none and failed:
        _roll_back(org, before)
        return [_result((None, error or ROLLED_BACK), False) for (_, error), _, _ in done]
    org.commit([committed for _, committed, _ in done], by)
    return [_result(row, created) for row, _, created in done]


def upserting(org: Org, key: str, external: bool) -> Write:
    """Upsert by a custom field that is an external id; raises BadRequest where the org has no such field."""
    if not external:
        raise BadRequest("NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + key, 404)

    def write(row: dict[str, Any]) -> tuple[Row, Committed | None, bool]:
        named = {name.casefold(): value for name, value in row.items()}
        value = named.get(key.casefold())
        if value in (None, ""):
            error = RowError("MISSING_ARGUMENT", f"{key} not specified", [])
            return (None, error), None, False
        found = org.find(key, value)
        if len(found) > 1:
            error = RowError("DUPLICATE_EXTERNAL_ID", f"{key}: more than one record found for external id", [key])
            return (None, error), None, False
        if found:
            return (*org.update(found[0].id, values_of(row, key)), False)
        return (*org.insert({**values_of(row, key), key: value}), True)

    return write


def updating(org: Org) -> Write:
    """Update by `id`."""

    def write(row: dict[str, Any]) -> tuple[Row, Committed | None, bool]:
        given = next((value for name, value in row.items() if name.casefold() == "id"), None)
        if given is None:
            error = RowError("MISSING_ARGUMENT", "Id not specified in an update call", [])
            return (None, error), None, False
        return (*org.update(given, values_of(row, "id")), False)

    return write


def inserting(org: Org) -> Write:
    return lambda row: (*org.insert(values_of(row)), True)


def _roll_back(org: Org, before: dict[str, Any]) -> None:
    for key in list(org.contacts):
        if key not in before:
            del org.contacts[key]
        else:
            contact = org.contacts[key]
            contact.fields, contact.modified_at, contact.deleted = before[key]


def _result(row: Row, created: bool) -> dict[str, Any]:
    contact, error = row
    if contact is None:
        assert error is not None  # noqa: S101 a row that was not taken says why
        return {"success": False, "errors": [error.in_collection()]}
    return {"id": contact.id, "success": True, "errors": [], **({"created": created} if created else {})}
