"""From loose builtins to a struct of the model, with errors that name places and never values."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from streams.model import Invalid

T = TypeVar("T")

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<field>\w+)`")


def shaped(fields: Any, shape: type[T]) -> T:
    """Convert without coercion; raises Invalid: `unknown_enum`, `missing_field`, `bad_field`."""
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise invalid_of(error) from None
    except (RecursionError, OverflowError, UnicodeEncodeError):
        raise Invalid("bad_field", "nested too deep, a number out of range, or text that is not Unicode") from None


def invalid_of(error: msgspec.ValidationError) -> Invalid:
    """What msgspec says, without the value that its text may quote."""
    text = str(error)
    found = _PATH.search(text)
    path = found["path"] if found else ""
    if missing := _MISSING.match(text):
        return Invalid("missing_field", f"{path}.{missing['field']}".lstrip("."))
    if text.startswith("Invalid enum value"):
        return Invalid("unknown_enum", path)
    return Invalid("bad_field", path)
