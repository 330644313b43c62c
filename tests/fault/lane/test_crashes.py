"""Nothing is lost and nothing skipped when a worker dies between any two steps, is frozen, or finds strange files."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from streams.brokers import Broker, Embedded
from streams.lane import EXIT_REFUSED
from tests.integration.lane.harness import SESSION_TIMEOUT_S, Pipeline, compacted, expected, first_sights, numbers

STEPS = range(6)


@pytest.mark.slow
async def test_a_kill_between_any_two_steps_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    """With the disk kept, on both brokers."""
    await kill_after_each_step(broker, tmp_path, disk_lost=False)


@pytest.mark.slow
async def test_a_kill_and_the_loss_of_the_disk_between_any_two_steps_lose_nothing(
    kafka_broker: Broker, tmp_path: Path
) -> None:
    """Every worker knows the rows from the changelog alone."""
    await kill_after_each_step(kafka_broker, tmp_path, disk_lost=True)


async def kill_after_each_step(broker: Broker, tmp_path: Path, *, disk_lost: bool) -> None:
    """One worker after the other is killed after step 0, 1, … 5 of its first batch; the last one may live."""
    pairs = numbers(keys=4, each=40)
    async with Pipeline(broker, tmp_path).running() as pipeline:
        await pipeline.produce(pairs)
        for step in STEPS:
            worker = pipeline.start(fault_step=step)
            assert worker.exit_code() == -signal.SIGKILL, worker.log
            if disk_lost:
                shutil.rmtree(pipeline.data_directory())
        pipeline.start()
        seen = await pipeline.outputs(len(pairs))
        assert await pipeline.committed_all(len(pairs))

        assert expected(pairs) == {key: first_sights(values) for key, values in seen.items()}
        assert {key: values[-1] for key, values in expected(pairs).items()} == await compacted(
            broker, pipeline.changelog
        )
        assert sum(map(len, seen.values())) > len(pairs), "the kill after step 2 must repeat what it emitted"


async def test_a_frozen_worker_that_wakes_up_after_its_session_writes_nothing(
    kafka_broker: Broker, tmp_path: Path
) -> None:
    """SIGSTOP in the middle of a batch; another worker takes over; SIGCONT."""
    pairs = numbers(keys=4, each=40)
    async with Pipeline(kafka_broker, tmp_path).running() as pipeline:
        frozen = pipeline.start("a", work_s=0.5)
        await frozen.ready()
        await pipeline.produce(pairs)
        await asyncio.sleep(0.2)
        frozen.signal(signal.SIGSTOP)
        other = pipeline.start("b")
        await other.ready()
        seen = await pipeline.outputs(len(pairs))
        frozen.signal(signal.SIGCONT)
        await frozen.logged("Dropped a batch")
        await frozen.ready(2)

        assert expected(pairs) == {key: first_sights(values) for key, values in seen.items()}
        assert {key: values[-1] for key, values in expected(pairs).items()} == await compacted(
            kafka_broker, pipeline.changelog
        )
        assert await pipeline.committed_all(len(pairs))


async def test_rows_that_the_changelog_does_not_have_are_refused_with_what_to_do(
    broker: Broker, tmp_path: Path
) -> None:
    """A data directory that belongs to other topics; the worker says so and ends with the code for that."""
    async with Pipeline(broker, tmp_path).running() as first:
        await first.produce(numbers(keys=4, each=5))
        worker = first.start()
        await first.outputs(20)
        worker.stop()
        async with Pipeline(broker, tmp_path).running() as second:
            refused = second.start()

            assert refused.exit_code() == EXIT_REFUSED
            assert "Table newest partition" in refused.log
            assert f"topic {second.changelog} does not have" in refused.log
            assert f"remove {second.data_directory()}" in refused.log


async def test_rows_are_refused_when_the_changelog_has_other_records_at_their_place(
    broker: Broker, tmp_path: Path
) -> None:
    """The topic is as long as before, but its records are others: only the checksum tells."""
    async with Pipeline(broker, tmp_path).running() as first:
        await first.produce(numbers(keys=4, each=1))
        worker = first.start("a")
        await first.outputs(4)
        worker.stop()
        async with Pipeline(broker, tmp_path).running() as second:
            await second.produce(numbers(keys=4, each=3, begin=7))
            worker = second.start("b")
            await second.outputs(12)
            worker.stop()
            refused = second.start("a")

            assert refused.exit_code() == EXIT_REFUSED
            assert "has otherwise" in refused.log


async def test_a_missing_changelog_is_refused(embedded_broker: Broker, tmp_path: Path) -> None:
    """The worker creates no topic by itself, since it would get the broker's default number of partitions."""
    async with Pipeline(embedded_broker, tmp_path).running() as pipeline:
        pipeline.app_id = f"{pipeline.app_id}-other"
        worker = pipeline.start()

        assert worker.exit_code() == EXIT_REFUSED
        assert f"Topics do not exist: {pipeline.app_id}-newest-changelog" in worker.log


async def test_a_second_worker_on_the_same_directory_is_refused(embedded_broker: Broker, tmp_path: Path) -> None:
    """Both name it as theirs; the second one ends, the first goes on."""
    async with Pipeline(embedded_broker, tmp_path).running() as pipeline:
        first = pipeline.start("a")
        await first.ready()
        second = pipeline.start("a", settings={"node_url": "http://127.0.0.1/second"})

        assert second.exit_code() == EXIT_REFUSED
        assert "data directory of its own" in second.log
        await pipeline.produce(numbers(keys=2, each=2))
        assert len(await pipeline.outputs(4)) == 2
        assert first.alive


async def test_rows_that_were_away_too_long_are_rebuilt(embedded_broker: Broker, tmp_path: Path) -> None:
    """They could have missed a tombstone that compaction has dropped since."""
    async with Pipeline(embedded_broker, tmp_path).running() as pipeline:
        await pipeline.produce(numbers(keys=4, each=3))
        old = pipeline.start("a")
        await pipeline.outputs(12)
        old.stop()
        await pipeline.produce(numbers(keys=4, each=3, begin=4))
        other = pipeline.start("b")
        await pipeline.outputs(24)
        other.stop()
        again = pipeline.start("a", settings={"table_offline_max_s": 0.1})
        await again.ready()
        await pipeline.produce(numbers(keys=4, each=8))

        assert "rows are rebuilt" in again.log
        assert expected(numbers(keys=4, each=8)) == await pipeline.outputs(32)


async def test_a_broker_that_hangs_longer_than_the_session_costs_no_record(tmp_path: Path) -> None:
    """A worker with a write under way gives up rather than write late; one without waits. The next one goes on."""
    pairs = numbers(keys=4, each=40)
    with Embedded() as broker:
        async with Pipeline(broker, tmp_path, work_s=0.01).running() as pipeline:
            worker = pipeline.start(settings={"batch_max_records": 2})
            await worker.ready()
            await pipeline.produce(pairs)
            os.kill(broker.pid, signal.SIGSTOP)
            await asyncio.sleep(2 * SESSION_TIMEOUT_S)
            os.kill(broker.pid, signal.SIGCONT)
            if not worker.alive:
                assert (worker.exit_code(), "LeaseExpired" in worker.log) == (1, True)
            pipeline.start("b")
            seen = await pipeline.outputs(len(pairs))

            assert expected(pairs) == {key: first_sights(values) for key, values in seen.items()}
            assert await pipeline.committed_all(len(pairs))
