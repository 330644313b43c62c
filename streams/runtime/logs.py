"""What a process logs, and where: its own words at the level that was asked for, of the libraries only warnings."""

from __future__ import annotations

import logging
from typing import Final

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def begin_logs(level: str) -> None:
    """To stderr. Below a warning, libraries log requests and records whole, which may hold personal values."""
    logging.basicConfig(level=logging.WARNING, format=FORMAT)
    logging.getLogger("streams").setLevel(level.upper())
