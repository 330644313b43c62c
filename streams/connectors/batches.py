"""What clients that send several commands at once share: their order, when to stop, and joining translations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from streams.connectors.base import Answer, Later, Translation
from streams.model import Command, Invalid

Send: TypeAlias = Callable[[Mapping[int, Command]], Awaitable[Mapping[int, Answer]]]


def subject(command: Command) -> str:
    """What a request may name only once: a record, or the customer whose record is to be made."""
    return f"record {command.record_id}" if command.record_id else f"customer {command.customer_id}"


def waves(commands: Sequence[Command]) -> Iterator[list[int]]:
    """Places of commands, so that no wave names a record twice and each record's commands keep their order."""
    taken: dict[str, int] = {}
    found: dict[int, list[int]] = {}
    for place, command in enumerate(commands):
        turn = taken[subject(command)] = taken.get(subject(command), -1) + 1
        found.setdefault(turn, []).append(place)
    return iter(found.values())


def stop_of(answers: Iterable[Answer]) -> Later | None:
    """The answer after which nothing more is sent; None where the platform still takes requests."""
    return next((one for one in answers if isinstance(one, Later) and one.whole_platform), None)


async def in_waves(commands: Sequence[Command], send: Send) -> list[Answer]:
    """One answer for each command, in order; a record's later commands wait where an earlier one has to.

    `send` answers each place of a wave.
    """
    answers: dict[int, Answer] = {}
    waiting: dict[str, Later] = {}
    for wave in waves(commands):
        stop = stop_of(answers.values())
        free: dict[int, Command] = {}
        for place in wave:
            held = stop or waiting.get(subject(commands[place]))
            if held is None:
                free[place] = commands[place]
            else:
                answers[place] = held
        answers.update(await send(free) if free else {})
        waiting |= {subject(commands[place]): later for place in wave if isinstance(later := answers[place], Later)}
    return [answers[place] for place in range(len(commands))]


def joined(found: Sequence[Translation], bad: Sequence[Invalid]) -> Translation:
    """Several translations of one body as one, in order.

    One bad element among good ones is named in `ignored`; where nothing else was said it is raised. A body without any
    element is counted as `empty`.
    """
    if bad and not any(one.changes or one.refetch or one.erase_requests for one in found):
        raise bad[0]
    if not found:
        return Translation(ignored=("empty",))
    return Translation(
        tuple(change for one in found for change in one.changes),
        tuple(name for one in found for name in one.ignored) + tuple(f"invalid:{one.reason}" for one in bad),
        tuple(asked for one in found for asked in one.refetch),
        tuple(asked for one in found for asked in one.erase_requests),
    )
