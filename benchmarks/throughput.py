"""The comparison: one broker, one input, one core function, three programs around it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import broker_side
from benchmarks.generate import changes
from benchmarks.race import Contender, Progress, Result, ask, run
from benchmarks.settings import PARTITIONS, Contest
from benchmarks.subject import OUTPUTS, encode
from benchmarks.terminal import Terminal
from streams.brokers import ApacheKafka, Broker
from streams.policy import load_policy
from streams.runtime.topics import CUSTOMER_CHANGES as INPUT
from streams.runtime.topics import topic_specs

SHORT_INPUT = f"{INPUT}.short"
DECIDERS = 2
"""As many as the machine of a small deployment has cores."""


class Plan(NamedTuple):
    """How much of what to run."""

    changes: int
    customers: int
    faust_changes: int
    rounds: int
    follows: float
    home: Path
    contenders: tuple[Contender, ...]


class Core(NamedTuple):
    """The core with nothing around it: the ceiling, and the outputs that everybody must arrive at."""

    rate: float
    cpu_s_per_100k: float
    outputs: int
    digest: str


class Standing(NamedTuple):
    """A contender's median round, and all its rates."""

    median: Result
    rates: tuple[float, ...]


class Comparison(NamedTuple):
    """All that one run found out."""

    core: Core
    change_bytes: float
    standings: tuple[Standing, ...]


def plan(
    changes: int, customers: int, faust_changes: int, rounds: int, follows: float, home: Path, quix: str | None
) -> Plan:
    """The engine first; Quix Streams only where its interpreter is given."""
    programs = [
        ("Writeback", sys.executable, "batch_lane", changes, DECIDERS),
        ("Writeback, one process", sys.executable, "batch_lane", changes, 0),
        ("Faust, plain agent", sys.executable, "faust_agent", faust_changes, 0),
        ("Quix Streams", quix, "quix_streams", changes, 0),
    ]
    racers = tuple(
        Contender(name, python, home, f"benchmarks.contenders.{module}", count, deciders)
        for name, python, module, count, deciders in programs
        if python
    )
    return Plan(changes, customers, faust_changes, rounds, follows, home, racers)


def compare(plan: Plan, terminal: Terminal) -> Comparison:
    """Run the plan on a broker of its own; raises `AssertionError` if a contender wrote anything else than the core."""
    terminal.say("starting Apache Kafka")
    with full_speed() as broker:
        written = _produce(plan, broker, terminal)
        cores = {n: _core(n, plan, terminal) for n in sorted({c.changes for c in plan.contenders})}
        results: dict[str, list[Result]] = {contender.name: [] for contender in plan.contenders}
        for turn, contender in _turns(plan):
            label = f"{contender.name}, {f'round {turn} of {plan.rounds}' if turn else 'warm-up'}"
            with terminal.progress(label, contender.changes) as progress:
                result = _run(contender, turn, broker, progress)
            _check(result, cores[contender.changes])
            if turn:
                results[contender.name].append(result)
            terminal.say(f"{label}: {result.rate:,.0f} changes/s")
    standings = tuple(_standing(found) for found in results.values())
    return Comparison(cores[plan.changes], written / plan.changes, standings)


def full_speed() -> Broker:
    """Apache Kafka as for production: the JVM's own choice of compiler and collector."""
    return ApacheKafka(heap_mb=1024, jvm_options=())


def _turns(plan: Plan) -> Iterator[tuple[int, Contender]]:
    """Round by round, so that a slow minute of the machine hits everybody. Round 0 does not count: in it the broker's
    JVM compiles what all of them need, at the cost of whoever comes first."""
    for turn in range(plan.rounds + 1):
        for contender in plan.contenders:
            yield turn, contender


def _produce(plan: Plan, broker: Broker, terminal: Terminal) -> int:
    names = [spec.name for spec in topic_specs(load_policy(), PARTITIONS)]
    broker_side.create(broker.bootstrap, [*names, SHORT_INPUT], PARTITIONS)
    terminal.say(f"producing {plan.changes:,} changes of {plan.customers:,} customers")
    short = _records(plan.faust_changes, plan)
    broker_side.produce(broker.bootstrap, SHORT_INPUT, short)
    return broker_side.produce(broker.bootstrap, INPUT, _records(plan.changes, plan))


def _records(count: int, plan: Plan) -> Iterator[tuple[bytes, bytes, int]]:
    for keyed in changes(count, plan.customers, follows=plan.follows):
        yield keyed.customer_id.encode(), encode(keyed.change), keyed.timestamp_ms


def _core(count: int, plan: Plan, terminal: Terminal) -> Core:
    terminal.say(f"the core alone, {count:,} changes")
    size = [str(count), str(plan.customers), str(plan.follows)]
    found = ask([sys.executable, "-m", "benchmarks.contenders.core_alone", *size], plan.home)
    cpu_s_per_100k = found["cpu_s"] * 100_000 / count
    return Core(count / found["elapsed_s"], cpu_s_per_100k, found["outputs"], found["digest"])


def _run(contender: Contender, turn: int, broker: Broker, progress: Progress) -> Result:
    module = contender.module.rpartition(".")[2].replace("_", "-")
    return run(
        contender,
        Contest(
            bootstrap=broker.bootstrap,
            topic=SHORT_INPUT if contender.module.endswith("faust_agent") else INPUT,
            group=f"bench-{module}-{contender.deciders}-{turn}",
            directory="",
            outputs=OUTPUTS,
            deciders=contender.deciders,
        ),
        progress,
    )


def _check(result: Result, core: Core) -> None:
    """The same outputs to the byte, or the comparison compares nothing."""
    assert result.outputs == core.outputs, f"{result.name} wrote {result.outputs} records, not {core.outputs}"
    assert result.digest == core.digest, f"{result.name} wrote other bytes than the core"


def _standing(results: list[Result]) -> Standing:
    middle = median(sorted(result.rate for result in results)[: len(results) | 1])
    nearest = min(results, key=lambda result: abs(result.rate - middle))
    return Standing(nearest, tuple(result.rate for result in results))
