"""The sandbox: four simulated platforms in one process, each on a port of its own, and one admin port."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import msgspec
from aiohttp import web

from streams.sandbox.clock import Clock, wall_clock
from streams.sandbox.faults import FaultSwitch
from streams.sandbox.journal import Journal
from streams.sandbox.outbox import Outbox, OutboxLimits
from streams.sandbox.people import POPULATION, Person
from streams.sandbox.serving import serve
from streams.sandbox.simulator import BadEdit, Holding, Simulator, Surroundings
from streams.sandbox.wiring import SIMULATORS, environment_of, secrets_of, shared_secrets

LOOPBACK = "127.0.0.1"
REQUESTS_KEPT_MAX = 5_000


class Sandbox:
    """Start it, seed it, let people edit, and read what every platform holds.

    `gateway` is where webhooks go (they wait while it is empty). Secrets come from `environment` (default: the
    process's own) where it names them, and are made up otherwise. `port` 0: free ports; else the admin API listens
    there and the platforms on the ports after it.
    """

    def __init__(
        self,
        gateway: str = "",
        environment: Mapping[str, str] | None = None,
        port: int = 0,
        clock: Clock = wall_clock,
        limits: OutboxLimits | None = None,
    ) -> None:
        self.journal = Journal(REQUESTS_KEPT_MAX)
        self.switches = {each.platform: FaultSwitch(seed) for seed, each in enumerate(SIMULATORS)}
        self.outbox = Outbox(self.switches, limits)
        self.outbox.point_at(gateway)
        self.people: dict[str, dict[str, str]] = {}
        self.addresses: dict[str, str] = {}
        self._port = port
        self._runners: list[web.AppRunner] = []
        shared = shared_secrets(os.environ if environment is None else environment)
        self.simulators: dict[str, Simulator] = {
            each.platform: each(
                Surroundings(clock, self.outbox, self.journal, self.switches[each.platform], secrets_of(each, shared))
            )
            for each in SIMULATORS
        }

    async def start(self) -> None:
        """Bind every port on loopback; `addresses` tells which, the admin's under `admin`."""
        from streams.sandbox.admin import admin

        await self.outbox.open()
        applications = {"admin": admin(self), **{name: serve(one) for name, one in self.simulators.items()}}
        for offset, (name, application) in enumerate(applications.items()):
            port = self._port + offset if self._port else 0
            self.addresses[name] = await self._bind(application, port)

    async def stop(self) -> None:
        """Close every port and drop what is still to be sent."""
        for simulator in self.simulators.values():
            simulator.forget_what_is_due()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        self._runners.clear()
        await self.outbox.close()

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def settled(self) -> None:
        """Wait until every job has run and every webhook is delivered or dropped."""
        while self._is_busy():  # noqa: ASYNC110 three kinds of waiting, and nobody in a hurry
            await asyncio.sleep(0.01)

    def environment(self) -> dict[str, str]:
        """Every variable that the real connectors need to work against this sandbox, secrets included."""
        return environment_of(self.simulators, self.addresses)

    def seed(self, person: Person, platform: str, record_id: str | None = None, announce: bool = False) -> str:
        """Put one person into one platform; returns the record's id there."""
        known = self.people.setdefault(person.key, {})
        linked = msgspec.structs.replace(person, external={**known, **person.external})
        known[platform] = self._simulator(platform).seed(linked, record_id, announce)
        return known[platform]

    def seed_everywhere(
        self,
        people: Iterable[Person] = POPULATION,
        platforms: Iterable[str] = ("storefront", "crm", "esp"),
        announce: bool = False,
    ) -> dict[str, dict[str, str]]:
        """Put everybody into every platform; returns the record ids by person and platform."""
        wanted = tuple(platforms)
        for person in people:
            for platform in wanted:
                self.seed(person, platform, announce=announce)
        return self.people

    def edit(self, platform: str, name: str, **values: Any) -> dict[str, Any]:
        """Let somebody do something at a platform; raises BadEdit and UnknownRecord."""
        edit = self._simulator(platform).edits.get(name)
        if edit is None:
            raise BadEdit(f"{platform} knows no edit {name}")
        try:
            return edit(**values)
        except TypeError as error:
            raise BadEdit(str(error)) from None

    def holds(self, platform: str, record_id: str) -> Holding:
        """What one platform holds now; raises UnknownRecord."""
        return self._simulator(platform).holds(record_id)

    def holdings(self, key: str) -> dict[str, Holding]:
        """What every platform holds of one person; a platform that lost the record is left out."""
        held = {}
        for platform, record_id in self.people.get(key, {}).items():
            if record_id in self.simulators[platform].record_ids():
                held[platform] = self.holds(platform, record_id)
        return held

    def fault(self, platform: str, **changes: Any) -> None:
        """Set some faults of one platform (see `Faults`)."""
        self._simulator(platform).switch.set(**changes)

    def configure(self, platform: str, **changes: Any) -> None:
        """Set up a platform's account differently (see each simulator's options)."""
        self._simulator(platform).configure(**changes)

    def reset(self) -> None:
        """Forget every record, request, fault and option."""
        for simulator in self.simulators.values():
            simulator.forget_what_is_due()
            simulator.reset()
            simulator.switch.clear()
        self.people.clear()
        self.journal.clear()

    def _is_busy(self) -> bool:
        return not self.outbox.is_idle or any(one.is_busy for one in self.simulators.values())

    def _simulator(self, platform: str) -> Simulator:
        simulator = self.simulators.get(platform)
        if simulator is None:
            raise BadEdit(f"no such platform: {platform}")
        return simulator

    async def _bind(self, application: web.Application, port: int) -> str:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, LOOPBACK, port).start()
        bound = runner.addresses[0][1]
        return f"http://{LOOPBACK}:{bound}"


def environment_for(addresses: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """What `Sandbox.environment` says, for a sandbox in another process with these addresses and secrets."""
    elsewhere = Sandbox(environment=secrets)
    elsewhere.addresses = dict(addresses)
    return elsewhere.environment()
