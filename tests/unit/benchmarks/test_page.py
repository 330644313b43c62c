"""The page states what was measured, in the words of the section on identity."""

from __future__ import annotations

from pathlib import Path

from benchmarks import report
from benchmarks.binding import Cost, Pair
from benchmarks.identity import Findings, Plan
from benchmarks.latency import Latency
from benchmarks.lookups import Answers, Caches
from benchmarks.race import Result
from benchmarks.throughput import Comparison, Core, Standing
from benchmarks.throughput import Plan as Race


def result(name: str, cpu_s: float) -> Result:
    """Of 100,000 changes in ten seconds."""
    return Result(name, 100_000, 10.0, cpu_s, 200.0, 400_000, "digest", 1_000)


def findings() -> Findings:
    """Three rounds, in which binding cost 10%, 20% and 12%."""
    pairs = tuple(Pair(result("Binding on", on), result("Binding off", 10.0)) for on in (11.0, 12.0, 11.2))
    caches = Caches(64 * 2**20, 8 * 2**20)
    answers = (
        Answers(1_000, caches, 400, 500, 2.0, 8.0, 12.0, 300.0),
        Answers(10_000, caches, 4_000, 500, 2.1, 8.1, 13.0, 310.0),
    )
    return Findings(Plan(10_000, 100_000, 3, 20.0, Path()), Cost(pairs), answers)


def page(known: Findings | None) -> str:
    """A page around them."""
    plan = Race(1_000, 100, 100, 1, 0.75, Path(), ())
    rates = {"Writeback": 20_000, "Writeback, one process": 15_000, "Quix Streams": 7_500}
    standings = tuple(
        Standing(result(name, 9.0)._replace(elapsed_s=1e5 / rate), (rate,)) for name, rate in rates.items()
    )
    race = Comparison(Core(1.0, 1.0, 1, ""), 600.0, standings)
    return report.page({"CPU": "a good one"}, plan, race, Latency(200, 100, 1.0, 2.0, 3.0), known)


def test_the_round_with_the_median_ratio_counts() -> None:
    """The outlier is shown and does not count."""
    cost = findings().cost

    assert cost.median is cost.pairs[2]


def test_the_page_says_what_binding_adds_and_how_soon_look_ups_are_answered() -> None:
    """Figures of the median round, of every round, and of both numbers of records."""
    shown = page(findings())

    assert "a change costs +12.0% CPU (each round: +10.0% / +20.0% / +12.0%; promised: at most +15%)" in shown
    assert "| 10,000 | 4,000 | 64 + 8 | 500 | 2.1 | 8.1 | 13.0 | 310 |" in shown
    assert "so wide that a 10th of the records does not fill them" in shown


def test_the_page_compares_the_engine_with_the_others_as_a_whole_and_process_by_process() -> None:
    """20,000 and 15,000 changes a second, against 7,500."""
    shown = page(None)

    assert "| Writeback, one process | 100,000 | 15,000 | 15,000 | 9.0 | 200 | 1.3 x |  |" in shown
    assert "| Quix Streams | 100,000 | 7,500 | 7,500 | 9.0 | 200 | 2.7 x | 2.0 x |" in shown


def test_a_page_without_identity_has_no_such_section() -> None:
    """Nothing is stated that was not measured."""
    assert "Identity" not in page(None)
