"""Run one contender and watch it from outside: its CPU and memory, and the growth of what it writes.

The clock starts with the contender's first input and ends when its last command or changelog record is in the
broker's log. All contenders are watched the same way, by polling end offsets, so the end is late by at most
`POLL_INTERVAL_S`.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks import processes
from benchmarks.broker_side import Ends, Offsets, digest
from benchmarks.settings import Contest
from streams.brokers.process import die_with_parent

POLL_INTERVAL_S = 0.05
QUIET_S = 6.0
"""No growth for so long, after all input is consumed, is the end; longer than any contender's commit interval."""

START_TIMEOUT_S = 120.0
RUN_TIMEOUT_S = 1800.0
_STOP_TIMEOUT_S = 20.0

Progress = Callable[[int, float], None]
"""Called with the records consumed and the seconds since the first one."""


class Result(NamedTuple):
    """What one contender did with `changes` changes."""

    name: str
    changes: int
    elapsed_s: float
    cpu_s: float
    peak_rss_mb: float
    outputs: int
    digest: str
    changelog: int

    @property
    def rate(self) -> float:
        """Changes a second."""
        return self.changes / self.elapsed_s

    @property
    def cpu_s_per_100k(self) -> float:
        return self.cpu_s * 100_000 / self.changes


class Contender(NamedTuple):
    """A program: its module, the interpreter and the built product to run it with, and how many changes it gets.

    `deciders`: the processes beside its own that an engine decides in.
    """

    name: str
    python: str
    home: Path
    module: str
    changes: int
    deciders: int = 0


class Failed(RuntimeError):
    """The contender ended or stalled; the text ends with what it logged."""


def run(contender: Contender, contest: Contest, progress: Progress) -> Result:
    """Start the contender, wait until it has read everything and written everything, and stop it."""
    ends = Ends(contest.bootstrap)
    ends.watch(contest.outputs, contest.group)
    begin = ends.now()
    with tempfile.TemporaryDirectory(prefix="writeback-bench-") as directory:
        contest = msgspec.structs.replace(contest, directory=directory)
        with _Running(contender, contest, Path(directory) / "log") as running:
            running.wait_for_first()
            ends.watch(contest.outputs, contest.group)
            last = _watch(running, ends, contender.changes, progress)
            peak = running.peak_rss_mb()
    outputs = {at: offset for at, offset in last.offsets.items() if at[0] in contest.outputs}
    written = digest(contest.bootstrap, begin, outputs)
    return Result(
        name=contender.name,
        changes=contender.changes,
        elapsed_s=last.at_s - running.first["first_at_s"],
        cpu_s=last.cpu_s - running.first["first_cpu_s"],
        peak_rss_mb=peak,
        outputs=written.count,
        digest=str(written),
        changelog=sum(n for at, n in last.offsets.items() if at[0] not in contest.outputs),
    )


class _Sample(NamedTuple):
    at_s: float
    cpu_s: float
    offsets: Offsets


def _watch(running: "_Running", ends: Ends, changes: int, progress: Progress) -> _Sample:
    """The sample at which the outputs had grown for the last time."""
    last = running.sample(ends.now())
    while True:
        time.sleep(POLL_INTERVAL_S)
        now = running.sample(ends.now())
        progress(running.consumed, now.at_s - running.first["first_at_s"])
        if now.offsets != last.offsets:
            last = now
        if running.consumed >= changes and now.at_s - last.at_s > QUIET_S:
            return last
        if now.at_s - running.first["first_at_s"] > RUN_TIMEOUT_S:
            raise Failed(f"not done in {RUN_TIMEOUT_S} s: {running.log_tail()}")


class _Running:
    """The contender's process, its reports read by a thread."""

    def __init__(self, contender: Contender, contest: Contest, log_path: Path) -> None:
        self._argv = [contender.python, "-m", contender.module, msgspec.json.encode(contest).decode()]
        self._home = contender.home
        self._log_path = log_path
        self._ready = threading.Event()
        self.first: dict[str, float] = {}
        self.consumed = 0

    def __enter__(self) -> "_Running":
        with self._log_path.open("wb") as log:
            self._child = subprocess.Popen(
                self._argv,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._home,
                env=environment(self._home),
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._child.terminate()
        try:
            self._child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def wait_for_first(self) -> None:
        """Return when the first input was consumed."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._ready.wait(0.2):
            self._check()
            if time.monotonic() > deadline:
                raise Failed(f"nothing consumed in {START_TIMEOUT_S} s: {self.log_tail()}")

    def sample(self, offsets: Offsets) -> _Sample:
        """Time, CPU and offsets now. Raises `Failed` if the contender has ended."""
        self._check()
        return _Sample(time.monotonic(), processes.cpu_s(self._child.pid), offsets)

    def peak_rss_mb(self) -> float:
        return processes.peak_rss_mb(self._child.pid)

    def log_tail(self) -> str:
        return self._log_path.read_bytes()[-3000:].decode(errors="replace")

    def _check(self) -> None:
        if self._child.poll() is not None:
            raise Failed(f"ended with {self._child.returncode}: {self.log_tail()}")

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._note(_fact(line))

    def _note(self, fact: Mapping[str, Any]) -> None:
        self.consumed = int(fact.get("consumed", self.consumed))
        if "first_at_s" in fact:
            self.first = dict(fact)
            self._ready.set()


def _fact(line: bytes) -> Mapping[str, Any]:
    """A report; whatever else a library prints on stdout says nothing."""
    try:
        fact = json.loads(line)
    except ValueError:
        return {}
    return fact if isinstance(fact, dict) else {}


def environment(home: Path) -> dict[str, str]:
    """The built product before whatever is installed in the interpreter."""
    return {**os.environ, "PYTHONPATH": str(home)}


def ask(argv: Sequence[str], home: Path) -> dict[str, Any]:
    """Run a program that prints one JSON object."""
    run = subprocess.run(list(argv), stdout=subprocess.PIPE, cwd=home, env=environment(home), check=True)
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer
