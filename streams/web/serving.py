"""Pages of a Faust app in aiohttp's own requests and responses, which Faust's web server runs on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from aiohttp import web
from faust.web import Request, View

from streams.lane import LaneApp

Answer: TypeAlias = Callable[..., Awaitable[web.Response]]
"""Called with the request, and with the path's names."""


def page(app: LaneApp, path: str) -> Callable[[Answer], Answer]:
    """Add a page that answers GET and HEAD. Of two that fit a path, the one added first answers."""

    def add(answer: Answer) -> Answer:
        async def get(_: View, request: Request, **names: str) -> Any:
            return await answer(request, **names)

        app.page(path)(get)
        return answer

    return add


def application(app: LaneApp) -> web.Application:
    """What Faust's web server serves."""
    return cast(Any, app.web).web_app  # type: ignore[no-any-return]
