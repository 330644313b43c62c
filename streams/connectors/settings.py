"""Reading a connector's settings, which are text from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from streams.model import Invalid


def number(settings: Mapping[str, str], name: str, otherwise: str) -> float:
    """A setting that is a number above zero; raises Invalid("bad_setting") with its name."""
    try:
        value = float(settings.get(name, otherwise))
    except ValueError:
        raise Invalid("bad_setting", name) from None
    if not 0 < value < 1e9:
        raise Invalid("bad_setting", name)
    return value


def flag(settings: Mapping[str, str], name: str, otherwise: str) -> bool:
    """A setting that is `true` or `false`; raises Invalid("bad_setting") with its name."""
    said = settings.get(name, otherwise).strip().lower()
    if said not in ("true", "false"):
        raise Invalid("bad_setting", name)
    return said == "true"


def several(settings: Mapping[str, str], name: str) -> list[str]:
    """The values of a setting that holds several, separated by commas or spaces."""
    return settings.get(name, "").replace(",", " ").split()
