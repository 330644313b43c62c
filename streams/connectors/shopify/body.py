"""Reading Shopify's JSON: absent, null and empty told apart, ids exact, the rest `Invalid` with the field's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from streams.connectors.base import Headers
from streams.model import Address, Invalid, Millis, Statement, parse_time

Body: TypeAlias = Mapping[str, Any]

NOTHING_SAID = Statement()  # null or empty: no statement, but counted (R5)
_GID = "gid://shopify/{kind}/"
_ID_END = 2**63
_ADDRESS = {"line1": "address1", "line2": "address2", "city": "city", "postal_code": "zip"}


def header(headers: Headers, name: str) -> str | None:
    """A header by Shopify's own name, with the `X-` or, as in the newer event stream, without it."""
    return headers.get(f"x-shopify-{name}") or headers.get(f"shopify-{name}") or None


def object_in(raw: bytes) -> Body:
    """The body as a JSON object; raises Invalid("bad_json") or Invalid("bad_type")."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("bad_json", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Invalid("bad_type", "the body is not an object")
    return body


def text(body: Body, field: str) -> str | None:
    """A text field; None where it is absent, null or blank."""
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid("bad_type", field)
    return value.strip() or None


def part(body: Body, field: str) -> Body | None:
    """A nested object; None where it is absent or null."""
    value = body.get(field)
    if value is None or isinstance(value, dict):
        return value
    raise Invalid("bad_type", field)


def flag(body: Body, field: str) -> bool:
    """A boolean; absent and null are False."""
    value = body.get(field)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise Invalid("bad_type", field)


def time(body: Body, field: str) -> Millis | None:
    """A time with the shop's offset, or `Z`; None where it says nothing."""
    value = text(body, field)
    if value is None:
        return None
    try:
        return parse_time(value)
    except Invalid:
        raise Invalid("bad_time", field) from None


def record_id(body: Body, kind: str, field: str = "id") -> str | None:
    """The id of a `Customer` or an `Order` as digits: the global id first, since a number may have been rounded.

    None where both are absent or null. Raises Invalid("bad_id") for what is no id, and for 2^63 and above.
    """
    gid = text(body, "admin_graphql_api_id")
    if gid is not None:
        return digits_of(gid, kind)
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, str):
        return _exact(value, field)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _ID_END:
        raise Invalid("bad_id", field)
    return str(value)


def digits_of(gid: str, kind: str) -> str:
    """`gid://shopify/Customer/12?…` to `12`; raises Invalid("bad_id") for another kind of thing."""
    prefix = _GID.format(kind=kind)
    if not gid.startswith(prefix):
        raise Invalid("bad_id", f"not a {kind}")
    return _exact(gid.removeprefix(prefix).partition("?")[0], kind)


def _exact(digits: str, field: str) -> str:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and 0 < int(digits) < _ID_END):
        raise Invalid("bad_id", field)
    return str(int(digits))


def stated(body: Body, field: str) -> dict[str, Statement]:
    """What a field says: nothing where it is absent, a counted nothing where it is null, else its value."""
    if field not in body:
        return {}
    value = text(body, field)
    return {field: Statement(value=value) if value else NOTHING_SAID}


def address(body: Body) -> Address | None:
    """A Shopify address; None where every part is empty. Codes are preferred to names."""
    parts = {ours: text(body, theirs) or "" for ours, theirs in _ADDRESS.items()}
    region = text(body, "province_code") or text(body, "province") or ""
    country = text(body, "country_code") or text(body, "country") or ""
    found = Address(region=region, country=country, **parts)
    return None if found == Address() else found
