"""A program that decides aside, for the tests: what it does follows from the batch's topic."""

import os
import sys
from collections.abc import Iterable

from streams.lane import Batch, Counts, Done, Emit, Processor, Refused, Rows, serve


class Counting:
    """Counts the records of each key in its row; topics by name misbehave."""

    def __init__(self, greeting: str) -> None:
        self._greeting = greeting

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The records' keys."""
        return {one.key for one in batch.records if one.key is not None}

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """As said."""
        match batch.topic:
            case "ends":
                os._exit(7)
            case "fails":
                raise ValueError("person@example.com")
            case "refuses":
                raise Refused("Do something.")
            case "reads":
                return Done([_emit(*pair) for pair in self._unforeseen(rows)])
        for record in batch.records:
            key = record.key or b""
            rows.put(key, b"%d" % (int(rows.get(key) or b"0") + 1))
            rows.put_local(b"last", key)
        return Done([_emit(b"greeting", self._greeting.encode())], batch.last_offset, 0.5)

    def _unforeseen(self, rows: Rows) -> Iterable[tuple[bytes, bytes]]:
        yield b"row", rows.get(b"other") or b"none"
        yield b"local", rows.get_local(b"a1") or b"none"
        yield from rows.scan_local(b"a", b"b", 10)


def _emit(key: bytes, value: bytes) -> Emit:
    return Emit("out", key, value, None, 5, (("h", b"1"),))


def make(greeting: bytes) -> Processor:
    """The processor of a greeting."""
    return Counting(greeting.decode())


def counts() -> Counts:
    """Something."""
    return [("batches", ("aside",), 1.0)]


if __name__ == "__main__":
    serve(int(sys.argv[1]), make, counts)
