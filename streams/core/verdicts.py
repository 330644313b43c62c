"""Verdicts annotate claims (R8)."""

from __future__ import annotations

from streams.core.canonical import same
from streams.core.fold import Fold, slot_of
from streams.core.standing import annotate
from streams.core.state import VALUE, Judgement, Slot
from streams.model import Millis, Verdict


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
