"""The gateway and the engine as processes of their own, with made-up secrets, ready to be called."""

import asyncio
import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.race import Failed, environment
from benchmarks.settings import PARTITIONS
from streams.brokers import Broker
from streams.brokers.probe import free_port
from streams.brokers.process import Process
from streams.lane import ensure_topics
from streams.policy import load_policy
from streams.runtime.topics import topic_specs
from streams.sandbox import environment_for, shared_secrets
from streams.sandbox.wiring import SIMULATORS

_COMMAND = "from streams.cli import main; main(prog_name='writeback')"
_NOWHERE = "http://127.0.0.1:9"  # the platforms' APIs: nothing here calls them
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0


@contextmanager
def running(broker: Broker, home: Path, secrets: Mapping[str, str]) -> Iterator[str]:
    """The gateway's address, once gateway and engine are ready; both are stopped at the end."""
    asyncio.run(ensure_topics(broker.bootstrap, topic_specs(load_policy(), PARTITIONS)))
    with tempfile.TemporaryDirectory(prefix="writeback-bench-") as directory:
        workdir = Path(directory)
        shared = _environment(broker, home, secrets, workdir)
        ports = {"gateway": free_port(), "engine": free_port()}
        processes = {name: _start(name, port, home, shared, workdir) for name, port in ports.items()}
        try:
            for name, port in ports.items():
                _wait(f"http://127.0.0.1:{port}/readyz", processes[name])
            yield f"http://127.0.0.1:{ports['gateway']}"
        finally:
            for process in processes.values():
                process.stop(_STOP_TIMEOUT_S)


@contextmanager
def engine(broker: Broker, home: Path, limits: Mapping[str, str], timeout_s: float) -> Iterator[tuple[str, int]]:
    """The address and the process of an engine with one decider and these settings, once it has recovered its rows."""
    with tempfile.TemporaryDirectory(prefix="writeback-bench-") as directory:
        workdir, port = Path(directory), free_port()
        environ = {**_environment(broker, home, shared_secrets({}), workdir), "WRITEBACK_DECIDERS": "1", **limits}
        process = _start("engine", port, home, environ, workdir)
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", process, timeout_s)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.stop(_STOP_TIMEOUT_S)


def _environment(broker: Broker, home: Path, secrets: Mapping[str, str], workdir: Path) -> dict[str, str]:
    platforms = {each.platform: _NOWHERE for each in SIMULATORS}
    return {
        **environment(home),
        **environment_for(platforms, secrets),
        "WRITEBACK_BOOTSTRAP": broker.bootstrap,
        "WRITEBACK_ERASURE_KEY": "for benchmarks: no one is erased here",
        "WRITEBACK_PARTITIONS": str(PARTITIONS),
        "WRITEBACK_DATADIR": str(workdir / "rows"),
        "WRITEBACK_LOG_LEVEL": "error",
    }


def _start(name: str, port: int, home: Path, environ: Mapping[str, str], workdir: Path) -> Process:
    option = "--port" if name == "gateway" else "--web-port"
    argv = [sys.executable, "-c", _COMMAND, name, option, str(port)]
    return Process(argv, workdir / f"{name}.log", home, environ)


def _wait(url: str, process: Process, timeout_s: float = _START_TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not _ready(url):
        if process.exit_code is not None or time.monotonic() > deadline:
            raise Failed(f"not ready: {process.log_tail()}")
        time.sleep(0.1)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(json.load(answer).get("ready"))
    except (urllib.error.URLError, OSError, ValueError):
        return False
