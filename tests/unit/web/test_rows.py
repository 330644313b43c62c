"""A row of another worker: asked of the one that the group has named, with the token, and of nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from streams.lane import NotHere
from streams.web import rows
from streams.web.rows import RowReader, Unavailable, UnknownTable

MINE = "http://127.0.0.1:1"


class Table:
    """A table of two partitions, of which this worker holds one; a key says its partition first."""

    name, changelog_name = "customers", "customers-changelog"

    def partition_of(self, key: bytes) -> int:
        return int(key[:1])

    def read(self, key: bytes) -> bytes | None:
        if self.partition_of(key) != 0:
            raise NotHere("partition 1")
        return {b"0-known": b"mine"}.get(key)


def reader(session: Any, owners: Mapping[str, Any], ready: bool = True, token: str = "") -> RowReader:
    app: Any = SimpleNamespace(
        lane=SimpleNamespace(ready=ready),
        http_client=session,
        conf=SimpleNamespace(canonical_url=MINE),
        router=SimpleNamespace(tables_metadata=lambda: owners),
    )
    tables: Any = [Table()]
    return RowReader(app, tables, token)


class Owner:
    """The other worker, and what it was asked."""

    def __init__(self, answer: Callable[[], web.Response]) -> None:
        self._answer = answer
        self.asked: list[web.Request] = []

    async def get(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return self._answer()


@asynccontextmanager
async def owned(answer: Callable[[], web.Response], token: str = "") -> AsyncIterator[tuple[RowReader, Owner]]:
    """A reader whose partition 1 is held by another worker that answers so."""
    owner = Owner(answer)
    app = web.Application()
    app.router.add_get("/{path:.*}", owner.get)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            yield (
                reader(session, {MINE: {"customers-changelog": [0]}, url: {"customers-changelog": [1]}}, True, token),
                owner,
            )
    finally:
        await runner.cleanup()


async def test_a_row_that_is_here_is_read_here() -> None:
    found = reader(None, {})

    assert await found.read("customers", b"0-known") == b"mine"
    assert await found.read("customers", b"0-other") is None


async def test_a_row_of_another_worker_is_fetched_from_it_with_the_token() -> None:
    async with owned(lambda: web.Response(body=b"\x00theirs"), "a-token") as (found, owner):
        assert await found.read("customers", b"1-\xff/") == b"\x00theirs"

    [asked] = owner.asked
    assert asked.raw_path == "/internal/rows/customers/312dff2f"
    assert asked.headers["Authorization"] == "Bearer a-token"


async def test_without_a_token_none_is_sent() -> None:
    async with owned(lambda: web.Response(status=204)) as (found, owner):
        assert await found.read("customers", b"1-x") is None

    assert "Authorization" not in owner.asked[0].headers


@pytest.mark.parametrize("status", [200, 204])
async def test_a_row_that_the_owner_does_not_have_is_none_and_an_empty_one_is_not(status: int) -> None:
    async with owned(lambda: web.Response(status=status)) as (found, _):
        assert await found.read("customers", b"1-x") == {200: b"", 204: None}[status]


@pytest.mark.parametrize("status", [302, 401, 404, 421, 500, 503])
async def test_an_answer_that_is_not_the_owners_is_never_taken_for_a_missing_row(status: int) -> None:
    def elsewhere() -> web.Response:
        return web.Response(status=status, headers={"Location": "/stolen"})

    async with owned(elsewhere, "a-token") as (found, owner):
        with pytest.raises(Unavailable):
            await found.read("customers", b"1-x")

    assert len(owner.asked) == 1


async def test_an_owner_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ASK_TIMEOUT_S", 0.05)
    held = await asyncio.start_server(lambda *_: asyncio.sleep(1), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{held.sockets[0].getsockname()[1]}"
    async with held, aiohttp.ClientSession() as session:
        found = reader(session, {url: {"customers-changelog": [1]}})
        with pytest.raises(Unavailable):
            await asyncio.wait_for(found.read("customers", b"1-x"), 5)


async def test_an_owner_that_is_gone_or_not_known_yet_makes_the_row_unavailable() -> None:
    async with aiohttp.ClientSession() as session:
        for owners in ({}, {"http://127.0.0.1:9": {"customers-changelog": [1]}}, {MINE: {"customers-changelog": [1]}}):
            with pytest.raises(Unavailable):
                await reader(session, owners).read("customers", b"1-x")


async def test_rows_that_are_still_being_recovered_are_not_shown() -> None:
    with pytest.raises(Unavailable):
        reader(None, {}, ready=False).local("customers", b"0-known")


async def test_a_table_that_is_no_table_is_not_asked_for_elsewhere() -> None:
    with pytest.raises(UnknownTable):
        await reader(None, {}).read("passwords", b"0")
