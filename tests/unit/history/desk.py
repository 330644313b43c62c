"""A historian over a shelf of its own."""

from __future__ import annotations

from pathlib import Path

from streams.core.rules import HistoryRule
from streams.lane import Batch, Emit, Record
from streams.runtime.historian import Historian
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings
from streams.runtime.tombstones import HEADER
from tests.unit.history.telling import NOON, RECORD_BYTES_MAX, Shelf

DAY_MS = 86_400_000


class Desk:
    """A historian with a shelf; the time can be set."""

    def __init__(self, directory: Path, entries_max: int = 200) -> None:
        self.shelf = Shelf(directory / "rows")
        self.now = NOON
        letters = Letters("tests", Settings())
        rule = HistoryRule(entries_max, 2 * DAY_MS)
        self.historian = Historian(rule, letters, RECORD_BYTES_MAX, lambda: self.now)
        self._offset = 0

    async def take(self, *records: tuple[bytes | None, bytes | None]) -> list[Emit]:
        """One batch."""
        taken = []
        for key, value in records:
            headers = () if value is not None else ((HEADER, b"1"),)
            taken.append(Record("history", 0, self._offset, self.now, key, value, headers))
            self._offset += 1
        rows = self.shelf.rows()
        done = await self.historian.process(Batch("history", 0, taken, 1), rows)
        self.shelf.keep(rows)
        return list(done.emits)

    async def settle(self, emits: list[Emit]) -> None:
        """What the historian sends to itself, until it sends nothing more."""
        while emits:
            emits = await self.take(*((one.key, one.value) for one in emits))

    def causes(self, customer: bytes) -> dict[str, list[str]]:
        """The causes of what is kept, by customer."""
        return {kept.customer_id: [one.cause for one in kept.entries] for kept in self.shelf.read(customer)}
