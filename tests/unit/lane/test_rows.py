"""Rows and their store: what a batch sees, what is written together, what recovery rebuilds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.lane import Rows, TooLarge
from streams.lane.store import PartitionStore, Position
from tests.unit.lane.fakes import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PartitionStore]:
    opened = open_store(tmp_path / "rows")
    yield opened
    opened.close()


def rows(store: PartitionStore, *keys: bytes) -> Rows:
    return Rows("table", store, keys, 20)


def by_value(key: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(value + b"/" + key, b"")]


def test_a_batch_sees_its_own_writes_and_the_store_does_not(store: PartitionStore) -> None:
    """Until the checkpoint writes them."""
    store.write({b"a": b"1", b"b": b"1"}, {}, None)
    view = rows(store, b"a")
    view.put(b"a", b"2")
    view.delete(b"b")

    assert [view.get(b"a"), view.get(b"b"), view.get(b"c")] == [b"2", None, None]
    assert [store.read(b"a"), store.read(b"b")] == [b"1", b"1"]


def test_an_oversize_row_is_refused_at_once_and_the_row_stays(store: PartitionStore) -> None:
    """Key and value count together; the error tells sizes, not values."""
    view = rows(store)
    view.put(b"key", b"small")
    with pytest.raises(TooLarge) as refused:
        view.put(b"key", b"x" * 18)

    assert (refused.value.size_bytes, refused.value.limit_bytes) == (21, 20)
    assert "x" * 18 not in str(refused.value)
    assert view.get(b"key") == b"small"


def test_local_rows_are_scanned_in_order_with_the_changes_of_the_batch(store: PartitionStore) -> None:
    """Puts, deletions and limits included."""
    store.write({b"row": b""}, {b"a": b"1", b"b": b"1", b"c": b"1", b"x": b"1"}, None)
    view = rows(store)
    view.delete_local(b"a")
    view.put_local(b"bb", b"2")
    view.put_local(b"c", b"2")

    assert view.scan_local(b"a", b"x", 10) == [(b"b", b"1"), (b"bb", b"2"), (b"c", b"2")]
    assert view.scan_local(b"a", b"x", 2) == [(b"b", b"1"), (b"bb", b"2")]
    assert [view.get_local(b"c"), view.get_local(b"a")] == [b"2", None]


def test_rows_and_local_rows_do_not_mix(store: PartitionStore) -> None:
    """The same key in both is two things, and pages of rows end before the local ones."""
    store.write({b"": b"empty key", b"a": b"row", b"\xff": b"last"}, {b"a": b"local"}, Position(7, 1))

    assert store.scan(None, 10) == [(b"", b"empty key"), (b"a", b"row"), (b"\xff", b"last")]
    assert store.scan(b"a", 10) == [(b"\xff", b"last")]
    assert store.read_local(b"a") == b"local"


def test_a_closed_store_opens_again_with_everything(tmp_path: Path) -> None:
    """Without a log of its own: closing writes the files."""
    first = open_store(tmp_path / "rows")
    first.write({b"a": b"1"}, {b"i": b""}, Position(7, 99))
    first.close()
    second = open_store(tmp_path / "rows")

    assert (b"1", b"", Position(7, 99)) == (second.read(b"a"), second.read_local(b"i"), second.position)
    second.close()


def test_replaying_the_changelog_rebuilds_the_local_rows(store: PartitionStore) -> None:
    """What followed from the old row goes, what follows from the new one comes; a tombstone takes its own along."""
    store.replay({b"k": b"old", b"gone": b"old"}, Position(1, 0), by_value)
    store.replay({b"k": b"new", b"gone": None}, Position(2, 0), by_value)

    assert store.scan_local(b"", b"\xff", 10) == [(b"new/k", b"")]
    assert (store.read(b"k"), store.read(b"gone"), store.offset) == (b"new", None, 2)


def test_rows_are_stale_by_the_time_they_last_followed_the_changelog(store: PartitionStore) -> None:
    """Empty ones never are; those that were being read since a moment ago are not."""
    empty = store.is_stale(0.0)
    store.write({b"a": b"1"}, {}, Position(1, 0))
    never_read = store.is_stale(3600.0)
    store.wipe()
    store.begin_reading()
    store.write({b"a": b"1"}, {}, Position(1, 0))

    assert (empty, never_read, store.is_stale(3600.0)) == (False, True, False)
    assert store.read(b"a") == b"1"


def test_a_wiped_store_is_empty(store: PartitionStore) -> None:
    """Rows, local rows and place."""
    store.write({b"a": b"1"}, {b"i": b""}, Position(1, 0))
    store.wipe()

    assert (store.read(b"a"), store.scan_local(b"", b"\xff", 10), store.position) == (None, [], None)
