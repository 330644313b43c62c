"""Which platforms may call, and what their signatures are checked with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.connectors import connector
from streams.connectors.base import Connector, Setting
from streams.gateway.settings import GatewayRefused
from streams.model import Invalid

SECRET_SETTING: Final = "WEBHOOK_SECRET"  # noqa: S105 - a setting's name
"""The setting that a connector declares if its platform sends webhooks."""

# The gateway faces the outside: it reads what verification needs, never the keys of the platforms' APIs.
_VERIFICATION: Final = ("WEBHOOK_", "REPLAY_")


class Endpoint(msgspec.Struct, frozen=True):
    """One platform that sends webhooks."""

    platform: str
    connector: Connector
    settings: Mapping[str, str]

    @property
    def topic(self) -> str:
        """Where its deliveries go."""
        return f"raw.{self.platform}"


def read_endpoints(platforms: Mapping[str, str], environ: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints of `platforms` (platform -> vendor), with settings from `WRITEBACK_<PLATFORM>_<NAME>`.

    A platform whose connector declares no `WEBHOOK_SECRET` sends none and has no endpoint. Raises GatewayRefused
    with every missing setting and every unknown connector at once.
    """
    endpoints: list[Endpoint] = []
    problems: list[str] = []
    for platform, vendor in platforms.items():
        try:
            found = connector(vendor)
        except Invalid:
            problems.append(f"platform {platform}: there is no connector {vendor}")
            continue
        if any(setting.name == SECRET_SETTING for setting in found.settings):
            endpoints.append(Endpoint(platform, found, _settings(platform, found.settings, environ, problems)))
    if problems:
        raise GatewayRefused(problems)
    return endpoints


def _settings(
    platform: str, declared: tuple[Setting, ...], environ: Mapping[str, str], problems: list[str]
) -> dict[str, str]:
    values: dict[str, str] = {}
    for setting in declared:
        if not setting.name.startswith(_VERIFICATION):
            continue
        variable = f"WRITEBACK_{platform.upper()}_{setting.name}"
        value = environ.get(variable, "").strip() or setting.default
        if value is None:
            problems.append(f"{variable} is not set: {setting.meaning}")
        else:
            values[setting.name] = value
    return values
