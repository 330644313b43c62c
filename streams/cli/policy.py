"""`writeback policy`: check a policy file, or print the shipped one to start from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from streams.cli.console import console

if TYPE_CHECKING:
    from streams.core.rules import AttributeRule, PlatformRule, Policy


@click.group()
def policy() -> None:
    """Check a policy file, or print the shipped one.

    \b
    Example: start from the shipped policy
      writeback policy default > mine.toml
      writeback policy check mine.toml
      WRITEBACK_POLICY=mine.toml writeback engine
    """


@policy.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(path: Path) -> None:
    """Validate FILE and show what it says; every error is told at once, with file and key."""
    from streams.policy import load_policy

    found = load_policy(path)
    click.echo(f"{path}: policy {found.version} is valid")
    out = console()
    out.print(_platforms(found))
    out.print(_attributes(found))
    for rule in found.platforms.values():
        if not _has_connector(rule):
            click.echo(f"note: there is no connector {rule.connector} here, so {rule.name} can only be replayed")


@policy.command()
def default() -> None:
    """Print the shipped policy, comments and all."""
    shipped = resources.files("streams.policy") / "default.toml"
    click.echo(shipped.read_text(encoding="utf-8"), nl=False)


def _has_connector(rule: PlatformRule) -> bool:
    from streams.connectors import connector
    from streams.model import Invalid

    try:
        connector(rule.connector)
    except Invalid:
        return False
    return True


def _platforms(found: Policy) -> Table:
    table = Table("platform", "connector", "rank", "is told")
    for rule in found.platforms.values():
        table.add_row(rule.name, rule.connector, str(rule.rank), _told(rule))
    return table


def _told(rule: PlatformRule) -> str:
    routes = sorted(rule.routes) + (["consent"] if rule.consent else [])
    return ", ".join(routes) or "nothing"


def _attributes(found: Policy) -> Table:
    table = Table("attribute", "who wins", "min. confidence", "validated by")
    for rule in found.attributes.values():
        least = "" if rule.min_confidence is None else f"{rule.min_confidence:.2f}"
        table.add_row(rule.name, _winner(rule), least, rule.validate_with or "")
    return table


def _winner(rule: AttributeRule) -> str:
    if rule.priority is None:
        return "the latest"
    return " > ".join(sorted(rule.priority, key=lambda platform: (rule.priority or {})[platform]))
