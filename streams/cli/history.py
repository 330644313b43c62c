"""`writeback history`: what happened to a customer's record, and what it was at a time."""

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
@click.option("--at", metavar="TIME", help="What was golden and sendable then, an RFC 3339 time.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many entries.")
@click.option("--before", metavar="TIME|ENTRY", help="Only what happened before a time, or before an entry.")
@engine_url
@click.option("--json", "as_json", is_flag=True, help="The engine's answer as it is.")
def history(customer: str, at: str | None, limit: int, before: str | None, url: str, as_json: bool) -> None:
    """Tell what changed of CUSTOMER, the latest first: from which record, what was commanded, what came back.

    CUSTOMER is a customer id, a record (`<platform>:<record_id>`) or an e-mail address. Where the engine wants a
    token, WRITEBACK_VIEW_TOKEN must hold it.

    \b
    Example:
      writeback history crm:003000000000001AAA
      writeback history ann@example.com --at 2026-01-10T12:00:00Z
    """
    query = {"at": at} if at is not None else {"limit": str(limit)} | ({"before": before} if before else {})
    view = asyncio.run(asked(url, customer, lambda found: ("customers", found, "history"), query))
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
    elif view.get("erased"):
        click.echo(f"customer {view['customer_id']} was erased; nothing is kept")
    elif at is not None:
        _show_state(view)
    else:
        _show_entries(view)


def _show_entries(view: dict[str, Any]) -> None:
    out = console()
    out.print(f"customer {view['customer_id']}", style="bold")
    if view["entries"]:
        out.print(_entries(view["entries"]))
    else:
        out.print("nothing is kept of what happened")
    if view["next"]:
        out.print(f"earlier: --before {view['next']}")
    elif not view["complete"]:
        out.print(f"what happened before {view['known_from']} is no longer kept")


def _entries(entries: list[dict[str, Any]]) -> Table:
    table = Table("when", "version", "what", "of", "from", "to", "came back")
    for one in entries:
        by = f" by {one['steward']['by'] or 'nobody'}" if one["steward"] else ""
        what = f"{one['steward']['action']}{by}" if one["steward"] else one["kind"]
        source = one["record"] or one["other"] or one["cause"]
        why = one["steward"]["why"] if one["steward"] else one["detail"]
        table.add_row(
            one["at"], str(one["golden_version"]), what, source, "", why or "", one["outcome"] or "", style="bold"
        )
        for row in (*_changes(one), *_commands(one)):
            table.add_row("", "", *row)
        table.add_section()
    return table


def _changes(entry: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = [
        ("", name, _text(shown["before"]), f"{_text(shown['value'])} ({shown['status'] or 'no value'})", "")
        for name, shown in entry["attributes"].items()
    ]
    return rows + [
        ("", f"{one['contact_point']} {one['channel']}/{one['purpose']}", one["before"] or "", _sendable(one), "")
        for one in entry["consents"]
    ]


def _commands(entry: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in entry["commands"]:
        said = [*one["attributes"], *(f"{told['decision']} {told['contact_point']}" for told in one["consents"])]
        name = ":".join(part for part in (one["platform"], one["record_id"]) if part)
        rows.append(("", f"told {name}", one["op"], ", ".join(said), one["outcome"] or "no receipt yet"))
    return rows


def _show_state(view: dict[str, Any]) -> None:
    out = console()
    merged = [(f"customer {name}, merged later", found) for name, found in view["merged"].items()]
    for title, found in ((f"customer {view['customer_id']} at {view['at']}", view), *merged):
        out.print(title if not found["known"] else f"{title}, version {found['golden_version']}", style="bold")
        if found["note"]:
            out.print(found["note"])
        if found["known"]:
            out.print(_golden(found))


def _golden(found: dict[str, Any]) -> Table:
    table = Table("of", "golden", "record", "since")
    for name, one in found["attributes"].items():
        value = f"{_text(one['value'])} ({one['status']})"
        table.add_row(name, value, one["record"] or "", one["effective_at"] or "")
    for one in found["consents"]:
        table.add_row(f"{one['contact_point']} {one['channel']}/{one['purpose']}", _sendable(one), "", "")
    return table


def _text(value: Any) -> str:
    """A value in one line."""
    return ", ".join(part for part in value.values() if part) if isinstance(value, dict) else value or ""


def _sendable(one: dict[str, Any]) -> str:
    why = [reason for reason in one["reasons"] if reason != one["state"]]
    told = "sendable" if one["sendable"] else "not sendable"
    return f"{one['state']}, {told}{': ' if why else ''}{', '.join(why)}"
