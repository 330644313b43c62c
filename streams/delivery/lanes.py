"""The commands of one run in lanes: order is kept within a lane, consent comes before everything else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from streams.model import Command

Lane: TypeAlias = deque[int]


class Lanes:
    """Two lanes for each record, so that an opt-out does not wait for an attribute that the platform cannot take.

    What a consent command needs at the record (its contact point) was acknowledged before the command was made, so
    it may overtake. Positions are those of `commands`.
    """

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = commands
        self._consent: dict[str, Lane] = {}
        self._other: dict[str, Lane] = {}
        self.left = len(commands)
        for position, command in enumerate(commands):
            lanes = self._consent if command.consents else self._other
            lanes.setdefault(_record(command), deque()).append(position)

    def finish(self, position: int) -> None:
        """The head of a lane is done; the next one is the head."""
        command = self.commands[position]
        lane = (self._consent if command.consents else self._other)[_record(command)]
        if not lane or lane[0] != position:
            raise ValueError("only the head of a lane can be finished")
        lane.popleft()
        self.left -= 1

    def heads(self) -> list[int]:
        """The first command of every lane, consent first."""
        return [lane[0] for lanes in (self._consent, self._other) for lane in lanes.values() if lane]

    def due(self, ready: Callable[[Command], bool]) -> list[int]:
        """The heads that are `ready`, consent first, and one for each record at most."""
        taken: set[str] = set()
        return [position for position in self._ready(ready) if not _seen(taken, _record(self.commands[position]))]

    def _ready(self, ready: Callable[[Command], bool]) -> Iterator[int]:
        return (position for position in self.heads() if ready(self.commands[position]))


def _seen(taken: set[str], record: str) -> bool:
    if record in taken:
        return True
    taken.add(record)
    return False


def _record(command: Command) -> str:
    return command.record_id if command.record_id is not None else f"+{command.customer_id}"
