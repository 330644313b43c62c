"""What is counted, by name; no label ever carries a person's values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from streams.lane import Counts
from streams.model import Command, LedgerEntry, Note

RECORDS = Counter("writeback_records", "Records taken from a topic", ["topic"])
DEAD_LETTERS = Counter("writeback_dead_letters", "Records sent to the dead letters", ["topic", "reason"])
NOTES = Counter("writeback_notes", "What the core noticed and did not command", ["kind", "platform"])
COMMANDS = Counter("writeback_commands", "Commands emitted", ["platform", "op", "reason"])
LEDGER = Counter("writeback_ledger_rows", "Rows appended to the consent ledger", ["status"])
IGNORED = Counter("writeback_ignored", "Platform messages that mean nothing here", ["platform", "what"])
RECEIPTS = Counter("writeback_receipts", "Receipts by outcome", ["platform", "outcome"])
REVIEWS_DROPPED = Counter("writeback_reviews_dropped", "Cases dropped to make room in the review queue", ["state"])
WRONG_TOKENS = Counter("writeback_wrong_tokens", "Wrong tokens at the views and the sign-in form")
DECIDE_S = Histogram(
    "writeback_batch_seconds",
    "Time to decide one batch",
    ["agent"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
CIRCUIT_OPEN = Gauge("writeback_circuit_open", "1 while a platform is paused", ["platform"])
IGNORED_NAMES_MAX = 500

_ignored_names: set[tuple[str, str]] = set()


class Tally:
    """Counts of one batch, given to Prometheus at its end: a labelled counter costs as much as encoding a command."""

    __slots__ = ("_commands", "_ledger", "_notes")

    def __init__(self) -> None:
        self._notes: defaultdict[tuple[str, str | None], int] = defaultdict(int)
        self._commands: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._ledger: defaultdict[str, int] = defaultdict(int)

    def add(self, notes: Iterable[Note], commands: Iterable[Command] = (), ledger: Iterable[LedgerEntry] = ()) -> None:
        """Count notes by kind and platform, commands by platform, op and reason, ledger rows by status."""
        for note in notes:
            self._notes[note.kind, note.platform] += 1
        for command in commands:
            self._commands[command.platform, command.op, command.reason] += 1
        for row in ledger:
            self._ledger[row.status] += 1

    def publish(self) -> None:
        """Add the batch to the counters."""
        for (kind, platform), count in self._notes.items():
            NOTES.labels(kind, platform or "").inc(count)
        for told, count in self._commands.items():
            COMMANDS.labels(*told).inc(count)
        for status, count in self._ledger.items():
            LEDGER.labels(status).inc(count)


def count_ignored(platform: str, what: str) -> None:
    """Count by name, with a bound: a vendor's topic names come from outside."""
    name = (platform, what[:64])
    if name not in _ignored_names and len(_ignored_names) >= IGNORED_NAMES_MAX:
        name = (platform, "other")
    _ignored_names.add(name)
    IGNORED.labels(*name).inc()


_COUNTERS = {counter._name: counter for counter in list(globals().values()) if isinstance(counter, Counter)}
_handed_over: dict[tuple[str, tuple[str, ...]], float] = {}


def counted() -> Counts:
    """What this process counted since it was asked last: name, labels, by how much."""
    found = []
    for name, counter in _COUNTERS.items():
        for sample in next(iter(counter.collect())).samples:
            key = (name, tuple(sample.labels.values()))
            more = sample.value - _handed_over.get(key, 0.0)
            if sample.name.endswith("_total") and more:
                _handed_over[key] = sample.value
                found.append((*key, more))
    return found


def add_counts(counts: Counts) -> None:
    """Count what another process did."""
    for name, labels, more in counts:
        counter = _COUNTERS[name]
        (counter.labels(*labels) if labels else counter).inc(more)
