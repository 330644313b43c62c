"""The views over rows in memory: states come from the pipeline, pages from the real application on a free port."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from streams.codec.internal import decode_steward
from streams.codec.state import encode_customer, encode_row
from streams.core.contact_points import split
from streams.core.effective import listed_keys, reasons
from streams.core.identity import Row
from streams.core.reviewing import Review
from streams.lane import Emit
from streams.model import Millis, StewardRequest, format_time, parse_time
from streams.policy import load_policy
from streams.replay import Pipeline
from streams.runtime import topics
from streams.runtime.asked import Outcome, request_key
from streams.runtime.contacts import VERSION, ContactRow, Holding, _encoder
from streams.runtime.engine_app import build_engine
from streams.runtime.reviews import decode_review
from streams.runtime.settings import Settings
from streams.web.reviews import Cases, Wanted
from streams.web.rows import UnknownTable
from streams.web.serving import application
from streams.web.views import add_views

NOON = parse_time("2026-01-10T12:00:00Z")
ANN = "ann@example.com"
PHONE = "+14155550100"
HOME = {"line1": "233 S Wacker Dr", "line2": "Suite 4", "city": "Chicago", "region": "IL", "postal_code": "60606"} | {
    "country": "US"
}
OLD_HOME = HOME | {"line1": "875 N Michigan Ave", "line2": "", "postal_code": "60611"}
TABLES = ("customers", "identity", "contacts", "history", "reviews")


class Rows:
    """Rows in memory; `fails` is raised instead of an answer.

    `sent`: what stewards asked for; `answer`: what the engine says to a request, None for nothing yet.
    """

    def __init__(self) -> None:
        self.stored: dict[str, dict[bytes, bytes]] = {table: {} for table in TABLES}
        self.fails: BaseException | None = None
        self.takes_s = 0.0
        self.sent: list[Emit] = []
        self.answer: Callable[[StewardRequest], Outcome | None] = lambda request: None

    def local(self, table: str, key: bytes) -> bytes | None:
        if self.fails is not None:
            raise self.fails
        if table not in self.stored:
            raise UnknownTable(table)
        return self.stored[table].get(key)

    async def read(self, table: str, key: bytes) -> bytes | None:
        await asyncio.sleep(self.takes_s)
        return self.local(table, key)

    async def send(self, emit: Emit) -> None:
        """Take a steward's request, and answer it."""
        self.sent.append(emit)
        outcome = self.answer(decode_steward(emit.value)) if emit.topic == topics.STEWARD else None
        if outcome is not None:
            self.stored["reviews"][request_key(outcome.request_id)] = VERSION + _encoder.encode(outcome)


