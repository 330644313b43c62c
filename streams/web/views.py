"""The engine's views: what a customer's record is, and why; JSON, or a plain page for a browser.

A name in a path is percent-encoded; a last one may hold plain slashes too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from streams.core.explain import explain_view
from streams.core.golden import golden_view
from streams.core.state import Customer
from streams.lane import LaneApp
from streams.model import Millis
from streams.runtime.engine_app import EngineApp
from streams.runtime.settings import Settings
from streams.web.access import Access
from streams.web.answers import refused, shown, shown_erased
from streams.web.comparison import compare
from streams.web.console import Console, add_console
from streams.web.desk import Desk
from streams.web.history import add_history
from streams.web.lookups import Lookups
from streams.web.pages import add_health
from streams.web.reviews import ReviewReader, ReviewSource, add_reviews
from streams.web.rows import NO_SUCH_ROW, ROW_PATH, RowReader, RowSource, UnknownTable
from streams.web.serving import page
from streams.web.sign_in import add_sign_in
from streams.web.steward import Counter, Send, add_steward, sender

NO_CUSTOMER = "no customer has this id"
NO_RECORD = "no customer has this record"
NO_HOLDER = "no customer holds this contact point"


def wall_clock() -> Millis:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def add_views(
    built: EngineApp,
    settings: Settings,
    rows: RowSource | None = None,
    now: Callable[[], Millis] = wall_clock,
    reviews: ReviewSource | None = None,
    send: Send | None = None,
) -> None:
    """Add every view to the engine's app; they answer on any worker for any key."""
    tables = built.tables
    source = rows if rows is not None else RowReader(built.app, tables, settings.view_token)
    lookups = Lookups(source, built.policy)
    access = Access(settings.view_token, settings.node_url, settings.steward_token, settings)
    add_health(built.app, tables, access)
    add_sign_in(built.app, access)
    queue = reviews if reviews is not None else ReviewReader(built.app, built.reviews, settings.view_token)
    add_reviews(built.app, queue)
    counter = Counter(Desk(lookups, queue), source, send or sender(built.app), settings, now)
    add_steward(built.app, counter)
    add_console(built.app, Console(lookups, queue, counter, settings, now))
    _add_rows(built.app, source)
    _add_start(built.app, lookups)
    # Before `/customers/{id}`, whose id may hold slashes.
    _add_searches_by_name(built.app, lookups, now)
    add_history(built.app, source, lookups, now)
    _add_customers(built.app, lookups, now)


def _add_rows(app: LaneApp, rows: RowSource) -> None:
    @page(app, ROW_PATH + "/{table}/{key}")
    async def row(request: web.Request, table: str, key: str) -> web.Response:
        """For other workers: a row as it is stored, if this worker holds it."""
        try:
            stored = rows.local(table, bytes.fromhex(key))
        except ValueError:
            return refused(request, 400, "a key is written in hexadecimal digits")
        except UnknownTable:
            return refused(request, 404, "there is no such table")
        if stored is None:
            return web.Response(status=NO_SUCH_ROW)
        return web.Response(body=stored, content_type="application/octet-stream")


def _add_start(app: LaneApp, lookups: Lookups) -> None:
    @page(app, "/")
    async def start(request: web.Request) -> web.Response:
        """Where a person begins."""
        paths = ["/customers/{id}", "/customers/by/{platform}/{record_id}", "/customers/by/email/{address}"]
        paths += ["/customers/{id}/history", "/explain/{id}", "/consents/{contact_point}"]
        paths += ["/reviews", "/reviews/{id}", "/steward/requests/{id}"]
        paths += ["/metrics", "/healthz", "/readyz"]
        return shown(request, {"views": paths}, "start.html", lambda: {"platforms": list(lookups.policy.platforms)})


def _add_searches_by_name(app: LaneApp, lookups: Lookups, now: Callable[[], Millis]) -> None:
    @page(app, "/customers/by/email/{address:.+}")
    async def by_email(request: web.Request, address: str) -> web.Response:
        """The one customer that holds the address; where several do, their ids."""
        holders = await lookups.customers_at(address)
        if len(holders) > 1:
            return shown(request, {"customers": holders}, "holders.html")
        return await _customer(request, lookups, holders[0] if holders else None, now(), NO_HOLDER)

    @page(app, "/customers/by/{platform}/{record_id:.+}")
    async def by_record(request: web.Request, platform: str, record_id: str) -> web.Response:
        """The customer that a record is bound to."""
        bound = await lookups.customer_of(platform, record_id)
        return await _customer(request, lookups, bound, now(), NO_RECORD)

    @page(app, "/consents/{contact_point:.+}")
    async def consents(request: web.Request, contact_point: str) -> web.Response:
        """What may be sent to a contact point, over all customers that hold it."""
        found = await lookups.consents(contact_point)
        return shown(request, found, "consents.html") if found["customers"] else refused(request, 404, NO_HOLDER)


def _add_customers(app: LaneApp, lookups: Lookups, now: Callable[[], Millis]) -> None:
    @page(app, "/customers/{customer_id:.+}")
    async def customer(request: web.Request, customer_id: str) -> web.Response:
        """The golden record; on the page beside what each platform holds."""
        return await _customer(request, lookups, customer_id, now(), NO_CUSTOMER)

    @page(app, "/explain/{customer_id:.+}")
    async def explain(request: web.Request, customer_id: str) -> web.Response:
        """Why it is so."""
        state = await lookups.customer(customer_id)
        if state is None:
            return refused(request, 404, NO_CUSTOMER)
        if state.erased_at is not None:
            return shown_erased(request, state, customer_id)
        view = explain_view(state, lookups.policy, now())
        view["bindings"] = await lookups.bindings(state)
        return shown(request, view, "explain.html")


async def _customer(
    request: web.Request, lookups: Lookups, customer_id: str | None, now: Millis, otherwise: str
) -> web.Response:
    state = await lookups.customer(customer_id) if customer_id is not None else None
    if state is None:
        return refused(request, 404, otherwise)
    return _golden(request, lookups, state, now, customer_id if customer_id != state.customer_id else None)


def _golden(request: web.Request, lookups: Lookups, state: Customer, now: Millis, alias: str | None) -> web.Response:
    policy = lookups.policy
    if state.erased_at is not None:
        return shown_erased(request, state, alias)

    def beside() -> dict[str, Any]:
        explained = explain_view(state, policy, now)
        unset = [name for name in policy.attributes if name not in explained["attributes"]]
        return {"explained": explained, "compared": compare(state, policy, explained), "alias": alias, "unset": unset}

    return shown(request, golden_view(state, policy), "customer.html", beside)
