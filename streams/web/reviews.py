"""The review queue on the web: a case lies on the partition of its record, so every worker is asked for its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

from streams.core.reviewing import Review, review_view
from streams.lane import BatchTable, LaneApp, NotHere
from streams.runtime.asked import REQUEST
from streams.runtime.reviews import case_end, case_id, case_start, decode_review
from streams.web.answers import refused, shown
from streams.web.rows import ASK_TIMEOUT_S, Unavailable
from streams.web.serving import page

CASES_PATH: Final = "/internal/reviews"
LIMIT: Final = 100
LIMIT_MAX: Final = 1000
SCANNED_MAX: Final = 100_000
STATES: Final = ("open", "approved", "dismissed", "settled")
NO_REVIEW: Final = "no case of the review queue has this id"


class Wanted(NamedTuple):
    """Which cases: one by its id, or those of a state (`all` for any), of one customer if given; at most `limit`."""

    review_id: str = ""
    state: str = "open"
    customer: str = ""
    limit: int = LIMIT

    def query(self) -> dict[str, str]:
        """As parameters of a request."""
        return {name: str(value) for name, value in self._asdict().items() if value != ""}


class Cases(NamedTuple):
    """Stored cases, and the partitions that were looked through."""

    partitions: tuple[int, ...]
    rows: tuple[bytes, ...]


class ReviewSource(Protocol):
    """Where the queue is read."""

    def local(self, wanted: Wanted) -> Cases:
        """The cases of the partitions that this worker holds; raises Unavailable."""
        ...

    async def find(self, wanted: Wanted) -> list[Review]:
        """The cases of every partition; raises Unavailable where one is held by nobody."""
        ...


class ReviewReader:
    """Reads the table `reviews` here and on the other workers."""

    def __init__(self, app: LaneApp, table: BatchTable, token: str) -> None:
        self._app = app
        self._table = table
        self._token = token

    def local(self, wanted: Wanted) -> Cases:
        """See ReviewSource."""
        if not self._app.lane.ready:
            raise Unavailable("reviews")
        try:
            held = self._table.held
            return Cases(tuple(held), tuple(row for one in held for row in in_partition(self._table, one, wanted)))
        except NotHere:
            raise Unavailable("reviews") from None

    async def find(self, wanted: Wanted) -> list[Review]:
        """See ReviewSource."""
        parts = [self.local(wanted), *await asyncio.gather(*(self._ask(host, wanted) for host in self._others()))]
        seen = {partition for part in parts for partition in part.partitions}
        if len(seen) < int(self._table.partitions or 0):
            raise Unavailable("reviews")
        return [decode_review(row) for part in parts for row in part.rows]

    def _others(self) -> list[URL]:
        mine = URL(str(self._app.conf.canonical_url))
        known = {URL(host) for host, topics in self._app.router.tables_metadata().items() if topics}
        return sorted(known - {mine}, key=str)

    async def _ask(self, host: URL, wanted: Wanted) -> Cases:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        url = (host / CASES_PATH.strip("/")).with_query(wanted.query())
        try:
            async with (
                asyncio.timeout(ASK_TIMEOUT_S),
                self._app.http_client.get(url, headers=headers, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise Unavailable("reviews")
                return msgspec.msgpack.decode(await response.read(), type=Cases)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise Unavailable("reviews") from None


def in_partition(table: BatchTable, partition: int, wanted: Wanted) -> Iterable[bytes]:
    """The stored cases of one partition; the longest waiting first."""
    if wanted.review_id:
        key = wanted.review_id.encode()
        stored = None if key.startswith(REQUEST) else table.store(partition).read(key)
        return [] if stored is None else [stored]
    found: list[bytes] = []
    for state in STATES if wanted.state == "all" else (wanted.state,):
        for local, _ in table.scan_local(partition, case_start(state), case_end(state), _scanned(wanted)):
            stored = table.store(partition).read(case_id(local))
            if stored is not None and _is_of(wanted.customer, stored):
                found.append(stored)
    return found[: wanted.limit]


def _scanned(wanted: Wanted) -> int:
    """Those of one customer lie anywhere among the others."""
    return SCANNED_MAX if wanted.customer else wanted.limit


def _is_of(customer: str, stored: bytes) -> bool:
    if not customer:
        return True
    review = decode_review(stored)
    return customer in (review.customer_id, review.other_id)


def add_reviews(app: LaneApp, source: ReviewSource) -> None:
    """`/reviews`, `/reviews/<id>`, and what the workers ask each other."""

    @page(app, "/reviews")
    async def reviews(request: web.Request) -> web.Response:
        """The cases of a state, `open` unless another is asked for, the longest waiting first."""
        wanted = wanted_of(request.query)
        if wanted is None:
            return refused(request, 400, f"state: {', '.join(STATES)} or all; limit: 1 to {LIMIT_MAX}")
        found = await source.find(wanted._replace(limit=wanted.limit + 1))
        found.sort(key=lambda one: (one.last_at, one.review_id))
        view = {"reviews": [review_view(one) for one in found[: wanted.limit]], "more": len(found) > wanted.limit}
        return shown(request, view, "reviews.html", lambda: {"wanted": wanted, "states": (*STATES, "all")})

    @page(app, "/reviews/{review_id}")
    async def review(request: web.Request, review_id: str) -> web.Response:
        """One case with its evidence, and what was decided."""
        found = await source.find(Wanted(review_id))
        return shown(request, review_view(found[0]), "review.html") if found else refused(request, 404, NO_REVIEW)

    @page(app, CASES_PATH)
    async def cases(request: web.Request) -> web.Response:
        """For other workers: the cases as they are stored."""
        wanted = wanted_of(request.query, LIMIT_MAX + 1)
        if wanted is None:
            return refused(request, 400, "the question is not one of ours")
        body = msgspec.msgpack.encode(source.local(wanted))
        return web.Response(body=body, content_type="application/octet-stream")


def wanted_of(query: Mapping[str, Any], limit_max: int = LIMIT_MAX) -> Wanted | None:
    """What a request asks for; None where it makes no sense."""
    state, limit = query.get("state", "open"), query.get("limit", str(LIMIT))
    if state not in (*STATES, "all") or not limit.isascii() or not limit.isdigit():
        return None
    if not 1 <= int(limit) <= limit_max:
        return None
    return Wanted(query.get("review_id", ""), state, query.get("customer", ""), int(limit))
