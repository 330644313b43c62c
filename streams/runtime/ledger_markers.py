"""What an erasure says in the consent ledger, and what is forgotten for it (K3).

A marker has the key of the person as a whole, `customer:<customer_id>`, no value, and the header of every tombstone. It
tells whoever reads the ledger to forget that customer's entries, and `writeback ledger forget` to remove them. Since a
record may have left a customer, or come from another one, before the erasure, the customer's own marker also has keyed
hashes of its records and of those that had left it; an alias's marker has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

from msgspec.structs import replace

from streams.codec.public import person_key
from streams.core.erasure import Erasure, keyed_hash
from streams.core.state import Customer
from streams.lane import Emit, Headers, Record
from streams.model import Invalid, LedgerEntry, Millis
from streams.runtime import topics
from streams.runtime.tombstones import is_tombstone, tombstone

# On a marker: the keyed hash of the customer's id, by which another key is noticed.
KEYED: Final = "writeback-keyed"
# On a marker, once for each: the keyed hash of a record that is erased, and of one that had been unlinked before.
ERASED_RECORD: Final = "writeback-erased-record"
PARTED_RECORD: Final = "writeback-parted-record"
# On an entry that was copied: the offset it had.
COPIED: Final = "writeback-copied"

_PERSON: Final = person_key("").encode()


def markers(erasure: Erasure, state: Customer, key: bytes) -> Iterator[Emit]:
    """For the customer and each of its aliases; `state` is the one after the erasure."""
    for one in erasure.ids:
        marker = tombstone(topics.LEDGER, person_key(one).encode(), erasure.at)
        if one == state.customer_id:
            marker = replace(marker, headers=(*marker.headers, *_hashes(erasure, state, key)))
        yield marker


def _hashes(erasure: Erasure, state: Customer, key: bytes) -> Iterator[tuple[str, bytes]]:
    yield KEYED, keyed_hash(key, state.customer_id).encode()
    for name in erasure.records:
        yield ERASED_RECORD, keyed_hash(key, name).encode()
    parted = state.moves.parted if state.moves is not None else {}
    for name in sorted(set(parted) - set(erasure.records)):
        yield PARTED_RECORD, keyed_hash(key, name).encode()


class Fate(Enum):
    """What becomes of a record of the ledger when it is written anew."""

    KEPT = "kept"
    FORGOTTEN = "forgotten"
    SKIPPED = "skipped"  # a copy whose original is still there
    UNREADABLE = "unreadable"  # kept, since nobody can say whose it is


class OtherKey(Exception):
    """The hashes of the markers were made with another key."""


class Forgetting:
    """Whom the markers name, and what is theirs."""

    def __init__(self, key: bytes, decode: Callable[[bytes | None], LedgerEntry]) -> None:
        self._key = key
        self._decode = decode
        self._records: dict[str, Millis] = {}
        self._parted: set[str] = set()
        self.customers: set[str] = set()

    def learn(self, record: Record) -> None:
        """Take a record for what it may say; raises OtherKey."""
        customer_id = marked(record)
        if customer_id is None:
            return
        self.customers.add(customer_id)
        for name, value in record.headers:
            told = (value or b"").decode("ascii", "replace")
            if name == KEYED and told != keyed_hash(self._key, customer_id):
                raise OtherKey
            if name == ERASED_RECORD:
                self._records[told] = max(record.timestamp_ms, self._records.get(told, 0))
            elif name == PARTED_RECORD:
                self._parted.add(told)

    def fate(self, record: Record, low: int) -> tuple[Fate, str | None]:
        """What becomes of a record of a partition that begins at `low`, and whose it is; raises Retry."""
        copied = copied_from(record.headers)
        if copied is not None and copied >= low:
            return Fate.SKIPPED, None
        if marked(record) is not None:
            return Fate.KEPT, None
        try:
            entry = self._decode(record.value)
        except Invalid:
            return Fate.UNREADABLE, None
        return (Fate.FORGOTTEN if self._forgets(entry, record.timestamp_ms) else Fate.KEPT), entry.customer_id

    def _forgets(self, entry: LedgerEntry, written_at: Millis) -> bool:
        """An entry goes with the customer of the record that stated it, whoever the record belonged to then.

        What was written of the record after its erasure is a later sign-up's.
        """
        named = keyed_hash(self._key, entry.record) if entry.record is not None else ""
        erased_at = self._records.get(named)
        if erased_at is not None and written_at <= erased_at:
            return True
        return entry.customer_id in self.customers and named not in self._parted


def marked(record: Record) -> str | None:
    """The customer that a marker names; None for any other record."""
    if record.key is None or not is_tombstone(record) or not record.key.startswith(_PERSON):
        return None
    return record.key[len(_PERSON) :].decode("utf-8", "replace")


def copied_from(headers: Headers) -> int | None:
    """The offset that a copy had; None for a record that is no copy."""
    found = [value for name, value in headers if name == COPIED]
    return int(found[-1]) if found and found[-1] and found[-1].isdigit() else None


def copied(record: Record) -> Headers:
    """The headers of its copy: its own, and the offset it has now."""
    return (*(one for one in record.headers if one[0] != COPIED), (COPIED, b"%d" % record.offset))
