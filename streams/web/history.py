"""The views of a customer's history: its entries, and what was golden and sendable at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web

from streams.core.golden import golden_view
from streams.core.history_view import as_of_view, timeline_view
from streams.core.state import Customer
from streams.core.timeline import Kept, aged, decode_entry
from streams.lane import LaneApp
from streams.model import Invalid, Millis, parse_time
from streams.runtime.chapters import Head, Line, decode_base, decode_chapter, decode_head, head_key, row_key
from streams.web.answers import refused, shown, shown_erased
from streams.web.lookups import Lookups
from streams.web.rows import RowSource, Unavailable
from streams.web.serving import page

LIMIT: Final = 50
LIMIT_MAX: Final = 500
MERGES_MAX: Final = 32
_READS_MAX: Final = 3


class Histories:
    """Reads histories through the workers that hold them. `max_age_ms`: nothing older than that is shown."""

    def __init__(self, rows: RowSource, max_age_ms: Millis, now: Callable[[], Millis]) -> None:
        self._rows = rows
        self._max_age_ms = max_age_ms
        self._now = now

    async def read(self, customer_id: str) -> list[Kept] | None:
        """The history of a customer, its own first, then those of merged ones; None where nothing was ever kept.

        The id of a merged customer leads to its survivor. Raises Unavailable.
        """
        for _ in range(MERGES_MAX):
            head = await self._head(customer_id)
            if head is None:
                return None
            if head.survivor is None:
                return await self._whole(customer_id, head)
            customer_id = head.survivor
        raise Unavailable("history")

    async def _head(self, customer_id: str) -> Head | None:
        stored = await self._rows.read("history", head_key(customer_id.encode()))
        return decode_head(stored) if stored is not None else None

    async def _whole(self, customer_id: str, head: Head) -> list[Kept]:
        """A chapter may be dropped between two reads: then its base has changed, and all is read anew."""
        for _ in range(_READS_MAX):
            lines = [(customer_id, head.own, head.tail), *((name, line, []) for name, line in head.merged.items())]
            kept = [await self._kept(customer_id.encode(), *line) for line in lines]
            again = await self._head(customer_id) or Head()
            if _oldest_of(again) == _oldest_of(head):
                cutoff = self._now() - self._max_age_ms
                return [aged(one, cutoff) for one in kept]
            head = again
        raise Unavailable("history")

    async def _kept(self, customer: bytes, name: str, line: Line, tail: Sequence[bytes]) -> Kept:
        numbers = [one.number for one in line.chapters]
        stored = await asyncio.gather(*(self._row(customer, number) for number in numbers))
        base = await self._row(customer, line.base) if line.base is not None else None
        entries = [one for chapter in stored if chapter is not None for one in decode_chapter(chapter)]
        return Kept(name, decode_base(base) if base is not None else None, [*map(decode_entry, (*entries, *tail))])

    async def _row(self, customer: bytes, number: int) -> bytes | None:
        return await self._rows.read("history", row_key(customer, number))


def _oldest_of(head: Head) -> tuple[list[list[int]], list[bytes]]:
    """The oldest part of each line: where it is still there, so is the base that was read with it."""
    chapters = [[one.number for one in line.chapters[:1]] for line in (head.own, *head.merged.values())]
    return chapters, [] if head.own.chapters else head.tail[:1]


async def timeline(histories: Histories, customer_id: str, limit: int = LIMIT, before: str | None = None) -> Any:
    """The newest entries of a customer's history as JSON values (`core.history_view`); None where there is no history.

    Raises Invalid("bad_request") for a `before` that is none, and Unavailable.
    """
    lines = await histories.read(customer_id)
    return timeline_view(lines, limit, before) if lines is not None else None


def add_history(app: LaneApp, rows: RowSource, lookups: Lookups, now: Callable[[], Millis]) -> None:
    """Add `/customers/{id}/history`; to be added before `/customers/{id}`."""
    histories = Histories(rows, lookups.policy.history.max_age_ms, now)

    @page(app, "/customers/{customer_id:.+}/history")
    async def history(request: web.Request, customer_id: str) -> web.Response:
        """What changed, newest first; with `?at=TIME` what was golden and sendable then."""
        state = await lookups.customer(customer_id)
        if state is not None and state.erased_at is not None:
            return shown_erased(request, state, customer_id)
        try:
            view = await _asked(histories, customer_id, request, state)
        except Invalid as invalid:
            return refused(request, 400, invalid.detail)
        if view is None:
            return refused(request, 404, "no customer has this id")
        golden = golden_view(state, lookups.policy) if state is not None else None
        return shown(request, view, "history.html", lambda: {"golden": golden})


async def _asked(histories: Histories, customer_id: str, request: web.Request, state: Customer | None) -> Any:
    """The answer to a query, None where nobody has the id; raises Invalid with a sentence for a query that is none."""
    query = request.query
    lines = await histories.read(customer_id)
    if lines is None and state is not None:
        lines = [Kept(state.customer_id, None, [])]
    if "at" in query:
        try:
            at = parse_time(query["at"])
        except (Invalid, OverflowError):
            raise Invalid("bad_request", "at is an RFC 3339 time, such as 2026-01-10T12:00:00Z") from None
        return as_of_view(lines, at) if lines is not None else None
    limit = query.get("limit", str(LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= LIMIT_MAX):
        raise Invalid("bad_request", f"limit is a number from 1 to {LIMIT_MAX}")
    return timeline_view(lines, int(limit), query.get("before")) if lines is not None else None
