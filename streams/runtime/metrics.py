"""What is counted, by name; no label ever carries a person's values."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from streams.model import Command, Note

RECORDS = Counter("writeback_records", "Records taken from a topic", ["topic"])
DEAD_LETTERS = Counter("writeback_dead_letters", "Records sent to the dead letters", ["topic", "reason"])
NOTES = Counter("writeback_notes", "What the core noticed and did not command", ["kind", "platform"])
COMMANDS = Counter("writeback_commands", "Commands emitted", ["platform", "op", "reason"])
LEDGER = Counter("writeback_ledger_rows", "Rows appended to the consent ledger", ["status"])
IGNORED = Counter("writeback_ignored", "Platform messages that mean nothing here", ["platform", "what"])
RECEIPTS = Counter("writeback_receipts", "Receipts by outcome", ["platform", "outcome"])
DECIDE_S = Histogram(
    "writeback_batch_seconds",
    "Time to decide one batch",
    ["agent"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
CIRCUIT_OPEN = Gauge("writeback_circuit_open", "1 while a platform is paused", ["platform"])
IGNORED_NAMES_MAX = 500

_ignored_names: set[tuple[str, str]] = set()


def count_notes(notes: Iterable[Note]) -> None:
    """Count notes by kind and platform."""
    for note in notes:
        NOTES.labels(note.kind, note.platform or "").inc()


def count_commands(commands: Iterable[Command]) -> None:
    """Count commands by platform, op and reason."""
    for command in commands:
        COMMANDS.labels(command.platform, command.op, command.reason).inc()


def count_ignored(platform: str, what: str) -> None:
    """Count by name, with a bound: a vendor's topic names come from outside."""
    name = (platform, what[:64])
    if name not in _ignored_names and len(_ignored_names) >= IGNORED_NAMES_MAX:
        name = (platform, "other")
    _ignored_names.add(name)
    IGNORED.labels(*name).inc()
