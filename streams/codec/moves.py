"""Moves of whole customers on `customer.changes`: a version byte of their own, then msgpack (`core/moves.py`)."""

from __future__ import annotations

from typing import Final

from streams.codec.versioned import Versioned
from streams.core.moves import Move

_moves: Final = Versioned[Move](Move, b"\x02", "move")
encode_move: Final = _moves.encode
decode_move: Final = _moves.decode

# As the first byte of a payload.
MOVE: Final = _moves.version[0]
