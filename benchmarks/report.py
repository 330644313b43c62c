"""The measured figures as a table and as a page; this module states nothing that was not measured."""

from pathlib import Path

from benchmarks import generate, identity_report
from benchmarks.identity import Findings
from benchmarks.latency import Latency
from benchmarks.race import POLL_INTERVAL_S
from benchmarks.settings import PARTITIONS
from benchmarks.throughput import DECIDERS, Comparison, Plan, Standing

HEADER = (
    "program",
    "changes",
    "changes/s",
    "each round",
    "CPU s per 100k",
    "peak RSS MB",
    "Writeback : this",
    "in one process : this",
)

_PAGE = Path(__file__).with_name("page.md").read_text()


def rows(found: Comparison) -> list[tuple[str, ...]]:
    """One row for each contender: the engine first, then the engine in one process."""
    engine, alone = found.standings[:2]
    return [_row(standing, engine, alone) for standing in found.standings]


def _row(standing: Standing, engine: Standing, alone: Standing) -> tuple[str, ...]:
    result = standing.median
    return (
        result.name,
        f"{result.changes:,}",
        f"{result.rate:,.0f}",
        " / ".join(f"{rate:,.0f}" for rate in standing.rates),
        f"{result.cpu_s_per_100k:.1f}",
        f"{result.peak_rss_mb:,.0f}",
        "" if standing is engine else f"{engine.median.rate / result.rate:.1f} x",
        "" if standing in (engine, alone) else f"{alone.median.rate / result.rate:.1f} x",
    )


def page(facts: dict[str, str], plan: Plan, found: Comparison, soon: Latency, known: Findings | None = None) -> str:
    """The page in Markdown, without the section on identity where that was not measured."""
    return _PAGE.format(
        machine="\n".join(f"- {name}: {value}" for name, value in facts.items()),
        table=_markdown(HEADER, rows(found)),
        core=(
            f"The core alone, with nothing around it and on one core: {found.core.rate:,.0f} changes/s, "
            f"{found.core.cpu_s_per_100k:.1f} CPU s per 100k, "
            f"{found.core.outputs / plan.changes:.2f} outputs a change."
        ),
        shares=_shares(plan.follows),
        partitions=PARTITIONS,
        changes=plan.changes,
        customers=plan.customers,
        size=found.change_bytes,
        faust_changes=plan.faust_changes,
        latency=latency_line(soon),
        deciders=DECIDERS,
        poll_ms=POLL_INTERVAL_S * 1000,
        rounds=plan.rounds,
        identity=_identity(known) if known is not None else "",
    )


def _identity(known: Findings) -> str:
    table = _markdown(identity_report.COST_HEADER, identity_report.cost_rows(known.cost))
    answers = _markdown(identity_report.ANSWERS_HEADER, identity_report.answers_rows(known.answers))
    return "\n" + identity_report.section(known, table, answers)


def latency_line(found: Latency) -> str:
    """The latency in one sentence."""
    return (
        f"At {found.rate} webhooks a second: p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms, "
        f"largest {found.max_ms:.0f} ms, over {found.webhooks:,} webhooks."
    )


def _shares(follows: float) -> str:
    acts = (
        f"{generate.NEW_PHONE:.0%} of the acts bring a new phone, {generate.MOVES:.0%} a new address, "
        f"{generate.FLIPS_CONSENT:.0%} another consent; the others repeat what the customer said before"
    )
    if not follows:
        return f"{acts}; every change is an act of its own, and the acts are spread at random over the customers"
    seconds = generate.WITHIN * generate.STEP_MS / 1000
    return (
        f"{acts}; one act reaches us from 1 to 3 platforms, each of the others telling of it with a chance of "
        f"{follows:.0%} within {seconds:.0f} s, among the changes of everybody else"
    )


def _markdown(header: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *body))
