"""C7: a contact point that one of two customers has opted out stays so when they become one; until they part again.

The entry of such a conflict belongs to no record, but to the two sides that met. It stands as long as what is left of
both would still contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from streams.core.ledger_fold import OPTED_IN, OPTED_OUT, UNKNOWN, entry_order, judge
from streams.core.rules import Policy
from streams.core.state import ConsentState, Customer, Entry, Join, Pin
from streams.model import Millis

MERGE_CONFLICT: Final = "merge_conflict"

Pins: TypeAlias = Sequence[Mapping[str, Pin]]
"""What the one and the other of two customers had pinned; empty where neither had."""


def conflicts(one: Customer, other: Customer, at: Millis, policy: Policy) -> list[str]:
    """The keys that one of the two has opted out at `at`, where the entries of both together would not say so."""
    shared = one.consents.keys() & other.consents.keys()
    return sorted(key for key in shared if _conflicts_in(one, other, key, at, policy))


def _conflicts_in(one: Customer, other: Customer, key: str, at: Millis, policy: Policy) -> bool:
    mine, others = one.consents[key], other.consents[key]
    states = {_state_at(mine, at), _state_at(others, at)}
    if OPTED_OUT not in states or len(states) == 1:
        return False
    if OPTED_IN in states:
        return True
    together = sorted([*one.entries.get(key, ()), *other.entries.get(key, ())], key=entry_order)
    carried_at = (mine if mine.state == OPTED_OUT else others).carried_at
    return judge(together, policy, at, carried_at).state != OPTED_OUT


def _state_at(known: ConsentState, at: Millis) -> str:
    """C8: what has ended since the customer's last input is noticed only now."""
    return UNKNOWN if known.deadline is not None and known.deadline < at else known.state


def still_conflicting(
    state: Customer, key: str, entries: Sequence[Entry], policy: Policy, pinned: Mapping[str, Pins]
) -> list[Entry]:
    """The entries of a key, own ones of a record that has left included, without the conflicts that left with it.

    `pinned`: what both sides of each merge had pinned before the record left. Where it cannot be told what a conflict
    came from, it stays.
    """
    kept = list(entries)
    for one in entries:
        if one.method == MERGE_CONFLICT and not _stands(state, key, one, kept, policy, pinned):
            kept.remove(one)
    return kept


def unmasked(state: Customer, key: str, entries: Sequence[Entry], policy: Policy) -> list[Entry]:
    """The entries with the conflicts that there would have been, had the record that has left not hidden them."""
    found = list(entries)
    for join in sorted(state.joins, key=lambda one: one.at):
        left = [[name for name in side if name in state.records] for side in join.sides]
        if not left or not all(left) or any(_join_of(state, one) is join for one in found if _is_conflict(one)):
            continue
        conflict = conflict_of(join)
        if _contradict(state, conflict, found, left, _outs(key, join.pins), policy):
            found = sorted([*found, conflict], key=entry_order)
    return found


def conflict_of(join: Join) -> Entry:
    """An opt-out that belongs to nobody, from the time of the merge on."""
    return Entry("opt_out", join.at, None, join.at, method=MERGE_CONFLICT, change_id=join.request_id, status="")


def _is_conflict(entry: Entry) -> bool:
    return entry.method == MERGE_CONFLICT


def _stands(
    state: Customer, key: str, conflict: Entry, entries: Sequence[Entry], policy: Policy, pinned: Mapping[str, Pins]
) -> bool:
    join = _join_of(state, conflict)
    if join is None or not join.sides:
        return True
    left = [[name for name in side if name in state.records] for side in join.sides]
    if not all(left):
        return False
    before, after = _outs(key, pinned[join.request_id]), _outs(key, join.pins)
    return not _contradict(state, conflict, entries, join.sides, before, policy) or _contradict(
        state, conflict, entries, left, after, policy
    )


def _outs(key: str, pins: Pins) -> tuple[bool, ...]:
    """Which of the two sides had the key pinned to opted out."""
    return tuple(key in side and side[key].active for side in pins) or (False, False)


def _contradict(
    state: Customer,
    conflict: Entry,
    entries: Sequence[Entry],
    sides: Sequence[Sequence[str]],
    outs: Sequence[bool],
    policy: Policy,
) -> bool:
    """True where the two sides were of different minds by their pins, or by what these records said until then."""
    states, together = set[str](), list[Entry]()
    for side, out in zip(sides, outs, strict=True):
        own = [one for one in entries if one.at <= conflict.at and _is_of(state, one, conflict, side)]
        if not own and not out:
            return False
        states.add(OPTED_OUT if out else judge(own, policy, conflict.at).state)
        together += own
    if OPTED_OUT not in states or len(states) == 1:
        return False
    return OPTED_IN in states or judge(sorted(together, key=entry_order), policy, conflict.at).state != OPTED_OUT


def _is_of(state: Customer, entry: Entry, conflict: Entry, side: Sequence[str]) -> bool:
    if entry.method != MERGE_CONFLICT:
        return entry.record in side
    join = _join_of(state, entry)
    return entry is not conflict and join is not None and all(set(one) & set(side) for one in join.sides)


def _join_of(state: Customer, conflict: Entry) -> Join | None:
    return next((one for one in state.joins if one.request_id == conflict.change_id), None)
