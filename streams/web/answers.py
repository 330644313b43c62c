"""What an answer looks like: JSON, or a page for a browser. A refusal is one sentence in either form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from streams.core.erasure import erased_view
from streams.core.state import Customer
from streams.web.rendering import render
from streams.web.session import PERSON


def shown(
    request: web.Request, view: Mapping[str, Any], template: str, more: Callable[[], Mapping[str, Any]] = dict
) -> web.Response:
    """The view as JSON; for a browser its page, which may show `more`."""
    if wants_page(request):
        return page_of(request, template, {"view": view, **more()})
    return in_json(view)


def shown_erased(request: web.Request, state: Customer, asked: str | None) -> web.Response:
    """The certificate of an erased customer; `asked`: the id that led to it, where that is another one."""
    other = {"asked": asked} if asked is not None and asked != state.customer_id else {}
    return shown(request, erased_view(state) | other, "erased.html")


def refused(request: web.Request, status: int, why: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """One sentence, which holds nothing that the request said."""
    if wants_page(request):
        return page_of(request, "refused.html", {"why": why, "code": status}, status, headers)
    return in_json({"error": why}, status, headers)


def in_json(view: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON, readable as it is."""
    text = json.dumps(view, ensure_ascii=False)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def page_of(
    request: web.Request,
    template: str,
    given: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A page as HTML, for the person who asks; `here` is where signing in leads back to."""
    here = request.path_qs if request.method in ("GET", "HEAD") else "/"
    text = render(template, person=PERSON.get(), here=here, **given)
    return web.Response(text=text, status=status, headers=headers, content_type="text/html")


def wants_page(request: web.Request) -> bool:
    """True where HTML is asked for by name, before JSON."""
    accept = request.headers.get("Accept", "")
    return _preference(accept, "text/html") > _preference(accept, "application/json")


def _preference(accept: str, kind: str) -> float:
    """The quality of a media type that is named in an `Accept` header; 0 where it is not."""
    for part in accept.split(","):
        name, *parameters = (one.strip() for one in part.split(";"))
        if name.lower() == kind:
            return next((_number(one[2:]) for one in parameters if one[:2].lower() == "q="), 1.0)
    return 0.0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
