"""Consent commands: which records are told of which decisions (C9)."""

from __future__ import annotations

from typing import Final

from streams.core.canonical import SEP
from streams.core.commanding import held_back, new_command, remember, tripped
from streams.core.contact_points import split
from streams.core.fold import Fold, slot_of
from streams.core.ledger_fold import UNKNOWN
from streams.core.registers import pending_of, shadow_of, undelivered_of
from streams.core.rules import Policy
from streams.core.state import PERSON, ConsentState, Record, Slot
from streams.model import ConsentOrder
from streams.model.command import Reason, ToldDecision

_OF_THE_PERSON: Final = PERSON + SEP


def emit_consents(fold: Fold) -> None:
    todo = _consents_to_compare(fold)
    for name in sorted(todo):
        record = fold.state.records[name]
        rule = fold.policy.platforms.get(record.platform)
        if rule is None or not rule.consent or not record.open or not rule.tells(record.record_id):
            continue
        orders: list[tuple[str, ToldDecision]] = []
        for key in sorted(todo[name]):
            wanted = _consent_due(fold, record, key)
            if wanted is not None:
                orders.append((key, wanted))
        if orders:
            _command_consents(fold, record, orders)


def _consents_to_compare(fold: Fold) -> dict[str, set[str]]:
    """By record: what was stated, what has changed, and everything where a contact point may be new to the record."""
    state, todo = fold.state, fold.told
    if fold.changed:
        for name in state.records:
            todo.setdefault(name, set()).update(fold.changed)
    if state.consents:
        for name in fold.holders:
            todo.setdefault(name, set()).update(state.consents)
        for name in fold.entered:
            todo.setdefault(name, set()).update(state.consents)
    return todo


def _consent_due(fold: Fold, record: Record, key: str) -> ToldDecision | None:
    """What the record must be told of this key now, if anything."""
    known = fold.state.consents.get(key)
    if known is None:
        return None
    slot = record.consents.get(key)
    shadow = shadow_of(slot) if slot is not None else None
    held = shadow.seen if shadow is not None else None
    wanted = _wanted(known, held)
    if wanted is None and known.state == UNKNOWN and slot is not None and subscribed_by_us(slot):
        wanted = "opt_out"  # I4: what it was told came with a record that has been unlinked
    if wanted is None or not _concerns(fold, record, key, wanted, slot):
        return None
    slot = slot_of(record.consents, key)
    if held == wanted and (wanted == "opt_in" or not _may_still_subscribe(slot)):
        return None
    if wanted == "opt_in":
        # D1: no opt-in is ever commanded because of a snapshot.
        return None if fold.snapshot or held_back(fold, record, slot, key, wanted) else wanted
    return wanted if _opt_out_due(fold, record, slot, wanted) else None


def _wanted(known: ConsentState, held: str | None) -> ToldDecision | None:
    told = known.told
    if told == "opt_out" or (held == "opt_in" and known.lapsed):
        return "opt_out"
    return "opt_in" if told == "opt_in" else None


def subscribed_by_us(slot: Slot) -> bool:
    """True where the platform has opted in, or is about to, because we told it to."""
    pending = pending_of(slot)
    if pending is not None:
        return pending.seen == "opt_in"
    shadow = shadow_of(slot)
    return shadow is not None and shadow.seen == "opt_in" and any(sent.seen == "opt_in" for sent in slot.sent)


def _may_still_subscribe(slot: Slot) -> bool:
    """True where an opt-in of ours may still arrive, and undo there what the platform says now."""
    last = undelivered_of(slot)
    return last is not None and last.seen == "opt_in"


def _concerns(fold: Fold, record: Record, key: str, wanted: ToldDecision, slot: Slot | None) -> bool:
    """C9: a record is told of the contact points it holds; of opt-outs also for those it held before."""
    if key.startswith(_OF_THE_PERSON):
        return False
    if slot is not None and (slot.stated is not None or (wanted == "opt_out" and slot.acked is not None)):
        return True
    contact_point = split(key).contact_point
    if contact_point in holds(fold.policy, record):
        return True
    return wanted == "opt_out" and contact_point in record.held


def holds(policy: Policy, record: Record) -> list[str]:
    """The contact points in the record's shadow: its e-mail and its phone."""
    found: list[str] = []
    for attribute, slot in record.slots.items():
        if policy.is_contact(attribute):
            shadow = shadow_of(slot)
            value = shadow.value if shadow is not None else None
            if isinstance(value, str):
                found.append(value)
    return found


def _opt_out_due(fold: Fold, record: Record, slot: Slot, wanted: str) -> bool:
    """R15: an opt-out is never quarantined; past the limit it is repeated at most once per `resend_after_s`."""
    pending = pending_of(slot)
    if (pending is not None and pending.seen == wanted) or slot.refused == wanted:
        return False
    if not tripped(fold, slot, wanted):
        return True
    fold.note("ping_pong", record, detail="opt_out")
    last = max(sent.at for sent in slot.sent if sent.seen == wanted)
    if fold.at - last >= fold.policy.resend_after_ms:
        return True
    slot.repeat_at = last + fold.policy.resend_after_ms
    return False


def _command_consents(fold: Fold, record: Record, orders: list[tuple[str, ToldDecision]]) -> None:
    consents = tuple(_order(fold, key, wanted) for key, wanted in orders)
    slots = [record.consents[key] for key, _ in orders]
    lapsed = any(fold.state.consents[key].lapsed for key, _ in orders)
    reason: Reason = "expiry" if lapsed else "reconcile" if fold.snapshot else "consent"
    command = new_command(fold, record.platform, record.record_id, "update", fold.reason or reason, slots, {}, consents)
    for slot, (_, wanted) in zip(slots, orders, strict=True):
        slot.repeat_at = None
        remember(fold, slot, command, wanted, wanted)


def _order(fold: Fold, key: str, wanted: ToldDecision) -> ConsentOrder:
    known = fold.state.consents[key]
    return ConsentOrder(*split(key), wanted, known.decided_at, wanted == "opt_in" and known.explicit)
