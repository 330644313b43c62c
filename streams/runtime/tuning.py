"""What a process asks of Python and of the C library before it works through batches."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from typing import Final

GC_OBJECTS: Final = 50_000

# glibc's mallopt (malloc.h): memory beyond these is given back to the system, page by page, and zeroed when it comes
# again. A batch needs some megabytes, and so does the next.
_MALLOPT: Final = {
    -1: 256 * 1024 * 1024,  # M_TRIM_THRESHOLD, bytes kept at the top of the heap
    -2: 16 * 1024 * 1024,  # M_TOP_PAD, bytes asked for at a time
    -3: 32 * 1024 * 1024,  # M_MMAP_THRESHOLD, bytes from which a block is mapped on its own; no more is allowed
}


def tune() -> None:
    """For a process that folds: look for cycles seldom, and keep the memory of one batch for the next."""
    _spare_the_collector()
    _keep_memory()


def _spare_the_collector() -> None:
    """Collect seldom: states are decoded into thousands of short-lived objects without cycles, and looking through
    them for cycles after every 700, as Python does by default, costs as much as decoding them."""
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 50)


def _keep_memory() -> None:
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library has no mallopt
            mallopt = ctypes.CDLL(None).mallopt
            for parameter, value in _MALLOPT.items():
                mallopt(parameter, value)
