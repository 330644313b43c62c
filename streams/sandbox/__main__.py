"""`python -m streams.sandbox`: the four platforms until SIGINT or SIGTERM.

The first line on stdout is a JSON object with the addresses. Secrets come from the environment, under the names of
the connectors' settings; nothing secret is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal

import click

from streams.sandbox.sandbox import Sandbox
from streams.sandbox.trickle import trickle


@click.command()
@click.option("--gateway", default="", help="Base URL of the webhook gateway; may be set later (PUT /admin/gateway).")
@click.option("--port", default=0, show_default=True, help="Admin port, the platforms follow; 0: free ports.")
@click.option("--seed/--empty", default=True, show_default=True, help="Start with the invented people.")
@click.option("--announce", is_flag=True, help="Send the webhooks of their creation.")
@click.option("--trickle", "trickle_s", default=0.0, help="Seconds between random edits; 0: none.")
def main(gateway: str, port: int, seed: bool, announce: bool, trickle_s: float) -> None:
    """Simulate Shopify, Salesforce, Klaviyo and Smarty on loopback."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(gateway, port, seed, announce, trickle_s))


async def _run(gateway: str, port: int, seed: bool, announce: bool, trickle_s: float) -> None:
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    async with Sandbox(gateway, port=port) as sandbox:
        if seed:
            sandbox.seed_everywhere(announce=announce)
        click.echo(json.dumps(sandbox.addresses))
        edits = asyncio.create_task(trickle(sandbox, trickle_s, click.echo)) if trickle_s else None
        await ended.wait()
        if edits is not None:
            edits.cancel()


if __name__ == "__main__":
    main()
