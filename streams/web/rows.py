"""Rows of any partition, on any worker: read here, or asked of the worker that holds them."""

from __future__ import annotations

import asyncio
import base64
from typing import Final

import aiohttp
from yarl import URL

from streams.lane import BatchTable, LaneApp, NotHere

ROW_PATH: Final = "/internal/rows"
ASK_TIMEOUT_S: Final = 5.0


class Unavailable(Exception):
    """Nobody holds the row now: a rebalance or a recovery is under way."""


class RowReader:
    """Reads rows by table name and key; a row of another worker is fetched from it."""

    def __init__(self, app: LaneApp, tables: list[BatchTable], token: str) -> None:
        self._app = app
        self._tables = {table.name: table for table in tables}
        self._token = token

    def local(self, table: str, key: bytes) -> bytes | None:
        """The row if this worker holds its partition; raises Unavailable otherwise."""
        try:
            return self._tables[table].read(key)
        except (NotHere, KeyError):
            raise Unavailable(table) from None

    async def read(self, table: str, key: bytes) -> bytes | None:
        """The row, wherever it is; raises Unavailable."""
        try:
            return self.local(table, key)
        except Unavailable:
            return await self._ask(table, key)

    async def _ask(self, table: str, key: bytes) -> bytes | None:
        owner = self._owner(table, key)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        url = owner / ROW_PATH.strip("/") / table / key.hex()
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S), self._app.http_client.get(url, headers=headers) as response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise Unavailable(table)
                return base64.b64decode(await response.text())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise Unavailable(table) from None

    def _owner(self, table: str, key: bytes) -> URL:
        """The worker that holds the row's partition, from the group's assignment; raises Unavailable."""
        wanted = self._tables[table].partition_of(key)
        for host, topics in self._app.router.tables_metadata().items():
            if wanted in topics.get(self._tables[table].changelog_name, ()):
                found = URL(host)
                if found != URL(str(self._app.conf.canonical_url)):
                    return found
        raise Unavailable(table)
