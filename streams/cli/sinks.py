"""`writeback sinks`: commands out to the platforms."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.command()
@click.option("--platform", "platforms", metavar="NAME", multiple=True, help="Serve this platform only; repeatable.")
@options.worker
def sinks(platforms: tuple[str, ...], policy: Path | None, **given: object) -> None:
    """Run one sinks worker: each platform is told what it still needs, at its own rate, consent first.

    The credentials of every platform served must be in the environment, as WRITEBACK_<PLATFORM>_<NAME>; whatever is
    missing is named at the start, all at once.

    \b
    Example: the ESP alone, apart from the others
      writeback sinks --platform esp --web-port 6070
    """
    from streams.runtime.sinks_app import run_sinks

    run_sinks(options.settings_of(policy=policy, **given), platforms)
