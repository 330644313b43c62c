"""How a child process is ended."""

import sys
import time
from pathlib import Path

from streams.brokers.process import Process

# Puts its handler away at the first SIGTERM, as an event loop does that closes.
CHILD = """
import signal, sys, time
def stop(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(0.3)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_child_is_asked_to_stop_only_once(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", CHILD], tmp_path / "log", tmp_path)
    while "ready" not in process.log_tail():
        time.sleep(0.01)
    process.ask_to_stop()
    time.sleep(0.1)
    process.stop(5.0)

    assert process.exit_code == 0


def test_a_child_gets_the_environment_that_it_is_given_and_no_other(tmp_path: Path) -> None:
    code = "import os; print(os.environ.get('GIVEN'), 'HOME' in os.environ)"
    process = Process([sys.executable, "-c", code], tmp_path / "log", tmp_path, {"GIVEN": "yes"})
    while process.exit_code is None:
        time.sleep(0.01)

    assert process.log_tail().strip() == "yes False"
