"""Reading Klaviyo's JSON: texts, times and nested objects, where anything may be absent, null or of another type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from streams.model import Invalid, Millis, parse_time

LAST_MILLIS = 253_402_300_799_999  # the end of the year 9999
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,200}", re.ASCII)
_NOTHING: Mapping[str, Any] = {}


def decode(body: bytes) -> Mapping[str, Any]:
    """The JSON object; raises Invalid("bad_json") or Invalid("bad_shape")."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid("bad_json", "body") from None
    if not isinstance(decoded, dict):
        raise Invalid("bad_shape", "body")
    return decoded


def text(value: Any) -> str | None:
    """The text; None where it is absent, null, blank or no text."""
    return value if isinstance(value, str) and value.strip() else None


def inner(value: Any, *path: str) -> Mapping[str, Any]:
    """The object under a path; an empty one where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else _NOTHING


def identity(value: Any) -> str | None:
    """A profile's id; None where it is not one."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def key(value: Any) -> str | None:
    """An event's key by which a repetition is known; None where it is not usable."""
    return value if isinstance(value, str) and _KEY.fullmatch(value) else None


def moment(value: Any) -> Millis | None:
    """ISO 8601 text, or Unix seconds (a number or digits); None where unreadable or after the year 9999."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdecimal() and len(value) < 14):
            return _iso(value)
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _within(int(value * 1000)) if -1e11 < value < 1e12 else None


def _iso(value: str) -> Millis | None:
    try:
        return _within(parse_time(value))
    except Invalid:
        return None


def _within(at: Millis) -> Millis | None:
    return at if 0 <= at <= LAST_MILLIS else None


def latest(*times: Millis | None) -> Millis | None:
    """The latest of the times that are there."""
    return max((at for at in times if at is not None), default=None)
