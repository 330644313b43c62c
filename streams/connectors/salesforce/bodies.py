"""Which shape a body has: change events in their wrappers, rows of a full load, or several of either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streams.connectors.salesforce.fields import plain
from streams.model import Invalid

HEADER = "ChangeEventHeader"
# CometD puts {schema, payload, event} into `data`, EventBridge puts the event (or such a wrapper) into `detail`.
_WRAPPERS = ("detail", "payload", "data")
_DEPTH_MAX = 4


def decode(body: bytes) -> Any:
    """The JSON value; raises Invalid("bad_json")."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid("bad_json", "body") from None


def elements(body: bytes) -> Iterator[dict[str, Any]]:
    """Each event or row of a body, unwrapped; raises Invalid("bad_shape") where it is neither."""
    decoded = decode(body)
    if isinstance(decoded, dict) and isinstance(decoded.get("records"), list):
        decoded = decoded["records"]
    for element in decoded if isinstance(decoded, list) else [decoded]:
        if not isinstance(element, dict):
            raise Invalid("bad_shape", "neither an event nor a row")
        yield unwrapped(element)


def unwrapped(element: dict[str, Any]) -> dict[str, Any]:
    """The event inside its wrappers; an element without a change event header inside is returned as it is."""
    found = element
    for _ in range(_DEPTH_MAX):
        if HEADER in found:
            return found
        inner = next((found[name] for name in _WRAPPERS if isinstance(found.get(name), dict)), None)
        if inner is None:
            break
        found = inner
    return element


def header_of(element: dict[str, Any]) -> dict[str, Any] | None:
    """The change event header; None for a row; raises Invalid("bad_change_event") where it is no object."""
    if HEADER not in element:
        return None
    header = plain(element[HEADER])
    if not isinstance(header, dict):
        raise Invalid("bad_change_event", HEADER)
    return header
