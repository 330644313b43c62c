"""`POST /steward/<action>`: a steward's request on its way to the engine, answered with what the engine did.

The token is always needed. A foreign page cannot ask in a steward's name: the token is no cookie, and JSON or the
token's own header makes a browser ask first whether the page may.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from streams.lane import Emit, LaneApp
from streams.model import Millis, format_time
from streams.runtime.asked import Outcome, request_key
from streams.runtime.reviews import decode_outcome
from streams.runtime.settings import Settings
from streams.web.access import allowed
from streams.web.answers import in_json, refused, shown, wants_page
from streams.web.desk import ACTIONS, Declined, Desk
from streams.web.forms import is_foreign, read_body
from streams.web.guesses import guessed, too_many
from streams.web.rows import RowSource, Unavailable
from streams.web.serving import application, page

STEWARD_PATH: Final = "/steward/"
TOKEN_HEADER: Final = "Writeback-Steward-Token"  # noqa: S105 - a header's name
POLL_S: Final = 0.05
NO_TOKEN: Final = "nobody can act as a steward here: WRITEBACK_STEWARD_TOKEN is not set"  # noqa: S105

Send: TypeAlias = Callable[[Emit], Awaitable[None]]


def stopped(token: str, request: web.Request) -> web.Response | None:
    """The refusal of one who may not act."""
    if not token:
        return _declined(Declined(403, "no_steward_token", NO_TOKEN))
    given = request.headers.get(TOKEN_HEADER)
    known = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode()) if given else False
    other = request.headers.get("Authorization")
    if not known and not allowed(token, other):
        if (given or other) and (wait_s := guessed(request)):
            return _declined(Declined(429, "too_many_wrong_tokens", too_many(wait_s)), wait_s)
        return _declined(Declined(401, "bad_token", "the stewards' token is needed"))
    if is_foreign(request):
        return _declined(Declined(403, "foreign_page", "a page of another site cannot act as a steward"))
    if request.content_type != "application/json":
        return _declined(Declined(415, "not_json", "the body must be JSON, and its content type must say so"))
    return None


class Counter:
    """Takes requests, and waits for their answers."""

    def __init__(self, desk: Desk, rows: RowSource, send: Send, settings: Settings, now: Callable[[], Millis]) -> None:
        self._desk = desk
        self._rows = rows
        self._send = send
        self._settings = settings
        self._now = now

    async def take(self, action: str, request: web.Request) -> dict[str, Any]:
        """Pass a request on, and wait; the answer as JSON. Raises Declined or Unavailable."""
        return await self.ask(action, await self._body(request))

    async def ask(self, action: str, body: Any) -> dict[str, Any]:
        """The same, of a body that was read."""
        asked = await self._desk.asked(action, body, self._now())
        request_id = asked.request.request_id or ""
        await self._send(asked.emit)
        told = {"request_id": request_id, "action": action, "customer_id": asked.request.customer_id}
        return told | answered(await self._waited(request_id))

    async def _body(self, request: web.Request) -> Any:
        body = await read_body(request, self._settings.steward_body_max_bytes)
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Declined(400, "bad_json", "the body is not JSON") from None

    async def _waited(self, request_id: str) -> Outcome | None:
        """The engine's answer, and that to what followed from it; None where it takes longer."""
        deadline_s = time.monotonic() + self._settings.steward_wait_s
        while time.monotonic() < deadline_s:
            outcome = await self.outcome(request_id)
            if outcome is not None and outcome.follows is None:
                return outcome
            request_id = outcome.follows or request_id if outcome is not None else request_id
            await asyncio.sleep(POLL_S)
        return None

    async def outcome(self, request_id: str) -> Outcome | None:
        """The answer to a request, None while there is none."""
        try:
            stored = await self._rows.read("reviews", request_key(request_id))
        except Unavailable:
            return None
        return decode_outcome(stored) if stored is not None else None


def answered(outcome: Outcome | None) -> dict[str, Any]:
    """`state`: accepted, refused (with `reason`), or waiting; `customer_id`: whose row answered, after a merge the
    survivor's."""
    if outcome is None:
        return {"state": "waiting"}
    found = {"state": outcome.state, "at": format_time(outcome.at)}
    for name in ("customer_id", "reason", "follows"):
        if getattr(outcome, name) is not None:
            found[name] = getattr(outcome, name)
    return found


def add_steward(app: LaneApp, counter: Counter) -> None:
    """`POST /steward/<action>` and `GET /steward/requests/<id>`."""

    async def act(request: web.Request) -> web.Response:
        """A steward's act: 200 once it is carried out, 409 where the engine refuses it, 202 while it is on its way."""
        try:
            told = await counter.take(request.match_info["action"], request)
        except Declined as declined:
            return _declined(declined)
        return in_json(told, {"accepted": 200, "refused": 409, "waiting": 202}[told["state"]])

    application(app).router.add_post(STEWARD_PATH + "{action}", act)

    @page(app, STEWARD_PATH + "requests/{request_id}")
    async def asked(request: web.Request, request_id: str) -> web.Response:
        """What became of a request."""
        outcome = await counter.outcome(request_id)
        if outcome is None and not wants_page(request):
            return refused(request, 404, "the engine has not answered a request of this id")
        then = await counter.outcome(outcome.follows) if outcome is not None and outcome.follows else None
        action = request.query.get("action", "")
        seen = {"action": action if action in ACTIONS else "request", "then": answered(then)}
        return shown(request, {"request_id": request_id, **answered(outcome)}, "asked.html", lambda: seen)


def sender(app: LaneApp) -> Send:
    """Produces through the worker's own producer; raises Unavailable where it cannot."""

    async def send(emit: Emit) -> None:
        if not app.lane.ready:
            raise Unavailable("steward")
        try:
            await app.lane.outbox.send([emit], 0)
        except KafkaError:
            raise Unavailable("steward") from None

    return send


def _declined(declined: Declined, wait_s: int = 0) -> web.Response:
    headers = (
        {"WWW-Authenticate": "Bearer"} if declined.status == 401 else {"Retry-After": str(wait_s)} if wait_s else {}
    )
    return in_json({"error": declined.why, "reason": declined.reason}, declined.status, headers)
