"""Decisions aside are those that the worker would have made, and what goes wrong there is said here."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.lane import Aside, AsideFailed, Batch, Counts, Emit, Record, Refused, Rows
from tests.unit.lane.aside_program import Counting
from tests.unit.lane.fakes import open_store

ARGV = [sys.executable, "-m", "tests.unit.lane.aside_program"]


def batch(topic: str, *keys: bytes, partition: int = 0) -> Batch:
    """Records of the keys, in order."""
    return Batch(topic, partition, [Record(topic, partition, n, 5, key, b"v") for n, key in enumerate(keys)], 3)


class Worker:
    """A worker's side: one store, and what was counted."""

    def __init__(self, directory: Path, processes: int) -> None:
        self.store = open_store(directory / "rows")
        self.counted: Counts = []
        self.aside = Aside(Counting(""), ARGV, b"hello", processes, self.counted.extend)

    def rows(self, of: Batch) -> Rows:
        """The rows as the checkpoint reads them."""
        return Rows("table", self.store, self.aside.keys(of), 1000)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Two processes aside."""
    made = Worker(tmp_path, 2)
    made.aside.start()
    yield made
    made.aside.close()
    made.store.close()


async def test_a_batch_decided_aside_leaves_what_it_leaves_in_the_worker(worker: Worker) -> None:
    """Emits, rows, local rows, the offset, the pause and the counts all come over."""
    worker.store.write({b"a": b"4"}, {}, None)
    given = batch("counts", b"a", b"b", b"a")
    here, there = worker.rows(given), worker.rows(given)

    expected = await Counting("hello").process(given, here)
    done = await worker.aside.process(given, there)

    assert (list(done.emits), done.done_offset, done.retry_after_s) == (list(expected.emits), 2, 0.5)
    assert there.written == here.written == {b"a": b"6", b"b": b"1"}
    assert there.local == here.local == {b"last": b"a"}
    assert worker.counted == [("batches", ("aside",), 1.0)]


async def test_rows_that_were_not_foreseen_are_read_from_the_worker(worker: Worker) -> None:
    """One row, one local row, and a scan."""
    worker.store.write({b"other": b"1"}, {b"a1": b"x", b"a2": b"y", b"c": b"z"}, None)
    given = batch("reads", b"k")

    done = await worker.aside.process(given, worker.rows(given))

    found = [(emit.key, emit.value) for emit in done.emits]
    assert found == [(b"row", b"1"), (b"local", b"x"), (b"a1", b"x"), (b"a2", b"y")]


async def test_partitions_share_the_processes_without_mixing_their_answers(worker: Worker) -> None:
    """Many batches of many partitions at once."""
    given = [batch("counts", *[b"k%d" % n] * (n + 1), partition=n) for n in range(9)]
    rows = [worker.rows(each) for each in given]

    await asyncio.gather(*(worker.aside.process(each, these) for each, these in zip(given, rows, strict=True)))

    assert [these.written for these in rows] == [{b"k%d" % n: b"%d" % (n + 1)} for n in range(9)]


async def test_a_batch_that_is_cancelled_does_not_leave_its_answer_to_the_next(worker: Worker) -> None:
    """A partition goes away in the middle of a batch; the process is asked again at once."""
    first, second = batch("counts", *[b"a"] * 500), batch("counts", b"b")
    dropped, kept = worker.rows(first), worker.rows(second)

    task = asyncio.create_task(worker.aside.process(first, dropped))
    await asyncio.sleep(0)
    task.cancel()
    await worker.aside.process(second, kept)

    assert kept.written == {b"b": b"1"}
    assert dropped.written == {}


@pytest.mark.parametrize(
    ("topic", "error", "text"),
    [
        ("fails", AsideFailed, r"^builtins\.ValueError at .*aside_program\.py:\d+$"),
        ("refuses", Refused, r"^Do something\.$"),
        ("ends", AsideFailed, r"^the process that decides ended"),
    ],
)
async def test_what_goes_wrong_aside_is_raised_in_the_worker_without_values(
    worker: Worker, topic: str, error: type[Exception], text: str
) -> None:
    """The lane ends the worker by it, unacknowledged."""
    given = batch(topic, b"k")
    with pytest.raises(error, match=text):
        await worker.aside.process(given, worker.rows(given))


def test_the_processes_end_with_the_worker(tmp_path: Path) -> None:
    """Closing the socket, as the end of the worker's process does, is enough."""
    made = Worker(tmp_path, 1)
    made.aside.start()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    before = children.read_text().split()
    made.aside.close()
    made.store.close()
    assert len(before) - len(children.read_text().split()) == 1


async def test_a_signal_to_the_whole_group_is_left_to_the_worker(worker: Worker) -> None:
    """It finishes its batch first; the processes end when it does."""
    given = batch("counts", b"a")
    await worker.aside.process(given, worker.rows(given))
    for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)

    rows = worker.rows(given)
    await worker.aside.process(given, rows)

    assert rows.written == {b"a": b"1"}


def test_an_emit_survives_the_way_whole() -> None:
    """The order of its fields is the form in which it travels."""
    assert Emit("t", b"k", None, 3, 9, (("h", b"1"),)).__struct_fields__ == (
        "topic",
        "key",
        "value",
        "partition",
        "timestamp_ms",
        "headers",
    )
