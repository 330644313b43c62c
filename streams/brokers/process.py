"""One child process that never outlives the program that started it."""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """The step that ties a child to its parent, or None where only `atexit` is left.

    Linux sends the signal when the *thread* that forked ends, so the tie is safe from the main thread only.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return tie


class Process:
    """A child in a session of its own (a terminal's Ctrl-C is not its business), its output in `log_path`.

    `environment` is all that it gets; None: the parent's.
    """

    def __init__(
        self, argv: Sequence[str], log_path: Path, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log_path = log_path
        self._asked = False
        with log_path.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - argv is built by this package, never by input
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=environment,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        atexit.register(self.stop, 1.0)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while the child runs."""
        return self._child.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once, so that several children can stop at the same time.

        Only once: a second one would meet a child that has put its handler away already.
        """
        if self.exit_code is None and not self._asked:
            self._asked = True
            self._child.terminate()

    def kill(self) -> None:
        """Send SIGKILL and wait for the end, as a crash would end it."""
        atexit.unregister(self.stop)
        self._child.kill()
        self._child.wait()

    def stop(self, timeout_s: float) -> None:
        """Ask, wait `timeout_s`, then kill. Does nothing to a child that has ended."""
        atexit.unregister(self.stop)
        if self.exit_code is not None:
            return
        self.ask_to_stop()
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def log_tail(self, max_bytes: int = 2000) -> str:
        """The end of what the child wrote, for the text of a failure."""
        return self.log_path.read_bytes()[-max_bytes:].decode(errors="replace")
