"""The page states what was measured, in the words of the section on identity."""

from __future__ import annotations

from pathlib import Path

from benchmarks import report
from benchmarks.binding import Cost, Pair
from benchmarks.identity import Findings, Plan
from benchmarks.latency import Latency
from benchmarks.lookups import Answers
from benchmarks.race import Result
from benchmarks.throughput import Comparison, Core, Standing
from benchmarks.throughput import Plan as Race


def result(name: str, cpu_s: float) -> Result:
    """Of 100,000 changes in ten seconds."""
    return Result(name, 100_000, 10.0, cpu_s, 200.0, 400_000, "digest", 1_000)


def findings() -> Findings:
    """Three rounds, in which binding cost 10%, 20% and 12%."""
    pairs = tuple(Pair(result("Binding on", on), result("Binding off", 10.0)) for on in (11.0, 12.0, 11.2))
    answers = (Answers(1_000, 400, 500, 2.0, 8.0, 12.0, 300.0), Answers(10_000, 4_000, 500, 2.1, 8.1, 13.0, 310.0))
    return Findings(Plan(10_000, 100_000, 3, 20.0, Path()), Cost(pairs), answers)


def page(known: Findings | None) -> str:
    """A page around them."""
    plan = Race(1_000, 100, 100, 1, 0.75, Path(), ())
    race = Comparison(Core(1.0, 1.0, 1, ""), 600.0, (Standing(result("Writeback", 9.0), (1.0,)),))
    return report.page({"CPU": "a good one"}, plan, race, Latency(200, 100, 1.0, 2.0, 3.0), known)


def test_the_round_with_the_median_ratio_counts() -> None:
    """The outlier is shown and does not count."""
    cost = findings().cost

    assert cost.median is cost.pairs[2]


def test_the_page_says_what_binding_adds_and_how_soon_look_ups_are_answered() -> None:
    """Figures of the median round, of every round, and of both numbers of records."""
    shown = page(findings())

    assert "a change costs +12.0% CPU (each round: +10.0% / +20.0% / +12.0%; promised: at most +15%)" in shown
    assert "| 10,000 | 4,000 | 500 | 2.1 | 8.1 | 13.0 | 310 |" in shown
    assert shown.endswith("smaller tables take less.\n")


def test_a_page_without_identity_has_no_such_section() -> None:
    """Nothing is stated that was not measured."""
    assert "Identity" not in page(None)
