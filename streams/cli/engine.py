"""`writeback engine`: intake, identity, engine and the views."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.command()
@options.worker
def engine(policy: Path | None, **given: object) -> None:
    """Run one engine worker: platform payloads in, golden records kept, commands out, views over both.

    Several workers share the partitions; each needs a --datadir and a --web-port of its own. Topics that are missing
    are created. SIGTERM finishes the batches in hand, commits, and leaves.

    \b
    Example: two workers on one machine
      writeback engine --datadir /var/lib/writeback/1 --web-port 6066
      writeback engine --datadir /var/lib/writeback/2 --web-port 6068
    """
    from streams.runtime.engine_app import run_engine

    run_engine(options.settings_of(policy=policy, **given))
