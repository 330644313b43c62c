"""Rows of any partition, on any worker: read here, or asked of the worker that holds them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import aiohttp
from yarl import URL

from streams.lane import BatchTable, LaneApp, NotHere

ROW_PATH: Final = "/internal/rows"
ASK_TIMEOUT_S: Final = 3.0
NO_SUCH_ROW: Final = 204


class Unavailable(Exception):
    """Nobody holds the row now: a rebalance or a recovery is under way."""


class UnknownTable(Exception):
    """No table has this name."""


class RowSource(Protocol):
    """Where the views read rows."""

    def local(self, table: str, key: bytes) -> bytes | None:
        """A row that this worker holds; raises Unavailable or UnknownTable."""
        ...

    async def read(self, table: str, key: bytes) -> bytes | None:
        """A row, wherever it is; raises Unavailable or UnknownTable."""
        ...


class RowReader:
    """Reads rows by table name and key; a row of another worker is fetched from it."""

    def __init__(self, app: LaneApp, tables: list[BatchTable], token: str) -> None:
        self._app = app
        self._tables = {table.name: table for table in tables}
        self._token = token

    def local(self, table: str, key: bytes) -> bytes | None:
        """The row if this worker holds its partition, and has recovered it; raises Unavailable otherwise."""
        found = self._table(table)
        if not self._app.lane.ready:
            raise Unavailable(table)
        try:
            return found.read(key)
        except NotHere:
            raise Unavailable(table) from None

    async def read(self, table: str, key: bytes) -> bytes | None:
        """The row, wherever it is; raises Unavailable."""
        try:
            return self.local(table, key)
        except Unavailable:
            return await self._ask(table, key)

    def _table(self, name: str) -> BatchTable:
        try:
            return self._tables[name]
        except KeyError:
            raise UnknownTable(name) from None

    async def _ask(self, table: str, key: bytes) -> bytes | None:
        url = self._owner(table, key) / ROW_PATH.strip("/") / table / key.hex()
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S), self._get(url, headers) as response:
                # Not 404: that could be the answer of something else behind a stale address.
                if response.status == NO_SUCH_ROW:
                    return None
                if response.status != 200:
                    raise Unavailable(table)
                return await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise Unavailable(table) from None

    def _get(self, url: URL, headers: dict[str, str]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        # No redirects: the token goes to the worker that the group has named, and nowhere else.
        asked: AbstractAsyncContextManager[aiohttp.ClientResponse] = self._app.http_client.get(
            url, headers=headers, allow_redirects=False
        )
        return asked

    def _owner(self, table: str, key: bytes) -> URL:
        """The worker that holds the row's partition, from the group's assignment; raises Unavailable."""
        wanted = self._tables[table].partition_of(key)
        mine = URL(str(self._app.conf.canonical_url))
        for host, topics in self._app.router.tables_metadata().items():
            if wanted in topics.get(self._tables[table].changelog_name, ()) and URL(host) != mine:
                return URL(host)
        raise Unavailable(table)
