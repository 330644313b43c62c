"""How the registers of the state are read (R3, R11a, R12).

Functions and not methods of the structs: compiled, they call each other without a look-up, and each reads an attribute
of a struct once, which is what costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.model import Millis

if TYPE_CHECKING:
    from streams.core.state import Claim, Held, Sent, Slot

# `UNANSWERED` and `FAILED` of `state.py`, which reads this module.
_IN_FLIGHT: Final = 0
_UNDELIVERED: Final = (0, 3)


def claim_key(claim: Claim) -> tuple[int, bool, int, int, str]:
    """R3: (effective time, sequence, kind, canonical value); an absent sequence is the smallest."""
    sequence = claim.sequence
    return (claim.at, sequence is not None, sequence or 0, claim.kind, claim.canonical)


def newer(one: Claim, other: Claim) -> bool:
    """R3: `claim_key(one) > claim_key(other)`; nearly always the times differ."""
    at, other_at = one.at, other.at
    return at > other_at if at != other_at else claim_key(one) > claim_key(other)


def held_key(held: Held) -> tuple[int, bool, int, bool, str]:
    """The order of what a platform stated: (time, sequence), at equal key a definite order."""
    sequence = held.sequence
    return (held.at, sequence is not None, sequence or 0, not held.known, held.seen)


def hold_stated(slot: Slot, held: Held) -> None:
    """The platform's side of the register: the larger (time, sequence); at equal key a definite order."""
    stated = slot.stated
    if stated is not None:
        at, known_at = held.at, stated.at
        if at < known_at or (at == known_at and held_key(held) < held_key(stated)):
            return
    slot.stated = held


def shadow_of(slot: Slot) -> Held | None:
    """R11a: the later of stated and acknowledged, at equal time the acknowledgement; None = unknown."""
    held, acked = slot.stated, slot.acked
    if acked is not None and (held is None or acked.at >= held.at):
        held = acked
    return held if held is not None and held.known else None


def spoken_at(slot: Slot) -> Millis:
    """The time of the shadow register, also where what it says is that the shadow is unknown."""
    stated, acked = slot.stated, slot.acked
    at = stated.at if stated is not None else 0
    return max(at, acked.at) if acked is not None else at


def pending_of(slot: Slot) -> Sent | None:
    """The command in flight, if any: only the last one can be."""
    sent = slot.sent
    if not sent:
        return None
    last = sent[-1]
    return last if last.outcome == _IN_FLIGHT and not last.ended else None


def undelivered_of(slot: Slot) -> Sent | None:
    """Our last word, if it may still arrive, whatever the platform has said since: it waits, if only in the dead
    letters. What is told behind it fences it (R14)."""
    last = slot.sent[-1] if slot.sent else None
    return last if last is not None and last.outcome in _UNDELIVERED else None


def since(sent: Sent) -> Millis:
    """When a command took effect at the earliest: not before the shadow that it was compared with (R11a)."""
    return max(sent.at, sent.compared_at)


def latest_before(slot: Slot, at: Millis) -> Sent | None:
    """The last command that took effect before `at`; at equal time the command holds, as its receipt does."""
    for sent in reversed(slot.sent):
        if since(sent) < at:
            return sent
    return None
