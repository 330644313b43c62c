"""The connectors of a policy's platforms, with their settings from the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.connectors import connector
from streams.connectors.base import Connector
from streams.core.rules import Policy
from streams.runtime.settings import PREFIX, SettingsError

GATEWAY_ONLY = ("WEBHOOK_", "REPLAY_")


def translators(policy: Policy, environment: Mapping[str, str]) -> dict[str, Connector]:
    """Every platform's connector as its settings say; translation needs no secret, so none may be missing."""
    found: dict[str, Connector] = {}
    for platform, rule in policy.platforms.items():
        vendor = connector(rule.connector)
        found[platform] = vendor.configured(_present(platform, vendor, environment))
    return found


def _present(platform: str, vendor: Connector, environment: Mapping[str, str]) -> dict[str, str]:
    values = {one.name: environment.get(variable(platform, one.name)) or one.default for one in vendor.settings}
    return {name: value for name, value in values.items() if value is not None}


def variable(platform: str, name: str) -> str:
    """The environment variable of a connector's setting."""
    return f"{PREFIX}{platform.upper()}_{name.upper()}"


def connector_settings(platform: str, vendor: Connector, environment: Mapping[str, str]) -> dict[str, str]:
    """A connector's settings, `WRITEBACK_<PLATFORM>_<NAME>`; raises SettingsError naming each that is missing."""
    values: dict[str, str] = {}
    missing = []
    for setting in vendor.settings:
        if setting.name.startswith(GATEWAY_ONLY):
            continue  # who delivers need not hold what webhooks are verified with
        name = variable(platform, setting.name)
        value = environment.get(name) or setting.default
        if value is None:
            missing.append(f"{name} is missing: {setting.meaning}")
        else:
            values[setting.name] = value
    if missing:
        raise SettingsError(missing)
    return values


def all_connector_settings(
    policy: Policy, platforms: Sequence[str], environment: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The settings of several platforms; raises SettingsError with everything that is missing in any."""
    found: dict[str, dict[str, str]] = {}
    problems: list[str] = []
    for platform in platforms:
        try:
            vendor = connector(policy.platforms[platform].connector)
            found[platform] = connector_settings(platform, vendor, environment)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return found
