"""Every limit of the demo, `WRITEBACK_DEMO_<NAME>` in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

PREFIX: Final = "WRITEBACK_DEMO_"


class DemoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, and what the stories use. `workdir` empty: a new one, removed after a success."""

    workdir: str = ""
    partitions: int = 2
    start_timeout_s: float = 60.0
    story_timeout_s: float = 30.0  # a platform that does not hold what it should by then has not converged
    stop_timeout_s: float = 15.0
    poll_s: float = 0.02
    quiet_s: float = 0.8  # nothing has moved for so long: all is said and done
    down_s: float = 2.5  # how long the platform of the fifth story answers 503
    trickle_s: float = 5.0  # `writeback dev`: seconds between edits; 0: none


class BadSetting(ValueError):
    """A setting of the demo that cannot be read; the text names it."""


def read_demo_settings(environ: Mapping[str, str], **overrides: Any) -> DemoSettings:
    """The settings of the environment, `overrides` first; raises BadSetting."""
    names = [field.name for field in msgspec.structs.fields(DemoSettings)]
    given = {name: environ[PREFIX + name.upper()] for name in names if environ.get(PREFIX + name.upper())}
    try:
        return msgspec.convert({**given, **overrides}, DemoSettings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSetting(f"{PREFIX}*: {error}") from None
