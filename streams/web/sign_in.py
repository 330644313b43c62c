"""Signing in at a browser: a token becomes a cookie that no script reads and no other site's page can send."""

from __future__ import annotations

import hmac
import time
from typing import Final

from aiohttp import web

from streams.lane import LaneApp
from streams.web.access import Access, allowed
from streams.web.answers import page_of, refused
from streams.web.desk import Declined
from streams.web.forms import read_form
from streams.web.guesses import GUESSES, too_many
from streams.web.serving import application
from streams.web.session import COOKIES, PERSON, Person, Role, sealed

SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
WRONG: Final = "that token is not the right one"
NAMELESS: Final = "a steward needs a name; it is kept with every act"


def asks_for_token(request: web.Request, access: Access) -> web.Response:
    """The form in the place of a page that needs the view token."""
    here = request.path_qs if request.method in ("GET", "HEAD") else "/"
    return _form(request, access, here, 401 if not PERSON.get().looks else 200)


def add_sign_in(app: LaneApp, access: Access) -> None:
    """`/sign-in` and `/sign-out`."""
    router = application(app).router

    async def form(request: web.Request) -> web.Response:
        """The form on its own."""
        return _form(request, access, "/")

    async def sign_in(request: web.Request) -> web.Response:
        """Check the tokens that are given; without one, show the form for the page that one comes from."""
        try:
            fields = await read_form(request)
        except Declined as declined:
            return refused(request, declined.status, declined.why)
        then = safe_path(fields.get("then", ""))
        given = {role: fields.get(role, "") for role in COOKIES}
        if not any(given.values()):
            return _form(request, access, then, why=WRONG if "view" in fields or "steward" in fields else "")
        if wait_s := request.app[GUESSES].wait_s(request.remote):
            return _form(request, access, then, 429, too_many(wait_s), wait_s)
        if not all(_right(access, role, token) for role, token in given.items() if token):
            request.app[GUESSES].wrong(request.remote)
            return _form(request, access, then, 401, WRONG)
        if given["steward"] and not fields.get("by"):
            return _form(request, access, then, 422, NAMELESS)
        return _signed_in(request, access, [role for role, token in given.items() if token], fields.get("by", ""), then)

    async def sign_out(request: web.Request) -> web.Response:
        """Forget the cookies."""
        try:
            await read_form(request)
        except Declined as declined:
            return refused(request, declined.status, declined.why)
        response = web.Response(status=303, headers={"Location": "/"})
        for name in COOKIES.values():
            response.del_cookie(name, path="/")
        return response

    router.add_get(SIGN_IN, form)
    router.add_post(SIGN_IN, sign_in)
    router.add_post(SIGN_OUT, sign_out)


def safe_path(path: str) -> str:
    """A path of ours to go on to; `/` for anything that could lead elsewhere."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def _right(access: Access, role: Role, token: str) -> bool:
    known = access.token if role == "view" else access.steward_token
    return bool(known) and hmac.compare_digest(token.encode("utf-8", "surrogateescape"), known.encode())


def _signed_in(request: web.Request, access: Access, roles: list[Role], name: str, then: str) -> web.Response:
    response = web.Response(status=303, headers={"Location": then})
    # Behind a proxy that ends TLS the cookie may still only travel by it.
    secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
    lasts_s, by = access.limits.session_s, name[: access.limits.steward_name_chars_max]
    ends_s = int(time.time()) + lasts_s
    for role in roles:
        token = access.token if role == "view" else access.steward_token
        cookie = sealed(token, role, by if role == "steward" else "", ends_s)
        response.set_cookie(
            COOKIES[role], cookie, max_age=lasts_s, path="/", httponly=True, samesite="Strict", secure=secure
        )
    return response


def _form(
    request: web.Request, access: Access, then: str, status: int = 200, why: str = "", wait_s: int = 0
) -> web.Response:
    person: Person = PERSON.get()
    views = bool(access.token) and not person.looks and not allowed(access.token, request.headers.get("Authorization"))
    # Not Basic: that would have the browser ask by a window of its own.
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": str(wait_s)} if wait_s else {}
    # Not the settings themselves: they hold secrets, and a page needs none.
    limits = {"name_chars_max": access.limits.steward_name_chars_max, "session_s": access.limits.session_s}
    given = {"then": then, "why": why, "views": views, **limits}
    return page_of(request, "sign_in.html", given, status, headers)
