"""The two registers of a claim: the newest one and the verified ones below it, and re-assertions (R3, R4, R7)."""

from __future__ import annotations

from streams.core.canonical import same
from streams.core.fold import Fold, Said
from streams.core.registers import claim_key, newer, pending_of
from streams.core.rules import AttributeRule, Policy
from streams.core.state import APPLIED, CLEAR, DELETE, VALUE, Claim, Judgement, Slot
from streams.model import Millis


def reasserted(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, claim: Claim) -> bool:
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


def enter(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, claim: Claim) -> None:
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
        if newest is not None and newest.kind <= CLEAR and not _confirms_older(fold.policy, rule, slot, claim):
            _stand(fold.policy, rule, slot, claim)
        return
    for judgement in slot.judgements:
        if same(judgement.canonical, claim.canonical):
            annotate(claim, judgement)
    slot.newest, slot.confirmed, slot.refused = claim, None, None
    if claim.kind > CLEAR:
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


def annotate(claim: Claim, judgement: Judgement) -> None:
    """A verdict changes confidence, deliverability and standard form; never the time or the record (R8)."""
    if claim.raised_at is None or claim.raised_at <= judgement.at:
        claim.confidence, claim.raised_at = judgement.confidence, None
    claim.deliverable = judgement.deliverable
    claim.standard = judgement.standard
