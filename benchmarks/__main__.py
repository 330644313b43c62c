"""Run the measurements, show them, and write them down."""

from pathlib import Path

import click

from benchmarks import machine, report, throughput
from benchmarks.environments import quix_python
from benchmarks.terminal import Terminal

_DOCS = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@click.command()
@click.option("--changes", default=200_000, show_default=True, help="Changes in the input.")
@click.option("--customers", default=50_000, show_default=True, help="People they are spread over.")
@click.option("--faust-changes", default=20_000, show_default=True, help="Changes for the plain Faust agent.")
@click.option("--rounds", default=3, show_default=True, help="Times that each contender runs; the median counts.")
@click.option("--quix/--no-quix", default=True, help="Run Quix Streams, in an environment of its own.")
@click.option("--out", type=click.Path(path_type=Path), default=_DOCS, help="Where to write the page.")
def main(changes: int, customers: int, faust_changes: int, rounds: int, quix: bool, out: Path) -> None:
    """Compare the engine with a plain Faust agent and with Quix Streams, on Apache Kafka, on this machine."""
    terminal = Terminal()
    python = quix_python() if quix else None
    facts = machine.facts(python)
    racers = throughput.contenders(changes, faust_changes, python)
    plan = throughput.Plan(changes, customers, faust_changes, rounds, racers)
    found = throughput.compare(plan, terminal)
    terminal.table(report.HEADER, report.rows(found))
    out.write_text(report.page(facts, plan, found))
    terminal.say(f"written to {out}")


if __name__ == "__main__":
    main()
