"""`writeback ledger`: remove what the consent ledger holds of erased customers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from streams.cli import options
from streams.cli.errors import Sentence
from streams.cli.progress import counted

if TYPE_CHECKING:
    from streams.runtime.ledger_copy import Ledger, Plan, Span
    from streams.runtime.ledger_markers import Forgetting
    from streams.runtime.settings import Settings


@click.group()
def ledger() -> None:
    """Maintain the consent ledger.

    \b
    Example: once the engine is stopped
      writeback ledger forget --dry-run
      writeback ledger forget
    """


@ledger.command()
@options.bootstrap
@click.option("--dry-run", is_flag=True, help="Only say what would be removed; the engine may run meanwhile.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(bootstrap: str | None, dry_run: bool, yes: bool) -> None:
    """Remove the entries of erased customers from the topic consent.ledger.

    Needs WRITEBACK_ERASURE_KEY, and that no engine runs. A partition with such entries is written anew behind its end:
    all other entries in their order, with their own key, value, time and headers and the header `writeback-copied`,
    which has the offset they had. Once the broker has them all, what lies before them is deleted. It may be
    interrupted at any point, and run again.
    """
    settings = options.settings_of(bootstrap=bootstrap)
    with _broker(settings):
        _forget(settings, dry_run, yes)


def _forget(settings: Settings, dry_run: bool, yes: bool) -> None:
    from streams.runtime.ledger_copy import Ledger

    forgetting, topic = _forgetting(settings), Ledger(settings)
    spans = topic.spans()
    if not dry_run:
        _need_no_engine(topic)
    _learn(topic, spans, forgetting)
    plans = [plan for span in spans if (plan := _planned(topic, span, forgetting)).forgets]
    entries = sum(_forgotten(plan) for plan in plans)
    if dry_run or not plans:
        click.echo(f"{_entries(entries)} would be removed" if plans else "nothing to remove")
        return
    if not yes:
        click.confirm(f"Remove {_entries(entries)}? This cannot be undone.", abort=True)
    for plan in plans:
        _rewrite(topic, plan, forgetting)
    click.echo(f"{_entries(entries)} removed; all others lie behind them once more, in their order")


def _forgetting(settings: Settings) -> Forgetting:
    from streams.codec import PublicCodec
    from streams.runtime.erasing import erasure_key
    from streams.runtime.ledger_markers import Forgetting

    codec = PublicCodec.from_environment({**os.environ, "SCHEMA_REGISTRY_URL": settings.schema_registry_url})
    return Forgetting(erasure_key(os.environ), codec.decode_ledger)


def _need_no_engine(topic: Ledger) -> None:
    """What an engine appends would come to lie among the copies, behind older entries."""
    from streams.runtime.engine_app import APP_ID

    members = topic.members(APP_ID)
    if members:
        told = "1 member" if members == 1 else f"{members} members"
        raise Sentence(f"the engine is running: the group {APP_ID} has {told}; stop every engine first")


def _learn(topic: Ledger, spans: list[Span], forgetting: Forgetting) -> None:
    """What the markers of all partitions say, whatever partition the entries are in."""
    for span in spans:
        with counted(f"partition {span.partition}, looking for erasures", span.end - span.low) as tell:
            for done, record in enumerate(topic.records(span)):
                forgetting.learn(record)
                tell(done)
    told = len(forgetting.customers)
    click.echo(f"{told} erased {'id' if told == 1 else 'ids'} in {len(spans)} partitions")


def _planned(topic: Ledger, span: Span, forgetting: Forgetting) -> Plan:
    from streams.runtime.ledger_copy import planned

    with counted(f"partition {span.partition}, counting", span.end - span.low) as tell:
        plan = planned(topic, span, forgetting, tell)
    click.echo(f"partition {span.partition}: {_told(plan)}")
    _tell_unreadable(plan)
    return plan


def _rewrite(topic: Ledger, plan: Plan, forgetting: Forgetting) -> None:
    span = plan.span
    _need_no_engine(topic)
    with counted(f"partition {span.partition}, copying", span.end - span.low) as tell:
        topic.copy(plan, forgetting, tell)
    topic.cut(plan)
    click.echo(f"partition {span.partition}: {plan.copies} copied, {_forgotten(plan)} removed, begins at {span.end}")


def _told(plan: Plan) -> str:
    from streams.runtime.ledger_markers import Fate

    if not plan.forgets:
        return f"nothing to remove, {plan.copies} stay as they are"
    left = plan.counts[Fate.SKIPPED]
    copies = f", {left} copies of an interrupted run" if left else ""
    people = "1 customer" if len(plan.customers) == 1 else f"{len(plan.customers)} customers"
    return f"{_entries(_forgotten(plan))} of {people} to remove{copies}, {plan.copies} to keep"


def _tell_unreadable(plan: Plan) -> None:
    from streams.runtime.ledger_markers import Fate
    from streams.runtime.topics import LEDGER

    count, shown = plan.counts[Fate.UNREADABLE], len(plan.unreadable)
    for offset in plan.unreadable:
        click.echo(f"{LEDGER}[{plan.span.partition}]@{offset} cannot be decoded, and is kept", err=True)
    if count > shown:
        click.echo(f"{count - shown} more there cannot be decoded, and are kept", err=True)


def _forgotten(plan: Plan) -> int:
    from streams.runtime.ledger_markers import Fate

    return plan.counts[Fate.FORGOTTEN]


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


@contextmanager
def _broker(settings: Settings) -> Iterator[None]:
    """What the native client and the copy say, as sentences."""
    from confluent_kafka import KafkaError, KafkaException

    from streams.runtime.ledger_copy import REFUSALS, CopyRefused
    from streams.runtime.ledger_markers import OtherKey

    away = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE)
    try:
        yield
    except CopyRefused as refused:
        raise Sentence(str(refused)) from None
    except OtherKey:
        raise Sentence(
            "WRITEBACK_ERASURE_KEY is not the key that the engine erased with; nothing was deleted"
        ) from None
    except KafkaException as error:
        told, named = error.args[0], f"{settings.bootstrap} (--bootstrap, WRITEBACK_BOOTSTRAP)"
        if told.code() in away:
            raise Sentence(f"no Kafka broker answers at {named}") from None
        if told.code() in REFUSALS:
            raise Sentence(f"{named} refuses us: see WRITEBACK_TLS and WRITEBACK_SASL_*") from None
        raise Sentence(f"the broker did not answer as expected: {told.name()}") from None
