"""Erasure: every platform is told, the state becomes a tombstone, and nothing comes back to life (K3)."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from streams.core.canonical import SEP
from streams.core.commanding import command_hash
from streams.core.contact_points import appearances
from streams.core.fold import Fold
from streams.core.state import Customer, Reach
from streams.model import Change, Command, Millis, Note, Receipt

if TYPE_CHECKING:
    from streams.core.decide import Input

# The name under which an erased contact point is suppressed: nobody's record.
ERASED = "erased"


def keyed_hash(key: bytes, *parts: str) -> str:
    """What is kept of an erased value: without the key it says nothing."""
    return blake2b(SEP.join(parts).encode(), key=key[:64], digest_size=24).hexdigest()


def erase(fold: Fold) -> list[str]:
    """Tell every platform that has a record, and empty the state; the contact points to suppress, for hashing."""
    state = fold.state
    contact_points = sorted({*appearances(state), *(key.partition(SEP)[0] for key in state.entries)} - {"*"})
    for name in sorted(state.records):
        record = state.records[name]
        rule = fold.policy.platforms.get(record.platform)
        if record.open and rule is not None and rule.tells(record.record_id):
            _command_erase(fold, record.platform, record.record_id)
    fold.state = Customer(
        state.customer_id,
        state.born_at,
        state.version + 1,
        max(state.clock, fold.at),
        requests=state.requests,
        seq=state.seq,
        aliases=state.aliases,
        erased_at=fold.at,
        certificate={command.command_id: "commanded" for command in fold.commands},
    )
    return contact_points


def _command_erase(fold: Fold, platform: str, record_id: str) -> None:
    version = fold.state.version + 1
    customer_id = fold.state.customer_id
    command_id = command_hash(customer_id, platform, record_id, "erase", version, 0, {}, ())
    fold.commands.append(
        Command(command_id, customer_id, platform, record_id, version, "erase", "erasure", fold.cause, fold.at)
    )


def fold_erased(fold: Fold, event: Input) -> None:
    """Whatever comes for an erased customer is dropped; only the answers to the erasure are kept."""
    if isinstance(event, Receipt) and event.command_id in fold.state.certificate:
        fold.state.certificate[event.command_id] = event.outcome
    elif isinstance(event, Change):
        # The platform alone: no record id or value of an erased customer reaches any later output.
        fold.notes.append(Note(kind="erased_drop", platform=event.platform, customer_id=fold.state.customer_id))


def suppress(fold: Fold, contact_point: str, channel: str, erased_at: Millis) -> None:
    """A contact point of an erased customer stays suppressed until a later explicit opt-in."""
    words = fold.state.reach.setdefault(f"{contact_point}{SEP}{channel}", {})
    words[ERASED] = Reach(erased_at, True)
