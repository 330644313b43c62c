"""One partition of one table in RocksDB: rows, local rows and the changelog position, always written together."""

from __future__ import annotations

import itertools
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams.lane.settings import LaneSettings

Derive = Callable[[bytes, bytes], Iterable[tuple[bytes, bytes]]]

# The first byte tells the kinds of keys apart; Faust's own key starts with "_".
_ROW = b"\x01"
_LOCAL = b"\x02"
_AFTER_LOCAL = b"\x03"
_OFFSET = b"__faust\0offset__"
_STAMP = b"__lane\0stamp__"

_BLOOM_BITS = 10
_LOG_FILES_KEPT = 2


class Position(NamedTuple):
    """A place in the changelog: the offset of a record, and a checksum to know it again by."""

    offset: int
    checksum: int

    @classmethod
    def of(cls, offset: int, key: bytes | None, value: bytes | None) -> Self:
        """Of the record at `offset`."""
        return cls(offset, zlib.crc32(value or b"", zlib.crc32(key or b"")))


def options(settings: LaneSettings, cache: Cache) -> Options:
    """RocksDB options of a table's partitions, which share `cache` and the memory for what is not in files yet.

    Indexes and filters grow with the rows, so they are read through the cache, in parts; nothing else in memory does.
    """
    made = Options(raw_mode=True)
    made.create_if_missing(True)
    made.set_max_open_files(settings.table_open_files_max)
    made.set_write_buffer_size(settings.table_write_buffer_bytes)
    made.set_keep_log_file_num(_LOG_FILES_KEPT)
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(_BLOOM_BITS, block_based=False)
    blocks.set_block_cache(cache)
    blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
    blocks.set_partition_filters(True)
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_top_level_index_and_filter(True)
    made.set_write_buffer_manager(WriteBufferManager(settings.table_write_buffers_bytes, allow_stall=False))
    made.set_block_based_table_factory(blocks)
    return made


class PartitionStore:
    """The database of one partition. One process, one thread; no iterator outlives a call."""

    def __init__(self, path: Path, rocks: Options) -> None:
        self.path = path
        self._rocks = rocks
        # No log of its own: what a crash takes, rows and offset alike, is read again from the changelog.
        self._unlogged = WriteOptions()
        cast(Any, self._unlogged).disable_wal = True  # the stubs take the property for a method
        self._db = self._open()
        self._current = False
        self._complete_at_ms = self._stamp()[0]

    def _open(self) -> Rdict:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return Rdict(str(self.path), options=self._rocks)

    def close(self) -> None:
        """Write everything to the files and release them, so that another may open them."""
        if self._current and (position := self.position):
            self._db.write(self._placed(position), self._unlogged)
        self._db.close()

    def wipe(self) -> None:
        """Remove everything and start empty."""
        self._db.close()
        shutil.rmtree(self.path)
        self._db = self._open()
        self._current = False
        self._complete_at_ms = 0

    def is_stale(self, offline_max_s: float) -> bool:
        """Whether there are rows that were last known to follow the changelog longer ago than that."""
        return self.position is not None and _now_ms() - self._complete_at_ms > offline_max_s * 1000.0

    def begin_reading(self) -> None:
        """The changelog is being read from now on; empty rows have missed nothing that is there now."""
        if self.position is None:
            self._complete_at_ms = _now_ms()

    def mark_current(self) -> None:
        """The rows contain the whole changelog, and will while this process holds them."""
        self._current = True

    def read(self, key: bytes) -> bytes | None:
        """One row."""
        value: bytes | None = self._db.get(_ROW + key)
        return value

    def read_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """The rows of the distinct keys, read in one go; None where there is none."""
        distinct = list(dict.fromkeys(keys))
        if not distinct:
            return {}
        values: list[bytes | None] = self._db.get([_ROW + key for key in distinct]) or []
        return dict(zip(distinct, values, strict=True))

    def read_local(self, key: bytes) -> bytes | None:
        """One local row."""
        value: bytes | None = self._db.get(_LOCAL + key)
        return value

    def scan(self, after: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Rows in order of key behind `after` (None: from the first), at most `limit`."""
        start = _ROW if after is None else _ROW + after + b"\0"
        return self._between(start, _LOCAL, limit)

    def scan_local(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Local rows with start <= key < stop in order of key, at most `limit`."""
        return self._between(_LOCAL + start, _LOCAL + stop, limit)

    def _between(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        stored = cast(Iterator[tuple[bytes, bytes]], self._db.items(from_key=start))
        pairs = itertools.takewhile(lambda pair: pair[0] < stop, stored)
        return [(key[1:], value) for key, value in itertools.islice(pairs, limit)]

    @property
    def position(self) -> Position | None:
        """The last changelog record that these rows contain, None if they contain none."""
        offset = self._db.get(_OFFSET)
        return None if offset is None else Position(int(offset), self._stamp()[1])

    @property
    def offset(self) -> int | None:
        """The offset of `position`, under Faust's own key."""
        return None if (position := self.position) is None else position.offset

    def _stamp(self) -> tuple[int, int]:
        at_ms, checksum = (self._db.get(_STAMP) or b"0 0").split()
        return int(at_ms), int(checksum)

    def write(
        self, rows: Mapping[bytes, bytes | None], local: Mapping[bytes, bytes | None], position: Position | None
    ) -> None:
        """All of it or nothing: rows, local rows (None removes) and the place in the changelog (None: unchanged)."""
        batch = WriteBatch(raw_mode=True) if position is None else self._placed(position)
        _fill(batch, _ROW, rows)
        _fill(batch, _LOCAL, local)
        self._db.write(batch, self._unlogged)

    def _placed(self, position: Position) -> WriteBatch:
        at_ms = _now_ms() if self._current else self._complete_at_ms
        batch = WriteBatch(raw_mode=True)
        batch.put(_OFFSET, b"%d" % position.offset)
        batch.put(_STAMP, b"%d %d" % (at_ms, position.checksum))
        return batch

    def replay(self, rows: Mapping[bytes, bytes | None], position: Position, derive: Derive | None) -> None:
        """Apply changelog records up to `position`, and rebuild the local rows that follow from them."""
        local = self._derived(rows, derive) if derive is not None else {}
        self.write(rows, local, position)

    def _derived(self, rows: Mapping[bytes, bytes | None], derive: Derive) -> dict[bytes, bytes | None]:
        local: dict[bytes, bytes | None] = {}
        for key, old in self.read_many(rows).items():
            if old is not None:
                local.update((name, None) for name, _ in derive(key, old))
        for key, new in rows.items():
            if new is not None:
                local.update(derive(key, new))
        return local


def _now_ms() -> int:
    return int(time.time() * 1000)


def _fill(batch: WriteBatch, kind: bytes, pairs: Mapping[bytes, bytes | None]) -> None:
    put, delete = batch.put, batch.delete
    for key, value in pairs.items():
        if value is None:
            delete(kind + key)
        else:
            put(kind + key, value)


__all__ = ["Cache", "Derive", "PartitionStore", "Position", "options"]
