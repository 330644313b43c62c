"""The lane on both kinds of broker: order, offsets, recovery, rebalance, refusal."""

import asyncio
import shutil
import signal
import statistics
import time
from pathlib import Path

import pytest

from streams.brokers import Broker
from tests.integration.lane.harness import Pipeline, compacted, expected, first_sights, numbers, producer, reader


async def settled(pipeline: Pipeline, pairs: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """The outputs once all that the oracle expects is there, without repetitions."""
    want = expected(pairs)
    seen = await pipeline.outputs(sum(map(len, want.values())))
    return {key: first_sights(values) for key, values in seen.items()}


async def test_every_record_comes_out_once_in_order_and_is_committed(broker: Broker, tmp_path: Path) -> None:
    """The plain way, with a stop and a clean second start on the same directory."""
    pairs = numbers(keys=5, each=20)
    more = numbers(keys=5, each=5, begin=21)
    async with Pipeline(broker, tmp_path).running() as pipeline:
        await pipeline.produce(pairs)
        worker = pipeline.start()
        seen = await pipeline.outputs(len(pairs))
        assert await pipeline.committed_all(len(pairs))
        exit_code = worker.stop()
        await pipeline.produce(more)
        again = pipeline.start()
        seen_again = await pipeline.outputs(len(pairs) + len(more))

        assert expected(pairs) == seen
        assert exit_code == 0
        assert expected(pairs + more) == seen_again
        assert "Recovered 0 changelog records" in again.log
        assert {key: values[-1] for key, values in seen_again.items()} == await compacted(broker, pipeline.changelog)


async def test_state_is_recovered_from_the_changelog_when_the_data_directory_is_gone(
    broker: Broker, tmp_path: Path
) -> None:
    """Old numbers that come again after the loss of the disk are still known as old."""
    pairs = numbers(keys=5, each=20)
    async with Pipeline(broker, tmp_path).running() as pipeline:
        await pipeline.produce(pairs)
        worker = pipeline.start()
        await pipeline.outputs(len(pairs))
        worker.kill()
        shutil.rmtree(pipeline.data_directory())
        await pipeline.produce([*numbers(keys=5, each=20), *numbers(keys=5, each=1, begin=21)])
        pipeline.start()

        assert expected([*pairs, *numbers(keys=5, each=1, begin=21)]) == await settled(
            pipeline, [*pairs, *numbers(keys=5, each=1, begin=21)]
        )


async def test_a_killed_worker_goes_on_from_its_own_directory(broker: Broker, tmp_path: Path) -> None:
    """What the kill took from the files is read again from the changelog."""
    pairs = numbers(keys=5, each=20)
    async with Pipeline(broker, tmp_path).running() as pipeline:
        await pipeline.produce(pairs)
        worker = pipeline.start()
        await pipeline.outputs(len(pairs))
        assert await pipeline.committed_all(len(pairs))
        worker.kill()
        await pipeline.produce(numbers(keys=5, each=21))
        pipeline.start()

        assert expected(numbers(keys=5, each=21)) == await settled(pipeline, numbers(keys=5, each=21))


async def test_two_workers_share_the_partitions_and_lose_nothing_when_they_come_and_go(
    broker: Broker, tmp_path: Path
) -> None:
    """A second worker joins in mid-stream, the first leaves cleanly, comes back, and the second is killed."""
    pairs = numbers(keys=8, each=150)
    third = len(pairs) // 3
    async with Pipeline(broker, tmp_path, work_s=0.02).running() as pipeline:
        first = pipeline.start("a")
        await pipeline.produce(pairs[:third])
        await first.ready()
        second = pipeline.start("b")
        await second.ready()
        await pipeline.produce(pairs[third : 2 * third])
        exit_code = first.stop()
        pipeline.start("a")
        await pipeline.produce(pairs[2 * third :])
        second.kill()

        assert expected(pairs) == await settled(pipeline, pairs)
        assert exit_code == 0
        assert await pipeline.committed_all(len(pairs))


async def test_records_can_be_produced_one_to_a_batch(embedded_broker: Broker, tmp_path: Path) -> None:
    """For readers that rely on the embedded broker's ListOffsets, which is wrong behind a larger batch."""
    pairs = numbers(keys=5, each=4)
    async with Pipeline(embedded_broker, tmp_path).running() as pipeline:
        await pipeline.produce(pairs)
        pipeline.start(settings={"producer_single_record_batches": True})

        assert expected(pairs) == await settled(pipeline, pairs)
        async with reader(embedded_broker, pipeline.sink) as sink:
            ends = await sink.end_offsets(sink.assignment())
        assert len(pairs) == sum(ends.values())


@pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
async def test_compressed_batches_are_read(kafka_broker: Broker, tmp_path: Path, compression: str) -> None:
    """And written, with the same codec."""
    pairs = numbers(keys=5, each=20)
    async with Pipeline(kafka_broker, tmp_path).running() as pipeline:
        await pipeline.produce(pairs, compression)
        pipeline.start(settings={"compression": compression})

        assert expected(pairs) == await settled(pipeline, pairs)


async def test_a_batch_may_be_acknowledged_in_parts(broker: Broker, tmp_path: Path) -> None:
    """Three records at a time, though batches are larger; the stop comes in the middle."""
    pairs = numbers(keys=5, each=20)
    async with Pipeline(broker, tmp_path, part=3, work_s=0.02).running() as pipeline:
        await pipeline.produce(pairs)
        worker = pipeline.start()
        await pipeline.outputs(len(pairs) // 3)
        exit_code = worker.stop()
        committed = sum((await pipeline.committed()).values())
        pipeline.start()

        assert exit_code == 0
        assert 0 < committed < len(pairs)
        assert expected(pairs) == await settled(pipeline, pairs)


async def test_an_oversize_row_is_refused_before_anything_is_written(broker: Broker, tmp_path: Path) -> None:
    """The processor hears of it and can say so; the row keeps its value, the next record is processed."""
    pairs = [(b"key", b"1"), (b"key", b"2 " + b"x" * 500), (b"key", b"3")]
    async with Pipeline(broker, tmp_path).running() as pipeline:
        await pipeline.produce(pairs)
        pipeline.start(settings={"record_max_bytes": 400})
        seen = await pipeline.outputs(3)

        assert seen[b"key"] == [b"1", b"too large 505", b"3"]
        assert await compacted(broker, pipeline.changelog) == {b"key": b"3"}


async def test_a_deleted_row_is_a_tombstone_and_stays_deleted_after_recovery(broker: Broker, tmp_path: Path) -> None:
    """Number 1 is new again after the deletion, on a worker that knows the row only from the changelog."""
    async with Pipeline(broker, tmp_path).running() as pipeline:
        await pipeline.produce([(b"key", b"5"), (b"key", b"delete")])
        worker = pipeline.start("a")
        await pipeline.outputs(2)
        worker.stop()
        await pipeline.produce([(b"key", b"1")])
        pipeline.start("b")
        seen = await pipeline.outputs(3)

        assert seen[b"key"] == [b"5", b"delete", b"1"]


async def test_an_unexpected_exception_ends_the_worker_without_an_acknowledgement(
    broker: Broker, tmp_path: Path
) -> None:
    """The log names the type and the offsets, and no value."""
    async with Pipeline(broker, tmp_path).running() as pipeline:
        await pipeline.produce([(b"key", b"1")])
        worker = pipeline.start()
        await pipeline.outputs(1)
        assert await pipeline.committed_all(1)
        await pipeline.produce([(b"key", b"boom-confidential")])

        assert worker.exit_code() == 1
        assert "builtins.ValueError" in worker.log
        assert "offsets 1-1" in worker.log
        assert "confidential" not in worker.log
        assert "secret" not in worker.log
        assert sum((await pipeline.committed()).values()) == 1


async def test_a_stop_ends_in_time_even_when_a_processor_hangs(embedded_broker: Broker, tmp_path: Path) -> None:
    """A processor that blocks the event loop cannot be cancelled; the process ends all the same."""
    async with Pipeline(embedded_broker, tmp_path).running() as pipeline:
        worker = pipeline.start(settings={"stop_timeout_s": 1.0})
        await worker.ready()
        await pipeline.produce([(b"key", b"hang")])
        await asyncio.sleep(0.5)
        worker.signal(signal.SIGTERM)

        assert worker.exit_code(10) != 0
        assert sum((await pipeline.committed()).values()) == 0


async def test_a_record_passes_quickly_when_there_are_few(broker: Broker, tmp_path: Path) -> None:
    """From the producer's call to the reader of the output; the median of twenty, with fetches held for 50 ms."""
    passed_s = []
    async with Pipeline(broker, tmp_path).running() as pipeline:
        worker = pipeline.start()
        await worker.ready()
        async with producer(broker) as out, reader(broker, pipeline.sink) as sink:
            for number in range(1, 21):
                began_s = time.monotonic()
                await out.send(pipeline.source, b"%d" % number, key=b"key")
                await sink.getone()
                passed_s.append(time.monotonic() - began_s)
                await asyncio.sleep(0.02)

    assert statistics.median(passed_s) < 0.1
