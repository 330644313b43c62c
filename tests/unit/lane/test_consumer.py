"""The consumer's books: room, acknowledgements, commits; without a broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faust.types import TP

from streams.lane import Batch, BatchTable, LaneApp, LaneSettings, Record, is_here, lane_agent, make_app, owner_url
from streams.lane.reader import Taken
from streams.lane.transport import Consumer
from tests.unit.lane.fakes import Echo

ONE, TWO = TP("topic", 0), TP("topic", 1)


def records(*offsets: int) -> list[Record]:
    return [Record("topic", 0, offset, 0, b"key", b"value") for offset in offsets]


def taken(*offsets: int, epoch: int = 0, generation: int = 1) -> Taken:
    return Taken(epoch, generation, {ONE: records(*offsets)}, {ONE: 100})


class Books:
    """An app whose consumer hands its messages to a list."""

    def __init__(self, directory: Path) -> None:
        settings = LaneSettings(bootstrap="127.0.0.1:1", app_id="app", datadir=str(directory), batches_max=2)
        self.app: LaneApp = make_app(settings)
        self.table = BatchTable(self.app, "rows", 2)
        lane_agent(self.app, ["topic"], 2, self.table, Echo(), "agent")
        self.batches: list[Batch] = []
        self.consumer: Consumer = self.app.lane.consumer
        self.consumer.callback = self._receive
        self.consumer._active_partitions = {ONE, TWO}
        self.app.consumer_generation_id = 1

    async def _receive(self, message: object) -> None:
        self.batches.append(message.value)

    async def hand_over(self, taken: Taken) -> None:
        await self.consumer._hand_over(ONE, taken.records[ONE], taken)


@pytest.fixture
async def books(tmp_path: Path) -> Iterator[Books]:
    return Books(tmp_path)


async def test_a_partition_with_enough_in_hand_is_not_read_further(books: Books) -> None:
    """Until one of its batches is released; the others are read meanwhile."""
    await books.hand_over(taken(1, 2))
    one_in_hand = books.consumer._with_room()
    await books.hand_over(taken(3))
    two_in_hand = books.consumer._with_room()
    books.consumer.release(books.batches[0])

    assert [{ONE, TWO}, {TWO}, {ONE, TWO}] == [one_in_hand, two_in_hand, books.consumer._with_room()]
    assert [[each.offset for each in batch.records] for batch in books.batches] == [[1, 2], [3]]


async def test_records_read_before_a_seek_are_not_handed_over(books: Books) -> None:
    """They come again, and handing them over would jump over those between."""
    books.consumer._thread.epoch = 1
    await books.hand_over(taken(7, 8, epoch=0))
    await books.hand_over(taken(3, 4, epoch=1))

    assert [batch.first_offset for batch in books.batches] == [3]


async def test_only_finished_checkpoints_move_the_commit(books: Books) -> None:
    """Faust's own acknowledgement of the message does not, whatever it thinks of it."""
    await books.hand_over(taken(3, 4))
    message = next(books.consumer._messages(ONE, records(3, 4), 1))
    books.consumer.ack(message)
    before = books.consumer._filter_committable_offsets([ONE])
    books.consumer.done(books.batches[0], 5)

    assert (before, books.consumer._filter_committable_offsets([ONE])) == ({}, {ONE: 5})
    assert list(books.consumer._filter_tps_with_pending_acks()) == [ONE]


async def test_what_an_old_generation_finishes_does_not_count(books: Books) -> None:
    """Its partition has been given anew, from the committed offset."""
    await books.hand_over(taken(3, 4))
    books.app.consumer_generation_id = 2
    books.consumer.done(books.batches[0], 5)

    assert books.consumer._filter_committable_offsets([ONE]) == {}


async def test_a_member_without_a_recent_heartbeat_owns_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long freeze the group has moved on, even if nobody has told us yet."""
    monkeypatch.setattr(type(books.consumer._thread), "generation", 1)
    batch = Batch("topic", 0, records(1), 1)
    monkeypatch.setattr("streams.lane.transport.time.monotonic", lambda: 1000.0)
    books.consumer._thread.heartbeat_at_s = 999.0
    alive = books.consumer.owns(batch)
    books.consumer._thread.heartbeat_at_s = 900.0

    assert (alive, books.consumer.owns(batch)) == (True, False)


async def test_a_disowned_member_owns_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generation in which the batch was read is over."""
    monkeypatch.setattr("streams.lane.transport.time.monotonic", lambda: 0.0)
    batch = Batch("topic", 0, records(1), 1)

    assert books.consumer._thread.generation == -1
    assert not books.consumer.owns(batch)


async def test_a_row_is_found_at_the_worker_that_holds_its_partition(books: Books) -> None:
    """By the assignment that the group's leader has sent around; unknown while there is none."""
    unknown = owner_url(books.app, books.table, b"key")
    held = {"app-rows-changelog": [books.table.partition_of(b"key")]}
    books.app.assignor.changelog_distribution = {"http://127.0.0.1:7000": held}

    assert unknown is None
    assert owner_url(books.app, books.table, b"key") == "http://127.0.0.1:7000"
    assert not is_here(books.app, "http://127.0.0.1:7000")
    assert is_here(books.app, "http://127.0.0.1:6066/")
