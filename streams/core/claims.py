"""Statements become claims: registers, re-assertions, echoes, shadows (R3-R6, R8, R11, R11a)."""

from __future__ import annotations

from streams.core.canonical import is_email, is_empty, is_full, is_phone, merged, same
from streams.core.fold import Fold, Said, slot_of
from streams.core.registers import claim_key, held_key, hold_stated, latest_before, newer, pending_of, shadow_of, since
from streams.core.rules import AttributeRule, Policy
from streams.core.state import (
    APPLIED,
    CLEAR,
    DELETE,
    RETRACT,
    VALUE,
    Claim,
    Held,
    Judgement,
    Record,
    Slot,
)
from streams.model import Address, Millis, Statement, Value, Verdict


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
        _mark_contradicted(fold.policy, slot, said, attribute, seen, told, echo)
    if told is None:
        _hold(fold, said, rule, slot, seen, value)
    else:
        _hold_parts(fold, said, rule, slot, told)
    if echo:
        fold.note("echo", said.record, attribute)
        return
    if rule.contact and kind == VALUE:
        _appear(fold, said, canonical)
    if not _reasserted(fold, said, rule, slot, claim):
        _enter(fold, said, rule, slot, claim)


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


# Echoes (R11)


def is_echo(policy: Policy, slot: Slot, said: Said, attribute: str, seen: str, told: Address | None) -> bool:
    """True where the value only repeats what we commanded to this record, and nothing else explains it better."""
    for place, sent in enumerate(slot.sent):
        value = seen if told is None else _completed(policy, said, attribute, sent.value, told)
        if not same(sent.seen, value):
            continue
        if said.snapshot:
            return True
        if sent.differed_at is not None and sent.differed_at <= said.at:
            continue
        ended = _next_acknowledged(slot, place)
        if ended is None or said.at <= ended + policy.clock_skew_tolerance_ms:
            return True
    return False


def _completed(policy: Policy, said: Said, attribute: str, base: Value | None, told: Address) -> str:
    whole = merged(base if isinstance(base, Address) else None, told)
    return policy.seen_by(said.rule, attribute, whole, policy.canonical(attribute, whole))


def _next_acknowledged(slot: Slot, place: int) -> Millis | None:
    """When the next different command after the one at `place` was acknowledged."""
    seen = slot.sent[place].seen
    for later in slot.sent[place + 1 :]:
        if later.acked_at is not None and not same(later.seen, seen):
            return later.acked_at
    return None


def _mark_contradicted(
    policy: Policy, slot: Slot, said: Said, attribute: str, seen: str, told: Address | None, echo: bool
) -> None:
    """The statement differs from what was commanded before it (R11), and contradicts the last command (R15).

    An echo states nothing of its own, but what it shows counts for the breaker: else a platform that marks our writes
    and does not keep them whole would be told them for ever.
    """
    at, latest = said.shadow_at, latest_before(slot, said.shadow_at)
    for sent in slot.sent:
        if at <= since(sent):
            continue
        if same(sent.seen, seen if told is None else _completed(policy, said, attribute, sent.value, told)):
            continue
        if sent is latest:
            sent.contradicted = True
        if not echo and (sent.differed_at is None or at < sent.differed_at):
            sent.differed_at = at


# Shadows (R11a)


def _hold(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, seen: str, value: Value | None) -> None:
    hold_stated(slot, Held(said.shadow_at, said.sequence, seen, value))
    if rule.contact:
        remember_held(fold, said.name, said.record, rule.name, slot)


def _hold_parts(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, told: Address) -> None:
    """R6: the shadow takes the parts that it was told."""
    known = shadow_of(slot)
    base = known.value if known is not None else None
    value = merged(base if isinstance(base, Address) else None, told)
    seen = fold.policy.seen_by(said.rule, rule.name, value, fold.policy.canonical(rule.name, value))
    _hold(fold, said, rule, slot, seen, value)


def remember_held(fold: Fold, name: str, record: Record, attribute: str, slot: Slot) -> None:
    """C9: which contact points the record's shadow holds, or held before; a new one is told its consents."""
    if not fold.policy.is_contact(attribute):
        return
    shadow = shadow_of(slot)
    contact_point = shadow.value if shadow is not None else None
    if isinstance(contact_point, str) and contact_point not in record.held:
        record.held = [*record.held, contact_point][-fold.policy.limits.held_max :]
    fold.holders.add(name)


# Registers (R3, R4)


