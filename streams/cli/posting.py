"""Talking to an engine as a steward: what is asked, and what it answers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import quote

import click

from streams.cli.asking import engine_url
from streams.cli.errors import Sentence

Command = TypeVar("Command", bound=Callable[..., Any])
TIMEOUT_S = 30.0
ON_ITS_WAY = 75
"""Exit code: the engine has not answered yet."""


def act(command: Command) -> Command:
    """The options of every act."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The engine's answer as it is."),
        click.option("--request-id", metavar="ID", help="To ask the same again without doing it twice."),
        engine_url,
        click.option("--why", required=True, help="Why."),
        click.option("--by", required=True, envvar="WRITEBACK_STEWARD_BY", help="Who; WRITEBACK_STEWARD_BY."),
    ):
        command = option(command)
    return command


class Answer(NamedTuple):
    """The HTTP status and the JSON object of an answer."""

    status: int
    body: dict[str, Any]


def posted(url: str, action: str, body: Mapping[str, Any]) -> Answer:
    """`POST /steward/<action>` with WRITEBACK_STEWARD_TOKEN; raises Sentence where it is missing or nobody answers."""
    token = os.environ.get("WRITEBACK_STEWARD_TOKEN", "")
    if not token:
        raise Sentence("WRITEBACK_STEWARD_TOKEN must hold the stewards' token of the engine")
    return asyncio.run(_ask(url, "POST", ("steward", action), token, json=dict(body)))


def got(url: str, *path: str, **query: str) -> Answer:
    """A view, with WRITEBACK_VIEW_TOKEN where it is set; raises Sentence where nobody answers."""
    return asyncio.run(_ask(url, "GET", path, os.environ.get("WRITEBACK_VIEW_TOKEN", ""), params=query))


async def _ask(url: str, method: str, path: tuple[str, ...], token: str, **given: Any) -> Answer:
    import aiohttp
    import yarl

    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        wanted = yarl.URL("/".join((url.rstrip("/"), *(quote(part, safe="") for part in path))), encoded=True)
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.request(method, wanted, allow_redirects=False, **given) as response,
        ):
            return Answer(response.status, _object(await response.text()))
    except (aiohttp.InvalidURL, ValueError):
        raise Sentence(f"{url} is not the address of an engine") from None
    except (aiohttp.ClientError, TimeoutError):
        raise Sentence(f"no engine answers at {url} (--url, WRITEBACK_URL)") from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Sentence("what answers there is not an engine")
    return found


def told(answer: Answer, as_json: bool) -> None:
    """Say what became of a request; ends with 0 only where it was accepted."""
    body = answer.body
    if as_json:
        click.echo(json.dumps(body, ensure_ascii=False, indent=2))
    match body.get("state"):
        case "accepted":
            if not as_json:
                click.echo(f"accepted: {body['action']} of {body['customer_id']} (request {body['request_id']})")
        case "refused":
            raise Sentence(f"refused: {body.get('reason')} (request {body['request_id']})")
        case "waiting":
            _on_its_way(body["request_id"])
        case _:
            raise Sentence(f"{body.get('reason', f'HTTP {answer.status}')}: {body.get('error', 'no answer')}")


def _on_its_way(request_id: str) -> NoReturn:
    raise Sentence(
        f"on its way: the engine has not answered request {request_id} yet; asking again with --request-id "
        "does it only once",
        ON_ITS_WAY,
    )
