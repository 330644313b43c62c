"""What each record must still be told: golden against shadow, seen through the platform's quirks (R9, R12-R15, C9)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from streams.core.canonical import SEP, same
from streams.core.claims import eligible
from streams.core.consent import joined, split
from streams.core.fold import Fold, slot_of
from streams.core.registers import pending_of, shadow_of, spoken_at
from streams.core.rules import AttributeRule, PlatformRule, Policy
from streams.core.state import PERSON, VALUE, ConsentState, Golden, Record, Sent, Slot, Unanswered
from streams.model import Assignment, Command, ConsentOrder, Millis, Value
from streams.model.command import CommandOp, Reason, ToldDecision

KEEP_SENT: Final = 4
_OF_THE_PERSON: Final = PERSON + SEP

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Command)


def emit(fold: Fold, changed: set[str]) -> None:
    """All commands that are due, consent first (C9); `changed`: attributes whose golden value differs now."""
    _emit_consents(fold)
    # Validations first: a claim that waits for its verdict holds back what its own record would be told.
    _emit_validations(fold)
    _emit_attributes(fold, changed)
    _emit_creates(fold, changed)


# Attributes (R12)


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
    """Nothing is what the record should hold, where we wrote what has left with an unlinked record (I4)."""
    slot = record.slots.get(attribute) if attribute in fold.withdrawn else None
    shadow = shadow_of(slot) if slot is not None else None
    if slot is None or shadow is None or not any(same(sent.seen, shadow.seen) for sent in slot.sent):
        return None
    return Golden(None, "", "cleared")


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
    if value is None and not seen:
        return False
    wanted = fold.policy.seen_by(rule, attribute, value, golden.canonical)
    if seen is not None and same(seen, wanted):
        return False
    return not _held_back(fold, record, slot, attribute, wanted)


def _held_back(fold: Fold, record: Record, slot: Slot, attribute: str, wanted: str) -> bool:
    """In flight, refused or quarantined (R12, R15)."""
    pending = pending_of(slot)
    if pending is not None and same(pending.seen, wanted):
        return True
    refused, quarantined = slot.refused, slot.quarantined
    if refused is not None and same(refused, wanted):
        return True
    if quarantined is not None and same(quarantined, wanted):
        return True
    if _tripped(fold, slot, wanted):
        slot.quarantined = wanted
        fold.note("ping_pong", record, attribute)
        return True
    return False


def _tripped(fold: Fold, slot: Slot, wanted: str) -> bool:
    """R15: commanded and contradicted `ping_pong_limit` times within the window."""
    times, since = 0, fold.at - fold.policy.ping_pong_window_ms
    for sent in slot.sent:
        if sent.contradicted and sent.at >= since and same(sent.seen, wanted):
            times += 1
    return times >= fold.policy.ping_pong_limit


def waits(policy: Policy, slot: Slot, attribute: str, at: Millis) -> bool:
    """R12: a claim waits from its validation request until its verdict, its replacement or the timeout."""
    claim = slot.newest
    if slot.asked_at is None or claim is None or claim.kind != VALUE or claim.canonical not in slot.asked:
        return False
    rule = policy.attributes.get(attribute)
    if rule is None or at >= slot.asked_at + policy.verdict_timeout_ms or eligible(rule, claim):
        return False
    return not any(same(known.canonical, claim.canonical) for known in slot.judgements)


def _command_attributes(fold: Fold, record: Record, rule: PlatformRule, due: dict[str, Golden], reason: Reason) -> None:
    slots = [record.slots[attribute] for attribute in due]
    attributes = {attribute: _assignment(golden) for attribute, golden in due.items()}
    command = _command(fold, rule.name, record.record_id, "update", reason, slots, attributes)
    for attribute, golden in due.items():
        value = golden.value
        seen = fold.policy.seen_by(rule, attribute, value, golden.canonical)
        _remember(fold, record.slots[attribute], command, seen, value)


def _assignment(golden: Golden) -> Assignment:
    return Assignment(clear=True) if golden.value is None else Assignment(golden.value)


def _command(
    fold: Fold,
    platform: str,
    record_id: str | None,
    op: CommandOp,
    reason: Reason,
    slots: Iterable[Slot],
    attributes: dict[str, Assignment],
    consents: tuple[ConsentOrder, ...] = (),
) -> Command:
    state = fold.state
    repair = sum(_next_repair(slot, state.version) for slot in slots)
    command_id = command_hash(state.customer_id, platform, record_id, op, state.version, repair, attributes, consents)
    command = Command(
        command_id,
        state.customer_id,
        platform,
        record_id,
        state.version,
        op,
        reason,
        fold.cause,
        fold.at,
        attributes,
        consents,
    )
    fold.commands.append(command)
    state.unanswered[command_id] = Unanswered(
        op,
        platform,
        record_id,
        fold.cause,
        fold.at,
        fold.at,
        list(attributes),
        [joined(one.contact_point, one.channel, one.purpose) for one in consents],
        _encoder.encode(command),
    )
    while len(state.unanswered) > fold.policy.limits.unanswered_max:
        _give_up(fold, next(iter(state.unanswered)))
    return command


def _give_up(fold: Fold, command_id: str) -> None:
    """What is no longer kept can not be emitted again, so that it must not count as in flight either."""
    command = fold.state.unanswered.pop(command_id)
    for slot in _slots_of(fold, command):
        pending = pending_of(slot)
        if pending is not None and pending.command_id == command_id:
            pending.ended = True


def _next_repair(slot: Slot, version: int) -> int:
    """R13: how often this content was commanded before at this version: a second repair is a command of its own."""
    if slot.repairs_version != version:
        slot.repairs_version, slot.repairs = version, 0
        return 0
    slot.repairs += 1
    return slot.repairs


def command_hash(
    customer_id: str,
    platform: str,
    record_id: str | None,
    op: str,
    version: int,
    repair: int,
    attributes: dict[str, Assignment],
    consents: tuple[ConsentOrder, ...],
) -> str:
    """R13: the id is a hash of what is said, to whom, at which version; the same input yields the same id."""
    named = f"{customer_id}{SEP}{platform}{SEP}{record_id}{SEP}{op}{SEP}{version}{SEP}{repair}{SEP}"
    said = _encoder.encode((attributes, [_told_of(order) for order in consents]))
    return blake2b(named.encode() + said, digest_size=16).hexdigest()


def _told_of(order: ConsentOrder) -> tuple[str, str, str, str]:
    return (order.contact_point, order.channel, order.purpose, order.decision)


def _remember(fold: Fold, slot: Slot, command: Command, seen: str, value: Value | None) -> None:
    """R11: what was commanded is remembered, at least the last four and all that an echo or the breaker needs."""
    pending = pending_of(slot)
    if pending is not None:
        fold.ended.add(pending.command_id)
    sent = Sent(command.command_id, command.golden_version, fold.at, seen, value, spoken_at(slot))
    kept = [*slot.sent, sent]
    if len(kept) > KEEP_SENT:
        old, recent = kept[:-KEEP_SENT], kept[-KEEP_SENT:]
        old = [one for place, one in enumerate(old) if _still_needed(fold, one, kept[place + 1 :])]
        kept = [*old, *recent][-fold.policy.limits.sent_max :]
    slot.sent = kept


def _still_needed(fold: Fold, sent: Sent, later: list[Sent]) -> bool:
    """For the breaker within its window; for echoes until the next acknowledgement and the tolerance have passed."""
    passed = fold.at - fold.policy.clock_skew_tolerance_ms
    if sent.at >= fold.at - fold.policy.ping_pong_window_ms:
        return True
    return not any(one.acked_at is not None and one.acked_at < passed for one in later)


# Consent (C9)


def _emit_consents(fold: Fold) -> None:
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
    if wanted is None or not _concerns(fold, record, key, wanted, slot):
        return None
    slot = slot_of(record.consents, key)
    pending = pending_of(slot)
    if held == wanted and (wanted == "opt_in" or pending is None or pending.seen == wanted):
        return None
    if wanted == "opt_in":
        # D1: no opt-in is ever commanded because of a snapshot.
        return None if fold.snapshot or _held_back(fold, record, slot, key, wanted) else wanted
    return wanted if _opt_out_due(fold, record, slot, wanted) else None


def _wanted(known: ConsentState, held: str | None) -> ToldDecision | None:
    told = known.told
    if told == "opt_out" or (held == "opt_in" and known.lapsed):
        return "opt_out"
    return "opt_in" if told == "opt_in" else None


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
    if not _tripped(fold, slot, wanted):
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
    command = _command(fold, record.platform, record.record_id, "update", fold.reason or reason, slots, {}, consents)
    for slot, (_, wanted) in zip(slots, orders, strict=True):
        slot.repeat_at = None
        _remember(fold, slot, command, wanted, wanted)


def _order(fold: Fold, key: str, wanted: ToldDecision) -> ConsentOrder:
    known = fold.state.consents[key]
    return ConsentOrder(*split(key), wanted, known.decided_at, wanted == "opt_in" and known.explicit)


# Creates and validations (R9, R12)


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
    command = _command(fold, platform, None, "create", fold.reason or "survivorship", [slot], attributes)
    _remember(fold, slot, command, content, content)


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
    _command(fold, rule.validate_with, name, "validate", "validation", (), {rule.name: Assignment(claim.value)})


# In flight (R12)


def live(fold: Fold, command_id: str, command: Unanswered) -> bool:
    """True while some part of an unanswered command is still in flight."""
    if command.op == "validate":
        record = fold.state.records.get(command.record_id or "")
        return record is not None and any(
            waits(fold.policy, record.slots[attribute], attribute, fold.at) for attribute in command.attributes
        )
    for slot in _slots_of(fold, command):
        sent = pending_of(slot)
        if sent is not None and sent.command_id == command_id:
            return True
    return False


def _slots_of(fold: Fold, command: Unanswered) -> list[Slot]:
    if command.op == "create":
        slot = fold.state.creates.get(command.platform)
        return [slot] if slot is not None else []
    record = fold.state.records.get(f"{command.platform}:{command.record_id}")
    if record is None:
        return []
    found = [record.slots.get(attribute) for attribute in command.attributes]
    found += [record.consents.get(key) for key in command.consents]
    return [slot for slot in found if slot is not None]


def decode_command(payload: bytes) -> Command:
    """A command that was kept whole."""
    return _decoder.decode(payload)


def forget_ended(fold: Fold) -> None:
    """A command of which nothing is in flight any more need not be kept whole."""
    unanswered = fold.state.unanswered
    for command_id in fold.ended:
        command = unanswered.get(command_id)
        if command is not None and not live(fold, command_id, command):
            del unanswered[command_id]


def emit_again(fold: Fold, cause: str | None) -> None:
    """Commands in flight are emitted again, with the same id, when their cause is read again or after the interval."""
    unanswered = fold.state.unanswered
    since = fold.at - fold.policy.resend_after_ms
    due = [
        command_id for command_id, command in unanswered.items() if command.since <= since or command.caused_by == cause
    ]
    if not due:
        return
    fresh = {command.command_id for command in fold.commands}
    for command_id in due:
        command = unanswered[command_id]
        if command_id in fresh:
            continue
        if live(fold, command_id, command):
            fold.commands.append(decode_command(command.payload))
            command.since = max(fold.at, command.since)
        else:
            del unanswered[command_id]


def next_due(fold: Fold) -> Millis | None:
    """When the clock alone will change something: an expiry, a verdict's timeout, a command to emit again."""
    state, policy = fold.state, fold.policy
    found: list[Millis] = []
    for known in state.consents.values():
        deadline = known.deadline
        if deadline is not None:
            found.append(deadline + 1)
    if state.unanswered:
        found += [command.since + policy.resend_after_ms for command in state.unanswered.values()]
    for record in state.records.values():
        for slot in record.consents.values():
            repeat_at = slot.repeat_at
            if repeat_at is not None:
                found.append(repeat_at)
        for attribute, slot in record.slots.items():
            asked_at = slot.asked_at
            if asked_at is not None and waits(policy, slot, attribute, fold.at):
                found.append(asked_at + policy.verdict_timeout_ms)
    return min(found) if found else None
