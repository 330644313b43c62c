"""The benchmark of identity measures known records only if they are known, and only binding if all else is the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.contenders.known_records import Passing
from benchmarks.known import TABLES, People
from streams.codec import PublicCodec
from streams.codec.state import decode_row
from streams.lane import Batch, Emit, Record, Rows, partition_of
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.binder import Binder
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings
from tests.unit.lane.fakes import open_store

LIMIT_BYTES = 1_000_000


@pytest.fixture
def people() -> People:
    """Forty customers with a hundred records, on one partition."""
    return People(100, 1)


def told(people: People, count: int) -> Batch:
    """A batch of what they say."""
    records = [Record(topics.CHANGES, 0, n, at, key, value) for n, (key, value, at) in enumerate(people.changes(count))]
    return Batch(topics.CHANGES, 0, records, 1)


def bound(people: People, batch: Batch, path: Path) -> tuple[list[Emit], Rows]:
    """What binding emits, over the rows of all known records."""
    store = open_store(path / "rows")
    store.write({key: row for key, row, _ in people.rows("identity")}, {}, None)
    binder = Binder(load_policy(), PublicCodec(), Letters("tests", Settings()), 1, b"k" * 32)
    rows = Rows("identity", store, binder.keys(batch), LIMIT_BYTES)
    emits = list(asyncio.run(binder.process(batch, rows)).emits)
    store.close()
    return emits, rows


def test_the_rows_of_everybody_are_those_that_the_products_steps_make(people: People) -> None:
    """Of every single one, for every table."""
    people.check()
    for table in TABLES:
        expected = {key: row for number in people.numbers for key, row in people.left(number)[table].items()}
        found = {key: row for key, row, _ in people.rows(table)}

        assert found == expected


def test_a_hundred_records_are_known(people: People) -> None:
    """A row of its own is bound for each of them, beside those of customers and identifiers."""
    keys = [key for key, row, _ in people.rows("identity") if decode_row(row).bond]

    assert len(keys) == len(set(keys)) == 100


def test_with_binding_and_without_the_same_is_emitted_and_no_row_is_written(people: People, tmp_path: Path) -> None:
    """The usual case costs one hop, and the two engines of the benchmark fold the same."""
    batch = told(people, 300)
    emits, rows = bound(people, batch, tmp_path)
    passed = asyncio.run(Passing(load_policy(), Settings()).process(batch, Rows("", None, (), LIMIT_BYTES)))

    assert emits == list(passed.emits)
    assert {emit.topic for emit in emits} == {topics.CUSTOMER_CHANGES}
    assert not rows.written


def test_the_records_of_one_customer_lie_on_one_partition() -> None:
    """Or the order of its changes would depend on which partition is read first."""
    spread = People(100, 4)
    homes: dict[str | None, set[int]] = {}
    for key, row, _ in spread.rows("identity"):
        if decode_row(row).bond:
            homes.setdefault(decode_row(row).customer, set()).add(partition_of(key, 4))

    assert [len(found) for found in homes.values()] == [1] * 40
    assert set().union(*homes.values()) == {0, 1, 2, 3}
