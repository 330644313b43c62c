"""What binding costs where every record is known: the engine with binding, and with binding switched off.

Each round writes the rows of all known records to the identity table's changelog, from which the worker recovers them
before it starts; the clock runs from the first change on.
"""

import asyncio
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import broker_side
from benchmarks.known import People
from benchmarks.race import Contender, Result, run
from benchmarks.settings import PARTITIONS, Contest
from benchmarks.subject import OUTPUTS
from benchmarks.terminal import Terminal
from benchmarks.throughput import full_speed
from streams.lane import TopicSpec, ensure_topics
from streams.policy import load_policy
from streams.runtime import topics

COST_MAX = 1.15
"""Of the CPU per change without binding: what is promised."""


class Plan(NamedTuple):
    """How much of what to run."""

    records: int
    changes: int
    rounds: int
    home: Path


class Pair(NamedTuple):
    """One round: the same input with binding and without."""

    bound: Result
    passed: Result

    @property
    def ratio(self) -> float:
        """CPU with binding, of the CPU without."""
        return self.bound.cpu_s / self.passed.cpu_s


class Cost(NamedTuple):
    """The rounds, and the one with the median ratio."""

    pairs: tuple[Pair, ...]

    @property
    def median(self) -> Pair:
        """The round that counts."""
        middle = median(sorted(pair.ratio for pair in self.pairs)[: len(self.pairs) | 1])
        return min(self.pairs, key=lambda pair: abs(pair.ratio - middle))


def compare(plan: Plan, terminal: Terminal) -> Cost:
    """Run the plan on a broker of its own; raises AssertionError unless both wrote the same, to the byte."""
    people = People(plan.records, PARTITIONS)
    people.check()
    terminal.say("starting Apache Kafka")
    with full_speed() as broker:
        _produce(people, plan, broker.bootstrap, terminal)
        pairs = [_round(turn, people, plan, broker.bootstrap, terminal) for turn in range(plan.rounds)]
    return Cost(tuple(pairs))


def _produce(people: People, plan: Plan, bootstrap: str, terminal: Terminal) -> None:
    names = [spec.name for spec in topics.topic_specs(load_policy(), PARTITIONS)]
    broker_side.create(bootstrap, names, PARTITIONS)
    terminal.say(f"producing {plan.changes:,} changes of {people.records:,} known records")
    broker_side.produce(bootstrap, topics.CHANGES, people.changes(plan.changes))


def _round(turn: int, people: People, plan: Plan, bootstrap: str, terminal: Terminal) -> Pair:
    """With binding first in every other round, so that neither always has the warmer machine."""
    order = (True, False) if turn % 2 == 0 else (False, True)
    found = {binding: _run(binding, turn, people, plan, bootstrap, terminal) for binding in order}
    pair = Pair(found[True], found[False])
    assert pair.bound.outputs == pair.passed.outputs, f"{pair.bound.outputs} records, not {pair.passed.outputs}"
    assert pair.bound.digest == pair.passed.digest, "with binding other bytes are written than without"
    return pair


def _run(binding: bool, turn: int, people: People, plan: Plan, bootstrap: str, terminal: Terminal) -> Result:
    name = "Binding on" if binding else "Binding off"
    group = f"bench-known-{name.rpartition(' ')[2]}-{turn}"
    if binding:
        _write_rows(people, f"{group}-identity-changelog", bootstrap, terminal)
    broker_side.skip(bootstrap, group, topics.CUSTOMER_CHANGES)
    label = f"{name}, round {turn + 1} of {plan.rounds}"
    contender = Contender(name, sys.executable, plan.home, "benchmarks.contenders.known_records", plan.changes)
    contest = Contest(
        bootstrap=bootstrap,
        topic=topics.CHANGES,
        group=group,
        directory="",
        outputs=(*OUTPUTS, topics.CUSTOMER_CHANGES),
        binding=binding,
    )
    with terminal.progress(label, plan.changes) as progress:
        result = run(contender, contest, progress)
    terminal.say(f"{label}: {result.rate:,.0f} changes/s, {result.cpu_s_per_100k:.2f} CPU s per 100k")
    return result


def _write_rows(people: People, changelog: str, bootstrap: str, terminal: Terminal) -> None:
    terminal.say(f"writing the identity rows of {people.customers:,} customers")
    asyncio.run(ensure_topics(bootstrap, [TopicSpec(changelog, PARTITIONS, {"cleanup.policy": "compact"})]))
    broker_side.produce(bootstrap, changelog, people.rows("identity"))
