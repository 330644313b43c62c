"""The bytes before an Avro body: single-object encoding, or Confluent's schema id."""

from __future__ import annotations

import struct
from typing import Final

from streams.model import Invalid

SINGLE_OBJECT: Final = b"\xc3\x01"
CONFLUENT: Final = b"\x00"
FINGERPRINT_BYTES: Final = 8
SINGLE_OBJECT_BYTES: Final = len(SINGLE_OBJECT) + FINGERPRINT_BYTES
CONFLUENT_BYTES: Final = 5

_ID = struct.Struct(">I")


def single_object_prefix(rabin: bytes) -> bytes:
    """`C3 01` and the little-endian fingerprint."""
    return SINGLE_OBJECT + rabin


def confluent_prefix(schema_id: int) -> bytes:
    """`00` and the big-endian id."""
    return CONFLUENT + _ID.pack(schema_id)


def writer_of(payload: bytes) -> tuple[bytes | int, int]:
    """Who wrote it (a fingerprint, or a registry's schema id) and where the body starts.

    Raises Invalid: `truncated`, `wrong_magic`.
    """
    if payload[:2] == SINGLE_OBJECT:
        _need(payload, SINGLE_OBJECT_BYTES)
        return bytes(payload[2:SINGLE_OBJECT_BYTES]), SINGLE_OBJECT_BYTES
    if payload[:1] == CONFLUENT:
        _need(payload, CONFLUENT_BYTES)
        return _ID.unpack_from(payload, 1)[0], CONFLUENT_BYTES
    if len(payload) < 2 and SINGLE_OBJECT.startswith(payload):
        raise Invalid("truncated", "no header")
    raise Invalid("wrong_magic", "neither single-object encoding nor a registry's framing")


def _need(payload: bytes, size: int) -> None:
    if len(payload) < size:
        raise Invalid("truncated", "the header is cut off")
