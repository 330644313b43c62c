"""The engine's views: what a customer's record is, and why; JSON, or a plain page for a browser."""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from faust.web import Request, Response, View
from jinja2 import Environment, PackageLoader, select_autoescape

from streams.core.explain import explain_view
from streams.core.golden import golden_view
from streams.runtime.engine_app import EngineApp
from streams.runtime.settings import Settings
from streams.web.access import REALM, allowed
from streams.web.lookups import Lookups
from streams.web.pages import add_health
from streams.web.rows import ROW_PATH, RowReader, Unavailable

Handler = Callable[..., Awaitable[Response]]

_pages = Environment(loader=PackageLoader("streams.web"), autoescape=select_autoescape(), trim_blocks=True)


def add_views(built: EngineApp, settings: Settings) -> None:
    """Add every view to the engine's app; they answer on any worker for any key."""
    tables = [built.customers, built.identity, built.contacts]
    reader = RowReader(built.app, tables, settings.view_token)
    lookups = Lookups(reader, built.policy)
    add_health(built.app, tables)
    guard = _guard(settings.view_token)
    _add_rows(built, reader, guard)
    _add_customers(built, lookups, guard)
    _add_lookups(built, lookups, guard)


def _guard(token: str) -> Callable[[Handler], Handler]:
    """A token where one is set, and 503 while nobody holds the row."""

    def guarded(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer(web: View, request: Request, **given: str) -> Response:
            if not allowed(token, request.headers.get("Authorization")):
                return web.json({"error": "a token is needed"}, status=401, headers={"WWW-Authenticate": REALM})
            try:
                return await handler(web, request, **given)
            except Unavailable:
                body = {"error": "a rebalance or a recovery is under way"}
                return web.json(body, status=503, headers={"Retry-After": "2"})

        return answer

    return guarded


def _add_rows(built: EngineApp, reader: RowReader, guard: Callable[[Handler], Handler]) -> None:
    @built.app.page(ROW_PATH + "/{table}/{key}")
    @guard
    async def row(web: View, request: Request, table: str, key: str) -> Response:
        try:
            stored = reader.local(table, bytes.fromhex(key))
        except ValueError:
            return web.json({"error": "not a key"}, status=400)
        if stored is None:
            return web.json({"error": "no such row"}, status=404)
        return web.text(base64.b64encode(stored).decode())


def _add_customers(built: EngineApp, lookups: Lookups, guard: Callable[[Handler], Handler]) -> None:
    @built.app.page("/customers/{customer_id}")
    @guard
    async def customer(web: View, request: Request, customer_id: str) -> Response:
        return await _customer_page(web, request, lookups, customer_id)

    @built.app.page("/customers/by/{platform}/{record_id}")
    @guard
    async def by_record(web: View, request: Request, platform: str, record_id: str) -> Response:
        if platform == "email":
            return await _by_contact_point(web, request, lookups, record_id)
        customer_id = await lookups.customer_of(platform, record_id)
        if customer_id is None:
            return _missing(web, "no record of this name is bound")
        return await _customer_page(web, request, lookups, customer_id)

    @built.app.page("/explain/{customer_id}")
    @guard
    async def explain(web: View, request: Request, customer_id: str) -> Response:
        state = await lookups.customer(customer_id)
        if state is None:
            return _missing(web, "no customer of this id")
        view = explain_view(state, lookups.policy, time.time_ns() // 1_000_000)
        return _shown(web, request, view, "explain.html")


def _add_lookups(built: EngineApp, lookups: Lookups, guard: Callable[[Handler], Handler]) -> None:
    @built.app.page("/consents/{contact_point}")
    @guard
    async def consents(web: View, request: Request, contact_point: str) -> Response:
        view = await lookups.consents(contact_point)
        if not view["customers"]:
            return _missing(web, "no customer holds this contact point")
        return _shown(web, request, view, "consents.html")


async def _by_contact_point(web: View, request: Request, lookups: Lookups, contact_point: str) -> Response:
    """One customer's page; where several hold the contact point, their ids."""
    holders = await lookups.customers_at(contact_point)
    if not holders:
        return _missing(web, "no customer holds this address")
    if len(holders) == 1:
        return await _customer_page(web, request, lookups, holders[0])
    return _shown(web, request, {"customers": holders}, "holders.html")


async def _customer_page(web: View, request: Request, lookups: Lookups, customer_id: str) -> Response:
    state = await lookups.customer(customer_id)
    if state is None:
        return _missing(web, "no customer of this id")
    return _shown(web, request, golden_view(state, lookups.policy), "customer.html")


def _missing(web: View, why: str) -> Response:
    return web.json({"error": why}, status=404)


def _shown(web: View, request: Request, view: dict[str, Any], template: str) -> Response:
    """A page for a browser, JSON for anything else."""
    if "text/html" in request.headers.get("Accept", ""):
        return web.html(_pages.get_template(template).render(view=view))
    return web.json(view)
