"""The views of running engines: what records said is found under every name, on whichever worker one asks."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer
from yarl import URL

from streams.brokers import Broker, Embedded
from streams.brokers.probe import free_port
from streams.brokers.process import Process
from streams.codec import PublicCodec
from streams.lane import partition_of
from streams.model import Address, Change, ConsentStatement, Identifiers, Statement
from tests.brokers import require

pytestmark = pytest.mark.embedded

COMMAND = "from streams.cli import main; main(prog_name='writeback')"
TOKEN = "a-token-for-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PARTITIONS = 4
START_TIMEOUT_S = 40.0

ANN, BO = "ann.views@example.com", "bo+views@example.com"
ODD = "gid://shopify/Customer/1?x=ä b%2F#1"
HOME = Address("233 S Wacker Dr", "", "Chicago", "IL", "60606", "US")


class Worker:
    """One engine worker as a process, and how it answers."""

    def __init__(self, broker: Broker, directory: Path, name: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = {
            "PATH": "/usr/bin:/bin",
            "WRITEBACK_BOOTSTRAP": broker.bootstrap,
            "WRITEBACK_PROFILE": "embedded",
            "WRITEBACK_ERASURE_KEY": "for tests: no one is erased here",
            "WRITEBACK_PARTITIONS": str(PARTITIONS),
            "WRITEBACK_DATADIR": str(directory / name),
            "WRITEBACK_WEB_PORT": str(self.port),
            "WRITEBACK_NODE_URL": self.url,
            "WRITEBACK_LOG_LEVEL": "debug",
            **environment,
        }
        self.log_path = directory / f"{name}.log"
        argv = [sys.executable, "-c", COMMAND, "engine"]
        self.process = Process(argv, self.log_path, Path(__file__).parents[2], given)

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        """Status, body (JSON is read) and headers; a refused connection counts as 0."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.get(URL(self.url + path, encoded=True), headers=headers) as answer,
            ):
                text = (await answer.read()).decode(errors="replace")
                read = json.loads(text) if answer.content_type == "application/json" else text
                return answer.status, read, answer.headers
        except aiohttp.ClientConnectionError:
            return 0, None, {}

    async def until(self, path: str, wanted: int = 200, **headers: str) -> Any:
        """The body, once the status is the one that is waited for."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            status, body, _ = await self.get(path, **headers)
            if status == wanted:
                return body
            ended = self.process.exit_code
            assert ended is None and time.monotonic() < deadline, f"{path}: {status}, exit {ended}\n{self.tail}"
            await asyncio.sleep(0.1)

    @property
    def tail(self) -> str:
        return self.log_path.read_text()[-3000:]


@asynccontextmanager
async def engines(
    directory: Path, names: Sequence[str], **environment: str
) -> AsyncIterator[tuple[Broker, list[Worker]]]:
    """A broker of their own, and so many workers of one group, all ready."""
    broker = Embedded()
    require(broker)
    with broker:
        workers = [Worker(broker, directory, name, **environment) for name in names]
        try:
            for worker in workers:
                await worker.until("/readyz")
            yield broker, workers
        finally:
            for worker in workers:
                worker.process.ask_to_stop()
            for worker in workers:
                worker.process.stop(15.0)


async def tell(broker: Broker, changes: Sequence[Change]) -> None:
    """Produce to `changes`, each record in a batch of its own."""
    codec = PublicCodec()
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_batch_size=1) as producer:
        for change in changes:
            await producer.send_and_wait("changes", codec.encode_change(change), key=change.record.encode())


def ann_and_bo() -> list[Change]:
    """Ann in two platforms, with an address that is believed, one that is not, and an opt-out; and Bo."""
    now = time.time_ns() // 1_000_000
    mail = Identifiers(email=(ANN,))
    opt_out = ConsentStatement(ANN, "email", "marketing", "opt_out", now - 2000, True, "unsubscribe_link")
    other = Address("875 N Michigan Ave", "", "Chicago", "IL", "60611", "US")
    return [
        Change(
            "v1",
            "storefront",
            ODD,
            observed_at=now - 5000,
            identifiers=mail,
            attributes={
                "email": Statement(ANN),
                "shipping_address": Statement(HOME, confidence=0.95, verified_by="smarty"),
            },
        ),
        Change(
            "v2",
            "crm",
            "003A",
            observed_at=now - 4000,
            identifiers=mail,
            attributes={"first_name": Statement("Ann"), "shipping_address": Statement(other, confidence=0.5)},
        ),
        Change("v3", "storefront", ODD, observed_at=now - 2000, consents=(opt_out,)),
        Change(
            "v4",
            "esp",
            "b1",
            observed_at=now,
            identifiers=Identifiers(email=(BO,)),
            attributes={"email": Statement(BO)},
        ),
    ]


@pytest.mark.slow
async def test_what_records_said_is_found_under_every_name_and_explained(tmp_path: Path) -> None:
    async with engines(tmp_path, ["one"]) as (broker, [worker]):
        await tell(broker, ann_and_bo())
        shown, consents = await _folded(worker)
        customer = shown["customer_id"]

        assert (await worker.get("/customers/by/crm/003A"))[1] == shown
        assert (await worker.get(f"/customers/by/email/{ANN}"))[1] == shown
        assert (await worker.get(f"/customers/by/email/{quote(ANN.upper(), safe='')}"))[1] == shown
        assert shown["records"] == ["crm:003A", f"storefront:{ODD}"]
        assert consents["customers"].keys() == {customer}

        explained = (await worker.get(f"/explain/{customer}"))[1]
        address = explained["attributes"]["shipping_address"]
        assert address["value"]["line1"] == HOME.line1
        assert address["losers"][0]["why"] == "its confidence 0.50 is below shipping_address.min_confidence 0.80"
        assert {one["op"] for one in explained["unanswered"]} == {"update", "validate"}
        assert "in flight" in {one["state"] for one in explained["open"]}

        for path in (f"/customers/{customer}", f"/explain/{customer}", f"/consents/{ANN}"):
            status, text, headers = await worker.get(path, **PAGE)
            assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert ANN in text
        await _unknown_is_404(worker)
        await _measured_without_values(worker)
        await _raw(worker.port, f"GET /consents/{ANN} \x01 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        logged = worker.log_path.read_text()
        assert "Error handling request" in logged
        for value in (ANN, BO, "003A", HOME.line1, quote(ANN, safe=""), ODD, ANN.encode().hex()):
            assert value not in logged


async def _folded(worker: Worker) -> tuple[Any, Any]:
    """Ann's customer and the consents of her address, once all that was said of them is folded."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        shown = await worker.until(f"/customers/by/storefront/{quote(ODD, safe='')}")
        consents = await worker.until(f"/consents/{quote(ANN)}")
        if len(shown["records"]) == 2 and consents["states"][0]["state"] == "opted_out":
            return shown, consents
        await asyncio.sleep(0.1)
    raise AssertionError(f"records {len(shown['records'])}\n{worker.tail}")


