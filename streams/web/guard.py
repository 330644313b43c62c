"""What stands before every page: who may look, how long it may take, and what leaves with the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.quiet import silence_request_texts
from streams.web.access import LIMITS, REALM, Access, allowed, local_name
from streams.web.answers import refused, wants_page
from streams.web.guesses import GUESSES, Guesses, guessed, too_many
from streams.web.rendering import CONTENT_SECURITY
from streams.web.rows import Unavailable
from streams.web.session import PERSON, person_of
from streams.web.sign_in import SIGN_IN, SIGN_OUT, asks_for_token
from streams.web.steward import STEWARD_PATH, stopped

log = logging.getLogger(__name__)

# Pages without a person in them, for probes and for Prometheus; every other one needs the token.
OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics"})
VIEW_TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = 2

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept, Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
}
_SENTENCES: Final = {404: "there is no such page", 405: "pages can only be read"}


def protect(app: web.Application, access: Access) -> None:
    """Put the guard before every page of the application, those that others add included."""
    limits = access.limits
    app[LIMITS] = limits
    app[GUESSES] = Guesses(limits.sign_in_attempts_max, limits.sign_in_window_s, limits.sign_in_peers_max)
    app.middlewares.append(_guard(access))
    silence_request_texts()


def _guard(access: Access) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        PERSON.set(person_of(access, request.cookies, time.time()))
        response = _stopped(access, request) or await _answered(request, handler)
        response.headers.update(HEADERS)
        return response

    return guard


def _stopped(access: Access, request: web.Request) -> web.Response | None:
    """The refusal of one who may not look."""
    if request.path in OPEN:
        return None
    if request.method == "POST" and request.path.startswith(STEWARD_PATH):
        return stopped(access.steward_token, request)
    if not access.token and not local_name(request.host, access.node_url):
        return refused(request, 421, "without a token this server answers to the names of its own machine only")
    if request.path in (SIGN_IN, SIGN_OUT) or PERSON.get().looks:
        return None
    given = request.headers.get("Authorization")
    if not allowed(access.token, given):
        if given and (wait_s := guessed(request)):
            return refused(request, 429, too_many(wait_s), {"Retry-After": str(wait_s)})
        if wants_page(request):
            return asks_for_token(request, access)
        return refused(request, 401, "a token is needed", {"WWW-Authenticate": REALM})
    return None


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer in bounded time; a bug is logged by its type alone, since texts may hold values."""
    try:
        async with asyncio.timeout(VIEW_TIMEOUT_S):
            return await handler(request)
    except (Unavailable, TimeoutError):
        why = "a rebalance or a recovery is under way; try again in a moment"
        return refused(request, 503, why, {"Retry-After": str(RETRY_AFTER_S)})
    except web.HTTPException as error:
        kept = {name: value for name, value in error.headers.items() if name == "Allow"}
        return refused(request, error.status, _SENTENCES.get(error.status, "the request cannot be answered"), kept)
    except Exception as error:
        log.error("A view ended in %s", type(error).__qualname__)
        return refused(request, 500, "this is a bug in Writeback; the log names it")
