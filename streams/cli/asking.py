"""Asking an engine's views for a customer: by id, by record, by e-mail address."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import click

from streams.cli.errors import Sentence

TIMEOUT_S = 30.0
ENGINE = "http://127.0.0.1:6066"

engine_url = click.option(
    "--url", envvar="WRITEBACK_URL", default=ENGINE, show_default=True, help="Any engine worker's address."
)


async def asked(
    url: str, customer: str, path: Callable[[str], tuple[str, ...]], query: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the engine answers at the path of a customer's id; raises Sentence where it does not answer so.

    `customer`: an id, a record (`<platform>:<record_id>`) or an e-mail address. The token is WRITEBACK_VIEW_TOKEN.
    """
    import aiohttp

    token = os.environ.get("WRITEBACK_VIEW_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            return await _get(session, url, path(await _customer_id(session, url, customer)), query or {})
    except (aiohttp.InvalidURL, ValueError):
        raise Sentence(f"{url} is not the address of an engine") from None
    except (aiohttp.ClientError, TimeoutError):
        raise Sentence(f"no engine answers at {url} (--url, WRITEBACK_URL)") from None


async def _customer_id(session: Any, url: str, customer: str) -> str:
    """The id behind an e-mail address or a record's name."""
    platform, colon, record_id = customer.partition(":")
    if "@" in customer and not colon:
        platform, colon, record_id = "email", ":", customer
    if not colon:
        return customer
    view = await _get(session, url, ("customers", "by", platform, record_id), {})
    if "customers" in view:
        raise Sentence(f"several customers hold it: {', '.join(view['customers'])}")
    return str(view["customer_id"])


async def _get(session: Any, url: str, path: tuple[str, ...], query: Mapping[str, str]) -> dict[str, Any]:
    import yarl

    wanted = yarl.URL("/".join((url.rstrip("/"), *(quote(part, safe="") for part in path))), encoded=True)
    async with session.get(wanted.with_query(query), headers={"Accept": "application/json"}) as response:
        body = await response.text()
        try:
            answer = json.loads(body)
        except ValueError:
            raise Sentence(f"what answers at {url} is not an engine (HTTP {response.status})") from None
        if response.status == 200 and isinstance(answer, dict):
            return answer
        why = answer.get("error") if isinstance(answer, dict) else None
        raise Sentence(f"the engine at {url} says: {why or f'HTTP {response.status}'}")
