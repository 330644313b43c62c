"""The steps happen in their order, and what fails leaves the later ones undone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from streams.lane import Checkpointer, LaneSettings, Rows
from streams.lane.checkpoint import LeaseExpired, Lost
from streams.lane.settings import FAULT_STEP_ENV
from streams.lane.store import PartitionStore
from tests.unit.lane.fakes import Echo, Outside, batch, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PartitionStore]:
    opened = open_store(tmp_path / "rows")
    yield opened
    opened.close()


def checkpointer(outside: Outside, processor: Any = None) -> Checkpointer:
    return Checkpointer(processor or Echo(), outside, cast(Any, outside), outside, 1_000)


async def test_emits_come_before_the_changelog_and_the_acknowledgement_comes_last(store: PartitionStore) -> None:
    """The row and its place in the changelog are on disk when the batch is acknowledged."""
    outside = Outside(store)
    await checkpointer(outside).checkpoint(batch(3, 4), lambda: outside.events.append("entering"))

    assert outside.events == ["entering", ("emits", [b"3", b"4"]), ("changelog", {b"key": b"4"}), ("done", 5)]
    assert store.read(b"key") == b"4"
    assert store.offset == 41


@pytest.mark.parametrize(("fail_at", "happened"), [("emits", 0), ("changelog", 1)])
async def test_nothing_is_stored_or_acknowledged_after_a_failed_send(
    store: PartitionStore, fail_at: str, happened: int
) -> None:
    """Whichever of the two sends it was."""
    outside = Outside(store, fail_at)
    with pytest.raises(ConnectionError):
        await checkpointer(outside).checkpoint(batch(3), lambda: None)

    assert happened == len(outside.events)
    assert store.read(b"key") is None


@pytest.mark.parametrize(("owned", "happened"), [([False], 0), ([True, False], 1)])
async def test_a_lost_partition_is_noticed_before_each_send(
    store: PartitionStore, owned: list[bool], happened: int
) -> None:
    """Nothing goes out for a batch whose partition another worker may have by now."""
    outside = Outside(store, owned=owned)
    with pytest.raises(Lost):
        await checkpointer(outside).checkpoint(batch(3), lambda: None)

    assert happened == len(outside.events)


@pytest.mark.parametrize(("hang", "happened"), [("emits", 0), ("changelog", 1)])
async def test_a_write_that_outlasts_the_session_ends_the_worker(
    store: PartitionStore, hang: str, happened: int
) -> None:
    """Its producer would go on trying, and write over the rows of the next owner."""
    outside = Outside(store)
    outside.hang, outside.lease = hang, 0.05
    decay = asyncio.get_running_loop().call_later(0.02, setattr, outside, "lease", 0.0)
    with pytest.raises(LeaseExpired):
        await checkpointer(outside).checkpoint(batch(3), lambda: None)

    assert happened == len(outside.events)
    decay.cancel()


@pytest.mark.parametrize(("done_offset", "next_offset"), [(None, 6), (4, 5), (5, 6), (99, 6), (2, 3), (1, 3)])
async def test_only_what_is_done_is_acknowledged(
    store: PartitionStore, done_offset: int | None, next_offset: int
) -> None:
    """Never beyond the batch, and never before it."""
    outside = Outside(store)
    await checkpointer(outside, Echo(done_offset)).checkpoint(batch(3, 4, 5), lambda: None)

    assert ("done", next_offset) == outside.events[-1]


async def test_a_processor_without_a_table_gets_rows_that_refuse() -> None:
    """Asking for a row is then a mistake in the program."""
    rows = Rows("", None, (), 10)

    with pytest.raises(LookupError):
        rows.get(b"key")


def test_the_fault_step_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test can kill any program that runs the lane."""
    monkeypatch.setenv(FAULT_STEP_ENV, "3")

    assert LaneSettings(bootstrap="b", app_id="a", datadir="d").fault_step == 3
