"""Connectors by vendor. Adding one means one new folder here; the policy names it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from streams.connectors.base import Connector
from streams.model import Invalid


@cache
def connector(vendor: str) -> Connector:
    """The connector of a vendor; raises Invalid("unknown_connector") where there is none."""
    if not vendor.isidentifier():
        raise Invalid("unknown_connector", "not a module name")
    try:
        module = import_module(f"streams.connectors.{vendor}")
    except ModuleNotFoundError:
        raise Invalid("unknown_connector", vendor) from None
    return cast(Connector, module.CONNECTOR)
