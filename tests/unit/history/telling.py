"""A customer as the engine folds it, with the history entries that come of it, and books to write them in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streams.codec.contract import change_from_json
from streams.codec.state import decode_customer, encode_customer
from streams.core.decide import Decision, Input, decide
from streams.core.history import entry_of
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.core.timeline import Entry, Kept, decode_entry
from streams.lane import Rows
from streams.model import Change, Command, Millis, Receipt, format_time, parse_time
from streams.policy import load_policy
from streams.runtime.chapters import Book, Bounds, decode_base, decode_chapter, row_key
from tests.unit.lane.fakes import open_store

NOON = parse_time("2026-01-10T12:00:00Z")
ANN = "ann@example.com"
RECORD_BYTES_MAX = 1_000_000
WIDE = Bounds(200, 0, RECORD_BYTES_MAX)


def change(change_id: str, record: str, second: int, **said: Any) -> Change:
    """What a record says so many seconds after noon."""
    platform, _, record_id = record.partition(":")
    told = {"change_id": change_id, "platform": platform, "record_id": record_id, "customer_id": "C1"}
    return change_from_json({**told, "observed_at": format_time(NOON + second * 1000), **said})


def named(change_id: str, record: str, second: int, name: str) -> Change:
    """A record states a first name."""
    return change(change_id, record, second, attributes={"first_name": {"value": name}})


class Told:
    """One customer; `entries` are the history entries as they are written, in order."""

    def __init__(self, customer_id: str = "C1", policy: Policy | None = None) -> None:
        self.policy = policy or load_policy()
        self.customer_id = customer_id
        self.entries: list[bytes] = []
        self.stored: bytes | None = None

    @property
    def state(self) -> Customer:
        """The state as it is stored."""
        assert self.stored is not None
        return decode_customer(self.stored)

    def take(self, event: Input, second: float) -> Decision:
        """Fold one input, received so many seconds after noon."""
        at = NOON + round(second * 1000)
        known = self.state if self.stored is not None else Customer(self.customer_id, at)
        decision = decide(known, event, at, self.policy)
        entry = entry_of(decision, event, at)
        if entry is not None:
            self.entries.append(entry)
        self.stored = encode_customer(decision.state)
        return decision

    def names(self, *names: str) -> None:
        """The storefront states one first name after another, a second apart."""
        for number, name in enumerate(names):
            self.take(named(f"n{number}", "storefront:9", number, name), number)

    @property
    def last(self) -> Entry:
        """The newest entry."""
        return decode_entry(self.entries[-1])


def answer(command: Command, outcome: Any = "applied", detail: str | None = None, at: Millis | None = None) -> Receipt:
    """What a platform answers."""
    return Receipt(outcome, command.command_id, "C1", command.platform, command.record_id, at=at, detail=detail)


class Shelf:
    """Rows of a partition in a store of their own."""

    def __init__(self, directory: Path) -> None:
        self.store = open_store(directory)

    def rows(self) -> Rows:
        """As one batch sees them."""
        return Rows("history", self.store, (), RECORD_BYTES_MAX)

    def keep(self, rows: Rows) -> None:
        """What the checkpoint does at the end."""
        self.store.write(rows.written, rows.local, None)

    def write(self, customer: bytes, entries: Iterable[bytes], bounds: Bounds = WIDE) -> None:
        """Append entries, each in a batch of its own."""
        for entry in entries:
            rows = self.rows()
            book = Book(customer, rows)
            book.append(entry, bounds)
            book.save()
            self.keep(rows)

    def read(self, customer: bytes) -> list[Kept]:
        """What is kept under a customer's key: its own, then what was merged."""
        rows = self.rows()
        book = Book(customer, rows)
        found = []
        for name, line in ((customer.decode(), book.head.own), *book.head.merged.items()):
            chapters = [rows.get(row_key(customer, one.number)) or b"" for one in line.chapters]
            entries = [entry for stored in chapters for entry in decode_chapter(stored)]
            tail = book.head.tail if line is book.head.own else []
            base = rows.get(row_key(customer, line.base)) if line.base is not None else None
            kept = [decode_entry(one) for one in (*entries, *tail)]
            found.append(Kept(name, decode_base(base) if base is not None else None, kept))
        return found
