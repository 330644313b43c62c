"""How the connectors find the sandbox: the secrets that both sides share, and the environment that names everything."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from streams.sandbox.klaviyo import Klaviyo
from streams.sandbox.salesforce import Salesforce
from streams.sandbox.shopify import Shopify
from streams.sandbox.simulator import Simulator
from streams.sandbox.smarty import Smarty

# A vendor's simulator is one folder here and one name in this table.
SIMULATORS: tuple[type[Simulator], ...] = (Shopify, Salesforce, Klaviyo, Smarty)


def variable(platform: str, name: str) -> str:
    """The environment's name of a connector's setting."""
    return f"WRITEBACK_{platform}_{name}".upper()


def shared_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """All secrets by variable: those that the environment has, and new ones for the rest."""
    names = [variable(each.platform, name) for each in SIMULATORS for name in each.secret_names]
    return {name: environment.get(name) or secrets.token_hex(24) for name in names}


def secrets_of(simulator: type[Simulator], shared: Mapping[str, str]) -> dict[str, str]:
    """One simulator's secrets by their short names."""
    return {name: shared[variable(simulator.platform, name)] for name in simulator.secret_names}


def environment_of(simulators: Mapping[str, Simulator], addresses: Mapping[str, str]) -> dict[str, str]:
    """Everything that the real connectors read from the environment to work against these simulators."""
    environment: dict[str, str] = {}
    for platform, simulator in simulators.items():
        named = {**simulator.settings(addresses[platform]), **simulator.secrets}
        environment |= {variable(platform, name): value for name, value in named.items()}
    return environment
