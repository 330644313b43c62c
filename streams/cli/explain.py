"""`writeback explain`: why a customer's record is what it is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click
from rich.table import Table

from streams.cli.asking import asked, engine_url
from streams.cli.console import console


@click.command()
@click.argument("customer")
@engine_url
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
    view = asyncio.run(asked(url, customer, lambda found: ("explain", found)))
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
        return
    if view.get("erased"):
        click.echo(f"customer {view['customer_id']} was erased at {view['erased_at']}; nothing is kept")
        for one in view["certificate"]:
            click.echo(f"  {one['platform']}: {one['outcome']}")
        return
    out = console()
    out.print(
        f"customer {view['customer_id']}, version {view['golden_version']}, policy {view['policy']}", style="bold"
    )
    out.print(f"records: {', '.join(view['records']) or 'none'}")
    for table in (_attributes(view), _consents(view), _bindings(view), _open(view)):
        if table.row_count:
            out.print(table)


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


def _bindings(view: dict[str, Any]) -> Table:
    table = Table("record", "why it belongs here", "under which rule")
    for one in view.get("bindings", ()):
        table.add_row(one["record"], one["why"], one["rule"])
    for one in view["joins"]:
        table.add_row(f"merged {one['customer_id']}", f"{one['words']} ({one['at']})", one["rule"] or "a steward")
    return table


def _open(view: dict[str, Any]) -> Table:
    table = Table("not at rest", "what", "state")
    for one in view["open"]:
        table.add_row(one["record"], one["what"], one["state"])
    for one in view["unanswered"]:
        what = f"{one['op']} {', '.join(one['attributes'])}"
        table.add_row(f"{one['platform']}:{one['record_id'] or ''}", what, f"commanded {one['issued_at']}, no receipt")
    return table
