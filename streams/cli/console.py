"""Where tables go: as wide as the terminal, and uncut where there is none."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_COLUMNS = 220


def console() -> Console:
    """For stdout as it is now; values are never read as markup or highlighted."""
    return Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False, markup=False)
