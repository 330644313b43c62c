"""How a customer's history lies in the table `history`: a head with the newest entries, and older ones in chapters.

The head's row holds what it takes to append, so that an entry rewrites at most `CHAPTER_ENTRIES` of them. A chapter is
a row that is written once. What was golden before the oldest chapter is a row too, the base, so that what was golden
at a later time can be told although older entries are dropped. All rows of a customer lie on its partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec

from streams.core.history_apart import base_without, entry_without
from streams.core.timeline import Disowned, Graft, Mark, Snapshot, begun, decode_entry, follow, mark_of
from streams.lane import BatchTable, Rows, TooLarge
from streams.model import Invalid, Millis

VERSION: Final = b"\x01"
CHAPTER_ENTRIES: Final = 16
CHAPTER_BYTES_MAX: Final = 131_072

# Every key ends in a zero byte and four bytes more, so that the customer can be told whatever the id holds.
_HEAD: Final = b"\0\xff\xff\xff\xff"
_SUFFIX: Final = len(_HEAD)

# Kinds whose cause is the id of a request, which is carried out once.
_ASKED: Final = frozenset({"steward", "merge", "unlink"})

# Local rows: when the oldest part of a history was written. `aged`, the time (8 bytes, big-endian ms), the customer.
AGED: Final = b"\x00aged"
_AGED_END: Final = len(AGED) + 8


class Chapter(msgspec.Struct, array_like=True, frozen=True):
    """One row of entries: how many, from when to when, and of which versions. `source`: its number at its origin."""

    number: int
    count: int
    first_at: Millis
    last_at: Millis
    first_version: int
    last_version: int
    source: int = 0


class Line(msgspec.Struct, array_like=True):
    """The chapters of one customer, oldest first; `base` is the row of what was golden before them.

    `dropped`: the greatest `source` that is no longer kept.
    """

    chapters: list[Chapter] = []
    base: int | None = None
    dropped: int = -1


class Head(msgspec.Struct, array_like=True):
    """What is kept under one customer's key: its own line, the newest entries (`tail`), and those of merged customers.

    `survivor`: the history went there. `forgotten`: an erased customer, of whom nothing is kept any more.
    """

    next: int = 0
    own: Line = msgspec.field(default_factory=Line)
    tail: list[bytes] = []
    merged: dict[str, Line] = {}
    survivor: str | None = None
    forgotten: bool = False


class Bounds(msgspec.Struct, frozen=True):
    """How much of one history is kept: so many entries, none from before `cutoff` (ms)."""

    entries_max: int
    cutoff: Millis
    record_max_bytes: int

    @property
    def chapter_bytes_max(self) -> int:
        """A chapter that is fuller is closed; one entry may be larger."""
        return min(CHAPTER_BYTES_MAX, self.record_max_bytes // 4)

    def require_fit(self, entries: Iterable[bytes]) -> None:
        """Raise Invalid("too_large") for what would leave a row no room for anything else."""
        size = sum(map(len, entries))
        if size > self.record_max_bytes // 2:
            raise Invalid("too_large", f"history of {size} bytes")


class HistoryTable(BatchTable):
    """The table `history`: every row of a customer lies on the customer's partition."""

    def partition_of(self, key: bytes) -> int:
        """The partition of the customer whose row it is."""
        return super().partition_of(customer_of(key))


class Reads(Protocol):
    """Where rows are read."""

    def get(self, key: bytes) -> bytes | None:
        """The row, None if there is none."""
        ...


_encoder = msgspec.msgpack.Encoder()
_heads = msgspec.msgpack.Decoder(Head)
_chapters = msgspec.msgpack.Decoder(list[bytes])
_bases = msgspec.msgpack.Decoder(Snapshot)


def head_key(customer: bytes) -> bytes:
    """The row of a customer's head."""
    return customer + _HEAD


def row_key(customer: bytes, number: int) -> bytes:
    """The row of a chapter or a base."""
    return customer + b"\0" + number.to_bytes(4, "big")


def customer_of(key: bytes) -> bytes:
    """The customer that a row belongs to."""
    return key[:-_SUFFIX]


def decode_head(stored: bytes | None) -> Head:
    """A head; an empty one where there is no row."""
    return Head() if stored is None else _heads.decode(memoryview(stored)[1:])


def decode_chapter(stored: bytes) -> list[bytes]:
    """The entries of a chapter, as they are encoded."""
    return _chapters.decode(memoryview(stored)[1:])


def decode_base(stored: bytes) -> Snapshot:
    """What was golden before the oldest chapter."""
    return _bases.decode(memoryview(stored)[1:])


