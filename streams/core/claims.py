"""What a record says of its attributes (R2, R4, R5, R6), and its deletion (K2)."""

from __future__ import annotations

from streams.core.canonical import is_email, is_empty, is_full, is_phone, merged
from streams.core.echoes import hold, hold_parts, is_echo, mark_contradicted, unsaid
from streams.core.fold import Fold, Said, slot_of
from streams.core.registers import held_key, hold_stated, latest_before, pending_of
from streams.core.rules import AttributeRule
from streams.core.standing import enter, reasserted
from streams.core.state import CLEAR, DELETE, RETRACT, VALUE, Claim, Held, Record, Slot
from streams.model import Address, Statement, Value


def state_attribute(fold: Fold, said: Said, attribute: str, statement: Statement) -> None:
    """Fold one statement: an echo or a re-assertion moves no claim; anything else enters the registers."""
    rule = fold.policy.attributes.get(attribute)
    if rule is None:
        fold.note("unknown_attribute", said.record, attribute)
        return
    slot = slot_of(said.slots, attribute)
    if slot.stated is None and said.record.viewed is not None:
        # A full view has said before that there is nothing here.
        slot.stated = said.record.viewed
    value = statement.value
    told: Address | None = None
    if value is not None and not isinstance(value, str) and not is_full(value):
        told = value
    claim = claim_of(fold, rule, statement, value, slot, said, told is not None)
    if claim is None:
        fold.note("null_ignored", said.record, attribute)
        return
    fold.touch(said.name, attribute)
    kind, canonical = claim.kind, claim.canonical
    if kind == RETRACT:
        _retract(fold, said, attribute, slot, claim)
        return
    value = claim.value
    seen = fold.policy.seen_by(said.rule, attribute, value, canonical)
    commanded = bool(slot.sent)
    echo = said.echo or (commanded and is_echo(fold.policy, slot, said, attribute, seen, told))
    if commanded:
        mark_contradicted(fold.policy, slot, said, attribute, seen, told, echo)
        if echo:
            seen, value = unsaid(slot, said.name, seen, value)
    if told is None:
        hold(fold, said, rule, slot, seen, value)
    else:
        hold_parts(fold, said, rule, slot, told)
    if echo:
        fold.note("echo", said.record, attribute)
        return
    if rule.contact and kind == VALUE:
        _appear(fold, said, canonical)
    if not reasserted(fold, said, rule, slot, claim):
        enter(fold, said, rule, slot, claim)


def claim_of(
    fold: Fold,
    rule: AttributeRule,
    statement: Statement,
    value: Value | None,
    slot: Slot,
    said: Said,
    partial: bool,
) -> Claim | None:
    """The claim that a statement of `value` makes; None where it says nothing (R5).

    A `partial` address is completed (R6).
    """
    if statement.retract:
        return Claim(said.at, said.sequence, RETRACT, "")
    if statement.clear:
        return Claim(said.at, said.sequence, CLEAR, "")
    if value is None:
        return None
    if isinstance(value, str):
        if not value or value.isspace():
            return None
        canonical = fold.policy.canonical(rule.name, value)
        kept = canonical if rule.contact else value
        return Claim(said.at, said.sequence, VALUE, canonical, kept, statement.confidence, True, statement.verified_by)
    if not partial:
        canonical = _canonical_address(fold, rule, slot, value)
        return Claim(said.at, said.sequence, VALUE, canonical, value, statement.confidence, True, statement.verified_by)
    if is_empty(value):
        return None
    base = _base(slot, said)
    whole = merged(base.value if base is not None and isinstance(base.value, Address) else None, value)
    complete = is_full(whole)
    canonical = fold.policy.canonical(rule.name, whole)
    verified_by = statement.verified_by if complete else None
    return Claim(said.at, said.sequence, VALUE, canonical, whole, None, complete, verified_by)


def _base(slot: Slot, said: Said) -> Claim | None:
    """What a partial address is merged with: the record's newest claim of its time; a later one is not yet said."""
    for claim in (slot.newest, *slot.verified):
        if claim is None or (claim.at, claim.sequence or 0) <= (said.at, said.sequence or 0):
            return claim
    return None


def _canonical_address(fold: Fold, rule: AttributeRule, slot: Slot, value: Address) -> str:
    """The canonical form, taken from the record's claim or from golden where they say the same: they often do."""
    newest = slot.newest
    if newest is not None and newest.value == value:
        return newest.canonical
    golden = fold.state.golden.get(rule.name)
    if golden is not None and golden.value == value:
        return golden.canonical
    return fold.policy.canonical(rule.name, value)


def _retract(fold: Fold, said: Said, attribute: str, slot: Slot, claim: Claim) -> None:
    """R5: the record withdraws its claim, and what its platform holds is unknown from then on."""
    rule = fold.policy.attributes[attribute]
    hold_stated(slot, Held(said.shadow_at, claim.sequence, "", known=False))
    enter(fold, said, rule, slot, claim)
    if rule.contact:
        fold.holders.add(said.name)


def delete_record(fold: Fold, said: Said) -> None:
    """K2: the record withdraws every claim; the link closes unless it has spoken later."""
    record = said.record
    for attribute, slot in record.slots.items():
        hold_stated(slot, Held(said.shadow_at, said.sequence, "", known=False))
        rule = fold.policy.attributes.get(attribute)
        if rule is not None and slot.newest is not None:
            enter(fold, said, rule, slot, Claim(said.at, said.sequence, DELETE, ""))
    for slot in record.consents.values():
        hold_stated(slot, Held(said.shadow_at, said.sequence, "", known=False))
    record.deleted_at = max(record.deleted_at or said.at, said.at)
    if record.last_at > said.at:
        # It has spoken since: a new link, which must be told again what it may have lost.
        fold.entered.add(said.name)
        return
    record.open = False
    forget_acknowledgements(record)
    for slot in (*record.slots.values(), *record.consents.values()):
        pending = pending_of(slot)
        if pending is not None:
            pending.ended = True
            fold.ended.add(pending.command_id)


def forget_acknowledgements(record: Record) -> None:
    """R5: after its deletion nothing is known of what the record holds, whenever our last write was applied."""
    for slot in (*record.slots.values(), *record.consents.values()):
        slot.acked = None


def empty_shadows(fold: Fold, said: Said) -> None:
    """R5, restate: an attribute absent from the platform's full view is known to be empty there."""
    routed = said.rule.routes if said.rule is not None else frozenset()
    for attribute in sorted(routed | set(said.record.slots)):
        statement = said.change.attributes.get(attribute)
        if statement is None or (not statement.clear and not statement.retract and is_empty(statement.value)):
            slot = slot_of(said.record.slots, attribute)
            latest = latest_before(slot, said.shadow_at)
            if latest is not None and latest.seen:
                # R15: a platform that never keeps a value must not be told it for ever.
                latest.contradicted = True
            hold_stated(slot, Held(said.shadow_at, said.sequence, ""))
            fold.touch(said.name, attribute)
    view = Held(said.shadow_at, said.sequence, "")
    if said.record.viewed is None or held_key(view) > held_key(said.record.viewed):
        said.record.viewed = view


def _appear(fold: Fold, said: Said, contact_point: str) -> None:
    """C5: a contact point appears at the earliest effective time at which a record stated it."""
    appeared = said.record.appeared
    known = appeared.get(contact_point)
    if (known is None or said.at < known) and (is_email(contact_point) or is_phone(contact_point)):
        appeared[contact_point] = said.at
        fold.spoken.add(contact_point)
