"""A history lies in chapters: appending rewrites little, what is delivered again is known, what is old is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.core.decide import Tick
from streams.core.history_view import as_of_view
from streams.core.timeline import Graft, Moved, encode_message, whole_entry
from streams.lane import Batch, Record, partition_of
from streams.model import Invalid
from streams.runtime.chapters import (
    AGED,
    CHAPTER_ENTRIES,
    Book,
    Bounds,
    HistoryTable,
    customer_of,
    decode_chapter,
    derive,
    head_key,
    row_key,
)
from streams.runtime.historian import moved_emit
from streams.runtime.tombstones import tombstone
from tests.unit.history.desk import DAY_MS, Desk
from tests.unit.history.telling import NOON, RECORD_BYTES_MAX, WIDE, Shelf, Told, change

C1 = b"C1"


def names(count: int) -> Told:
    """A customer whose first name changed so often."""
    told = Told()
    told.names(*(f"Name {number}" for number in range(count)))
    return told


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "rows")


def test_an_append_rewrites_no_more_than_one_chapter(shelf: Shelf) -> None:
    told = names(100)
    shelf.write(C1, told.entries[:99])
    rows = shelf.rows()
    book = Book(C1, rows)
    book.append(told.entries[99], WIDE)
    book.save()

    written = sum(len(one or b"") for one in rows.written.values())
    assert len(rows.written) <= 2
    assert written < 2 * CHAPTER_ENTRIES * max(map(len, told.entries))


def test_what_is_read_is_what_was_written_in_order(shelf: Shelf) -> None:
    told = names(50)
    shelf.write(C1, told.entries)

    [kept] = shelf.read(C1)
    assert [one.cause for one in kept.entries] == [f"n{number}" for number in range(50)]
    assert kept.base is None


@pytest.mark.parametrize("again", [slice(49, 50), slice(40, 50), slice(0, 50), slice(10, 30)])
def test_what_is_delivered_again_is_kept_once(shelf: Shelf, again: slice) -> None:
    told = names(50)
    shelf.write(C1, [*told.entries, *told.entries[again]])

    assert len(shelf.read(C1)[0].entries) == 50


@pytest.mark.parametrize("entries_max", [1, 10, 16, 20, 40])
def test_older_entries_are_dropped_but_not_what_they_made_golden(shelf: Shelf, entries_max: int) -> None:
    told = Told()
    told.take(change("last", "storefront:9", -1, attributes={"last_name": {"value": "Lee"}}), -1)
    told.names(*(f"Name {number}" for number in range(60)))
    shelf.write(C1, told.entries, Bounds(entries_max, 0, RECORD_BYTES_MAX))

    kept = shelf.read(C1)
    assert entries_max <= len(kept[0].entries) < entries_max + CHAPTER_ENTRIES
    view = as_of_view(kept, NOON + 10**9)
    assert view["attributes"]["last_name"]["value"] == "Lee"
    assert view["attributes"]["first_name"]["value"] == "Name 59"
    assert not as_of_view(kept, NOON)["known"]


def test_rows_of_what_was_dropped_are_removed(shelf: Shelf) -> None:
    shelf.write(C1, names(200).entries, Bounds(20, 0, RECORD_BYTES_MAX))

    assert len(shelf.store.scan(None, 1000)) <= 4


def test_a_chapter_is_closed_when_it_is_large(shelf: Shelf) -> None:
    told = names(4)
    large = Bounds(200, 0, 4 * len(told.entries[0]) + 8)
    shelf.write(C1, told.entries, large)

    assert [len(decode_chapter(value)) for key, value in shelf.store.scan(None, 10) if key != head_key(C1)] == [1, 1, 1]
    assert len(shelf.read(C1)[0].entries) == 4


def test_an_entry_that_leaves_no_room_is_refused(shelf: Shelf) -> None:
    told = names(1)
    with pytest.raises(Invalid, match="too_large"):
        Book(C1, shelf.rows()).append(told.entries[0], Bounds(200, 0, len(told.entries[0])))


def test_every_row_of_a_customer_lies_on_its_partition() -> None:
    table = HistoryTable.__new__(HistoryTable)
    table.partitions = 7
    for customer in (b"C1", b"c-\x00\xff\xff\xff\xff", b""):
        keys = [head_key(customer), row_key(customer, 0), row_key(customer, 4_000_000)]
        assert {table.partition_of(key) for key in keys} == {partition_of(customer, 7)}
        assert {customer_of(key) for key in keys} == {customer}


def test_recovery_finds_the_same_local_rows(shelf: Shelf) -> None:
    shelf.write(C1, names(40).entries, Bounds(20, 0, RECORD_BYTES_MAX))
    shelf.write(b"C2", names(3).entries)

    derived = [pair for key, value in shelf.store.scan(None, 100) for pair in derive(key, value)]
    assert sorted(derived) == shelf.store.scan_local(AGED, AGED + b"\xff", 100)
    assert len(derived) == 2


def test_a_request_that_is_carried_out_at_another_time_is_kept_once(shelf: Shelf) -> None:
    told = names(1)
    decision = told.take(Tick(), 5)
    again = [whole_entry(decision, told.policy, NOON + late, "merge", "r1", other="C2") or b"" for late in (7, 8)]
    shelf.write(C1, [*told.entries, *again])

    assert [one.kind for one in shelf.read(C1)[0].entries] == ["change", "merge"]


# The historian


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_batch_is_written_once_for_each_customer(desk: Desk) -> None:
    entries = names(10).entries
    await desk.take(*((key, entry) for entry in entries for key in (b"C1", b"C2")))

    assert desk.causes(b"C1") == {"C1": [f"n{number}" for number in range(10)]}
    assert desk.causes(b"C2") == {"C2": [f"n{number}" for number in range(10)]}


async def test_what_is_no_entry_goes_to_the_dead_letters_and_the_rest_is_kept(desk: Desk) -> None:
    entry = names(1).entries[0]
    emits = await desk.take((C1, b"\x01\xff"), (None, entry), (C1, b"\x09"), (C1, entry))

    assert [one.topic for one in emits] == ["dead-letters"] * 3
    assert desk.causes(C1) == {"C1": ["n0"]}


async def test_a_tombstone_forgets_all_for_ever(desk: Desk) -> None:
    entries = names(40).entries
    await desk.take(*((C1, one) for one in entries))
    await desk.take((C1, None))
    behind = await desk.take((C1, entries[-1]), (C1, encode_message(Graft("C2", 0, (entries[0],)))))

    assert behind == [tombstone("history", C1, NOON, 0)] * 2
    assert desk.causes(C1) == {"C1": []}
    assert [key for key, _ in desk.shelf.store.scan(None, 100)] == [head_key(C1)]
    assert b"Name" not in b"".join(value for _, value in desk.shelf.store.scan(None, 100))
    assert desk.shelf.store.scan_local(AGED, AGED + b"\xff", 10) == []


async def test_the_history_of_a_merged_customer_goes_to_its_survivor(desk: Desk) -> None:
    entries = names(40).entries
    await desk.take(*((C1, one) for one in names(3).entries), *((b"C2", one) for one in entries))
    moved = moved_emit(b"C2", "C1", NOON)
    for _ in range(2):  # the second time as after a crash
        await desk.settle(await desk.take((b"C2", entries[-1]), (moved.key, moved.value)))

    assert desk.causes(C1) == {"C1": ["n0", "n1", "n2"], "C2": [f"n{number}" for number in range(40)]}
    assert desk.causes(b"C2") == {"C2": []}
    assert len([key for key, _ in desk.shelf.store.scan(None, 100) if customer_of(key) == b"C2"]) == 1


async def test_parts_that_are_delivered_again_are_kept_once(desk: Desk) -> None:
    await desk.take(*((b"C2", one) for one in names(40).entries))
    moved = moved_emit(b"C2", "C1", NOON)
    parts = await desk.take((moved.key, moved.value))
    for _ in range(2):
        await desk.take(*((one.key, one.value) for one in parts))

    assert desk.causes(C1)["C2"] == [f"n{number}" for number in range(40)]


async def test_parts_follow_a_survivor_that_was_merged_meanwhile(desk: Desk) -> None:
    for key, count in ((C1, 2), (b"C2", 20), (b"C3", 20)):
        await desk.take(*((key, one) for one in names(count).entries))
    parts = await desk.take((b"C3", encode_message(Moved("C2"))))
    await desk.settle(
        await desk.take(*((one.key, one.value) for one in parts[:1]), (b"C2", encode_message(Moved("C1"))))
    )
    await desk.settle(await desk.take(*((one.key, one.value) for one in parts)))

    every = [f"n{number}" for number in range(20)]
    assert desk.causes(C1) == {"C1": ["n0", "n1"], "C2": every, "C3": every}


async def test_merged_histories_count_against_the_same_limit(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 30)
    await desk.take(*((C1, one) for one in names(20).entries), *((b"C2", one) for one in names(20).entries))
    await desk.settle(await desk.take((b"C2", encode_message(Moved("C1")))))

    assert sum(map(len, desk.causes(C1).values())) <= 30 + CHAPTER_ENTRIES


async def test_what_is_too_old_is_dropped_also_where_nothing_is_added_any_more(desk: Desk) -> None:
    await desk.take(*((key, one) for key in (C1, b"C2") for one in names(40).entries))
    desk.now = NOON + 2 * DAY_MS + 20_000
    await desk.take((b"C3", names(1).entries[0]))
    left = {key: len(desk.shelf.read(key)[0].entries) for key in (C1, b"C2")}
    desk.now += DAY_MS
    await desk.take((b"C3", names(1).entries[0]))

    assert left == {C1: 24, b"C2": 24}
    assert desk.causes(C1) == {"C1": []}
    base = desk.shelf.read(C1)[0].base
    assert base is not None and base.golden["first_name"].value == "Name 39"


async def test_a_null_value_that_no_erasure_left_is_a_dead_letter(desk: Desk) -> None:
    rows = desk.shelf.rows()
    record = Record("history", 0, 0, NOON, C1, None)
    done = await desk.historian.process(Batch("history", 0, [record], 1), rows)

    assert [one.topic for one in done.emits] == ["dead-letters"]
    assert rows.written == {}
