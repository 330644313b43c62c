"""What the lane refuses, in one sentence each, without values."""

from __future__ import annotations

import logging
import os
from typing import NoReturn

EXIT_REFUSED = 78
"""EX_CONFIG of sysexits.h: starting again will not help until somebody has done what the log says."""

EXIT_BUG = 1
"""An unexpected exception; nothing was acknowledged, a restart goes on from the last commit."""


class TooLarge(ValueError):
    """A record that is larger than `limit_bytes`; nothing was written, whatever was in the row before is untouched."""

    def __init__(self, place: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"{place}: {size_bytes} bytes, the limit is {limit_bytes}")
        self.place = place
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class Refused(RuntimeError):
    """The lane cannot work like this (versions, topics, data directory); the text says what to do."""


class AsideFailed(RuntimeError):
    """A process aside ended, or its processor raised; the text names the type and the line, no values."""


class NotHere(LookupError):
    """The row's partition is not held by this worker."""


def stop_refused(log: logging.Logger, error: Refused) -> NoReturn:
    """Log the sentence and end the process; no cleanup, since a crash is safe at any time."""
    log.critical("%s", error)
    logging.shutdown()
    os._exit(EXIT_REFUSED)


def place_of(error: BaseException) -> str:
    """File and line of the innermost frame: code, never values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
