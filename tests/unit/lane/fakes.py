"""Stand-ins for what surrounds a checkpoint, which write down the order of events."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from streams.lane import Batch, Done, Emit, LaneSettings, Record, Rows
from streams.lane.store import Cache, PartitionStore, Position, options

SETTINGS = LaneSettings(bootstrap="127.0.0.1:1", app_id="app", datadir="unused")


def record(offset: int, key: bytes = b"key", value: bytes | None = b"value") -> Record:
    return Record("topic", 0, offset, 1_000, key, value)


def batch(*offsets: int, generation: int = 1) -> Batch:
    return Batch("topic", 0, [record(offset) for offset in offsets], generation)


def open_store(path: Path) -> PartitionStore:
    return PartitionStore(path, options(SETTINGS, Cache(1024 * 1024)))


class Outside:
    """Broker, group and table in one; `events` is what happened, `fail_at` raises in the middle."""

    name = "rows"
    lease = 10.0
    hang = ""
    changelog_name = "changelog"

    def __init__(self, store: PartitionStore, fail_at: str = "", owned: Sequence[bool] = ()) -> None:
        self.events: list[object] = []
        self._store = store
        self._fail_at = fail_at
        self._owned = list(owned)

    def store(self, partition: int) -> PartitionStore:
        return self._store

    def owns(self, batch: Batch) -> bool:
        return self._owned.pop(0) if self._owned else True

    def lease_s(self) -> float:
        return self.lease

    def done(self, batch: Batch, next_offset: int) -> None:
        self.events.append(("done", next_offset))

    async def send(self, emits: Sequence[Emit], default_partition: int) -> None:
        await self._happen("emits", [emit.value for emit in emits])

    async def send_rows(self, topic: str, partition: int, rows: dict[bytes, bytes | None]) -> Position:
        await self._happen("changelog", dict(rows))
        return Position(41, 0)

    def require_fit(self, emits: Iterable[Emit]) -> None:
        """Everything fits."""

    async def _happen(self, what: str, detail: object) -> None:
        if what == self.hang:
            await asyncio.Event().wait()
        if what == self._fail_at:
            raise ConnectionError(what)
        self.events.append((what, detail))


class Echo:
    """Emits every value, keeps the last one as the row; acknowledges up to `done_offset`."""

    def __init__(self, done_offset: int | None = None) -> None:
        self._done_offset = done_offset

    def keys(self, batch: Batch) -> list[bytes]:
        return [b"key"]

    async def process(self, batch: Batch, rows: Rows) -> Done:
        for each in batch.records:
            rows.put(b"key", b"%d" % each.offset)
        return Done([Emit("out", None, b"%d" % each.offset) for each in batch.records], self._done_offset)
