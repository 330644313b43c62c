"""`writeback dead-letters`: list what could not be processed, look at one, send some back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.table import Table

from streams.cli import options
from streams.cli.broker import connecting
from streams.cli.console import console
from streams.cli.errors import Sentence

if TYPE_CHECKING:
    from streams.cli.letters import Letter, Wanted
    from streams.runtime.settings import Settings

LIST_MAX = 50
REPLAY_MAX = 100
HEX_COLUMNS = 16

_topic = click.option("--topic", metavar="TOPIC", help="Only those that came from this topic.")
_reason = click.option("--reason", metavar="REASON", help="Only those with this reason.")
_since = click.option("--since", metavar="TIME", help="Not older: 2026-01-10T12:00:00Z, or 90m, 24h, 7d.")


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show and replay the messages that could not be processed.

    \b
    Example: after a fix, send back what failed for one reason
      writeback dead-letters list --since 24h
      writeback dead-letters show 3:17
      writeback dead-letters replay --topic raw.crm --reason unknown_enum --since 24h
    """


@dead_letters.command("list")
@options.bootstrap
@_topic
@_reason
@_since
@click.option("--limit", type=click.IntRange(1), default=LIST_MAX, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show_all(
    bootstrap: str | None, topic: str | None, reason: str | None, since: str | None, limit: int, as_json: bool
) -> None:
    """List dead letters with place, origin and reason; keys and values stay hidden."""
    settings = options.settings_of(bootstrap=bootstrap)
    wanted = _wanted(topic, reason, since)
    letters, count = _run(settings, _newest(settings, wanted, limit))
    if as_json:
        for letter in letters:
            click.echo(msgspec.json.encode(_facts(letter)).decode())
        return
    if not letters:
        click.echo("no dead letters")
        return
    console().print(_table(letters))
    if count > len(letters):
        click.echo(f"{count - len(letters)} older ones fit too; raise --limit to see them")


@dead_letters.command("show")
@click.argument("place")
@options.bootstrap
@click.option("--reveal", is_flag=True, help="Show key, headers and value too: they hold personal values.")
def show_one(place: str, bootstrap: str | None, reveal: bool) -> None:
    """Show the dead letter at PLACE, `<partition>:<offset>` as the list has it."""
    settings = options.settings_of(bootstrap=bootstrap)
    letter = _run(settings, _one(settings, place))
    for name, value in _facts(letter).items():
        click.echo(f"{name:>10}  {value}")
    if reveal:
        _reveal(letter)
    else:
        click.echo("key, headers and value are hidden; --reveal shows them")


@dead_letters.command("replay")
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@options.bootstrap
@_topic
@_reason
@_since
@click.option("--limit", type=click.IntRange(1, 100_000), default=REPLAY_MAX, show_default=True, help="At most.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def send_back(
    places: tuple[str, ...],
    bootstrap: str | None,
    topic: str | None,
    reason: str | None,
    since: str | None,
    limit: int,
    yes: bool,
) -> None:
    """Send dead letters back to their own topic and partition, with their own key, headers and value.

    Those at the PLACEs given, or the oldest that fit the options. Sending one twice does no harm: folding a change
    twice changes nothing, and a command that has been overtaken is refused by the sink's fence. The dead letter
    itself stays; what fails again becomes a new one. A value that was too long to be kept whole cannot be sent back.
    """
    if not places and topic is None and reason is None and since is None:
        raise click.UsageError("name places, or choose with --topic, --reason or --since")
    settings = options.settings_of(bootstrap=bootstrap)
    chosen = _run(settings, _chosen(settings, places, _wanted(topic, reason, since), limit))
    whole = [letter for letter in chosen if letter.cut_from_bytes is None]
    for letter in chosen:
        if letter.cut_from_bytes is not None:
            click.echo(f"{letter.place} is left out: only a part of its value was kept", err=True)
    if not whole:
        raise Sentence("no dead letter to send back")
    if not yes:
        click.confirm(f"Send {_counted(whole)} back to {_named(whole)}?", abort=True)
    _run(settings, _send(settings, whole))
    click.echo(f"{_counted(whole)} sent back to {_named(whole)}")


def _run(settings: Settings, work: Any) -> Any:
    with connecting(settings):
        return asyncio.run(work)


def _wanted(topic: str | None, reason: str | None, since: str | None) -> Wanted:
    from streams.cli import letters

    return letters.Wanted(topic, reason, letters.since(since, time.time_ns() // 1_000_000))


async def _newest(settings: Settings, wanted: Wanted, limit: int) -> tuple[list[Letter], int]:
    from streams.cli.letters import found
    from streams.cli.reading import opened
    from streams.runtime.topics import DEAD_LETTERS

    kept: deque[Letter] = deque(maxlen=limit)
    count = 0
    async with opened(settings, DEAD_LETTERS) as source:
        async for letter in found(source, wanted):
            kept.append(letter)
            count += 1
    return sorted(kept, key=lambda letter: letter.record.timestamp_ms), count


async def _one(settings: Settings, place: str) -> Letter:
    from streams.cli.letters import at
    from streams.cli.reading import opened
    from streams.runtime.topics import DEAD_LETTERS

    async with opened(settings, DEAD_LETTERS) as source:
        return await at(source, place)


async def _chosen(settings: Settings, places: tuple[str, ...], wanted: Wanted, limit: int) -> list[Letter]:
    from streams.cli.letters import at, found
    from streams.cli.reading import opened
    from streams.runtime.topics import DEAD_LETTERS

    chosen: list[Letter] = []
    async with opened(settings, DEAD_LETTERS) as source:
        if places:
            return [await at(source, place) for place in places[:limit]]
        async for letter in found(source, wanted):
            chosen.append(letter)
            if len(chosen) == limit:
                break
    return chosen


async def _send(settings: Settings, chosen: list[Letter]) -> None:
    """Each is awaited, so that the order within a partition is kept and the count is true."""
    from aiokafka import AIOKafkaProducer

    from streams.runtime.security import client_auth

    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap.split(","), **client_auth(settings))
    async with producer:
        for letter in chosen:
            await producer.send_and_wait(
                letter.topic,
                letter.record.value,
                letter.own_key,
                partition=int(letter.connect("partition")),
                timestamp_ms=letter.timestamp_ms,
                headers=letter.own_headers,
            )


def _counted(chosen: list[Letter]) -> str:
    return "1 dead letter" if len(chosen) == 1 else f"{len(chosen)} dead letters"


def _named(chosen: list[Letter]) -> str:
    return ", ".join(sorted({letter.topic for letter in chosen}))


def _table(letters: list[Letter]) -> Table:
    from streams.model import format_time

    table = Table("place", "when", "from", "reason", "detail", "met by")
    for letter in letters:
        at = format_time(letter.record.timestamp_ms)
        table.add_row(letter.place, at, letter.source, letter.reason, letter.detail, letter.process)
    return table


def _facts(letter: Letter) -> dict[str, Any]:
    """What may be shown to anyone: no key, no value."""
    from streams.model import format_time

    kept = len(letter.record.value or b"")
    return {
        "place": letter.place,
        "when": format_time(letter.record.timestamp_ms),
        "from": letter.source,
        "reason": letter.reason,
        "detail": letter.detail,
        "stage": letter.connect("stage"),
        "met by": letter.process,
        "bytes": kept if letter.cut_from_bytes is None else f"{kept} of {letter.cut_from_bytes}",
    }


def _reveal(letter: Letter) -> None:
    from streams.cli.decoding import text

    click.echo(f"{'key':>10}  {text(letter.own_key)}")
    for name, value in letter.own_headers:
        click.echo(f"{'header':>10}  {name}: {text(value)}")
    click.echo(_readable(letter.record.value))


def _readable(value: bytes | None) -> str:
    """JSON with its lines, anything else in hexadecimal."""
    if value is None:
        return "no value"
    try:
        return msgspec.json.format(msgspec.json.encode(msgspec.json.decode(value)), indent=2).decode()
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return "\n".join(_hex_line(value, start) for start in range(0, len(value), HEX_COLUMNS))


def _hex_line(value: bytes, start: int) -> str:
    row = value[start : start + HEX_COLUMNS]
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    return f"{start:08x}  {row.hex(' '):<{HEX_COLUMNS * 3}} {shown}"