def _reasserted(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, claim: Claim) -> bool:
    """R4: a value equal to the record's own claim is no change, unless it takes back what we wrote over it."""
    own = _equal_claim(fold.policy, rule, slot, claim, said.snapshot)
    if own is None:
        return False
    if not said.snapshot and own is slot.newest and _reverts(slot, own, claim, fold, said, rule):
        claim.confidence, claim.verified_by = _larger_confidence(own, claim)
        claim.deliverable, claim.standard, claim.raised_at = own.deliverable, own.standard, own.raised_at
        return False
    key, confirmed = _confirmation(claim), slot.confirmed
    if confirmed is None or key > confirmed:
        slot.confirmed = key
    if _raises(slot, own, claim):
        own.confidence, own.verified_by, own.raised_at = claim.confidence, claim.verified_by, claim.at
        fold.attributes.add(rule.name)
    fold.note("reassertion", said.record, rule.name)
    return True


def _confirmation(claim: Claim) -> tuple[Millis, bool, int, str]:
    sequence = claim.sequence
    return (claim.at, sequence is not None, sequence or 0, claim.canonical)


def _equal_claim(policy: Policy, rule: AttributeRule, slot: Slot, claim: Claim, snapshot: bool) -> Claim | None:
    newest = slot.newest
    if newest is not None and _equal(policy, rule, newest, claim):
        return newest
    if snapshot:
        return next((own for own in standing(slot) if _equal(policy, rule, own, claim)), None)
    return None


def _equal(policy: Policy, rule: AttributeRule, own: Claim, claim: Claim) -> bool:
    kind = own.kind
    if kind != claim.kind or kind > CLEAR:
        return False
    canonical = claim.canonical
    if same(own.canonical, canonical):
        return True
    standard = own.standard
    return standard is not None and same(policy.canonical(rule.name, standard), canonical)


def _reverts(slot: Slot, own: Claim, claim: Claim, fold: Fold, said: Said, rule: AttributeRule) -> bool:
    """True where a different value of ours was acknowledged after the claim and not after this statement."""
    if not slot.sent:
        return False
    seen = fold.policy.seen_by(said.rule, rule.name, own.value, own.canonical)
    return any(
        sent.outcome == APPLIED
        and sent.acked_at is not None
        and own.at < sent.acked_at <= claim.at
        and not same(sent.seen, seen)
        for sent in slot.sent
    )


def _raises(slot: Slot, own: Claim, claim: Claim) -> bool:
    """R4: a larger confidence annotates as a verdict would; a verdict from after it, or on the first word, stays."""
    if (claim.confidence or 0.0) <= (own.confidence or 0.0) or claim.at == own.at:
        return False
    earlier = claim.at < own.at
    return not any(
        same(known.canonical, own.canonical) and (earlier or known.at >= claim.at) for known in slot.judgements
    )


def _larger_confidence(own: Claim, claim: Claim) -> tuple[float | None, str | None]:
    if (claim.confidence or 0.0) > (own.confidence or 0.0):
        return claim.confidence, claim.verified_by
    return own.confidence, own.verified_by


def _enter(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, claim: Claim) -> None:
    """R3: the newest register and, for what met its threshold, the verified one; what loses is noted `older`."""
    fold.attributes.add(rule.name)
    newest = slot.newest
    larger = newest is None or newer(claim, newest)
    if larger and slot.confirmed is not None:
        larger = (claim.at, claim.sequence is not None, claim.sequence or 0, claim.canonical) > slot.confirmed
    if not larger:
        if newest is not None and claim.key() == newest.key():
            return
        fold.note("older", said.record, rule.name)
        if newest is not None and newest.gives() and not _confirms_older(fold.policy, rule, slot, claim):
            _stand(fold.policy, rule, slot, claim)
        return
    for judgement in slot.judgements:
        if same(judgement.canonical, claim.canonical):
            annotate(claim, judgement)
    slot.newest, slot.confirmed, slot.refused = claim, None, None
    if not claim.gives():
        # What it withdraws does not come back, and neither does anything older.
        slot.verified = []
    elif newest is not None:
        _stand(fold.policy, rule, slot, newest)
    pending = pending_of(slot)
    if pending is not None:
        seen = fold.policy.seen_by(said.rule, rule.name, claim.value, claim.canonical)
        if not same(pending.seen, seen):
            pending.ended = True
            fold.ended.add(pending.command_id)


def _confirms_older(policy: Policy, rule: AttributeRule, slot: Slot, claim: Claim) -> bool:
    """True for a late re-assertion of a value that stands below the newest: a redelivered one makes no claim (R4)."""
    key, above, below = claim_key(claim), None, None
    for one in slot.verified:
        if claim_key(one) >= key:
            above = one
        elif below is None:
            below = one
    return any(one is not None and _equal(policy, rule, one, claim) for one in (above, below))


def _passes(rule: AttributeRule, slot: Slot, claim: Claim) -> bool:
    """False where a remembered verdict speaks against the claim: one that is read again does not come back by it."""
    for known in slot.judgements:
        if same(known.canonical, claim.canonical):
            return known.deliverable is not False and rule.confident(max(known.confidence, _raised(claim, known)))
    return True


