"""What both kinds of broker share: a directory, a process, a port, and a wait until it answers."""

import os
import shutil
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

from streams.brokers.probe import cluster_id, free_port
from streams.brokers.process import Process
from streams.brokers.profile import Profile

_START_ATTEMPTS_MAX = 3  # a free port can be taken between the look and the bind
_PROBE_INTERVAL_S = 0.05
_PROBE_TIMEOUT_S = 1.0


class BrokerFailed(RuntimeError):
    """The broker did not start, or is not running; the text ends with what it logged."""


class Availability(NamedTuple):
    """Whether this machine can run a kind of broker, and if not why not. True or false like `ok`."""

    ok: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.ok


class Broker(ABC):
    """One single-node broker on loopback; a context manager, or `start()` and `stop()`.

    `port` 0 takes a free one. Its files live in a directory of their own, removed by `stop()`.
    """

    kind: ClassVar[str]
    profile: ClassVar[Profile]
    start_timeout_s: ClassVar[float]
    stop_timeout_s: ClassVar[float]

    def __init__(self, *, port: int = 0) -> None:
        self._wanted_port = port
        self._port = 0
        self._process: Process | None = None
        self._directory: Path | None = None

    @classmethod
    @abstractmethod
    def available(cls) -> Availability:
        """Whether this machine can run this kind, with the reason if not."""

    @abstractmethod
    def _prepare(self, directory: Path, port: int, cluster: str) -> tuple[Sequence[str], str]:
        """Write what the broker needs into `directory`; its command line and the cluster id it will answer."""

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the broker. Raises `BrokerFailed` if it is not running."""
        return self._running().pid

    @property
    def log_path(self) -> Path:
        """Where the broker logs; gone after `stop()`."""
        return self._running().log_path

    def start(self) -> Self:
        """Return when the broker answers as itself; raises `BrokerFailed` otherwise. Idempotent."""
        if self._process is not None:
            return self
        if not (available := self.available()):
            raise BrokerFailed(f"{self.kind}: {available.reason}")
        attempts = 1 if self._wanted_port else _START_ATTEMPTS_MAX
        for left in reversed(range(attempts)):
            try:
                self._launch()
                break
            except BrokerFailed:
                self.stop()
                if left == 0:
                    raise
        return self

    def stop(self) -> None:
        """End the process and remove its directory. Idempotent."""
        if self._process is not None:
            self._process.stop(self.stop_timeout_s)
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self) -> None:
        self._port = self._wanted_port or free_port()
        self._directory = _new_directory(self.kind)
        argv, cluster = self._prepare(self._directory, self._port, uuid.uuid4().hex[:22])
        self._process = Process(argv, self._directory / "broker.log", self._directory)
        self._wait_for(cluster)

    def _wait_for(self, cluster: str) -> None:
        process = self._running()
        deadline = time.monotonic() + self.start_timeout_s
        while cluster_id(self._port, _PROBE_TIMEOUT_S) != cluster:
            if process.exit_code is not None:
                raise BrokerFailed(f"{self.kind} ended with {process.exit_code}: {process.log_tail()}")
            if time.monotonic() > deadline:
                raise BrokerFailed(f"{self.kind} not ready in {self.start_timeout_s} s: {process.log_tail()}")
            time.sleep(_PROBE_INTERVAL_S)

    def _running(self) -> Process:
        if self._process is None:
            raise BrokerFailed(f"{self.kind} is not running")
        return self._process


def _new_directory(kind: str) -> Path:
    """A directory named after this process, once those of processes that were killed are gone."""
    root, prefix = Path(tempfile.gettempdir()), f"writeback-{kind}-"
    for left in root.glob(f"{prefix}*-*"):
        owner = left.name.removeprefix(prefix).partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True
