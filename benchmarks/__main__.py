"""Run the measurements, show them, and write them down."""

import signal
import sys
from pathlib import Path

import click

from benchmarks import generate, identity, identity_report, latency, machine, report, throughput
from benchmarks.environments import can_compile, product, quix_python
from benchmarks.terminal import Terminal

_ASKED_S = 20.0
_DOCS = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@click.command()
@click.option("--changes", default=200_000, show_default=True, help="Changes in the input.")
@click.option("--customers", default=50_000, show_default=True, help="People they are spread over.")
@click.option("--faust-changes", default=20_000, show_default=True, help="Changes for the plain Faust agent.")
@click.option("--rounds", default=3, show_default=True, help="Times that each contender runs; the median counts.")
@click.option(
    "--follows",
    type=click.FloatRange(0, 1),
    default=generate.FOLLOWS,
    show_default=True,
    help="Chance that each other platform tells of the same act within seconds; 0: changes spread at random.",
)
@click.option("--rate", default=200, show_default=True, help="Webhooks a second for the latency.")
@click.option("--seconds", default=30, show_default=True, help="How long, after a warm-up.")
@click.option("--quix/--no-quix", default=True, help="Run Quix Streams, in an environment of its own.")
@click.option("--identity/--no-identity", "known", default=True, help="Measure binding and look-ups, too.")
@click.option("--records", default=1_000_000, show_default=True, help="Known records there.")
@click.option("--compiled/--plain", default=True, help="The core as it is deployed, where a C compiler is found.")
@click.option("--out", type=click.Path(path_type=Path), default=_DOCS, help="Where to write the page.")
def main(
    changes: int,
    customers: int,
    faust_changes: int,
    rounds: int,
    follows: float,
    rate: int,
    seconds: int,
    quix: bool,
    known: bool,
    records: int,
    compiled: bool,
    out: Path,
) -> None:
    """Compare the engine with a plain Faust agent and with Quix Streams, on Apache Kafka, on this machine."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that brokers and programs are stopped, too
    terminal = Terminal()
    terminal.say("preparing the product and the environments")
    home, python = product(compiled and can_compile()), quix_python() if quix else None
    facts = machine.facts(home, python)
    plan = throughput.plan(changes, customers, faust_changes, rounds, follows, home, python)
    found = throughput.compare(plan, terminal)
    terminal.table(report.HEADER, report.rows(found))
    soon = _latency(home, rate, seconds, terminal)
    bound = _identity(identity.Plan(records, changes, rounds, _ASKED_S, home), terminal) if known else None
    out.write_text(report.page(facts, plan, found, soon, bound))
    terminal.say(f"written to {out}")


def _latency(home: Path, rate: int, seconds: int, terminal: Terminal) -> latency.Latency:
    terminal.say("starting Apache Kafka, the engine and the gateway")
    webhooks = int(rate * (latency.WARM_UP_S + seconds))
    with throughput.full_speed() as broker, terminal.progress(f"{rate} webhooks a second", webhooks) as progress:
        found = latency.measure(broker, home, rate, seconds, progress)
    terminal.say(report.latency_line(found))
    return found


def _identity(plan: identity.Plan, terminal: Terminal) -> identity.Findings:
    found = identity.measure(plan, terminal)
    terminal.table(identity_report.COST_HEADER, identity_report.cost_rows(found.cost))
    terminal.table(identity_report.ANSWERS_HEADER, identity_report.answers_rows(found.answers))
    return found


if __name__ == "__main__":
    main()
