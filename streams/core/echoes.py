"""Echoes of our own writes, and shadows (R11, R11a)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from streams.core.canonical import SEP, merged, same
from streams.core.fold import Fold, Said
from streams.core.registers import hold_stated, latest_before, shadow_of, since
from streams.core.rules import AttributeRule, Policy
from streams.core.state import Held, Record, Sent, Slot
from streams.model import Address, Millis, Value

# What stands in the place of a value that was erased with another customer begins so: see `foreign.py`.
MARK: Final = "\x00"


def mark(name: str, seen: str) -> str:
    """What is kept of a value that was written to the record `name`: enough to know its echo."""
    return MARK + blake2b(f"{name}{SEP}{seen}".encode(), digest_size=16).hexdigest()


def is_echo(policy: Policy, slot: Slot, said: Said, attribute: str, seen: str, told: Address | None) -> bool:
    """True where the value only repeats what we commanded to this record, and nothing else explains it better."""
    for place, sent in enumerate(slot.sent):
        value = seen if told is None else _completed(policy, said, attribute, sent.value, told)
        kept = sent.seen
        if not same(kept, value) and (kept[:1] != MARK or kept != mark(said.name, value)):
            continue
        if said.snapshot:
            return True
        if not may_repeat(policy, said, sent):
            continue
        ended = _next_acknowledged(slot, place)
        if ended is None or said.at <= ended + policy.clock_skew_tolerance_ms:
            return True
    return False


def may_repeat(policy: Policy, said: Said, sent: Sent) -> bool:
    """R11: by its time it may be our word that comes back. It is the platform's own, however late it comes, if it was
    said before we spoke, by more than the clocks may differ, or after the platform had said something else."""
    if said.at < sent.at - policy.clock_skew_tolerance_ms:
        return False
    return sent.differed_at is None or said.at < sent.differed_at


def unsaid(slot: Slot, name: str, seen: str, value: Value | None) -> tuple[str, Value | None]:
    """An echo as the shadow may hold it: of a value that was erased with another customer, its mark alone."""
    for sent in slot.sent:
        if sent.seen[:1] == MARK and sent.seen == mark(name, seen):
            return sent.seen, None
    return seen, value


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


def mark_contradicted(
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


def hold(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, seen: str, value: Value | None) -> None:
    hold_stated(slot, Held(said.shadow_at, said.sequence, seen, value))
    if rule.contact:
        remember_held(fold, said.name, said.record, rule.name, slot)


def hold_parts(fold: Fold, said: Said, rule: AttributeRule, slot: Slot, told: Address) -> None:
    """R6: the shadow takes the parts that it was told."""
    known = shadow_of(slot)
    base = known.value if known is not None else None
    value = merged(base if isinstance(base, Address) else None, told)
    seen = fold.policy.seen_by(said.rule, rule.name, value, fold.policy.canonical(rule.name, value))
    hold(fold, said, rule, slot, seen, value)


def remember_held(fold: Fold, name: str, record: Record, attribute: str, slot: Slot) -> None:
    """C9: which contact points the record's shadow holds, or held before; a new one is told its consents."""
    if not fold.policy.is_contact(attribute):
        return
    shadow = shadow_of(slot)
    contact_point = shadow.value if shadow is not None else None
    if isinstance(contact_point, str) and contact_point not in record.held:
        record.held = [*record.held, contact_point][-fold.policy.limits.held_max :]
    fold.holders.add(name)
