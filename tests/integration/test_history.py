"""The history of running engines: written once whatever dies, and the same on whichever worker one asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiokafka import AIOKafkaProducer

from streams.brokers import Broker
from streams.lane.settings import FAULT_AGENT_ENV, FAULT_STEP_ENV
from streams.model import Change, Identifiers, Statement
from tests.integration.test_views import BEARER, START_TIMEOUT_S, TOKEN, Worker, engines, tell

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

MAIL = "ann.history@example.com"


def named(change_id: str, record: str, name: str) -> Change:
    """A record of Ann's states her first name."""
    platform, _, record_id = record.partition(":")
    said = {"first_name": Statement(name)}
    mail = Identifiers(email=(MAIL,))
    return Change(change_id, platform, record_id, observed_at=_now(), identifiers=mail, attributes=said)


def _now() -> int:
    return time.time_ns() // 1_000_000


async def produce(broker: Broker, topic: str, key: str, value: dict[str, Any]) -> None:
    """One message of the contract's JSON."""
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        await producer.send_and_wait(topic, json.dumps(value).encode(), key=key.encode())


async def history(worker: Worker, customer: str, wanted: Callable[[Any], bool], query: str = "") -> Any:
    """The view, once it is as it is wanted."""
    deadline, view = time.monotonic() + START_TIMEOUT_S, None
    while time.monotonic() < deadline:
        status, view, _ = await worker.get(f"/customers/{quote(customer, safe='')}/history{query}", **BEARER)
        if status == 200 and wanted(view):
            return view
        await asyncio.sleep(0.1)
    raise AssertionError(f"{json.dumps(view)[:2000]}\n{worker.tail}")


def causes(view: Any) -> list[str]:
    """The causes of the entries, oldest first."""
    return [one["cause"] for one in reversed(view["entries"])]


async def customer_of(worker: Worker, record: str) -> str:
    """The customer of a record."""
    platform, _, record_id = record.partition(":")
    found = await worker.until(f"/customers/by/{platform}/{record_id}", **BEARER)
    return str(found["customer_id"])


async def test_what_happened_is_told_alike_on_either_worker(tmp_path: Path) -> None:
    async with engines(tmp_path, ["one", "two"], WRITEBACK_VIEW_TOKEN=TOKEN) as (broker, workers):
        await tell(broker, [named("h1", "crm:h", "Ann")])
        customer = await customer_of(workers[0], "crm:h")
        await tell(broker, [named("h2", "storefront:h", "Anna")])
        view = await history(workers[0], customer, lambda found: "h2" in causes(found))
        [command] = [one for one in view["entries"][0]["commands"] if one["platform"] == "crm"]
        answer = {"command_id": command["command_id"], "customer_id": customer, "platform": "crm", "record_id": "h"}
        await produce(broker, "receipts", customer, {**answer, "outcome": "applied"})
        pin = {"request_id": "hand-1", "customer_id": customer, "action": "pin", "attribute": "first_name"}
        await history(workers[1], customer, lambda found: len(found["entries"]) == 3)
        await produce(broker, "steward", customer, {**pin, "value": "Anne", "by": "sam", "why": "a phone call"})

        views = [await history(one, customer, lambda found: "hand-1" in causes(found)) for one in workers]
        assert views[0] == views[1]
        assert causes(views[0]) == ["h1", "h2", command["command_id"], "hand-1"]
        assert views[0]["entries"][2]["commands"][0]["outcome"] == "applied"
        assert views[0]["entries"][0]["steward"]["why"] == "a phone call"
        names = []
        for entry in reversed(views[0]["entries"]):
            then = await history(workers[1], customer, lambda found: found["known"], f"?at={entry['at']}")
            names.append(then["attributes"]["first_name"]["value"])
        assert names == ["Ann", "Anna", "Anna", "Anne"]


