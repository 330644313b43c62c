"""Dead letters as they lie in their topic: where each came from and why, read from its headers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.cli.decoding import text
from streams.cli.errors import Sentence
from streams.delivery.dead_letters import (
    DETAIL_HEADER,
    NO_KEY_HEADER,
    OURS,
    PREFIX,
    REASON_HEADER,
    TIMESTAMP_HEADER,
    VALUE_BYTES_HEADER,
)
from streams.lane import Record
from streams.model import Invalid, Millis, parse_time
from streams.runtime.tombstones import is_tombstone
from streams.runtime.topics import DEAD_LETTERS

if TYPE_CHECKING:
    from streams.cli.reading import Topic


@dataclass(frozen=True)
class Letter:
    """One dead letter; `place` is `<partition>:<offset>` in the topic `dead-letters`."""

    record: Record
    told: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def reason(self) -> str:
        return self.told.get(REASON_HEADER, "?")

    @property
    def detail(self) -> str:
        return self.told.get(DETAIL_HEADER, "")

    @property
    def process(self) -> str:
        return self.connect("connector.name")

    @property
    def topic(self) -> str:
        """The topic that the message came from."""
        return self.connect("topic")

    @property
    def source(self) -> str:
        """Where the message lies in its own topic."""
        return f"{self.topic}[{self.connect('partition')}]@{self.connect('offset')}"

    @property
    def ended(self) -> bool:
        """True for what an erasure left in the place of dead letters."""
        return is_tombstone(self.record)

    @property
    def cut_from_bytes(self) -> int | None:
        """How long the value was, where it was too long to be kept whole."""
        size = self.told.get(VALUE_BYTES_HEADER)
        return int(size) if size is not None and size.isdecimal() else None

    @property
    def own_key(self) -> bytes | None:
        """The message's key; None where it had none."""
        return None if NO_KEY_HEADER in self.told else self.record.key

    @property
    def own_headers(self) -> list[tuple[str, bytes]]:
        """The message's headers without those that the dead letter added."""
        return [(name, value) for name, value in self.record.headers if not name.startswith(OURS)]

    @property
    def timestamp_ms(self) -> Millis | None:
        """When the message was produced first, where the dead letter says so."""
        at = self.told.get(TIMESTAMP_HEADER, "")
        return int(at) if at.isdecimal() else None

    def connect(self, name: str) -> str:
        """A header in Kafka Connect's naming."""
        return self.told.get(PREFIX + name, "?")


@dataclass(frozen=True)
class Wanted:
    """Which dead letters: all that fit everything given."""

    topic: str | None = None
    reason: str | None = None
    since_ms: Millis | None = None

    def fits(self, letter: Letter) -> bool:
        """True where nothing speaks against it."""
        return (
            (self.topic is None or letter.topic == self.topic)
            and (self.reason is None or letter.reason == self.reason)
            and (self.since_ms is None or letter.record.timestamp_ms >= self.since_ms)
        )


def letter_of(record: Record) -> Letter:
    """A record of `dead-letters` with what its headers tell."""
    told = {name: text(value) or "" for name, value in record.headers if name.startswith(OURS)}
    return Letter(record, told)


async def found(source: Topic, wanted: Wanted) -> AsyncIterator[Letter]:
    """The dead letters that fit, the older first in each partition."""
    if wanted.since_ms is None:
        await source.from_beginning()
    else:
        await source.from_time(wanted.since_ms)
    async for record in source.to_end():
        letter = letter_of(record)
        if not letter.ended and wanted.fits(letter):
            yield letter


async def at(source: Topic, place: str) -> Letter:
    """The dead letter at `<partition>:<offset>`; raises Sentence."""
    partition, _, offset = place.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise Sentence(f"{place} is not a place: <partition>:<offset>, as `dead-letters list` shows it")
    record = await source.record(int(partition), int(offset))
    if record is None:
        raise Sentence(f"there is no dead letter at {place} in the topic {DEAD_LETTERS}")
    letter = letter_of(record)
    if letter.ended:
        raise Sentence(f"what was at {place} belonged to an erased customer")
    return letter


def since(given: str | None, now_ms: Millis) -> Millis | None:
    """A time, or so long ago (`90m`, `24h`, `7d`); raises Sentence."""
    if given is None:
        return None
    seconds = {"m": 60, "h": 3600, "d": 86_400}.get(given[-1:])
    if seconds is not None and given[:-1].isdecimal():
        return now_ms - int(given[:-1]) * seconds * 1000
    try:
        return parse_time(given)
    except Invalid:
        raise Sentence(f"{given} is not a time: 2026-01-10T12:00:00Z, or 90m, 24h, 7d") from None
