"""The stored form of a customer and of an identity row: a version byte, then msgpack."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from streams.core.identity import Row
from streams.core.state import Customer
from streams.model import Invalid

VERSION = b"\x01"

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_customers = msgspec.msgpack.Decoder(Customer)
_rows = msgspec.msgpack.Decoder(Row)


def encode_customer(state: Customer) -> bytes:
    """The bytes of a customer's state."""
    return VERSION + _encoder.encode(state)


def decode_customer(stored: bytes) -> Customer:
    """A customer's state; raises Invalid("unknown_version") or Invalid("bad_state")."""
    return _decode(_customers, stored)


def encode_row(row: Row) -> bytes:
    """The bytes of an identity row."""
    return VERSION + _encoder.encode(row)


def decode_row(stored: bytes) -> Row:
    """An identity row; raises Invalid as `decode_customer` does."""
    return _decode(_rows, stored)


def _decode(decoder: msgspec.msgpack.Decoder[T], stored: bytes) -> T:
    if stored[:1] != VERSION:
        raise Invalid("unknown_version", "stored state")
    try:
        return decoder.decode(stored[1:])
    except msgspec.MsgspecError:
        raise Invalid("bad_state", "stored state") from None
