"""What each platform must be told: attributes that differ, creates, validations (R9, R12)."""

from __future__ import annotations

from streams.core.canonical import SEP, same
from streams.core.commanding import assignment, held_back, new_command, remember
from streams.core.fold import Fold, slot_of
from streams.core.in_flight import waits
from streams.core.orders import emit_consents
from streams.core.registers import pending_of, shadow_of, undelivered_of
from streams.core.rules import AttributeRule, PlatformRule
from streams.core.state import VALUE, Golden, Record, Slot
from streams.model import Assignment
from streams.model.command import Reason


def emit(fold: Fold, changed: set[str]) -> None:
    """All commands that are due, consent first (C9); `changed`: attributes whose golden value differs now."""
    emit_consents(fold)
    # Validations first: a claim that waits for its verdict holds back what its own record would be told.
    _emit_validations(fold)
    _emit_attributes(fold, changed)
    _emit_creates(fold, changed)


def _emit_attributes(fold: Fold, changed: set[str]) -> None:
    state, policy, todo = fold.state, fold.policy, _to_compare(fold, changed)
    for name in sorted(todo):
        record = state.records[name]
        rule = policy.platforms.get(record.platform)
        if rule is None or not record.open or not rule.tells(record.record_id):
            continue
        due: dict[str, Golden] = {}
        for attribute in sorted(todo[name]):
            if attribute in rule.routes:
                golden = state.golden.get(attribute) or _withdrawn(fold, record, attribute)
                if golden is not None and _attribute_due(fold, record, rule, attribute, golden):
                    due[attribute] = golden
        if due:
            reason: Reason = "survivorship" if changed.intersection(due) else "correction"
            _command_attributes(fold, record, rule, due, fold.reason or reason)


def _to_compare(fold: Fold, changed: set[str]) -> dict[str, set[str]]:
    """By record: what was touched, and what golden changed."""
    todo = fold.pairs
    if changed:
        for name in fold.state.records:
            todo.setdefault(name, set()).update(changed)
    for name in fold.entered:
        todo.setdefault(name, set()).update(fold.state.golden, fold.withdrawn)
    return todo


def _withdrawn(fold: Fold, record: Record, attribute: str) -> Golden | None:
    """Nothing is what the record should hold, where we wrote what has left with an unlinked record, or are about to
    (I4)."""
    slot = record.slots.get(attribute) if attribute in fold.withdrawn else None
    if slot is None:
        return None
    shadow = shadow_of(slot)
    written = shadow is not None and any(same(sent.seen, shadow.seen) for sent in slot.sent)
    return Golden(None, "", "cleared") if written or _may_still_write(slot) else None


def _may_still_write(slot: Slot) -> bool:
    """True where a value of ours may still arrive, and end what the shadow says now."""
    last = undelivered_of(slot)
    return last is not None and bool(last.seen)


def _attribute_due(fold: Fold, record: Record, rule: PlatformRule, attribute: str, golden: Golden) -> bool:
    """True where the record's shadow differs from golden and nothing holds the command back."""
    status, value = golden.status, golden.value
    if status == "provisional":
        return False
    slot = slot_of(record.slots, attribute)
    if status != "pinned" and slot.asked_at is not None and waits(fold.policy, slot, attribute, fold.at):
        return False
    shadow = shadow_of(slot)
    seen = shadow.seen if shadow is not None else None
    foreign = attribute in fold.withdrawn and _may_still_write(slot)
    if value is None and not seen and not foreign:
        return False
    wanted = fold.policy.seen_by(rule, attribute, value, golden.canonical)
    if seen is not None and same(seen, wanted) and not foreign:
        return False
    return not held_back(fold, record, slot, attribute, wanted)


def _command_attributes(fold: Fold, record: Record, rule: PlatformRule, due: dict[str, Golden], reason: Reason) -> None:
    slots = [record.slots[attribute] for attribute in due]
    attributes = {attribute: assignment(golden) for attribute, golden in due.items()}
    command = new_command(fold, rule.name, record.record_id, "update", reason, slots, attributes)
    for attribute, golden in due.items():
        value = golden.value
        seen = fold.policy.seen_by(rule, attribute, value, golden.canonical)
        remember(fold, record.slots[attribute], command, seen, value)


def _emit_creates(fold: Fold, changed: set[str]) -> None:
    if not changed:
        return
    for platform, rule in fold.policy.platforms.items():
        if rule.create and rule.written and _reachable(fold) and not _has_record(fold, platform, rule):
            _create(fold, platform, rule)


def _reachable(fold: Fold) -> bool:
    found = (fold.state.golden.get(attribute) for attribute in ("email", "phone"))
    return any(one is not None and one.value is not None and one.status != "provisional" for one in found)


def _has_record(fold: Fold, platform: str, rule: PlatformRule) -> bool:
    """One that was deleted counts: its platform's word that the customer is gone there stands (K2)."""
    return any(record.platform == platform and rule.tells(record.record_id) for record in fold.state.records.values())


def _create(fold: Fold, platform: str, rule: PlatformRule) -> None:
    slot = slot_of(fold.state.creates, platform)
    if pending_of(slot) is not None or slot.acked is not None:
        return
    attributes = {
        attribute: Assignment(golden.value)
        for attribute, golden in sorted(fold.state.golden.items())
        if attribute in rule.routes and golden.value is not None and golden.status != "provisional"
    }
    content = SEP.join(f"{attribute}{SEP}{fold.state.golden[attribute].canonical}" for attribute in attributes)
    if slot.refused == content:
        return
    command = new_command(fold, platform, None, "create", fold.reason or "survivorship", [slot], attributes)
    remember(fold, slot, command, content, content)


def _emit_validations(fold: Fold) -> None:
    """R9: every complete claim below its threshold is sent for validation once per (record, canonical input)."""
    for name in sorted(fold.pairs):
        touched = fold.pairs[name]
        for attribute in fold.policy.validated:
            if attribute in touched:
                rule = fold.policy.attributes[attribute]
                _validate(fold, rule, name, fold.state.records[name].slots[attribute])


def _validate(fold: Fold, rule: AttributeRule, name: str, slot: Slot) -> None:
    claim = slot.newest
    if rule.validate_with is None or claim is None or rule.confident(claim.confidence):
        return
    if claim.kind != VALUE or not claim.complete or claim.canonical in slot.asked:
        return
    if any(same(known.canonical, claim.canonical) for known in slot.judgements):
        return
    slot.asked = [*slot.asked, claim.canonical][-fold.policy.limits.verdicts_max :]
    slot.asked_at = fold.at
    new_command(fold, rule.validate_with, name, "validate", "validation", (), {rule.name: Assignment(claim.value)})
