"""Options that several commands share; each overrides its setting in the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from streams.runtime.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

bootstrap = click.option("--bootstrap", metavar="HOST:PORT", help="Kafka brokers, separated by commas.")
policy = click.option(
    "--policy",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Policy file; the shipped one if not given.",
)
partitions = click.option("--partitions", type=click.IntRange(1, 10_000), help="Partitions of every topic.")
log_level = click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least to log.")


def worker(command: Command) -> Command:
    """The options of a process that works on partitions."""
    for option in (
        log_level,
        click.option("--web-port", type=click.IntRange(1, 65_535), help="Port of the views and of /healthz."),
        click.option("--web-host", metavar="HOST", help="Address to bind; only loopback without a view token."),
        click.option("--datadir", metavar="DIR", help="Folder for the rows; one for each process."),
        partitions,
        policy,
        bootstrap,
    ):
        command = option(command)
    return command


def settings_of(**overrides: Any) -> Settings:
    """Settings from the environment and the options that were given; raises SettingsError."""
    from streams.runtime.settings import read_settings

    given: dict[str, Any] = {
        name: str(value) if isinstance(value, Path) else value for name, value in overrides.items()
    }
    return read_settings(**given)