async def _unknown_is_404(worker: Worker) -> None:
    for path, why in (
        ("/customers/nobody", "no customer has this id"),
        ("/explain/nobody", "no customer has this id"),
        ("/customers/by/crm/nobody", "no customer has this record"),
        ("/customers/by/@email:ann@example.com/x", "no customer has this record"),
        ("/customers/by/email/nobody@example.com", "no customer holds this contact point"),
        ("/consents/nobody@example.com", "no customer holds this contact point"),
        ("/nothing", "there is no such page"),
    ):
        status, body, _ = await worker.get(path)
        assert (status, body) == (404, {"error": why})


async def _measured_without_values(worker: Worker) -> None:
    status, text, _ = await worker.get("/metrics")
    assert status == 200
    for counted in ('writeback_records_total{topic="changes"}', "writeback_ready 1.0", "writeback_lag_records{"):
        assert counted in text
    assert not [value for value in (ANN, BO, "Ann", "Chicago", "003A") if value in text]


async def _raw(port: int, said: str) -> None:
    """Send bytes that no client would, and wait for the answer."""

    def send() -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(said.encode())
            assert b" 400 " in connection.recv(4096)

    await asyncio.to_thread(send)


@pytest.mark.slow
async def test_either_of_two_workers_answers_for_every_key_and_never_says_that_one_is_unknown(tmp_path: Path) -> None:
    records = [f"r{number}" for number in range(24)]
    async with engines(tmp_path, ["one", "two"], WRITEBACK_VIEW_TOKEN=TOKEN) as (broker, workers):
        held = await _shared(workers)
        await tell(broker, [_stated(record) for record in records])
        paths = [f"/customers/by/crm/{record}" for record in records]
        expected = {path: await workers[0].until(path, **BEARER) for path in paths}
        assert {partition_of(f"crm:{record}".encode(), PARTITIONS) for record in records} == set(held[0] + held[1])
        for path in paths:
            assert await workers[1].until(path, **BEARER) == expected[path]
            assert (await workers[1].get(path))[0] == 401
        await _token_in_every_form(workers[0], paths[0])
        await _rows_need_the_token(workers, records[0])

        workers[1].process.kill()
        await _answered_or_not_ready(workers[0], paths)
        for path in paths:
            assert await workers[0].until(path, **BEARER) == expected[path]


def _stated(record: str) -> Change:
    named = {"first_name": Statement(f"Name {record}")}
    return Change(f"e-{record}", "crm", record, observed_at=time.time_ns() // 1_000_000, attributes=named)


async def _shared(workers: Sequence[Worker]) -> list[list[int]]:
    """The partitions of the table `identity` that each holds, once they have shared them out."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        answers = [await worker.get("/readyz") for worker in workers]
        held = [body["partitions"]["identity"] for status, body, _ in answers if status == 200]
        if len(held) == len(workers) and all(held):
            assert sorted([*held[0], *held[1]]) == list(range(PARTITIONS))
            return held
        await asyncio.sleep(0.2)
    raise AssertionError("the workers do not share the partitions")


async def _token_in_every_form(worker: Worker, path: str) -> None:
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    for given, status in ((f"Basic {basic}", 200), (f"bearer {TOKEN}", 200), ("Bearer wrong", 401), ("Basic !", 401)):
        assert (await worker.get(path, Authorization=given))[0] == status
    refused = await worker.get(path)
    assert refused[1] == {"error": "a token is needed"}
    assert refused[2]["WWW-Authenticate"].startswith("Basic")
    assert [(await worker.get(open_))[0] for open_ in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]


async def _rows_need_the_token(workers: Sequence[Worker], record: str) -> None:
    """A row is read from the worker that holds it; the other one says that it does not."""
    path = f"/internal/rows/identity/{f'crm:{record}'.encode().hex()}"
    assert {(await worker.get(path))[0] for worker in workers} == {401}
    assert sorted([(await worker.get(path, **BEARER))[0] for worker in workers]) == [200, 503]


async def _answered_or_not_ready(worker: Worker, paths: Sequence[str]) -> None:
    """While the group finds out that a worker is gone, its keys are 503 with a hint when to come back, never 404."""
    seen = set()
    for path in paths:
        status, _, headers = await worker.get(path, **BEARER)
        seen.add(status)
        assert status == 200 or headers["Retry-After"] == "2"
    assert seen == {200, 503}
