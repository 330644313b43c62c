"""Avro's binary primitives as small byte strings, for the writers that are specialised to one schema.

fastavro walks the schema for each message; these writers know it. They are measured against it in the tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from streams.model import Address

NULL: Final = b"\x00"
END: Final = b"\x00"
FALSE: Final = b"\x00"
TRUE: Final = b"\x01"
SECOND: Final = b"\x02"  # the second branch of a union, and one as a count
THIRD: Final = b"\x04"

_LONG_BITS: Final = 63
_SEVEN_BITS: Final = 0x7F
_MORE: Final = 0x80
_double = struct.Struct("<d").pack


def _varint(zigzag: int) -> bytes:
    out = bytearray()
    while zigzag > _SEVEN_BITS:
        out.append(zigzag & _SEVEN_BITS | _MORE)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


# All numbers of two bytes, ready; and the two bytes by which each 14 bits of a longer one begin: a time has six bytes.
_READY_BITS: Final = 14
_READY: Final = tuple(_varint(zigzag) for zigzag in range(1 << _READY_BITS))
_READY_MAX: Final = len(_READY)
_TEXT_READY_MAX: Final = _READY_MAX // 2
_BEGINNINGS: Final = tuple(bytes((low & _SEVEN_BITS | _MORE, low >> 7 | _MORE)) for low in range(_READY_MAX))


def long(number: int) -> bytes:
    """A zigzag variable-length integer of 64 bits."""
    zigzag = (number << 1) ^ (number >> _LONG_BITS)
    if zigzag < _READY_MAX:
        return _READY[zigzag]
    begin = _BEGINNINGS[zigzag & _READY_MAX - 1]
    rest = zigzag >> _READY_BITS
    if rest < _READY_MAX:
        return begin + _READY[rest]
    begin += _BEGINNINGS[rest & _READY_MAX - 1]
    rest >>= _READY_BITS
    return begin + (_READY[rest] if rest < _READY_MAX else _varint(rest))


def text(value: str) -> bytes:
    """Length and UTF-8."""
    raw = value.encode()
    size = len(raw)
    return (_READY[size + size] if size < _TEXT_READY_MAX else _varint(size + size)) + raw


def double(number: float) -> bytes:
    """Eight bytes, little-endian."""
    return _double(number)


def optional_text(value: str | None) -> bytes:
    """The union of null and string."""
    return NULL if value is None else SECOND + text(value)


def optional_long(number: int | None) -> bytes:
    """The union of null and long."""
    return NULL if number is None else SECOND + long(number)


def address(value: Address) -> bytes:
    """The record Address."""
    return b"".join(
        (
            text(value.line1),
            text(value.line2),
            text(value.city),
            text(value.region),
            text(value.postal_code),
            text(value.country),
        )
    )


def value(value: str | Address | None) -> bytes:
    """The union of null, string and Address."""
    if value is None:
        return NULL
    if type(value) is str:
        return SECOND + text(value)
    return THIRD + address(value)  # type: ignore[arg-type]


def symbols(names: Iterable[str]) -> dict[str, bytes]:
    """An enum's symbols in the schema's order."""
    return {name: long(index) for index, name in enumerate(names)}
