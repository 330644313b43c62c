"""The review queue of several workers: each tells what it holds, and nothing is left out in silence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from yarl import URL

from streams.core.reviewing import Review, opened
from streams.lane import NotHere
from streams.lane.store import PartitionStore
from streams.model import Note
from streams.runtime.reviews import derive, encode_review
from streams.web.reviews import CASES_PATH, Cases, ReviewReader, Wanted, in_partition
from streams.web.rows import Unavailable
from tests.unit.lane.fakes import open_store

NOW = 1_768_046_400_000


class Table:
    """Two partitions, of which this worker holds some."""

    partitions = 2
    changelog_name = "changelog"

    def __init__(self, stores: dict[int, PartitionStore]) -> None:
        self.stores = stores

    @property
    def held(self) -> list[int]:
        return sorted(self.stores)

    def store(self, partition: int) -> PartitionStore:
        try:
            return self.stores[partition]
        except KeyError:
            raise NotHere(str(partition)) from None

    def scan_local(self, partition: int, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return self.store(partition).scan_local(start, stop, limit)


def case(number: int, state: str = "open", customer: str = "C1") -> Review:
    note = Note("review", f"c{number}", "crm", f"r{number}", customer_id=customer, other_id=f"D{number}")
    review = opened(note, f"crm:r{number}", NOW + number)
    review.review_id, review.state = f"r-{number}", state  # type: ignore[assignment]
    return review


def keep(store: PartitionStore, *cases: Review) -> None:
    for one in cases:
        key, row = one.review_id.encode(), encode_review(one)
        store.write({key: row}, dict(derive(key, row)), None)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[PartitionStore]]:
    opened_ones = [open_store(tmp_path / str(number)) for number in range(2)]
    yield opened_ones
    for one in opened_ones:
        one.close()


def ids(rows: Any) -> list[str]:
    return [msgspec.msgpack.decode(row[1:])[0] for row in rows]


def test_a_partition_tells_its_cases_by_state_and_customer_the_longest_waiting_first(
    stores: list[PartitionStore],
) -> None:
    keep(stores[0], case(3), case(1), case(2, "dismissed"), case(4, customer="C2"), case(5, "approved"))
    table: Any = Table({0: stores[0]})

    def found(**wanted: Any) -> list[str]:
        return ids(in_partition(table, 0, Wanted(**wanted)))

    assert found() == ["r-1", "r-3", "r-4"]
    assert found(state="dismissed") == ["r-2"]
    assert found(state="all") == ["r-1", "r-3", "r-4", "r-5", "r-2"]
    assert found(limit=2) == ["r-1", "r-3"]
    assert found(customer="C2") == ["r-4"]
    assert found(customer="D3", limit=1) == ["r-3"]
    assert found(review_id="r-2") == ["r-2"]
    assert found(review_id="r-9") == []
    assert found(review_id="request:Q1") == []


@asynccontextmanager
async def readers(mine: Table, others: Cases | int, ready: bool = True) -> AsyncIterator[ReviewReader]:
    """A reader beside one other worker, which answers with cases or a status."""

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer views"
        if isinstance(others, int):
            return web.Response(status=others)
        return web.Response(body=msgspec.msgpack.encode(others), content_type="application/octet-stream")

    application = web.Application()
    application.router.add_get(CASES_PATH, answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    other = f"http://127.0.0.1:{runner.addresses[0][1]}"
    hosts = {"http://127.0.0.1:1": {"changelog": [0]}, other: {"changelog": [1]}}
    try:
        async with aiohttp.ClientSession() as session:
            app: Any = SimpleNamespace(
                lane=SimpleNamespace(ready=ready),
                router=SimpleNamespace(tables_metadata=lambda: hosts),
                conf=SimpleNamespace(canonical_url=URL("http://127.0.0.1:1")),
                http_client=session,
            )
            table: Any = mine
            yield ReviewReader(app, table, "views")
    finally:
        await runner.cleanup()


async def test_the_cases_of_every_worker_are_found(stores: list[PartitionStore]) -> None:
    keep(stores[0], case(1))
    elsewhere = Cases((1,), (encode_review(case(2)),))
    async with readers(Table({0: stores[0]}), elsewhere) as reader:
        found = await reader.find(Wanted())

    assert sorted(one.review_id for one in found) == ["r-1", "r-2"]


@pytest.mark.parametrize("others", [Cases((), ()), 503, 204])
async def test_a_partition_that_nobody_tells_of_makes_the_queue_unavailable(
    stores: list[PartitionStore], others: Cases | int
) -> None:
    async with readers(Table({0: stores[0]}), others) as reader:
        with pytest.raises(Unavailable):
            await reader.find(Wanted())


async def test_a_worker_that_is_not_ready_tells_nothing(stores: list[PartitionStore]) -> None:
    async with readers(Table({0: stores[0], 1: stores[1]}), Cases((), ()), ready=False) as reader:
        with pytest.raises(Unavailable):
            reader.local(Wanted())
