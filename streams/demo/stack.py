"""A supervisor for one machine: broker, sandbox, engine, sinks and gateway as processes that die with their parent."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from streams.brokers import Broker, Embedded
from streams.brokers.probe import free_port
from streams.brokers.process import Process
from streams.demo.settings import DemoSettings
from streams.sandbox import environment_for, shared_secrets

LOOPBACK = "127.0.0.1"
LOG_TAIL_LINES = 5
BROKER_PORT, GATEWAY_PORT, ENGINE_PORT, SINKS_PORT, ADMIN_PORT = 9092, 8080, 6066, 6067, 8100
ERASURE_KEY, STEWARD_TOKEN, KEY_BYTES = "WRITEBACK_ERASURE_KEY", "WRITEBACK_STEWARD_TOKEN", 32
_WORKERS = ("engine", "sinks", "gateway")
_COMMAND = "from streams.cli import main; main(prog_name='writeback')"

Tell = Callable[[str, str], None]  # a process, and what has become of it


class Died(RuntimeError):
    """A process of the stack ended, or did not become ready; the text ends with its last words."""


class Stack:
    """All processes, their ports and their logs.

    `fixed_ports` is for people: it takes the well-known ports where they are free, so that addresses are the same the
    next time, and makes no stewards' token up, which nobody would know.
    """

    def __init__(
        self,
        settings: DemoSettings,
        broker: Broker | None = None,
        *,
        fixed_ports: bool = False,
        trickle_s: float = 0.0,
        environment: Mapping[str, str] | None = None,
        tell: Tell = lambda process, what: None,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._given = dict(os.environ if environment is None else environment)
        self._secrets = shared_secrets(self._given)
        self._erasure_key = self._given.get(ERASURE_KEY) or secrets.token_hex(KEY_BYTES)
        self.steward_token = self._given.get(STEWARD_TOKEN) or ("" if fixed_ports else secrets.token_hex(KEY_BYTES))
        self._trickle_s = trickle_s
        self._ports = _ports(fixed_ports)
        self._own_broker = broker is None
        self.broker = broker or Embedded(port=self._ports["broker"])
        self.workdir = Path(settings.workdir or tempfile.mkdtemp(prefix="writeback-"))
        self.processes: dict[str, Process] = {}
        self.sandbox: dict[str, str] = {}

    @property
    def secrets(self) -> list[str]:
        """Every secret that the processes share."""
        return [one for one in (*self._secrets.values(), self._erasure_key, self.steward_token) if one]

    @property
    def urls(self) -> dict[str, str]:
        """The base address of each process that has one."""
        return {name: f"http://{LOOPBACK}:{self._ports[name]}" for name in _WORKERS}

    def log_path(self, name: str) -> Path:
        """Where a process logs."""
        return self.workdir / f"{name}.log"

    async def start(self) -> None:
        """Return when every process is ready; raises Died or BrokerFailed."""
        self.workdir.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        self._spawn("sandbox", [*self._sandbox_command()], {**self._given, **self._secrets})
        self.broker.start()
        self._tell("broker", f"ready after {time.monotonic() - started:.1f} s at {self.broker.bootstrap}")
        self.sandbox = await self._announced()
        self._tell("sandbox", f"ready after {time.monotonic() - started:.1f} s at {self.sandbox['admin']}")
        for name in _WORKERS:
            self.launch(name)
        await asyncio.gather(*(self._until_ready(name, started) for name in _WORKERS))

    def launch(self, name: str, **environment: str) -> None:
        """Start `engine`, `sinks` or `gateway`, with more in its environment; returns at once."""
        port = str(self._ports[name])
        option = "--port" if name == "gateway" else "--web-port"
        self._spawn(
            name, [sys.executable, "-c", _COMMAND, name, option, port], {**self.environment(name), **environment}
        )

    async def ready(self, name: str) -> None:
        """Return when a launched process is ready; raises Died."""
        await self._until_ready(name, time.monotonic())

    def environment(self, name: str = "") -> dict[str, str]:
        """What a process of the product needs in its environment; secrets included."""
        return {
            **self._given,
            **environment_for(self.sandbox, self._secrets),
            ERASURE_KEY: self._erasure_key,
            STEWARD_TOKEN: self.steward_token,
            "WRITEBACK_BOOTSTRAP": self.broker.bootstrap,
            "WRITEBACK_PROFILE": "embedded" if self.broker.kind == Embedded.kind else "kafka",
            "WRITEBACK_PARTITIONS": str(self._settings.partitions),
            "WRITEBACK_DATADIR": str(self.workdir / name),
            "WRITEBACK_TICK_S": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def check(self) -> None:
        """Raise Died, naming it, if any process has ended."""
        for name, process in self.processes.items():
            if process.exit_code is not None:
                raise Died(f"{name} ended with {process.exit_code}: {self._last_words(name)}")

    def stop(self) -> dict[str, int]:
        """End everything; the exit codes of those that did not end with 0. Idempotent."""
        for process in self.processes.values():
            process.ask_to_stop()
        failed = {}
        for name, process in self.processes.items():
            process.stop(self._settings.stop_timeout_s)
            if process.exit_code:
                failed[name] = process.exit_code
        self.processes.clear()
        if self._own_broker:
            self.broker.stop()
        return failed

    def clean(self) -> None:
        """Remove the work directory, unless it was given."""
        if not self._settings.workdir:
            shutil.rmtree(self.workdir, ignore_errors=True)

    def _sandbox_command(self) -> Sequence[str]:
        options = ["--empty"] if not self._trickle_s else ["--trickle", str(self._trickle_s), "--announce"]
        gateway = ["--gateway", self.urls["gateway"], "--port", str(self._ports["sandbox"])]
        return [sys.executable, "-m", "streams.sandbox", *gateway, *options]

    def _spawn(self, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self.processes[name] = Process(argv, self.log_path(name), self.workdir, environment)
        self._tell(name, "starting")

    async def _announced(self) -> dict[str, str]:
        """The addresses that the sandbox prints first."""
        deadline = time.monotonic() + self._settings.start_timeout_s
        while time.monotonic() < deadline:
            self.check()
            for line in self.log_path("sandbox").read_text(errors="replace").splitlines():
                if line.startswith("{"):
                    return dict(json.loads(line))
            await asyncio.sleep(self._settings.poll_s)
        raise Died(f"sandbox printed no addresses: {self._last_words('sandbox')}")

    async def _until_ready(self, name: str, started: float) -> None:
        deadline = time.monotonic() + self._settings.start_timeout_s
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while not await _is_ready(session, self.urls[name]):
                self.check()
                if time.monotonic() > deadline:
                    raise Died(
                        f"{name} is not ready after {self._settings.start_timeout_s:g} s: {self._last_words(name)}"
                    )
                await asyncio.sleep(0.05)
        self._tell(name, f"ready after {time.monotonic() - started:.1f} s at {self.urls[name]}")

    def _last_words(self, name: str) -> str:
        lines = self.processes[name].log_tail().strip().splitlines()
        return " | ".join(lines[-LOG_TAIL_LINES:]) or "it said nothing"


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    # ValueError: somebody else answers at this port, and not in JSON.
    with suppress(aiohttp.ClientError, TimeoutError, ValueError):
        async with session.get(f"{url}/readyz") as answer:
            told: Any = await answer.json(content_type=None)
            return answer.status == 200 and bool(told.get("ready"))
    return False


def _ports(fixed: bool) -> dict[str, int]:
    """The port of each process; 0 lets the sandbox and the broker choose."""
    wanted = {"gateway": GATEWAY_PORT, "engine": ENGINE_PORT, "sinks": SINKS_PORT}
    ports = {name: port if fixed and _is_free(port) else free_port() for name, port in wanted.items()}
    sandbox = range(ADMIN_PORT, ADMIN_PORT + 5)
    ports["sandbox"] = ADMIN_PORT if fixed and all(map(_is_free, sandbox)) else 0
    ports["broker"] = BROKER_PORT if fixed and _is_free(BROKER_PORT) else 0
    return ports


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
