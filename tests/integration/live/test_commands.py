"""`writeback demo` and `writeback dev` as a person starts and ends them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.brokers import Embedded
from tests.brokers import require
from tests.integration.live.stacks import clean_environment

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

COMMAND = "from streams.cli import main; main(prog_name='writeback')"
PORT = re.compile(r"at (?:http://)?127\.0\.0\.1:(\d+)")
TIMEOUT_S = 90.0


class Started:
    """A command whose output is read as it comes."""

    def __init__(self, command: str, workdir: Path) -> None:
        self.log = workdir / "output.txt"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, command],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=clean_environment(
                    WRITEBACK_DEMO_WORKDIR=str(workdir / "work"), WRITEBACK_DEMO_TRICKLE_S="1", PYTHONUNBUFFERED="1"
                ),
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def ports(self) -> set[int]:
        return {int(port) for port in PORT.findall(self.output)}

    def until(self, text: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.output:
            assert self.process.poll() is None and time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def end(self, sign: signal.Signals) -> int:
        self.process.send_signal(sign)
        return self.process.wait(TIMEOUT_S)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Started]]:
    require(Embedded())
    commands: list[Started] = []
    yield commands
    for one in commands:
        one.process.kill()
        one.process.wait()


def _start(started: list[Started], command: str, workdir: Path) -> Started:
    started.append(Started(command, workdir))
    return started[-1]


def _listening(ports: set[int]) -> set[int]:
    found = set()
    for port in ports:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                found.add(port)
    return found


def _gone(ports: set[int]) -> bool:
    deadline = time.monotonic() + 10
    while (still := _listening(ports)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not still


def test_the_demo_ends_with_0_and_leaves_nothing_behind(started: list[Started], tmp_path: Path) -> None:
    demo = _start(started, "demo", tmp_path)

    assert demo.process.wait(TIMEOUT_S) == 0, demo.output
    assert "9 stories converged" in demo.output
    assert re.search(r"echoes suppressed: [1-9]", demo.output)
    assert len(demo.ports) == 5
    assert _gone(demo.ports)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_everything(started: list[Started], tmp_path: Path, sign: signal.Signals) -> None:
    demo = _start(started, "demo", tmp_path)
    demo.until("gateway  ready")

    assert demo.end(sign) == 130, demo.output
    assert len(demo.ports) >= 3
    assert _gone(demo.ports)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent's death")
def test_a_killed_demo_takes_its_processes_with_it(started: list[Started], tmp_path: Path) -> None:
    demo = _start(started, "demo", tmp_path)
    demo.until("gateway  ready")
    ports = demo.ports
    demo.end(signal.SIGKILL)

    assert _gone(ports)


def test_dev_prints_its_addresses_keeps_people_busy_and_ends_well_on_ctrl_c(
    started: list[Started], tmp_path: Path
) -> None:
    dev = _start(started, "dev", tmp_path)
    dev.until("Ctrl-C stops everything")
    sandbox = tmp_path / "work" / "sandbox.log"
    deadline = time.monotonic() + TIMEOUT_S
    while len(sandbox.read_text().splitlines()) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)

    assert "WRITEBACK_BOOTSTRAP=127.0.0.1:" in dev.output
    assert len(sandbox.read_text().splitlines()) >= 2
    assert dev.end(signal.SIGINT) == 0, dev.output
    assert _gone(dev.ports)
