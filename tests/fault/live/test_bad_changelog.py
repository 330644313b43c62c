"""A changelog with a record that no engine wrote: the worker that must recover from it ends, and says why."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.fault.live.deeds import DEATH_TIMEOUT_S
from tests.integration.test_views import Worker, engines

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

SECRET = b"ann@example.com"


async def test_a_recovery_that_cannot_read_a_row_ends_with_the_reason_and_without_values(tmp_path: Path) -> None:
    """Exit code 1, at the line that read it; what the record holds is not logged."""
    async with engines(tmp_path, ["one"]) as (broker, [one]):
        one.process.ask_to_stop()
        one.process.stop(15.0)
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_batch_size=1) as producer:
            await producer.send_and_wait("writeback-engine-customers-changelog", SECRET, SECRET, partition=0)
        two = Worker(broker, tmp_path, "two")
        deadline = time.monotonic() + DEATH_TIMEOUT_S
        while two.process.exit_code is None and time.monotonic() < deadline:
            await asyncio.sleep(0.05)

        assert two.process.exit_code == 1
        log = two.log_path.read_text()
        assert "Recovery failed: streams.model.errors.Invalid at " in log
        assert SECRET.decode() not in log
