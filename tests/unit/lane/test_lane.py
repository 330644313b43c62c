"""Batches in hand: order, dropping, cancelling, and the end of the process on a surprise."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from streams.lane import Batch, Done
from streams.lane.checkpoint import Lost
from streams.lane.lane import PartitionLane
from tests.unit.lane.fakes import batch


class Steps:
    """In place of a checkpointer: each checkpoint waits for `go`, twice: before and after its writes begin."""

    def __init__(self, *done_offsets: int | None) -> None:
        self.seen: list[list[int]] = []
        self.finished: list[list[int]] = []
        self.released: list[Batch] = []
        self.decide, self.write = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None
        self._done_offsets = list(done_offsets)

    async def checkpoint(self, batch: Batch, entering: Callable[[], None]) -> Done:
        self.seen.append([record.offset for record in batch.records])
        await self.decide.wait()
        if self.error:
            raise self.error
        entering()
        await self.write.wait()
        self.finished.append(self.seen[-1])
        return Done((), self._done_offsets.pop(0) if self._done_offsets else None)

    def lane(self) -> PartitionLane:
        return PartitionLane(cast(Any, self), self.released.append)


async def turns() -> None:
    """Let tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_batches_are_worked_through_one_at_a_time_in_order() -> None:
    """The second begins when the first is finished."""
    steps = Steps()
    lane = steps.lane()
    lane.offer(batch(1, 2))
    lane.offer(batch(3))
    await turns()
    in_hand = list(steps.seen)
    steps.decide.set()
    steps.write.set()
    await turns()

    assert in_hand == [[1, 2]]
    assert steps.finished == [[1, 2], [3]]
    assert len(steps.released) == 2


async def test_settling_cancels_a_batch_that_has_not_begun_to_write_and_drops_the_waiting_ones() -> None:
    """Both are released, neither is finished."""
    steps = Steps()
    lane = steps.lane()
    lane.offer(batch(1))
    lane.offer(batch(2))
    await turns()
    await lane.settle(0.01)

    assert steps.finished == []
    assert [each.first_offset for each in steps.released] == [1]


async def test_settling_waits_for_a_batch_that_writes() -> None:
    """However long: half of its writes would be worse."""
    steps = Steps()
    lane = steps.lane()
    steps.decide.set()
    lane.offer(batch(1))
    await turns()
    settling = asyncio.create_task(lane.settle(0.01))
    await asyncio.sleep(0.05)
    waited = not settling.done()
    steps.write.set()
    await settling

    assert waited
    assert steps.finished == [[1]]


async def test_a_settled_lane_takes_batches_again() -> None:
    """After a rebalance the same lane goes on."""
    steps = Steps()
    lane = steps.lane()
    lane.offer(batch(1))
    await turns()
    await lane.settle(0.01)
    steps.decide.set()
    steps.write.set()
    lane.offer(batch(1))
    await turns()

    assert steps.finished == [[1]]


async def test_what_a_processor_leaves_of_a_batch_is_presented_again() -> None:
    """From the record behind the last one done; from the first if none was."""
    steps = Steps(2, 1, 3)
    steps.decide.set()
    steps.write.set()
    steps.lane().offer(batch(1, 2, 3, 4))
    await turns()

    assert steps.seen == [[1, 2, 3, 4], [3, 4], [3, 4], [4]]
    assert len(steps.released) == 1


async def test_the_rest_of_a_batch_is_dropped_when_the_lane_settles() -> None:
    """It comes again from the committed offset, here or elsewhere."""
    steps = Steps(2)
    steps.decide.set()
    lane = steps.lane()
    lane.offer(batch(1, 2, 3, 4))
    await turns()
    settling = asyncio.create_task(lane.settle(1.0))
    await turns()
    steps.write.set()
    await settling

    assert steps.seen == [[1, 2, 3, 4]]


async def test_a_lost_batch_is_dropped_and_the_next_one_taken() -> None:
    """Losing a partition is no error."""
    steps = Steps()
    steps.error = Lost()
    steps.decide.set()
    lane = steps.lane()
    lane.offer(batch(1))
    await turns()
    steps.error = None
    steps.write.set()
    lane.offer(batch(2))
    await turns()

    assert steps.finished == [[2]]
    assert len(steps.released) == 2


@pytest.mark.parametrize(("error", "code"), [("ValueError('secret')", 1), ("Refused('do this')", 78)])
def test_an_unexpected_exception_ends_the_process(error: str, code: int) -> None:
    """The code tells whether a restart may help; only a refusal's own text is logged."""
    program = (
        "import logging; from streams.lane.lane import _die; from streams.lane import Batch, Record, Refused; "
        f"logging.basicConfig(); _die(Batch('t', 0, [Record('t', 0, 7, 0, b'k', b'v')], 1), {error})"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert code == ended.returncode
    assert "secret" not in ended.stderr
    assert "offsets 7-7" in ended.stderr
