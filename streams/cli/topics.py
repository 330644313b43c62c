"""`writeback topics create`: every topic that the processes need, changelogs included."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Column, Table

from streams.cli import options
from streams.cli.broker import connecting
from streams.cli.console import console

if TYPE_CHECKING:
    from streams.core.rules import Policy
    from streams.lane import TopicSpec
    from streams.runtime.settings import Settings

DAY_MS = 86_400_000


@click.group()
def topics() -> None:
    """Create the topics.

    \b
    Example:
      writeback topics create --bootstrap kafka:9092 --partitions 12 --replication 3
    """


@topics.command()
@options.bootstrap
@options.policy
@options.partitions
@click.option("--replication", type=click.IntRange(-1, 32), help="Copies of each partition; -1: the broker's default.")
@click.option("--dry-run", is_flag=True, help="Only show what would be created; no broker is asked.")
def create(
    bootstrap: str | None, policy: Path | None, partitions: int | None, replication: int | None, dry_run: bool
) -> None:
    """Create the topics that are missing, with their partitions, compaction and retention.

    All topics have the same number of partitions. Where one exists with another number nothing is created: a key
    would change its partition, and a customer's changes would meet another customer's state. Settings of existing
    topics are left as they are.
    """
    settings = options.settings_of(bootstrap=bootstrap, policy=policy, partitions=partitions, replication=replication)
    specs = _specs(settings)
    created = [] if dry_run else _create(settings, specs)
    console().print(_table(specs, created, dry_run))


def _specs(settings: Settings) -> list[TopicSpec]:
    from streams.policy import load_policy
    from streams.runtime.engine_app import engine_specs

    policy = load_policy(settings.policy_path)
    return [*engine_specs(settings, policy), *_fences(settings, policy)]


def _fences(settings: Settings, policy: Policy) -> list[TopicSpec]:
    """The changelogs of the sinks; creating them needs no platform's credentials."""
    from streams.lane import BatchTable, make_app
    from streams.runtime.sinks_app import APP_ID
    from streams.runtime.topics import changelog, delivered_platforms

    app = make_app(settings.lane(APP_ID))
    specs = [BatchTable(app, f"fence-{name}", settings.partitions).spec for name in delivered_platforms(policy)]
    return [changelog(one, settings.keeping) for one in specs]


def _create(settings: Settings, specs: list[TopicSpec]) -> list[str]:
    from streams.lane import ensure_topics
    from streams.runtime.security import client_auth

    with connecting(settings):
        return asyncio.run(ensure_topics(settings.bootstrap, specs, client_auth(settings)))


def _table(specs: list[TopicSpec], created: list[str], dry_run: bool) -> Table:
    table = Table(Column("topic", overflow="fold"), "partitions", "kept", "")
    for spec in specs:
        state = "would be there" if dry_run else "created" if spec.name in created else "was there"
        table.add_row(spec.name, str(spec.partitions), _kept(spec), state)
    return table


def _kept(spec: TopicSpec) -> str:
    if spec.config.get("cleanup.policy") == "compact":
        return "newest of each key"
    kept_ms = int(spec.config.get("retention.ms", "0"))
    days = kept_ms // DAY_MS
    return "for ever" if kept_ms < 0 else "1 day" if days == 1 else f"{days} days"
