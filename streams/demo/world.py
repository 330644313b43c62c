"""What the stories see and do: people at their platforms, what each platform holds, and what the engine says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from streams.demo.settings import DemoSettings
from streams.demo.stack import Stack
from streams.sandbox import Person

STEWARD = "Sam"
ACTIVE = ("writeback_records_total", "writeback_commands_total", "writeback_receipts_total")


class NotConverged(Exception):
    """What should have happened did not within the time that a story has; the text names who did not do what."""


class Holds(msgspec.Struct, frozen=True):
    """That a platform's record holds something: `reads` takes it from the holding, `wanted` says whether it is so."""

    platform: str
    what: str
    reads: Callable[[Mapping[str, Any]], Any]
    wanted: Callable[[Any], bool]


class World:
    """Reaches the sandbox's admin API, the gateway and the engine of one stack."""

    def __init__(
        self, stack: Stack, settings: DemoSettings, progress: Callable[[str], None] = lambda text: None
    ) -> None:
        self.stack = stack
        self.settings = settings
        self.progress = progress
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session."""
        if self._session is None:
            raise RuntimeError("the world is not open")
        return self._session

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the sandbox; raises RuntimeError with its sentence."""
        async with self.session.request(method, f"{self.stack.sandbox['admin']}/admin{path}", json=body) as answer:
            told = await answer.json()
            if answer.status >= 400:
                raise RuntimeError(f"the sandbox refused {path}: {told.get('error')}")
            return told

    async def populate(self, people: Sequence[Person]) -> None:
        """Put people into every platform, announced by webhooks, and wait until all is said.

        Raises NotConverged, Died.
        """
        for person in people:
            await self.admin("POST", "/seed", {"person": msgspec.to_builtins(person), "announce": True})
        for person in people:
            await self.until(f"engine: the records of {person.key} are not one customer", partial(self._known, person))
        await self.settle()

    async def edit(self, platform: str, edit: str, **values: Any) -> dict[str, Any]:
        """Let somebody do something at a platform; its webhooks leave at once."""
        return dict(await self.admin("POST", f"/edits/{platform}/{edit}", values))

    async def person(self, key: str) -> dict[str, Any]:
        """What every platform holds of a person."""
        return dict(await self.admin("GET", f"/people/{key}"))

    async def record(self, key: str, platform: str) -> str:
        """The id of a person's record at a platform; raises NotConverged where there is none."""
        held = await self.person(key)
        if platform not in held:
            raise NotConverged(f"{platform} holds no record of {key}")
        return str(held[platform]["record_id"])

    async def sign(self, platform: str, body: bytes, topic: str) -> dict[str, str]:
        """The headers with which a platform would deliver these bytes."""
        url = f"{self.stack.sandbox['admin']}/admin/sign/{platform}"
        async with self.session.post(url, params={"topic": topic}, data=body) as answer:
            return dict(await answer.json())

    async def deliver(self, platform: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Post a delivery to the gateway; its status and answer."""
        url = f"{self.stack.urls['gateway']}/webhooks/{platform}"
        async with self.session.post(url, data=body, headers=headers) as answer:
            return answer.status, dict(await answer.json())

    async def view(self, *path: str) -> dict[str, Any] | None:
        """One of the engine's views; None where there is nothing, or nobody who knows yet."""
        url = "/".join((self.stack.urls["engine"], *path))
        async with self.session.get(url, headers={"Accept": "application/json"}) as answer:
            return dict(await answer.json()) if answer.status == 200 else None

    async def explain(self, platform: str, record_id: str) -> dict[str, Any] | None:
        """The explanation of the customer to whom a record belongs."""
        customer = await self.view("customers", "by", platform, record_id)
        return await self.view("explain", str(customer["customer_id"])) if customer else None

    async def steward(self, action: str, **asked: Any) -> dict[str, Any]:
        """What `writeback steward` does: ask, and wait for the answer; raises NotConverged where it is no yes."""
        url = f"{self.stack.urls['engine']}/steward/{action}"
        token = {"Authorization": f"Bearer {self.stack.steward_token}"}
        async with self.session.post(url, json={"by": STEWARD, **asked}, headers=token) as answer:
            told = dict(await answer.json())
        if told.get("state") != "accepted":
            raise NotConverged(f"engine: a steward's {action} was not taken: {told.get('reason', told.get('state'))}")
        return told

    async def count(self, process: str, name: str, **labels: str) -> int:
        """The sum of a metric's samples with these labels."""
        async with self.session.get(f"{self.stack.urls[process]}/metrics") as answer:
            text = await answer.text()
        return sum(
            int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def until(self, what: str, holds: Callable[[], Any], timeout_s: float | None = None) -> Any:
        """Ask until the answer is true and return it; raises NotConverged with `what`, and Died."""
        deadline = time.monotonic() + (timeout_s or self.settings.story_timeout_s)
        while True:
            if found := await holds():
                return found
            self.stack.check()
            if time.monotonic() > deadline:
                raise NotConverged(what)
            await asyncio.sleep(self.settings.poll_s)

    async def converge(self, key: str, wanted: Sequence[Holds], started: float) -> list[float]:
        """Seconds since `started` until each is so; all must be so at the end. Raises NotConverged, Died."""
        times: list[float | None] = [None] * len(wanted)
        deadline = time.monotonic() + self.settings.story_timeout_s
        while True:
            held = await self.person(key)
            now = time.monotonic()
            so = [one.platform in held and one.wanted(one.reads(held[one.platform])) for one in wanted]
            times = [
                (before if before is not None else now - started) if is_so else None
                for before, is_so in zip(times, so, strict=True)
            ]
            found = [one for one in times if one is not None]
            if len(found) == len(times):
                return found
            self.stack.check()
            late = [f"{one.platform} ({one.what})" for one, is_so in zip(wanted, so, strict=True) if not is_so]
            if now > deadline:
                raise NotConverged(f"did not converge in {self.settings.story_timeout_s:g} s: {', '.join(late)}")
            self.progress(f"{now - started:.1f} s: waiting for {', '.join(late)}")
            await asyncio.sleep(self.settings.poll_s)

    async def settle(self) -> None:
        """Return when every webhook is delivered and nothing has moved for `quiet_s`; raises NotConverged, Died."""
        self.progress("waiting for the last echo, and then for nothing to move")
        deadline = time.monotonic() + self.settings.story_timeout_s
        before, since = await self._moved(), time.monotonic()
        while time.monotonic() - since < self.settings.quiet_s or not await self._delivered():
            await asyncio.sleep(0.05)
            self.stack.check()
            now = await self._moved()
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() > deadline:
                raise NotConverged("nothing comes to rest: something still moves")

    async def requests(self, *platforms: str) -> int:
        """How many requests the platforms' APIs got so far."""
        asked = [await self.admin("GET", f"/requests/{platform}") for platform in platforms]
        return sum(map(len, asked))

    async def _known(self, person: Person) -> bool:
        """Whether all records of a person belong to one customer, to whom nothing is left to say."""
        held = await self.person(person.key)
        views = [await self.explain(platform, one["record_id"]) for platform, one in held.items()]
        customers = {view["customer_id"] if view else None for view in views}
        return len(customers) == 1 and all(view and not view["unanswered"] for view in views)

    async def _moved(self) -> tuple[int, ...]:
        counted = [sum([await self.count(process, name) for name in ACTIVE]) for process in ("engine", "sinks")]
        ticks = await self.count("engine", "writeback_records_total", topic="ticks")
        return (counted[0] - ticks, counted[1])

    async def _delivered(self) -> bool:
        counts = (await self.admin("GET", "/webhooks")).values()
        return all(one.get("sent", 0) <= one.get("delivered", 0) + one.get("dropped", 0) for one in counts)