class Queue:
    """The review queue over rows in memory."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def local(self, wanted: Wanted) -> Cases:
        stored = self._rows.stored["reviews"].items()
        found = [row for key, row in sorted(stored) if not key.startswith(b"request:") and _wanted(row, wanted)]
        return Cases((0, 1), tuple(found[: wanted.limit]))

    async def find(self, wanted: Wanted) -> list[Review]:
        return [decode_review(row) for row in self.local(wanted).rows]


def _wanted(row: bytes, wanted: Wanted) -> bool:
    review = decode_review(row)
    if wanted.review_id:
        return review.review_id == wanted.review_id
    of_customer = not wanted.customer or wanted.customer in (review.customer_id, review.other_id)
    return of_customer and wanted.state in (review.state, "all")


class Told:
    """What records say to the pipeline, and the rows that the engine would hold then."""

    def __init__(self, acknowledge: bool = True) -> None:
        self.policy = load_policy()
        self.pipeline = Pipeline(self.policy, acknowledge)
        self._count = 0

    def say(self, record: str, second: int, customer: str = "C1", **said: Any) -> Any:
        """One change, stated and received so many seconds after noon; returns its output."""
        self._count += 1
        platform, _, record_id = record.partition(":")
        change = {"change_id": f"evt-{self._count}", "platform": platform, "record_id": record_id}
        change |= {"customer_id": customer, "observed_at": format_time(NOON + second * 1000), **said}
        return self.pipeline.feed("changes", change, NOON + second * 1000)

    def values(self, record: str, second: int, customer: str = "C1", **values: Any) -> Any:
        """One event with values; (value, confidence) for one with a confidence."""
        attributes = {
            name: {"value": one[0], "confidence": one[1]} if isinstance(one, tuple) else {"value": one}
            for name, one in values.items()
        }
        return self.say(record, second, customer, attributes=attributes)

    def consent(
        self, record: str, second: int, decision: str, point: str = ANN, customer: str = "C1", **more: Any
    ) -> Any:
        """One event with one consent for marketing."""
        said = {"contact_point": point, "channel": "sms" if point[0] == "+" else "email", "purpose": "marketing"}
        said |= {"decision": decision, "at": format_time(NOON + second * 1000), **more}
        return self.say(record, second, customer, consents=[said])

    def answer(self, output: Any, outcome: str, second: int, place: int = 0) -> None:
        """A receipt for one command of an output."""
        command = output.commands[place]
        receipt = {"command_id": command.command_id, "customer_id": command.customer_id, "outcome": outcome}
        receipt |= {"platform": command.platform, "record_id": command.record_id}
        receipt["at"] = format_time(NOON + second * 1000)
        self.pipeline.feed("receipts", receipt, NOON + second * 1000)

    def ask(self, second: int, action: str, **asked: Any) -> Any:
        """A steward's request; returns its output."""
        at = NOON + second * 1000
        request = {"request_id": f"ask-{second}", "customer_id": "C1", "action": action, "at": format_time(at)}
        return self.pipeline.feed("steward", request | {"by": "a steward"} | asked, at)

    def rows(self) -> Rows:
        """The tables as the engine would keep them."""
        rows = Rows()
        contacts: dict[str, ContactRow] = {}
        for state in self.pipeline.customers():
            rows.stored["customers"][state.customer_id.encode()] = encode_customer(state)
            for name in state.records:
                rows.stored["identity"][name.encode()] = encode_row(Row(customer=state.customer_id, joined=True))
            for key in listed_keys(state, self.policy) if state.erased_at is None else ():
                point, channel, purpose = split(key)
                known, why = state.consents.get(key), reasons(state, self.policy, key)
                name = known.state if known is not None else "unknown"
                held = Holding(state.customer_id, channel, purpose, name, not why, why, state.version)
                mine = contacts.setdefault(point, ContactRow()).holdings.setdefault(state.customer_id, {})
                mine[f"{channel} {purpose}"] = held
        for point, row in contacts.items():
            rows.stored["contacts"][point.encode()] = VERSION + _encoder.encode(row)
        return rows


def site(directory: Path, rows: Rows, now: Millis = NOON, **settings: Any) -> web.Application:
    """The engine's application with its views, without its broker."""
    given = Settings(datadir=str(directory), profile="embedded", partitions=2, **settings)
    built = build_engine(given, load_policy())
    add_views(built, given, rows, lambda: now, Queue(rows), rows.send)
    return application(built.app)


class Visitor:
    """Someone who asks."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, Any]:
        """Status, body (JSON is read) and headers; `path` is sent as it is."""
        url = URL(self.url + path, encoded=True)
        async with self._session.request(method, url, headers=headers, allow_redirects=False) as answer:
            raw = await answer.read()
            return answer.status, _read(answer.content_type, raw), answer.headers

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        """Status and body; `body` is sent as JSON, bytes as they are."""
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        url = URL(self.url + path, encoded=True)
        async with self._session.post(url, headers=headers, **given) as answer:
            return answer.status, _read(answer.content_type, await answer.read())

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str, Any]:
        """Status, page and headers of a form that is sent as a browser sends it."""
        given = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", **headers}
        url = URL(self.url + path, encoded=True)
        async with self._session.post(url, data=fields, headers=given, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers

    async def page(self, path: str) -> str:
        """A page as a browser gets it."""
        status, text, _ = await self.get(path, Accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert status == 200, text
        return str(text)


def _read(kind: str, raw: bytes) -> Any:
    if kind == "application/octet-stream":
        return raw
    return json.loads(raw) if raw and kind == "application/json" else raw.decode()


@asynccontextmanager
async def visiting(directory: Path, rows: Rows, **settings: Any) -> AsyncIterator[Visitor]:
    """The views on a free port."""
    runner = web.AppRunner(site(directory, rows, **settings), access_log=None)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    try:
        await listener.start()
        port = runner.addresses[0][1]
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address without a name
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Visitor(f"http://127.0.0.1:{port}", session)
    finally:
        await runner.cleanup()


@contextmanager
def open_site(directory: Path, rows: Rows, **settings: Any) -> Iterator[str]:
    """The address of the views on a thread of their own, for those that cannot wait in a loop."""
    loop = asyncio.new_event_loop()
    ready: list[str] = []
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with visiting(directory, rows, **settings) as visitor:
            ready.append(visitor.url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
