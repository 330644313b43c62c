"""Moves of whole customers on `customer.changes`: a version byte of their own, then msgpack (`core/moves.py`)."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.core.moves import Move
from streams.model import Invalid

VERSION: Final = b"\x02"
# As the first byte of a payload.
MOVE: Final = VERSION[0]

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Move]] = msgspec.msgpack.Decoder(Move)


def encode_move(move: Move) -> bytes:
    """For `customer.changes`."""
    return VERSION + _encoder.encode(move)


def decode_move(payload: bytes) -> Move:
    """From `customer.changes`; raises Invalid: `unknown_version`, `bad_message`."""
    if payload[:1] != VERSION:
        raise Invalid("unknown_version", "move")
    try:
        return _decoder.decode(memoryview(payload)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid("bad_message", "move") from None
