"""What a contender reports, one JSON object a line: its first input with the time and CPU until then, and counts."""

import gc
import json
import os
import sys
import threading
import time

import msgspec

from benchmarks.processes import cpu_s
from benchmarks.settings import Contest

_REPORT_INTERVAL_S = 0.25


def contest() -> Contest:
    """The task from the command line; all contenders alike look for cycles as seldom as the engine does."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return msgspec.json.decode(sys.argv[1], type=Contest)


class Tally:
    """Counts consumed records. The clock starts with the first: the program has by then joined and is assigned."""

    def __init__(self) -> None:
        self._consumed = 0

    def add(self, records: int = 1) -> None:
        if not self._consumed:
            _say({"first_at_s": time.monotonic(), "first_cpu_s": cpu_s(os.getpid())})
            threading.Thread(target=self._report, daemon=True).start()
        self._consumed += records

    def _report(self) -> None:
        while True:
            time.sleep(_REPORT_INTERVAL_S)
            _say({"consumed": self._consumed})


def _say(fact: dict[str, float]) -> None:
    """On a line of its own whatever a library has printed before, and past `sys.stdout`, which Faust takes over."""
    os.write(1, b"\n" + json.dumps(fact).encode() + b"\n")
