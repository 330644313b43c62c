"""A platform that says what the test wants, rows in a dict, and commands with few words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from streams.connectors.base import Answer, Applied, Rate
from streams.delivery import Delivery, DeliverySettings
from streams.model import Assignment, Change, Command, ConsentOrder

NOW = 1_768_046_400_000
QUICK = DeliverySettings(
    retry_base_s=0.001, retry_cap_s=0.004, pause_base_s=0.001, pause_cap_s=0.004, stop_grace_s=0.05
)
PLENTY = Rate(1e6, 1000)


class MemoryRows(dict[bytes, bytes]):
    """The fence's table."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value


class Platform:
    """Answers each command with the next of its scripted answers, then with Applied; remembers what it was told."""

    def __init__(self, **script: list[Answer]) -> None:
        self.script = script
        self.told: list[str] = []
        self.calls: list[list[str]] = []
        self.at_once = 0
        self.at_once_max = 0
        self.received: list[Command] = []
        self.before: Callable[[], Any] | None = None
        self.pause_s = 0.0

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def fetch(self, record_id: str) -> Change | None:
        return None

    async def deliver(self, commands: Sequence[Command]) -> Sequence[Answer]:
        self.calls.append([command.command_id for command in commands])
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        try:
            if self.before:
                self.before()
            await asyncio.sleep(self.pause_s)
            return [self._answer(command) for command in commands]
        finally:
            self.at_once -= 1

    def _answer(self, command: Command) -> Answer:
        answers = self.script.get(command.command_id)
        answer = answers.pop(0) if answers else Applied()
        if isinstance(answer, Applied):
            self.told.append(command.command_id)
            self.received.append(command)
        return answer


def delivery(platform: Platform, settings: DeliverySettings = QUICK, rate: Rate = PLENTY, **more: Any) -> Delivery:
    return Delivery(platform, rate, settings, now=lambda: NOW, rng=random.Random(7), **more)


def command(command_id: str, record: str | None = "1", version: int = 1, **more: Any) -> Command:
    """An update of the phone, unless it is told otherwise."""
    fields: dict[str, Any] = {"op": "update", "attributes": {"phone": Assignment("+15125550142")}, **more}
    return Command(
        command_id, "C1", "crm", record, version, reason="survivorship", caused_by="e", issued_at=NOW, **fields
    )


def consent(command_id: str, record: str = "1", version: int = 1, point: str = "kim@example.com") -> Command:
    order = ConsentOrder(point, "email", "marketing", "opt_out", NOW)
    return command(command_id, record, version, attributes={}, consents=(order,))
