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
    name = f"streams.connectors.{vendor}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        raise Invalid("unknown_connector", vendor) from None
    found = getattr(module, "CONNECTOR", None)
    if found is None:
        raise Invalid("unknown_connector", vendor)
    return cast(Connector, found)
