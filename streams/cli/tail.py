"""`writeback tail`: what flows through a topic, decoded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from streams.cli import options
from streams.cli.broker import connecting

if TYPE_CHECKING:
    from streams.cli.decoding import Decoding
    from streams.cli.reading import Topic
    from streams.lane import Record
    from streams.runtime.settings import Settings

LAST = 10


@click.command()
@click.argument("topic")
@options.bootstrap
@click.option("--from-beginning", is_flag=True, help="From the oldest record, instead of the last few.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    help=f"Stop after so many; without other options, show the last so many ({LAST}).",
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as `writeback replay` reads it.")
def tail(
    topic: str, bootstrap: str | None, from_beginning: bool, limit: int | None, follow: bool, as_json: bool
) -> None:
    """Show the records of TOPIC with key and headers, decoded: Avro, msgpack or JSON.

    Reads outside any consumer group and changes nothing. Mind that it shows what the records hold, personal values
    included.

    \b
    Example: watch what the CRM is told
      writeback tail commands.crm --follow
    Example: record a topic, and try another policy on it
      writeback tail changes --from-beginning --json > changes.ndjson
      writeback replay changes.ndjson --policy other.toml --out tried
    """
    settings = options.settings_of(bootstrap=bootstrap)
    with connecting(settings), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_tail(settings, topic, from_beginning, limit, follow, as_json))


async def _tail(
    settings: Settings, topic: str, from_beginning: bool, limit: int | None, follow: bool, as_json: bool
) -> None:
    from streams.cli.decoding import decoding
    from streams.cli.reading import opened

    decode = decoding(settings)
    shown = 0
    async with opened(settings, topic) as source:
        records = _chosen(source, from_beginning, limit, follow)
        async for record in records:
            click.echo(_json(record, decode) if as_json else _line(record, decode))
            shown += 1
            if (from_beginning or follow) and limit is not None and shown >= limit:
                break


async def _chosen(source: Topic, from_beginning: bool, limit: int | None, follow: bool) -> AsyncIterator[Record]:
    if from_beginning:
        await source.from_beginning()
        async for record in source.to_end():
            yield record
    else:
        for record in await _last(source, min(limit or LAST, LAST) if follow else limit or LAST):
            yield record
    if follow:
        async for record in source.for_ever():
            yield record


async def _last(source: Topic, count: int) -> list[Record]:
    await source.from_last(count)
    found = [record async for record in source.to_end()]
    return sorted(found, key=lambda record: (record.timestamp_ms, record.partition, record.offset))[-count:]


def _parts(record: Record, decode: Decoding) -> dict[str, Any]:
    from streams.cli.decoding import headers_of, text
    from streams.model import format_time

    return {
        "topic": record.topic,
        "key": text(record.key),
        "timestamp": format_time(record.timestamp_ms),
        "headers": headers_of(record.headers),
        "value": decode.value(record.topic, record.value),
    }


def _json(record: Record, decode: Decoding) -> str:
    return msgspec.json.encode(_parts(record, decode)).decode()


def _line(record: Record, decode: Decoding) -> str:
    parts = _parts(record, decode)
    place = click.style(f"{record.topic}[{record.partition}]@{record.offset}", bold=True)
    head = f"{place}  {parts['timestamp']}  key {parts['key']}"
    told = "".join(f"\n  {name}: {value}" for name, value in parts["headers"].items())
    body = msgspec.json.format(msgspec.json.encode(parts["value"]), indent=2).decode().replace("\n", "\n  ")
    return f"{head}{told}\n  {body}"
