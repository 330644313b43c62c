"""`writeback explain`: why a customer's record is what it is."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any
from urllib.parse import quote

import click
from rich.table import Table

from streams.cli.console import console
from streams.cli.errors import Sentence

TIMEOUT_S = 30.0
ENGINE = "http://127.0.0.1:6066"


@click.command()
@click.argument("customer")
@click.option("--url", envvar="WRITEBACK_URL", default=ENGINE, show_default=True, help="Any engine worker's address.")
@click.option("--json", "as_json", is_flag=True, help="The engine's answer as it is.")
def explain(customer: str, url: str, as_json: bool) -> None:
    """Say for each value of CUSTOMER which record won, which lost and why, and what is still on its way.

    CUSTOMER is a customer id, a record (`<platform>:<record_id>`) or an e-mail address. Where the engine wants a
    token, WRITEBACK_VIEW_TOKEN must hold it.

    \b
    Example:
      writeback explain crm:003000000000001AAA
      writeback explain ann@example.com --url https://writeback.example.com
    """
    view = asyncio.run(_asked(url, customer))
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
        return
    if view.get("erased"):
        click.echo(f"customer {view['customer_id']} was erased; nothing is kept")
        return
    out = console()
    out.print(
        f"customer {view['customer_id']}, version {view['golden_version']}, policy {view['policy']}", style="bold"
    )
    out.print(f"records: {', '.join(view['records']) or 'none'}")
    for table in (_attributes(view), _consents(view), _open(view)):
        if table.row_count:
            out.print(table)


async def _asked(url: str, customer: str) -> dict[str, Any]:
    import aiohttp

    token = os.environ.get("WRITEBACK_VIEW_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            return await _get(session, url, "explain", await _customer_id(session, url, customer))
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
    view = await _get(session, url, "customers", "by", platform, record_id)
    if "customers" in view:
        raise Sentence(f"several customers hold it: {', '.join(view['customers'])}")
    return str(view["customer_id"])


async def _get(session: Any, url: str, *path: str) -> dict[str, Any]:
    import yarl

    wanted = yarl.URL("/".join((url.rstrip("/"), *(quote(part, safe="") for part in path))), encoded=True)
    async with session.get(wanted, headers={"Accept": "application/json"}) as response:
        body = await response.text()
        try:
            answer = json.loads(body)
        except ValueError:
            raise Sentence(f"what answers at {url} is not an engine (HTTP {response.status})") from None
        if response.status == 200 and isinstance(answer, dict):
            return answer
        why = answer.get("error") if isinstance(answer, dict) else None
        raise Sentence(f"the engine at {url} says: {why or f'HTTP {response.status}'}")


def _attributes(view: dict[str, Any]) -> Table:
    table = Table("attribute", "value", "record", "since", "confidence", "why")
    for name, shown in view["attributes"].items():
        why = f"{shown['status'] or 'empty'}: {shown['why']} ({shown['rule']})"
        table.add_row(name, *_claim(shown), why, style="bold")
        for loser in shown["losers"]:
            table.add_row("  lost", *_claim(loser), f"{loser['reason']}: {loser['why']}; {loser['flip']['words']}")
        table.add_section()
    return table


def _claim(shown: dict[str, Any]) -> tuple[str, str, str, str]:
    """Value, record, time and confidence of a winner or a loser."""
    value, confidence = shown["value"], shown["confidence"]
    text = ", ".join(part for part in value.values() if part) if isinstance(value, dict) else value or ""
    told = "" if confidence is None else f"{confidence:.2f}"
    return text, shown["record"] or "", shown["effective_at"] or "", told


def _consents(view: dict[str, Any]) -> Table:
    table = Table("contact point", "channel", "purpose", "consent", "sendable", "because")
    for one in view["consents"]:
        sendable = "yes" if one["sendable"] else "no"
        row = (one["contact_point"], one["channel"], one["purpose"], one["state"])
        table.add_row(*row, sendable, ", ".join(one["reasons"]))
    return table


def _open(view: dict[str, Any]) -> Table:
    table = Table("not at rest", "what", "state")
    for one in view["open"]:
        table.add_row(one["record"], one["what"], one["state"])
    for one in view["unanswered"]:
        what = f"{one['op']} {', '.join(one['attributes'])}"
        table.add_row(f"{one['platform']}:{one['record_id'] or ''}", what, f"commanded {one['issued_at']}, no receipt")
    return table
