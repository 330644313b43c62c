"""`writeback demo`: the stories, played through every process and checked."""

from __future__ import annotations

import sys

import click


@click.command()
def demo() -> None:
    """Play the stories live and check them: 0 if every platform holds what it should, else 1 and which does not.

    Starts the embedded broker, the engine, the sinks, the gateway and simulated platforms as separate processes on
    loopback, sends signed webhooks, prints for each story what every platform held before and holds now, and stops
    everything. Needs no account, no Docker and no network.

    \b
    Example:
      writeback demo
    """
    from streams.demo import run_demo

    sys.exit(run_demo())
