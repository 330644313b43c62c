"""The figures of identity as a section of the page."""

from pathlib import Path

from benchmarks.binding import COST_MAX, Cost
from benchmarks.identity import FEWER, Findings
from benchmarks.lookups import ASKED, P99_MAX_MS, RATE, Answers
from benchmarks.race import Result

COST_HEADER = ("engine", "changes/s", "each round", "CPU s per 100k", "CPU", "peak RSS MB")
ANSWERS_HEADER = (
    "known records",
    "customers",
    "each table's cache + buffers MB",
    "look-ups",
    "p50 ms",
    "p99 ms",
    "largest ms",
    "peak RSS MB",
)

_SECTION = Path(__file__).with_name("identity.md").read_text()


def cost_rows(cost: Cost) -> list[tuple[str, ...]]:
    """The engine without binding first: its CPU is 100%."""
    found = cost.median
    return [
        _cost_row(found.passed, [pair.passed for pair in cost.pairs], 1.0),
        _cost_row(found.bound, [pair.bound for pair in cost.pairs], found.ratio),
    ]


def _cost_row(result: Result, rounds: list[Result], ratio: float) -> tuple[str, ...]:
    return (
        result.name,
        f"{result.rate:,.0f}",
        " / ".join(f"{one.rate:,.0f}" for one in rounds),
        f"{result.cpu_s_per_100k:.2f}",
        f"{ratio:.1%}",
        f"{result.peak_rss_mb:,.0f}",
    )


def answers_rows(answers: tuple[Answers, ...]) -> list[tuple[str, ...]]:
    """One row for each number of records."""
    return [
        (
            f"{one.records:,}",
            f"{one.customers:,}",
            " + ".join(f"{size / 2**20:.0f}" for size in one.caches),
            f"{one.lookups:,}",
            f"{one.p50_ms:.1f}",
            f"{one.p99_ms:.1f}",
            f"{one.max_ms:.1f}",
            f"{one.peak_rss_mb:,.0f}",
        )
        for one in answers
    ]


def section(found: Findings, table: str, answers: str) -> str:
    """The section in Markdown; `table` and `answers` are its two tables."""
    cost = found.cost
    return _SECTION.format(
        table=table,
        answers=answers,
        records=found.plan.records,
        changes=found.plan.changes,
        customers=found.answers[-1].customers,
        added=cost.median.ratio - 1,
        each=" / ".join(f"{pair.ratio - 1:+.1%}" for pair in cost.pairs),
        promised=COST_MAX - 1,
        rounds=found.plan.rounds,
        asked=ASKED,
        rate=RATE,
        promised_ms=P99_MAX_MS,
        fewer=FEWER,
    )