def oldest_at(head: Head) -> Millis | None:
    """When there is something to drop for its age: the first entry of the tail, or the last of the oldest chapter."""
    times = [line.chapters[0].last_at for line in (head.own, *head.merged.values()) if line.chapters]
    if not head.own.chapters and head.tail:
        times.append(mark_of(head.tail[0]).at)
    return min(times, default=None)


def aged_key(at: Millis, customer: bytes) -> bytes:
    """The local row of a history that has something from `at`."""
    return AGED + max(at, 0).to_bytes(8, "big") + customer


def aged_customer(key: bytes) -> bytes:
    """The customer of a local row."""
    return key[_AGED_END:]


def derive(key: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """The local row that follows from a head, for recovery."""
    at = oldest_at(decode_head(value)) if key.endswith(_HEAD) else None
    return [] if at is None else [(aged_key(at, customer_of(key)), b"")]


class Book:
    """The history of one customer, open for writing; `save` writes the head, everything else writes at once."""

    def __init__(self, customer: bytes, rows: Rows) -> None:
        self.customer = customer
        self._rows = rows
        stored = rows.get(head_key(customer))
        self.head = decode_head(stored)
        self._index = oldest_at(self.head) if stored is not None else None
        self._differs = False

    def save(self) -> None:
        """Write the head and the local row that follows from it."""
        if not self._differs:
            return
        self._differs = False
        self._rows.put(head_key(self.customer), VERSION + _encoder.encode(self.head))
        at = oldest_at(self.head)
        if at != self._index:
            if self._index is not None:
                self._rows.delete_local(aged_key(self._index, self.customer))
            if at is not None:
                self._rows.put_local(aged_key(at, self.customer), b"")
            self._index = at

    def append(self, stored: bytes, bounds: Bounds) -> None:
        """Add an entry as the newest, unless it is there already or nothing is kept here; raises Invalid."""
        head, mark = self.head, mark_of(stored)
        decode_entry(stored)
        bounds.require_fit((stored,))
        if head.survivor is not None or self._has(mark):
            return
        size = sum(map(len, head.tail)) + len(stored)
        if head.tail and (len(head.tail) >= CHAPTER_ENTRIES or size > bounds.chapter_bytes_max):
            self._seal(head.own, tuple(head.tail), head.next)
            head.tail = []
        head.tail = [*head.tail, stored]
        self._differs = True
        self.trim(bounds)

    def _has(self, mark: Mark) -> bool:
        """True for an entry that was delivered before, by time, version, kind and cause; a request's by its id."""
        tail = self.head.tail
        asked = mark.kind in _ASKED
        if not asked and (not tail or mark.version > mark_of(tail[-1]).version):
            return False
        marks = [mark_of(one) for one in tail]
        if any(_same(one, mark, asked) for one in marks):
            return True
        if not marks or mark.version > marks[0].version:
            return False
        for chapter in reversed(self.head.own.chapters):
            if chapter.last_version < mark.version:
                return False
            within = asked or chapter.first_at <= mark.at <= chapter.last_at
            if within and any(_same(mark_of(one), mark, asked) for one in self._entries(chapter)):
                return True
        return False

    def _entries(self, chapter: Chapter) -> list[bytes]:
        stored = self._rows.get(row_key(self.customer, chapter.number))
        return decode_chapter(stored) if stored is not None else []

    def _seal(self, line: Line, entries: tuple[bytes, ...], source: int) -> None:
        marks = [mark_of(one) for one in entries]
        times, versions = [one.at for one in marks], [one.version for one in marks]
        number = self._number()
        spans = (min(times), max(times), min(versions), max(versions))
        line.chapters = [*line.chapters, Chapter(number, len(entries), *spans, source)]
        self._rows.put(row_key(self.customer, number), VERSION + _encoder.encode(entries))

    def _number(self) -> int:
        number = self.head.next
        self.head.next += 1
        return number

    # Bounds

    def trim(self, bounds: Bounds) -> None:
        """Drop what is too old or too much, oldest first."""
        while (line := self._oldest()) is not None:
            too_many = self.count - line.chapters[0].count >= bounds.entries_max
            if not too_many and line.chapters[0].last_at >= bounds.cutoff:
                break
            self._drop(line)
        while self.head.tail and not self.head.own.chapters:
            too_many = len(self.head.tail) > bounds.entries_max
            if not too_many and mark_of(self.head.tail[0]).at >= bounds.cutoff:
                break
            self._fold(self.head.own, self.head.tail[:1])
            self.head.tail = self.head.tail[1:]
            self._differs = True

    @property
    def count(self) -> int:
        """Entries, those of merged customers included."""
        lines = (self.head.own, *self.head.merged.values())
        return len(self.head.tail) + sum(chapter.count for line in lines for chapter in line.chapters)

    def _oldest(self) -> Line | None:
        """The line whose first chapter ended first."""
        lines = [line for line in (self.head.own, *self.head.merged.values()) if line.chapters]
        return min(lines, key=lambda line: line.chapters[0].last_at, default=None)

    def _drop(self, line: Line) -> None:
        chapter = line.chapters[0]
        self._fold(line, self._entries(chapter))
        self._rows.delete(row_key(self.customer, chapter.number))
        line.chapters = line.chapters[1:]
        line.dropped = max(line.dropped, chapter.source)
        self._differs = True
        if line is not self.head.own and not line.chapters:
            self._close(line)

    def _close(self, line: Line) -> None:
        """Of a merged customer's history nothing is left."""
        if line.base is not None:
            self._rows.delete(row_key(self.customer, line.base))
        self.head.merged = {name: one for name, one in self.head.merged.items() if one is not line}

    def _fold(self, line: Line, entries: Iterable[bytes]) -> None:
        """What the entries made golden goes to the line's base."""
        base = begun(self._base(line))
        for stored in entries:
            follow(base, decode_entry(stored))
        self._put_base(line, base)

    def _base(self, line: Line) -> Snapshot | None:
        stored = self._rows.get(row_key(self.customer, line.base)) if line.base is not None else None
        return decode_base(stored) if stored is not None else None

    def _put_base(self, line: Line, base: Snapshot) -> None:
        if line.base is None:
            line.base = self._number()
            self._differs = True
        while base.consents:
            try:
                self._rows.put(row_key(self.customer, line.base), VERSION + _encoder.encode(base))
                return
            except TooLarge:
                # Contact points that come and go without end: those that were spoken of last are kept.
                base.consents = dict(list(base.consents.items())[len(base.consents) // 2 + 1 :])
        self._rows.put(row_key(self.customer, line.base), VERSION + _encoder.encode(base))

    # Merges and erasure

    def parts(self) -> Iterator[Graft]:
        """All of it as messages for the survivor."""
        mine = self.customer.decode()
        for name, line in ((mine, self.head.own), *self.head.merged.items()):
            if line.base is not None:
                yield Graft(name, -1, (), self._base(line))
            for chapter in line.chapters:
                yield Graft(name, chapter.source, tuple(self._entries(chapter)))
        if self.head.tail:
            yield Graft(mine, self.head.next, tuple(self.head.tail))

    def graft(self, part: Graft, bounds: Bounds) -> None:
        """Add a part of a merged customer's history, unless it is there already; raises Invalid."""
        bounds.require_fit(part.entries)
        for stored in part.entries:
            decode_entry(stored)
        line = self.head.merged.setdefault(part.customer_id, Line())
        if part.base is not None and line.base is None and not line.chapters:
            self._put_base(line, part.base)
        if part.entries and part.source > max([line.dropped, *(one.source for one in line.chapters)]):
            self._seal(line, part.entries, part.source)
            self._differs = True
            self.trim(bounds)

    def disown(self, lost: Disowned) -> None:
        """Take out what an erased customer had said; the entries stay, so that they are known again."""
        for line in (self.head.own, *self.head.merged.values()):
            for chapter in line.chapters:
                entries = tuple(entry_without(one, lost) for one in self._entries(chapter))
                self._rows.put(row_key(self.customer, chapter.number), VERSION + _encoder.encode(entries))
            base = self._base(line)
            if base is not None:
                self._put_base(line, base_without(base, lost))
        self.head.tail = [entry_without(one, lost) for one in self.head.tail]
        self._differs = True

    def empty(self, survivor: str | None = None) -> None:
        """Remove every row but the head, which says where the history went; None: it is forgotten for ever."""
        for line in (self.head.own, *self.head.merged.values()):
            for number in [one.number for one in line.chapters] + ([] if line.base is None else [line.base]):
                self._rows.delete(row_key(self.customer, number))
        self.head = Head(self.head.next, survivor=survivor, forgotten=survivor is None)
        self._differs = True


def _same(one: Mark, other: Mark, asked: bool) -> bool:
    return one == other or (asked and (one.kind, one.cause) == (other.kind, other.cause))


def checked(key: bytes | None) -> bytes:
    """A record's key; raises Invalid("null_key")."""
    if key is None:
        raise Invalid("null_key", "the key is the customer")
    return key
