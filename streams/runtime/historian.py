"""The historian: entries of the topic `history` folded into the table of the same name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from streams.core.history import ENTRY
from streams.core.history_apart import disowned
from streams.core.rules import HistoryRule
from streams.core.state import Customer
from streams.core.timeline import Graft, Message, Moved, decode_message, encode_message
from streams.lane import Batch, Done, Emit, Record, Rows
from streams.model import Invalid, Millis
from streams.runtime import topics
from streams.runtime.chapters import AGED, Book, Bounds, aged_customer, aged_key, checked, head_key
from streams.runtime.letters import Letters
from streams.runtime.metrics import RECORDS
from streams.runtime.tombstones import follow, is_tombstone

# Histories that one batch looks through for what has become too old.
SWEEP_MAX = 64


def wall_clock() -> Millis:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def entry_emits(customer: bytes, entry: bytes | None, at: Millis) -> list[Emit]:
    """An entry that was made elsewhere, such as that of a merge (`timeline.whole_entry`)."""
    return [] if entry is None else [Emit(topics.HISTORY, customer, entry, timestamp_ms=at)]


def moved_emit(customer: bytes, survivor: str, at: Millis) -> Emit:
    """The history of a merged customer goes to its survivor: emitted when that one has absorbed the state."""
    return Emit(topics.HISTORY, customer, encode_message(Moved(survivor)), timestamp_ms=at)


class Historian:
    """Processor of `history`, over the table `history`.

    A tombstone forgets a customer for ever; what comes behind it is followed by another one.
    """

    def __init__(
        self, rule: HistoryRule, letters: Letters, record_max_bytes: int, now: Callable[[], Millis] = wall_clock
    ) -> None:
        self._rule = rule
        self._letters = letters
        self._record_max_bytes = record_max_bytes
        self._now = now

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The heads of the batch's customers."""
        return {head_key(one.key) for one in batch.records if one.key is not None}

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Each record at its customer's book; a book is saved once for the batch."""
        RECORDS.labels(batch.topic).inc(len(batch.records))
        bounds = Bounds(self._rule.max_entries, self._now() - self._rule.max_age_ms, self._record_max_bytes)
        books: dict[bytes, Book] = {}
        emits: list[Emit] = []
        dead = 0
        for record in batch.records:
            try:
                emits += self._take(record, books, rows, bounds)
            except Invalid as invalid:
                dead += 1
                emits.append(self._letters.refuse(record, invalid, "TASK_PUT", __name__))
        self._sweep(rows, books, bounds)
        for book in books.values():
            book.save()
        self._letters.count(len(batch.records), dead)
        return Done(emits)

    def _take(self, record: Record, books: dict[bytes, Book], rows: Rows, bounds: Bounds) -> list[Emit]:
        customer = checked(record.key)
        book = books.get(customer)
        if book is None:
            book = books[customer] = Book(customer, rows)
        value = record.value
        if is_tombstone(record):
            book.empty()
        elif value is None:
            raise Invalid("null_value", "only an erasure leaves a tombstone")
        elif book.head.forgotten:
            return follow(record)
        elif value[:1] == ENTRY:
            book.append(value, bounds)
        else:
            return _moved(record, decode_message(value), book, bounds)
        return []

    def _sweep(self, rows: Rows, books: dict[bytes, Book], bounds: Bounds) -> None:
        """Drop what has become too old of histories to which nothing is added any more."""
        for key, _ in rows.scan_local(AGED, aged_key(bounds.cutoff, b""), SWEEP_MAX):
            rows.delete_local(key)
            customer = aged_customer(key)
            book = books.get(customer)
            if book is None:
                book = books[customer] = Book(customer, rows)
            book.trim(bounds)


def disowned_emits(state: Customer, ids: tuple[str, ...], at: Millis) -> list[Emit]:
    """What this customer's history loses with the erasure of one of `ids`.

    By way of its aliases too: a history that is on its way from there comes before it.
    """
    lost = disowned(state, ids)
    names = (state.customer_id, *state.aliases) if lost is not None else ()
    return [
        Emit(topics.HISTORY, one.encode(), encode_message(lost), timestamp_ms=at) for one in names if lost is not None
    ]


def _moved(record: Record, message: Message, book: Book, bounds: Bounds) -> list[Emit]:
    """What comes for a history as a whole; at a merged customer it goes on to the survivor, as the history does."""
    survivor = book.head.survivor
    if not isinstance(message, Moved):
        if survivor is None:
            if isinstance(message, Graft):
                book.graft(message, bounds)
            else:
                book.disown(message)
            return []
        return [Emit(topics.HISTORY, survivor.encode(), record.value, timestamp_ms=record.timestamp_ms)]
    key = message.survivor.encode()
    if survivor is not None or key == book.customer:
        return []
    emits = [Emit(topics.HISTORY, key, encode_message(one), timestamp_ms=record.timestamp_ms) for one in book.parts()]
    book.empty(message.survivor)
    return emits