def _raised(claim: Claim, known: Judgement) -> float:
    raised = claim.raised_at is not None and claim.raised_at > known.at
    return claim.confidence or 0.0 if raised else 0.0


def _stand(policy: Policy, rule: AttributeRule, slot: Slot, claim: Claim) -> None:
    """Keep a claim that is not the newest where it met its threshold; a retract keeps older ones out for good.

    Where the attribute has no threshold the newest claim is the one that met it, and nothing else need be kept.
    """
    if rule.min_confidence is None and rule.kind != "address":
        return
    if claim.kind == VALUE and not (eligible(rule, claim) and _passes(rule, slot, claim)):
        return
    if claim.kind == DELETE:
        # What was observed before a deletion is dropped (K2), so that it need not be kept as a barrier.
        slot.verified = [one for one in slot.verified if claim_key(one) > claim_key(claim)]
        return
    if not slot.verified:
        slot.verified = [claim]
        return
    if any(claim_key(one) == claim_key(claim) for one in slot.verified):
        return
    kept = sorted([*slot.verified, claim], key=claim_key, reverse=True)
    withdrawn = next((place for place, one in enumerate(kept) if not one.gives()), len(kept))
    slot.verified = kept[: min(withdrawn + 1, policy.limits.verified_max)]


def standing(slot: Slot) -> list[Claim]:
    """The claims that met their threshold and stand below the newest, newest first, down to a withdrawal."""
    verified = slot.verified
    if not verified or (slot.newest is not None and not slot.newest.gives()):
        return []
    found: list[Claim] = []
    for claim in verified:
        if not claim.gives():
            break
        found.append(claim)
    return found


def eligible(rule: AttributeRule, claim: Claim) -> bool:
    """R7: a clear, or a complete value, not undeliverable, that meets the threshold."""
    kind = claim.kind
    if kind != VALUE:
        return kind == CLEAR
    return claim.complete and claim.deliverable is not False and rule.confident(claim.confidence)


def _retract(fold: Fold, said: Said, attribute: str, slot: Slot, claim: Claim) -> None:
    """R5: the record withdraws its claim, and what its platform holds is unknown from then on."""
    rule = fold.policy.attributes[attribute]
    hold_stated(slot, Held(said.shadow_at, claim.sequence, "", known=False))
    _enter(fold, said, rule, slot, claim)
    if rule.contact:
        fold.holders.add(said.name)


def delete_record(fold: Fold, said: Said) -> None:
    """K2: the record withdraws every claim; the link closes unless it has spoken later."""
    record = said.record
    for attribute, slot in record.slots.items():
        hold_stated(slot, Held(said.shadow_at, said.sequence, "", known=False))
        rule = fold.policy.attributes.get(attribute)
        if rule is not None and slot.newest is not None:
            _enter(fold, said, rule, slot, Claim(said.at, said.sequence, DELETE, ""))
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


# Verdicts (R8)


def judge_claim(fold: Fold, verdict: Verdict, at: Millis) -> None:
    """Annotate the claim that the verdict is about, or remember the verdict for its input."""
    record = fold.state.records.get(verdict.record)
    rule = fold.policy.attributes.get(verdict.attribute)
    if record is None or rule is None:
        fold.note("verdict_unmatched", record, verdict.attribute)
        return
    slot = slot_of(record.slots, verdict.attribute)
    canonical = fold.policy.canonical(verdict.attribute, verdict.input)
    judgement = Judgement(canonical, at, verdict.confidence, verdict.deliverable, verdict.standardized)
    if not _remember(slot, judgement, fold.policy.limits.verdicts_max):
        return
    matched = [
        claim
        for claim in (slot.newest, *slot.verified)
        if claim is not None and claim.kind == VALUE and same(claim.canonical, canonical)
    ]
    for claim in matched:
        annotate(claim, judgement)
        fold.attributes.add(verdict.attribute)
        fold.touch(verdict.record, verdict.attribute)
    if not matched:
        fold.note("verdict_unmatched", record, verdict.attribute)


def _remember(slot: Slot, judgement: Judgement, most: int) -> bool:
    """Keep the later verdict of each input; False where it or a later one is known already."""
    for place, known in enumerate(slot.judgements):
        if same(known.canonical, judgement.canonical):
            if judgement.key() <= known.key():
                return False
            slot.judgements[place] = judgement
            return True
    slot.judgements = [*slot.judgements, judgement][-most:]
    return True


def annotate(claim: Claim, judgement: Judgement) -> None:
    """A verdict changes confidence, deliverability and standard form; never the time or the record (R8)."""
    if claim.raised_at is None or claim.raised_at <= judgement.at:
        claim.confidence, claim.raised_at = judgement.confidence, None
    claim.deliverable = judgement.deliverable
    claim.standard = judgement.standard
