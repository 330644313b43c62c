"""What a table keeps in memory is bounded, however many rows it has."""

import time
from pathlib import Path

import msgspec
from rocksdict import Rdict, WriteBatch

from streams.lane.store import Cache, options
from tests.unit.lane.fakes import SETTINGS

CACHE_BYTES = 1024 * 1024
SMALL = msgspec.structs.replace(SETTINGS, table_write_buffers_bytes=2 * 1024 * 1024)
ROWS = 800_000
FILTER_BYTES = ROWS * 10 // 8
AT_ONCE = 10_000
SETTLE_TIMEOUT_S = 5.0


def filled(path: Path, cache: Cache) -> Rdict:
    """Files with so many rows, some of which were read."""
    table = Rdict(str(path), options=options(SMALL, cache))
    for first in range(0, ROWS, AT_ONCE):
        batch = WriteBatch(raw_mode=True)
        for number in range(first, first + AT_ONCE):
            batch.put(b"%08d" % number, b"%08d" % number)
        table.write(batch)
    for number in range(0, ROWS, 77):
        assert table[b"%08d" % number] == b"%08d" % number
    return table


def settle(table: Rdict) -> None:
    """Write now and then, until what was written faster than files are is in files, too."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    bound = SMALL.table_write_buffers_bytes
    while in_memory(table, "cur-size-all-mem-tables") > bound and time.monotonic() < deadline:
        table[b"last"] = b"row"
        time.sleep(0.01)


def in_memory(table: Rdict, measure: str) -> int:
    """Bytes, as RocksDB counts them."""
    found = table.property_int_value(f"rocksdb.{measure}")
    assert found is not None
    return found


def test_neither_filters_nor_rows_on_their_way_to_a_file_grow_with_the_rows(tmp_path: Path) -> None:
    """Filters come and go in the cache like all else; the rows in no file yet are bounded for all partitions."""
    cache = Cache(CACHE_BYTES)
    table = filled(tmp_path / "rows", cache)
    settle(table)

    assert in_memory(table, "estimate-table-readers-mem") < 0.7 * FILTER_BYTES
    assert in_memory(table, "cur-size-all-mem-tables") <= SMALL.table_write_buffers_bytes
    assert cache.get_usage() < 1.5 * CACHE_BYTES
    table.close()
