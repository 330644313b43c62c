"""`writeback dev`: the demo's processes, kept up."""

from __future__ import annotations

import sys

import click


@click.command()
def dev() -> None:
    """Keep broker, engine, sinks, gateway and simulated platforms up until Ctrl-C, with some traffic.

    Prints the addresses of the views, the gateway and the platforms, and what to set to point other commands at them.

    \b
    Example: in another terminal, with the printed broker address
      writeback tail commands.crm --bootstrap 127.0.0.1:<port> --follow
    """
    from streams.demo import run_dev

    sys.exit(run_dev())
