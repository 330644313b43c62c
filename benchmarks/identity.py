"""Identity with many known records: what binding costs, how soon a look-up is answered, how much memory it takes."""

from pathlib import Path
from typing import NamedTuple

from benchmarks import binding, lookups
from benchmarks.terminal import Terminal
from streams.runtime.engine_app import APP_ID
from streams.runtime.settings import Settings

FEWER = 10
"""Memory and look-ups are measured with so many times fewer records, too, to see what grows with them."""

SMALL = lookups.Caches(8 * 2**20, 8 * 2**20)
"""So small that the fewer records fill them, too: what still grows would grow with the records."""


class Plan(NamedTuple):
    """How much of what to run; `seconds` of look-ups after the warm-up."""

    records: int
    changes: int
    rounds: int
    seconds: float
    home: Path


class Findings(NamedTuple):
    """All that one run found out; `answers` with the shipped caches first, and fewer records first."""

    plan: Plan
    cost: binding.Cost
    answers: tuple[lookups.Answers, ...]


def measure(plan: Plan, terminal: Terminal) -> Findings:
    """Each part on a broker of its own."""
    cost = binding.compare(binding.Plan(plan.records, plan.changes, plan.rounds, plan.home), terminal)
    lane = Settings().lane(APP_ID)
    shipped = lookups.Caches(lane.table_block_cache_bytes, lane.table_write_buffers_bytes)
    answers = tuple(
        lookups.measure(records, caches, plan.seconds, plan.home, terminal)
        for caches in (shipped, SMALL)
        for records in (plan.records // FEWER, plan.records)
    )
    return Findings(plan, cost, answers)
