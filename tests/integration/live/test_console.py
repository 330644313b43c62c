"""The console of two running engines: signed in at one, a steward acts at the other, and no value is in a log."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from streams.model import Change, Identifiers, Statement
from tests.integration.test_views import START_TIMEOUT_S, Worker, engines, tell

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

VIEW, ACT, WHO = "only looking", "also acting", "Sam Okoye"
CY = "cy.console@example.com"
PAGE = {"Accept": "text/html"}


class Browser:
    """A person's browser, as far as forms and cookies go."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._mark = ""

    async def get(self, url: str) -> tuple[int, str]:
        """Status and page."""
        async with self._session.get(url, headers=PAGE) as answer:
            return answer.status, await self._read(answer)

    async def send(self, url: str, **fields: str) -> tuple[int, str, str]:
        """Status, page, and the address where it was found in the end."""
        async with self._session.post(url, data={"mark": self._mark, **fields}, headers=PAGE) as answer:
            return answer.status, await self._read(answer), answer.url.path

    async def _read(self, answer: Any) -> str:
        text = str(await answer.text())
        marks = re.findall(r'name="mark" value="([0-9a-f]+)"', text)
        self._mark = marks[0] if marks else self._mark
        return text


async def found(browser: Browser, worker: Worker, typed: str) -> str:
    """The customer that a search leads to, once it is there."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        status, page, path = await browser.send(f"{worker.url}/search", q=typed)
        if status == 200 and path.startswith("/customers/"):
            return path.removeprefix("/customers/")
        assert time.monotonic() < deadline, (status, page[-600:], worker.tail)
        await asyncio.sleep(0.2)


async def done(browser: Browser, worker: Worker, **fields: str) -> str:
    """The page that says what came of a confirmed act."""
    status, page, _ = await browser.send(f"{worker.url}/console/ask", **fields)
    assert status == 200, page
    [request_id] = re.findall(r'name="request_id" value="(\w+)"', page)
    await browser.send(f"{worker.url}/console/act", request_id=request_id, by=WHO, why="a test", **fields)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        _, page = await browser.get(f"{worker.url}/steward/requests/{request_id}?action={fields['action']}")
        if "on its way" not in page:
            return page
        assert time.monotonic() < deadline, worker.tail
        await asyncio.sleep(0.2)


def said(record: str, name: str, **more: Any) -> Change:
    platform, _, record_id = record.partition(":")
    return Change(f"{record} {name}", platform, record_id, attributes={"first_name": Statement(name)}, **more)


async def test_a_steward_finds_pins_merges_and_erases_at_any_worker(tmp_path: Path) -> None:
    tokens = {"WRITEBACK_VIEW_TOKEN": VIEW, "WRITEBACK_STEWARD_TOKEN": ACT}
    async with (
        engines(tmp_path, ["one", "two"], **tokens) as (broker, [one, two]),
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        browser = Browser(session)
        mail = Identifiers(email=(CY,))
        record = said("storefront:s1", "Cyrielle", identifiers=mail)
        record.attributes["email"] = Statement(CY)
        await tell(broker, [record, said("crm:r1", "Cyr")])

        assert (await browser.get(f"{one.url}/customers/x"))[0] == 401
        await browser.send(f"{one.url}/sign-in", view=VIEW, steward=ACT, by=WHO)
        cy = await found(browser, two, CY)
        crm = await found(browser, one, "crm:r1")
        await browser.get(f"{two.url}/customers/{cy}")

        pinned = await done(browser, two, action="pin", customer=cy, attribute="first_name", value="Cyrille")
        assert "The pin was carried out" in pinned
        assert "Cyrille" in (await browser.get(f"{one.url}/customers/{cy}"))[1]

        assert "was carried out" in await done(browser, one, action="merge", customer=cy, **{"with": crm})
        assert await found(browser, two, "crm:r1") in (cy, crm)
        assert "was merged into this one" in "".join(
            [(await browser.get(f"{two.url}/customers/{quote(each)}"))[1] for each in (cy, crm)]
        )

        assert "was carried out" in await done(browser, two, action="erase", customer=cy, sure="yes")
        erased = (await browser.get(f"{one.url}/customers/{cy}"))[1]
        assert "Certificate" in erased and "Cyrille" not in erased

        for worker in (one, two):
            logged = worker.log_path.read_text()
            assert not [secret for secret in (VIEW, ACT, WHO, CY, "Cyrille", "writeback_") if secret in logged]
