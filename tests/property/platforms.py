"""Platforms that keep what they are told, in their own way, and say so afterwards: what every loop is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.core.canonical import Quirk
from streams.model import Address, Command
from streams.replay.pipeline import Output
from tests.property.vocabulary import Input, Json, World, change

# How a platform tells of a write: the parts that were written, the same marked as ours, its whole row as an event, an
# export, a full view; or not at all.
STYLES = ("plain", "marked", "row", "snapshot", "restate", "silent")
Keeps = Callable[[str, str], str]


def keeps_all(attribute: str, text: str) -> str:
    """A platform without quirks."""
    return text


def by_quirks(quirks: dict[str, Quirk]) -> Keeps:
    """A platform with these quirks, by attribute, or by attribute and part of an address."""
    return lambda path, text: quirks[path].stored(text) if path in quirks else text


@dataclass
class Platform:
    """One record at one platform. `reformats`: it answers in another notation than it was told."""

    record: str
    style: str = "plain"
    keeps: Keeps = keeps_all
    reformats: bool = False
    held: dict[str, Any] = field(default_factory=dict)
    count: int = 0

    def edit(self, at: float, **values: Any) -> Input:
        """A person changes the record; the platform says so."""
        for name, value in values.items():
            self.store(name, value)
        return self.tells(at, list(values), "plain" if self.style in ("marked", "silent") else self.style)

    def apply(self, command: Command, at: float) -> Input | None:
        """Our write; what the platform says of it, None where it says nothing."""
        for name, told in command.attributes.items():
            self.store(name, told.value.parts() if isinstance(told.value, Address) else told.value)
        return None if self.style == "silent" else self.tells(at, list(command.attributes), self.style)

    def store(self, name: str, value: Any) -> None:
        if isinstance(value, dict):
            self.held[name] = {part: self.keeps(f"{name}.{part}", text) for part, text in value.items()}
        elif value is None:
            self.held.pop(name, None)
        else:
            self.held[name] = self.keeps(name, value)

    def tells(self, at: float, written: Sequence[str], style: str) -> Input:
        self.count += 1
        whole = style in ("row", "snapshot", "restate")
        told: Json = {name: self.statement(name) for name in (self.held if whole else written)}
        said: Json = {"attributes": told}
        if style == "marked":
            said["origin"] = "writeback"
        if style == "snapshot":
            said["kind"] = "snapshot"
        if style == "restate":
            said["op"] = "restate"
        return change(self.record, at, at + 1, f"{self.record} says {self.count}", **said)

    def statement(self, name: str) -> Json:
        if name not in self.held:
            return {"clear": True}
        value = self.held[name]
        return {"value": reformatted(value) if self.reformats else value}


def reformatted(value: Any) -> Any:
    """Another notation of a value that is canonically the same."""
    if isinstance(value, dict):
        shown = {
            part: f"{text.upper()}. " if part in ("line1", "city") and text else text for part, text in value.items()
        }
        return {**shown, "country": "United States" if value.get("country") == "US" else value.get("country", "")}
    if value.startswith("+1") and len(value) == 12:
        return f"({value[2:5]}) {value[5:8]}-{value[8:]}"
    return f" {value.upper()} " if "@" in value else f"{value} "


class Stack:
    """Platforms around a world; what the world commands reaches them at once, and what they say comes back later."""

    def __init__(self, world: World, platforms: Sequence[Platform]) -> None:
        self.world = world
        self.by_record = {platform.record: platform for platform in platforms}
        self.now = 0.0
        self.commands: list[Command] = []
        for platform in platforms:
            world.take(change(platform.record, -1000, -999, f"{platform.record} enters"))

    def edit(self, record: str, **values: Any) -> Output:
        """A person edits a record."""
        self.now += 10
        return self.world.take(self.by_record[record].edit(self.now, **values))

    def rounds(self, output: Output, most: int, every_s: float = 10) -> int:
        """Let commands and their echoes go to and fro; how many rounds of commands there were, at most `most`."""
        count = 0
        commands = output.commands
        while count < most and any(one.op == "update" for one in commands):
            count += 1
            self.commands += commands
            self.now += every_s
            echoes = [self.deliver(command) for command in commands if command.op == "update"]
            commands = self.world.take(*(one for one in echoes if one is not None)).commands
        return count

    def deliver(self, command: Command) -> Input | None:
        self.now += 0.001
        return self.by_record[f"{command.platform}:{command.record_id}"].apply(command, self.now)
