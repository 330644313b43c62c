"""The internal topics' encoding: one version byte, then msgpack of the struct.

`customer.changes`, `receipts` and `steward` are written and read by us alone. The two last also take the contract's
JSON, so that a person can produce a request with any tool.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from streams.codec.contract import receipt_from_json, steward_from_json
from streams.codec.shape import invalid_of
from streams.model import Change, Invalid, Receipt, StewardRequest

T = TypeVar("T")

VERSION: Final = b"\x01"

_encoder: Final = msgspec.msgpack.Encoder()
_changes: Final = msgspec.msgpack.Decoder(Change)
_receipts: Final = msgspec.msgpack.Decoder(Receipt)
_requests: Final = msgspec.msgpack.Decoder(StewardRequest)


def encode(message: Change | Receipt | StewardRequest) -> bytes:
    """For `customer.changes`, `receipts` or `steward`."""
    return VERSION + _encoder.encode(message)


def decode_customer_change(payload: bytes | None) -> Change:
    """From `customer.changes`; raises Invalid: `null_value`, `truncated`, `unknown_version`, `unknown_enum`, ..."""
    return _decoded(payload, _changes)


def decode_receipt(payload: bytes | None) -> Receipt:
    """From `receipts`; raises Invalid."""
    return receipt_from_json(_json(payload)) if _is_json(payload) else _decoded(payload, _receipts)


def decode_steward(payload: bytes | None) -> StewardRequest:
    """From `steward`; raises Invalid."""
    return steward_from_json(_json(payload)) if _is_json(payload) else _decoded(payload, _requests)


def _decoded(payload: bytes | None, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if payload is None:
        raise Invalid("null_value", "a tombstone says nothing here")
    if not payload:
        raise Invalid("truncated", "no version byte")
    if payload[:1] != VERSION:
        raise Invalid("unknown_version", f"version {payload[0]}")
    try:
        return decoder.decode(payload[1:])
    except msgspec.ValidationError as error:
        raise invalid_of(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        raise Invalid("truncated", "not whole msgpack") from None


def _is_json(payload: bytes | None) -> bool:
    return payload is not None and payload[:1] == b"{"


def _json(payload: bytes | None) -> Any:
    try:
        return msgspec.json.decode(payload or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("bad_json", "not whole JSON") from None
