"""What a customer's state may forget, so that nothing said for ever makes it grow for ever; the ledger keeps all."""

from __future__ import annotations

from collections.abc import Callable

from streams.core.contact_points import split
from streams.core.fold import Fold
from streams.core.ledger_fold import entry_order, is_explicit, judge
from streams.core.rules import Policy
from streams.core.state import Customer, Entry, Record


def prune(fold: Fold) -> None:
    """Hold the lists that this input may have lengthened to their limits."""
    state, limits = fold.state, fold.policy.limits
    for key in fold.keys:
        entries = state.entries.get(key)
        if entries is not None and len(entries) > limits.entries_max:
            state.entries[key] = _pruned(entries, fold.policy, state.clock)
            if key not in state.pruned:
                state.pruned = [*state.pruned, key]
    if fold.spoken:
        for record in state.records.values():
            if len(record.appeared) > limits.appeared_max:
                _forget_appearances(state, record, limits.appeared_max)


def _pruned(entries: list[Entry], policy: Policy, clock: int) -> list[Entry]:
    """The newest three quarters of the limit, and of the older ones those that still decide."""
    cut = len(entries) - policy.limits.entries_max * 3 // 4
    old, recent = entries[:cut], entries[cut:]
    return [*sorted(_decisive(old, policy, clock), key=entry_order), *recent]


def _decisive(old: list[Entry], policy: Policy, clock: int) -> list[Entry]:
    """The last of each kind, what is in force and what ended last: folded, they come to the same state (C2, C3)."""
    judged = judge(old, policy, clock)
    kept: list[Entry] = []
    for entry in (
        _last(old, lambda one: one.decision == "opt_out"),
        _last(old, lambda one: one.decision == "expire"),
        _last(old, lambda one: one.status == "accepted" and is_explicit(policy.consent, one)),
        _last(old, lambda one: one.status == "accepted" and one.decision == "opt_in"),
        judged.in_force,
        judged.expired[-1][0] if judged.expired else None,
    ):
        if entry is not None and all(entry is not one for one in kept):
            kept.append(entry)
    return kept


def _last(entries: list[Entry], fits: Callable[[Entry], bool]) -> Entry | None:
    return next((entry for entry in reversed(entries) if fits(entry)), None)


def _forget_appearances(state: Customer, record: Record, most: int) -> None:
    """The oldest contact points of which nobody has decided anything; stated again, they appear again, later."""
    decided = {split(key).contact_point for key in state.consents}
    excess = len(record.appeared) - most * 3 // 4
    for contact_point in list(record.appeared):
        if excess <= 0:
            return
        if contact_point not in decided:
            del record.appeared[contact_point]
            excess -= 1
