"""The smallest change that would make a losing record golden, from its claims and the policy alone (R3, R4, R7, K1).

A flip is a conjunction: everything in it together is enough, and with less than one of its bounds nothing changes. It
speaks of the record, not of the value: what a record repeats is no change (R4), so that a claim which came too early
can only win by another value that its record states later.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from streams.core.canonical import is_full
from streams.core.rules import AttributeRule, Policy
from streams.core.standing import eligible
from streams.core.state import RETRACT, VALUE, Customer, Record, Slot
from streams.core.survivorship import Candidate, Loser, best, order
from streams.model import Address, Millis, format_time

# Parts without which an address is not full in any country (R6).
_ALWAYS_NEEDED = ("line1", "city", "country")


class Moment(NamedTuple):
    """A bound on an effective time: later than `at`, or `at` itself too where `inclusive`."""

    at: Millis
    inclusive: bool = False

    @property
    def first(self) -> Millis:
        """The earliest time that meets it."""
        return self.at if self.inclusive else self.at + 1


class Stated(NamedTuple):
    """A statement of the record: of what, since when, how confident.

    `what`: `another` value than it states now, `any` value, or the same `full` address with its `missing` parts.
    """

    what: str
    after: Moment | None = None
    confidence: float | None = None
    missing: tuple[str, ...] = ()


class Judged(NamedTuple):
    """A better opinion of the claim as it is: a verdict on an address, else the same value said with confidence."""

    confidence: float | None
    deliverable: bool
    verdict: bool


class Flip(NamedTuple):
    """All that is needed: the pin is taken back, these records withdraw their values, and what the record itself needs.

    None of `judged` and `stated` where its claim wins as it is, once the others are out of its way.
    """

    record: str
    attribute: str
    unpin: bool
    withdraw: tuple[str, ...]
    judged: Judged | None = None
    stated: Stated | None = None


def flip_of(state: Customer, policy: Policy, attribute: str, lost: Loser) -> Flip:
    """What would make the record of a losing claim golden."""
    rule, record = policy.attributes[attribute], state.records[lost.record]
    pin = state.pins.get(attribute)
    ahead, level = _rivals(state, rule, lost.record, record)
    judged, stated = _needed(policy, rule, record, lost, level)
    return Flip(lost.record, attribute, pin is not None and pin.active, tuple(ahead), judged, stated)


def _rivals(state: Customer, rule: AttributeRule, own: str, record: Record) -> tuple[list[str], list[Candidate]]:
    """Eligible records whose platform comes first, and those whose platform has the same place."""
    place, ahead, level = rule.place(record.platform), list[str](), list[Candidate]()
    for name in sorted(state.records):
        other = state.records[name]
        slot = other.slots.get(rule.name)
        claim = best(rule, slot) if slot is not None and name != own else None
        if claim is None:
            continue
        if rule.place(other.platform) < place:
            ahead.append(name)
        elif rule.place(other.platform) == place:
            level.append(Candidate(name, other.platform, claim))
    return ahead, level


def _needed(
    policy: Policy, rule: AttributeRule, record: Record, lost: Loser, level: list[Candidate]
) -> tuple[Judged | None, Stated | None]:
    claim, slot = lost.claim, record.slots[rule.name]
    asked = rule.min_confidence or None
    rival = max(level, key=lambda one: order(policy, rule, one), default=None)
    own = Candidate(lost.record, record.platform, claim)
    after = _later(policy, record, rival)
    if not claim.gives():
        return None, Stated("any", _latest(after, Moment(claim.at), _deleted(record)), asked)
    if claim.kind == VALUE and not claim.complete:
        met = best(rule, slot)
        below = Moment(met.at) if met is not None else None
        return None, Stated(
            "full", _latest(after, below, _barred(slot), _deleted(record)), asked, _missing(claim.value)
        )
    if rival is None or order(policy, rule, own) > order(policy, rule, rival):
        if eligible(rule, claim):
            return None, None
        return Judged(asked, claim.deliverable is False, rule.kind == "address"), None
    hidden = _confirmed(slot) if claim is slot.newest and eligible(rule, claim) else _barred(slot)
    return None, Stated("another", _latest(after, hidden, _deleted(record)), asked)


def _later(policy: Policy, record: Record, rival: Candidate | None) -> Moment | None:
    """When a statement of the record beats its rival: at equal time by its platform's rank, and any value a clear (R7).

    Where only the text of the value would decide a tie, it must be later.
    """
    if rival is None:
        return None
    ranks = policy.rank(record.platform) - policy.rank(rival.platform)
    return Moment(rival.claim.at, ranks > 0 or (ranks == 0 and not rival.claim.canonical))


def _confirmed(slot: Slot) -> Moment | None:
    """R4: what the record has confirmed since is replaced only by what it states later still."""
    return Moment(slot.confirmed[0]) if slot.confirmed is not None else None


def _barred(slot: Slot) -> Moment | None:
    """R3: what a record withdrew stays out, and all before it."""
    return _latest(*(Moment(claim.at) for claim in slot.verified if claim.kind >= RETRACT))


def _deleted(record: Record) -> Moment | None:
    """K2: what was observed before the deletion is dropped."""
    return Moment(record.deleted_at) if record.deleted_at is not None else None


def _latest(*moments: Moment | None) -> Moment | None:
    return max((one for one in moments if one is not None), key=lambda one: one.first, default=None)


def _missing(value: object) -> tuple[str, ...]:
    """The parts that a partial address lacks."""
    if not isinstance(value, Address):
        return ()
    lacks = tuple(part for part in _ALWAYS_NEEDED if not getattr(value, part).strip())
    filled = Address(**{**value.parts(), **dict.fromkeys(lacks, "?")})
    return lacks if is_full(filled) else (*lacks, "postal_code")


# In words and as JSON


def flip_view(flip: Flip) -> dict[str, Any]:
    """`words`, and as data what they say; only what is needed is there."""
    found: dict[str, Any] = {"words": words_of(flip)}
    if flip.unpin:
        found["unpin"] = flip.attribute
    if flip.withdraw:
        found["withdraw"] = list(flip.withdraw)
    if flip.judged is not None:
        found["verdict" if flip.judged.verdict else "repeat"] = _judged_view(flip.judged)
    if flip.stated is not None:
        found["state"] = _stated_view(flip.stated)
    return found


def _judged_view(judged: Judged) -> dict[str, Any]:
    found: dict[str, Any] = {"confidence": judged.confidence} if judged.confidence is not None else {}
    return {**found, "deliverable": True} if judged.deliverable else found


def _stated_view(stated: Stated) -> dict[str, Any]:
    found: dict[str, Any] = {"value": stated.what}
    if stated.after is not None:
        found["not_before" if stated.after.inclusive else "after"] = format_time(stated.after.at)
    if stated.confidence is not None:
        found["confidence"] = stated.confidence
    if stated.missing:
        found["missing"] = list(stated.missing)
    return found


def words_of(flip: Flip) -> str:
    """The flip as one sentence without its full stop."""
    ifs = [f"{flip.attribute} were unpinned"] if flip.unpin else []
    if flip.withdraw:
        own = "its value" if len(flip.withdraw) == 1 else "their values"
        ifs.append(f"{' and '.join(flip.withdraw)} withdrew {own}")
    needed = [*_judged_words(flip.judged), *_stated_words(flip.stated)]
    condition = f" if {' and '.join(ifs)}" if ifs else ""
    joint = ", and" if ifs and needed else ""
    return f"{flip.record} would win{condition}{joint}{' with ' + ' and '.join(needed) if needed else ''}"


def _judged_words(judged: Judged | None) -> list[str]:
    if judged is None:
        return []
    found = ["a verdict that it can be delivered to"] if judged.deliverable else []
    again = "" if judged.verdict else "the same value said again with "
    return found + ([f"{again}confidence >= {judged.confidence:.2f}"] if judged.confidence is not None else [])


def _stated_words(stated: Stated | None) -> list[str]:
    if stated is None:
        return []
    found = [{"another": "another value", "any": "a value", "full": "a full address"}[stated.what]]
    if stated.missing:
        found[0] += f" ({', '.join(stated.missing)} missing)"
    if stated.after is not None:
        found[0] += f" stated {'at or after' if stated.after.inclusive else 'after'} {format_time(stated.after.at)}"
    return found + ([f"confidence >= {stated.confidence:.2f}"] if stated.confidence is not None else [])
