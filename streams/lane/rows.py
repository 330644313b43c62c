"""One partition's rows during one batch: read ahead, written only with the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from streams.lane.errors import TooLarge


class Held(Protocol):
    """Where one partition's rows are."""

    def read_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """The rows of the distinct keys; None where there is none."""
        ...

    def read(self, key: bytes) -> bytes | None:
        """One row."""
        ...

    def read_local(self, key: bytes) -> bytes | None:
        """One local row."""
        ...

    def scan_local(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Local rows with start <= key < stop in order of key, at most `limit`."""
        ...


class Rows:
    """A view of one partition of a table, for one batch.

    Rows are in the changelog; local rows are an index in this worker's RocksDB alone, which recovery rebuilds with
    the table's `derive`, so they must be a function of the rows. Reads see the writes of this batch.
    """

    __slots__ = ("_held", "_read", "limit_bytes", "local", "table", "written")

    def __init__(self, table: str, held: Held | None, keys: Iterable[bytes], limit_bytes: int) -> None:
        self.table = table
        self.limit_bytes = limit_bytes
        self._held = held
        self._read = held.read_many(keys) if held is not None else {}
        self.written: dict[bytes, bytes | None] = {}
        self.local: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """The row, None if there is none."""
        if key in self.written:
            return self.written[key]
        if key not in self._read:
            self._read[key] = self.held.read(key)
        return self._read[key]

    def put(self, key: bytes, value: bytes) -> None:
        """Set the row. Raises TooLarge at once, with the row untouched, if key and value exceed the record limit."""
        size = len(key) + len(value)
        if size > self.limit_bytes:
            raise TooLarge(f"table {self.table}", size, self.limit_bytes)
        self.written[key] = value

    def delete(self, key: bytes) -> None:
        """Remove the row; a tombstone in the changelog."""
        self.written[key] = None

    def get_local(self, key: bytes) -> bytes | None:
        """The local row, None if there is none."""
        if key in self.local:
            return self.local[key]
        return self.held.read_local(key)

    def put_local(self, key: bytes, value: bytes) -> None:
        """Set a local row."""
        self.local[key] = value

    def delete_local(self, key: bytes) -> None:
        """Remove a local row."""
        self.local[key] = None

    def scan_local(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Local rows with start <= key < stop in order of key, at most `limit`."""
        changed = {key: value for key, value in self.local.items() if start <= key < stop}
        stored = self.held.scan_local(start, stop, limit + len(changed))
        merged = {**dict(stored), **changed}
        return list(_present(sorted(merged.items())))[:limit]

    @property
    def foreseen(self) -> dict[bytes, bytes | None]:
        """The rows that were read so far."""
        return self._read

    @property
    def held(self) -> Held:
        """Where the rows are. Raises LookupError for a processor without a table."""
        if self._held is None:
            raise LookupError("this processor has no table")
        return self._held


def _present(pairs: Iterable[tuple[bytes, bytes | None]]) -> Iterator[tuple[bytes, bytes]]:
    return ((key, value) for key, value in pairs if value is not None)
