"""`writeback gateway`: signed webhooks in."""

from __future__ import annotations

import os
from pathlib import Path

import click

from streams.cli import options


@click.command()
@options.bootstrap
@options.policy
@click.option("--host", metavar="HOST", help="Address to bind; loopback if not given.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; 0: a free one.")
@options.log_level
def gateway(
    bootstrap: str | None, policy: Path | None, host: str | None, port: int | None, log_level: str | None
) -> None:
    """Take the platforms' webhooks: POST /webhooks/<platform>.

    A delivery is answered 2xx only after the broker has it; without a broker the answer is 503 with Retry-After. The
    webhook secret of every platform of the policy must be in the environment. TLS is the reverse proxy's work.

    \b
    Example: behind a reverse proxy on the same machine
      writeback gateway --port 8080
    """
    from streams.gateway import read_gateway_settings, run_gateway
    from streams.policy import load_policy
    from streams.runtime.logs import begin_logs

    shared = options.settings_of(bootstrap=bootstrap, policy=policy, log_level=log_level)
    begin_logs(shared.log_level)
    platforms = {name: rule.connector for name, rule in load_policy(shared.policy_path).platforms.items()}
    settings = read_gateway_settings(os.environ, bootstrap=bootstrap, host=host, port=port)
    run_gateway(settings, platforms, os.environ)
