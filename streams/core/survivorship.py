"""Which claim becomes golden, and why each other one lost (R7, R9, R10, K1)."""

from __future__ import annotations

from typing import NamedTuple

from streams.core.rules import AttributeRule, Policy
from streams.core.standing import eligible, standing
from streams.core.state import CLEAR, VALUE, Claim, Customer, Golden, Slot
from streams.model import Millis, Value


class Candidate:
    """A record's best claim for one attribute."""

    __slots__ = ("claim", "platform", "record")

    def __init__(self, record: str, platform: str, claim: Claim) -> None:
        self.record = record
        self.platform = platform
        self.claim = claim


class Loser(NamedTuple):
    """A claim that is not golden, and its one reason (R10)."""

    record: str
    value: Value | None
    at: Millis
    confidence: float | None
    reason: str
    claim: Claim


def resolve(state: Customer, policy: Policy, attribute: str) -> Golden | None:
    """The golden value of one attribute; None where no claim gives one."""
    pin = state.pins.get(attribute)
    if pin is not None and pin.active:
        return Golden(pin.value, policy.canonical(attribute, pin.value), "pinned", None, pin.at, None)
    rule = policy.attributes[attribute]
    winner = _winner(state, policy, rule)
    if winner is not None:
        return _golden(policy, rule, winner, "cleared" if winner.claim.kind == CLEAR else "settled")
    provisional = _provisional(state, policy, rule)
    return _golden(policy, rule, provisional, "provisional") if provisional is not None else None


def _golden(policy: Policy, rule: AttributeRule, winner: Candidate, status: str) -> Golden:
    claim = winner.claim
    value, canonical = claim.value, claim.canonical
    if claim.standard is not None:
        value, canonical = claim.standard, policy.canonical(rule.name, claim.standard)
    return Golden(value, canonical, status, winner.record, claim.at, claim.confidence)


def best(rule: AttributeRule, slot: Slot) -> Claim | None:
    """A record's eligible claim: its newest, else the newest that met the threshold (R3)."""
    newest = slot.newest
    if newest is None or newest.kind > CLEAR:
        return None
    if eligible(rule, newest):
        return newest
    for claim in standing(slot):
        if eligible(rule, claim):
            return claim
    return None


def _winner(state: Customer, policy: Policy, rule: AttributeRule) -> Candidate | None:
    found: Candidate | None = None
    for name, record in state.records.items():
        slot = record.slots.get(rule.name)
        claim = best(rule, slot) if slot is not None else None
        if claim is not None:
            candidate = Candidate(name, record.platform, claim)
            if found is None or _beats(policy, rule, candidate, found):
                found = candidate
    return found


def _beats(policy: Policy, rule: AttributeRule, one: Candidate, other: Candidate) -> bool:
    """`order(one) > order(other)`; the ties are compared only where place and time do not decide, which is rare."""
    place, other_place = rule.place(one.platform), rule.place(other.platform)
    if place != other_place:
        return place < other_place
    at, other_at = one.claim.at, other.claim.at
    return at > other_at if at != other_at else order(policy, rule, one) > order(policy, rule, other)


def order(policy: Policy, rule: AttributeRule, one: Candidate) -> tuple[int, Millis, int, str, str]:
    """R7: place in the priority, effective time, then ties: platform rank, canonical value, record name."""
    return (-rule.place(one.platform), one.claim.at, policy.rank(one.platform), one.claim.canonical, one.record)


def _provisional(state: Customer, policy: Policy, rule: AttributeRule) -> Candidate | None:
    """R9: where nothing is eligible, the newest complete claim."""
    found = [
        Candidate(name, record.platform, slot.newest)
        for name, record in state.records.items()
        if (slot := record.slots.get(rule.name)) is not None
        and slot.newest is not None
        and slot.newest.kind == VALUE
        and slot.newest.complete
    ]
    return max(found, key=lambda one: order(policy, rule, one)[1:], default=None)


def losers(state: Customer, policy: Policy, attribute: str, golden: Golden | None) -> list[Loser]:
    """Every claim that is not golden, with its one reason; by record name, newest first."""
    rule = policy.attributes[attribute]
    won = _find_winner(state, rule, golden)
    found: list[Loser] = []
    for name in sorted(state.records):
        slot = state.records[name].slots.get(attribute)
        if slot is None or slot.newest is None:
            continue
        for claim in _shown(rule, slot, slot.newest):
            if won is None or claim is not won.claim:
                candidate = Candidate(name, state.records[name].platform, claim)
                reason = _reason(policy, rule, candidate, won, golden)
                found.append(Loser(name, claim.value, claim.at, claim.confidence, reason, claim))
    return found


def _shown(rule: AttributeRule, slot: Slot, newest: Claim) -> list[Claim]:
    """The two registers: the newest, and the newest that met its threshold where that is another one."""
    met = best(rule, slot)
    return [newest] if met is None or met is newest else [newest, met]


def _find_winner(state: Customer, rule: AttributeRule, golden: Golden | None) -> Candidate | None:
    if golden is None or golden.record is None:
        return None
    record = state.records[golden.record]
    slot = record.slots[rule.name]
    claim = slot.newest if golden.status == "provisional" else best(rule, slot)
    return Candidate(golden.record, record.platform, claim) if claim is not None else None


def _reason(policy: Policy, rule: AttributeRule, lost: Candidate, won: Candidate | None, golden: Golden | None) -> str:
    claim = lost.claim
    if not claim.gives():
        return "retracted"
    if golden is not None and golden.status == "pinned":
        return "pinned_over"
    if claim.kind == VALUE and not claim.complete:
        return "incomplete"
    if not eligible(rule, claim):
        return "below_threshold" if not rule.confident(claim.confidence) else "undeliverable"
    if won is None:
        return "below_threshold"
    if rule.place(lost.platform) != rule.place(won.platform):
        return "lower_priority"
    return "older" if claim.at != won.claim.at else "tie"
