"""After an erasure and the broker's compaction, no byte of any topic and no line of any log says who it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner

from streams.brokers import ApacheKafka, Broker
from streams.cli import main
from streams.demo.stack import Stack
from streams.demo.stories.story import PEOPLE
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.erasing import KEY
from streams.runtime.topics import Keeping
from tests.brokers import require
from tests.integration.live.erasures import VALUES, ZOE, Hits, ask, certified, customer_of, everything, hits
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

# Compaction as soon as a segment is a second old, and tombstones that go with the next one.
AT_ONCE = {
    "WRITEBACK_COMPACTION_MIN_LAG_S": "0",
    "WRITEBACK_COMPACTION_MAX_LAG_S": "1",
    "WRITEBACK_TOMBSTONE_RETENTION_S": "0",
}
# A sink's fence keeps the ids of erased records, so that it refuses what was meant for them before.
KEPT = tuple(f"writeback-sinks-fence-{platform}-changelog" for platform in load_policy().platforms)
CLEAN_TIMEOUT_S = 150.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """On a broker of its own: to see it compact, the test writes records that no engine could read."""
    require(ApacheKafka())
    with ApacheKafka() as broker, running(broker, (ZOE, PEOPLE[0]), AT_ONCE) as started:
        yield started


async def test_nothing_of_an_erased_customer_is_left_on_the_broker_or_in_the_logs(stack: Stack) -> None:
    async with seen(stack) as world:
        customer_id = await customer_of(world, "zoe")
        await ask(stack, customer_id, "pin", attribute="first_name", value="Zoraida B.")
        await ask(stack, customer_id, "release", record="crm:x", attribute="no_such_thing", value="Quillfeather")
        await world.settle()
        values = [*VALUES, *[await world.record("zoe", platform) for platform in ("crm", "esp")]]
        before = hits(await everything(stack.broker))
        await ask(stack, customer_id, "erase")
        assert await certified(world, customer_id) == {"storefront": "acked", "crm": "acked", "esp": "acked"}
        await world.settle()
        survivor = await customer_of(world, "ann")
        assert "the engine is running" in await _forget(stack, exit_code=1)
    logs = {name: stack.log_path(name).read_text() for name in ("engine", "sinks", "gateway")}
    for name in ("engine", "sinks", "gateway"):
        stack.processes.pop(name).stop(45.0)
    ledger = (await everything(stack.broker))[topics.LEDGER]
    told = await _forget(stack)
    await _time_passes_in_raw_topics(stack.broker)
    await _time_passes_in_changelogs(stack.broker)
    left = await _cleaned(stack.broker, values)

    assert set(before) >= {topics.raw("crm"), topics.CHANGES, topics.CUSTOMER_CHANGES, topics.DEAD_LETTERS}
    assert set(before) >= {topics.CONTACTS, topics.STEWARD, topics.IDENTITY, topics.SUPPRESSIONS, topics.HISTORY}
    assert set(before) >= {topics.LEDGER}
    assert left == {}
    rewritten = (await everything(stack.broker))[topics.LEDGER]
    assert [one for one in rewritten if one.startswith(f"customer:{customer_id}\n".encode())]
    anns = [one for one in ledger if b"ann@example.com" in one]
    assert anns
    assert len(anns) == len([one for one in rewritten if b"ann@example.com" in one])
    assert all(any(new.startswith(one) for new in rewritten) for one in anns)
    assert not [value for value in (*values, "example.com") if value in told]
    assert not [(name, value) for name, text in logs.items() for value in values if value in text]
    kept = (await everything(stack.broker))["writeback-engine-customers-changelog"]
    assert any(survivor.encode() in one for one in kept)


async def _forget(stack: Stack, exit_code: int = 0) -> str:
    environment = {"WRITEBACK_BOOTSTRAP": stack.broker.bootstrap, KEY: stack.environment()[KEY]}
    run = CliRunner().invoke
    result = await asyncio.to_thread(run, main, ["ledger", "forget", "--yes"], env=environment)
    assert result.exit_code == exit_code, result.output
    return result.output


async def _time_passes_in_raw_topics(broker: Broker) -> None:
    """Only their retention empties them; the broker looks for it every five minutes, which is done for it here."""
    async with _admin(broker) as admin, AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        names = [name for one in load_policy().platforms for name in (topics.raw(one), topics.refetch(one))]
        known = set(await admin.list_topics())
        for name in names:
            for partition in await producer.partitions_for(name) if name in known else ():
                await admin.delete_records({TopicPartition(name, partition): RecordsToDelete(before_offset=-1)})


async def _time_passes_in_changelogs(broker: Broker) -> None:
    """Their tombstones stay a day, so that a worker that was away meets them; no worker comes back here."""
    config = Keeping(max_lag_ms=1000).ended() | {"delete.retention.ms": "0"}
    async with _admin(broker) as admin:
        names = [name for name in await admin.list_topics() if name.endswith("-changelog")]
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config) for name in names])


async def _cleaned(broker: Broker, values: Sequence[str]) -> Hits:
    """What the topics hold once the cleaner has been over them: a closed segment needs one more record behind it."""
    deadline = time.monotonic() + CLEAN_TIMEOUT_S
    while (left := hits(await everything(broker, KEPT), values)) and time.monotonic() < deadline:
        await _write_one_more(broker, left)
        await asyncio.sleep(2.0)
    return left


async def _write_one_more(broker: Broker, where: Hits) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        for topic in where:
            for partition in await producer.partitions_for(topic):
                await producer.send_and_wait(topic, b"another", b"another", partition=partition)


@asynccontextmanager
async def _admin(broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
