"""Identity rows of erased records lie under a keyed hash of their name, so that the fence outlives the name (K3)."""

from __future__ import annotations

from typing import Final

from streams.codec.state import decode_row, encode_row
from streams.core.erasure import keyed_hash
from streams.core.forgetting import DROPPED, Forgetting
from streams.core.identity import Hop, Message, Row
from streams.lane import Emit, Record, Rows
from streams.runtime import topics
from streams.runtime.tombstones import follow, tombstone

FENCED: Final = b"\x00erased:"
_EMPTY: Final = encode_row(Row())


class FencedRows:
    """Reads and writes identity rows by name; a row that nobody knows is looked for among the fenced ones."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def load(self, rows: Rows, key: bytes) -> Row:
        """The row of a name, an empty one where there is none."""
        stored = rows.get(key)
        if stored is None:
            stored = rows.get(self._place(key))
        return decode_row(stored) if stored is not None else Row()

    def store(self, rows: Rows, key: bytes, row: Row) -> None:
        """Write what differs; raises TooLarge. A row that says nothing any more is removed."""
        after = encode_row(row)
        before = rows.get(key)
        if row.erased_at is not None:
            rows.put(self._place(key), after)
        elif before is None and rows.get(place := self._place(key)) is not None:
            rows.delete(place)
        if row.erased_at is not None or after == _EMPTY:
            if before is not None:
                rows.delete(key)
        elif after != before:
            rows.put(key, after)

    def _place(self, key: bytes) -> bytes:
        return FENCED + keyed_hash(self._key, key.decode()).encode()


def ends(record: Record, key: bytes, message: Message, hop: Hop) -> list[Emit]:
    """The tombstones that belong to a step at an erased row, and behind what was dropped: compaction takes the rest."""
    dropped = any(note.kind == DROPPED for note in hop.notes)
    if not (dropped or isinstance(message, Forgetting) or hop.row.erased_at is not None):
        return []
    keyed = (topics.IDENTITY,) if key.startswith(b"@") else (topics.IDENTITY, topics.CHANGES)
    others = [tombstone(topic, key, record.timestamp_ms) for topic in keyed if topic != record.topic]
    return [*follow(record), *others]