async def test_a_worker_that_dies_leaves_no_entry_out_and_none_twice(tmp_path: Path) -> None:
    records = [f"crm:d{number}" for number in range(8)]
    async with engines(tmp_path, ["one", "two"], WRITEBACK_VIEW_TOKEN=TOKEN) as (broker, workers):
        await tell(broker, [phoned(record, 0) for record in records])
        customers = {record: await customer_of(workers[0], record) for record in records}
        await tell(broker, [phoned(record, number) for number in (1, 2) for record in records])
        workers[1].process.kill()
        await tell(broker, [phoned(record, number) for number in (3, 4) for record in records])

        for record, customer in customers.items():
            last = f"{record} 4"
            view = await history(workers[0], customer, lambda found, last=last: last in causes(found))  # type: ignore[misc]
            assert causes(view) == [f"{record} {number}" for number in range(5)]


def phoned(record: str, number: int) -> Change:
    """A record states another phone number each time."""
    platform, _, record_id = record.partition(":")
    said = {"phone": Statement(f"+1415555010{number}")}
    return Change(f"{record} {number}", platform, record_id, observed_at=_now(), attributes=said)


async def test_a_merged_customers_history_is_its_survivors_and_ends_with_the_erasure(tmp_path: Path) -> None:
    async with engines(tmp_path, ["one"], WRITEBACK_VIEW_TOKEN=TOKEN) as (broker, [worker]):
        await tell(broker, [phoned("crm:m1", 1)])
        survivor = await customer_of(worker, "crm:m1")
        await tell(broker, [phoned("esp:m2", 2)])
        joining = await customer_of(worker, "esp:m2")
        await history(worker, joining, lambda found: causes(found) == ["esp:m2 2"])
        asked = {"by": "sam", "why": "the same person", "at": "2026-01-10T12:00:00Z"}
        merge = {"request_id": "join-1", "customer_id": survivor, "action": "merge", "with": joining, **asked}
        await produce(broker, "steward", survivor, merge)

        whole = await history(worker, joining, lambda found: {"join-1", "esp:m2 2"} <= set(causes(found)))
        assert whole["customer_id"] == survivor
        [merged] = [one for one in whole["entries"] if one["kind"] == "merge"]
        assert (merged["other"], merged["steward"]["by"], merged["golden_version"]) == (joining, "sam", 2)
        assert {one["customer_id"] for one in whole["entries"] if one["cause"] == "esp:m2 2"} == {joining}
        first = whole["entries"][-1]["at"]
        then = await history(worker, survivor, lambda found: joining in found["merged"], f"?at={first}")
        assert then["attributes"]["phone"]["value"] == "+14155550101"

        erase = {"request_id": "erase-1", "customer_id": survivor, "action": "erase", **asked}
        await produce(broker, "steward", survivor, erase)
        for customer in (survivor, joining):
            gone = await history(worker, customer, lambda found: found.get("erased"))
            assert "entries" not in gone


@pytest.mark.parametrize(("agent", "step"), [("engine", 2), ("history", 3)])
async def test_between_two_steps_of_a_checkpoint_a_crash_changes_nothing(tmp_path: Path, agent: str, step: int) -> None:
    async with engines(tmp_path, ["one"]) as (broker, [worker]):
        await tell(broker, [phoned("crm:f", 0)])
        customer = await customer_of(worker, "crm:f")
        await history(worker, customer, lambda found: causes(found) == ["crm:f 0"])
        worker.process.stop(15.0)

        await tell(broker, [phoned("crm:f", number) for number in (1, 2, 3)])
        faulty = Worker(broker, tmp_path, "one", **{FAULT_STEP_ENV: str(step), FAULT_AGENT_ENV: agent})
        try:
            await asyncio.to_thread(_wait_for_end, faulty)
        finally:
            faulty.process.stop(5.0)
        assert faulty.process.exit_code == -9
        healthy = Worker(broker, tmp_path, "one")
        try:
            view = await history(healthy, customer, lambda found: "crm:f 3" in causes(found))
        finally:
            healthy.process.stop(15.0)
        assert causes(view) == [f"crm:f {number}" for number in range(4)]


def _wait_for_end(worker: Worker) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while worker.process.exit_code is None:
        assert time.monotonic() < deadline, worker.tail
        time.sleep(0.1)
