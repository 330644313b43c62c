"""`writeback replay`: recorded topics in, golden records, commands, ledger, dead letters, notes and digest out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import msgspec

from streams.codec.contract import command_to_json, ledger_to_json, note_to_json
from streams.core.digest import digest
from streams.core.golden import golden_view
from streams.core.rules import Policy
from streams.model import Invalid, Millis, parse_time
from streams.replay.pipeline import Output, Pipeline

LINE_MAX_BYTES = 4_194_304


class Line(msgspec.Struct, frozen=True):
    """One recorded input; `offset` is its line from 0."""

    offset: int
    topic: str
    at: Millis
    value: Any
    headers: dict[str, str]


def replay(
    source: Path, policy: Policy, out: Path, acknowledge: bool, progress: Callable[[int], None] | None = None
) -> int:
    """Replay a file into a folder; returns the number of inputs. `progress` is called with each input's number."""
    out.mkdir(parents=True, exist_ok=True)
    pipeline = Pipeline(policy, acknowledge)
    count = 0
    with ExitStack() as stack:
        files = {name: stack.enter_context((out / f"{name}.ndjson").open("wb")) for name in _OUTPUTS}
        for offset, raw in _lines(source):
            count += 1
            try:
                line = read_line(offset, raw)
                _write(files, pipeline.feed(line.topic, line.value, line.at, line.headers))
            except Invalid as invalid:
                _put(files["dead_letters"], _dead_letter(offset, raw, invalid))
            if progress is not None:
                progress(count)
        for state in pipeline.customers():
            _put(files["golden"], golden_view(state, policy))
    (out / "digest.txt").write_text(digest(pipeline.customers()) + "\n", encoding="ascii")
    return count


_OUTPUTS = ("golden", "commands", "ledger", "dead_letters", "notes")


def _lines(source: Path) -> Iterator[tuple[int, bytes]]:
    """Each line with its place in the file; blank ones are passed over."""
    with source.open("rb") as opened:
        for offset, raw in enumerate(opened):
            if raw.strip():
                yield offset, raw


def read_line(offset: int, raw: bytes) -> Line:
    """One line of the input; raises Invalid("bad_line") or Invalid("bad_time")."""
    if len(raw) > LINE_MAX_BYTES:
        raise Invalid("too_large", f"a line of over {LINE_MAX_BYTES} bytes")
    try:
        parsed = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("bad_line", "not JSON") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("topic"), str):
        raise Invalid("bad_line", "no topic")
    if not isinstance(parsed.get("timestamp"), str):
        raise Invalid("bad_line", "no timestamp")
    headers = parsed.get("headers") or {}
    if not isinstance(headers, dict):
        raise Invalid("bad_line", "headers")
    value = parsed.get("value")
    if value is None and parsed["topic"] != "clock":
        raise Invalid("null_value", "value")
    return Line(
        offset,
        parsed["topic"],
        parse_time(parsed["timestamp"]),
        value,
        {str(name): str(text) for name, text in headers.items()},
    )


def _dead_letter(offset: int, raw: bytes, invalid: Invalid) -> dict[str, Any]:
    try:
        parsed = msgspec.json.decode(raw)
        topic = parsed.get("topic") if isinstance(parsed, dict) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        topic = None
    return {"topic": topic, "offset": offset, "reason": invalid.reason, "detail": invalid.detail}


def _write(files: Mapping[str, IO[bytes]], output: Output) -> None:
    for command in output.commands:
        _put(files["commands"], command_to_json(command))
    for row in output.ledger:
        _put(files["ledger"], ledger_to_json(row))
    for note in output.notes:
        _put(files["notes"], note_to_json(note))


def _put(file: IO[bytes], line: dict[str, Any]) -> None:
    file.write(msgspec.json.encode(line) + b"\n")
