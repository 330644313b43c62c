"""Merge and unlink: two customers become one, and one record becomes a customer of its own again (I3, I4, C7)."""

from __future__ import annotations

from streams.core.decide import Decision, settle
from streams.core.fold import Fold
from streams.core.ledger_fold import OPTED_IN, OPTED_OUT, entry_order
from streams.core.rules import Policy
from streams.core.state import Customer, Entry, Golden, Join, Record
from streams.model import Millis

MERGE_CONFLICT = "merge_conflict"


def older(one: Customer, other: Customer) -> tuple[Customer, Customer]:
    """I3: the older survives; at equal age the smaller id. Returns (survivor, other)."""
    if (other.born_at, other.customer_id) < (one.born_at, one.customer_id):
        return other, one
    return one, other


def refuses_merge(one: Customer, other: Customer, policy: Policy) -> str | None:
    """I2: the platform that allows one record per customer and would have two; None where nothing is in the way."""
    for platform, rule in policy.platforms.items():
        most = 1 if rule.unique else rule.max_records
        if most is None:
            continue
        held = [record for state in (one, other) for record in state.records.values() if record.open]
        if sum(1 for record in held if record.platform == platform) > most:
            return platform
    return None


def merge(
    survivor: Customer, other: Customer, at: Millis, request_id: str, policy: Policy, evidence: Join | None = None
) -> Decision:
    """I4: the join of claims, shadows and ledger; platforms get what differs for their own record.

    `evidence`: who asked for it and why, kept for the explanation.
    """
    conflicts = _conflicts(survivor, other)
    # The version is the greater plus one (R13): settling adds the one.
    survivor.version = max(survivor.version, other.version)
    _join(survivor, other)
    survivor.joins = [*survivor.joins, *other.joins, evidence or Join(other.customer_id, at, request_id)]
    for key in conflicts:
        _add(survivor, key, Entry("opt_out", at, None, at, method=MERGE_CONFLICT, change_id=request_id, status=""))
    fold = _everything(survivor, at, request_id, policy)
    before = survivor.version
    fold.reason = "merge"
    decision = settle(fold)
    survivor.version = max(survivor.version, before + 1)
    return decision


def _join(survivor: Customer, other: Customer) -> None:
    survivor.clock = max(survivor.clock, other.clock)
    survivor.records.update(other.records)
    for key, pin in other.pins.items():
        known = survivor.pins.get(key)
        if known is None or (pin.at, pin.request_id) > (known.at, known.request_id):
            survivor.pins[key] = pin
    for key, entries in other.entries.items():
        for entry in entries:
            _add(survivor, key, entry)
    for key, words in other.reach.items():
        survivor.reach.setdefault(key, {}).update(words)
    survivor.unanswered.update(other.unanswered)
    survivor.creates = {**other.creates, **survivor.creates}
    for contact_point, at in other.appeared.items():
        survivor.appeared[contact_point] = min(at, survivor.appeared.get(contact_point, at))
    survivor.requests = [*survivor.requests, *other.requests]
    survivor.aliases = sorted({*survivor.aliases, *other.aliases, other.customer_id})


def _add(state: Customer, key: str, entry: Entry) -> None:
    entries = state.entries.setdefault(key, [])
    if all(known.identity() != entry.identity() for known in entries):
        entries.append(entry)
        entries.sort(key=entry_order)


def _conflicts(one: Customer, other: Customer) -> list[str]:
    """C7: keys that one customer has opted in and the other has opted out."""
    wanted = {OPTED_IN, OPTED_OUT}
    return sorted(
        key
        for key, known in one.consents.items()
        if key in other.consents and {known.state, other.consents[key].state} == wanted
    )


def _everything(state: Customer, at: Millis, cause: str, policy: Policy) -> Fold:
    """A working set in which every attribute, key and record is to be looked at again."""
    fold = Fold(state, policy, at, cause)
    state.clock = max(state.clock, at)
    for name, record in state.records.items():
        for attribute in record.slots:
            if attribute in policy.attributes:
                fold.touch(name, attribute)
        fold.spoken.update(record.appeared)
    fold.attributes.update(policy.attributes)
    fold.keys.update(state.entries, state.consents)
    fold.entered.update(state.records)
    return fold


def unlink(
    state: Customer, name: str, new_id: str, at: Millis, request_id: str, policy: Policy
) -> tuple[Decision, Decision] | None:
    """I4: the record leaves with its own claims and consents; each side gets corrections only. None: not linked here.

    The first decision is of the customer that stays, the second of the new one, which starts above the old version.
    """
    record = state.records.pop(name, None)
    if record is None:
        return None
    moved = Customer(new_id, record_born(record, at), state.version, state.clock, state.policy_version)
    moved.records[name] = record
    _part_ledger(state, moved, name)
    foreign = dict(state.golden)
    stays = _settled_apart(state, foreign, at, request_id, policy)
    moved.version += 1
    return stays, _settled_apart(moved, foreign, at, request_id, policy)


def record_born(record: Record, otherwise: Millis) -> Millis:
    """When the record was first heard of, as far as its claims tell."""
    times = [slot.newest.at for slot in record.slots.values() if slot.newest is not None]
    return min(times, default=otherwise)


def _part_ledger(state: Customer, moved: Customer, name: str) -> None:
    """An entry belongs to the record that stated it; one that the merge itself made belongs to nobody."""
    for key, entries in list(state.entries.items()):
        own = [entry for entry in entries if entry.record == name]
        kept = [entry for entry in entries if entry.record != name]
        if own:
            moved.entries[key] = own
            kept = [entry for entry in kept if entry.method != MERGE_CONFLICT]
        state.entries[key] = kept
        if not kept:
            del state.entries[key]
            state.consents.pop(key, None)
    for key, words in list(state.reach.items()):
        if name in words:
            moved.reach[key] = {name: words.pop(name)}


def _settled_apart(
    state: Customer, foreign: dict[str, Golden], at: Millis, request_id: str, policy: Policy
) -> Decision:
    fold = _everything(state, at, request_id, policy)
    fold.reason = "unlink"
    _clear_foreign(fold, foreign)
    return settle(fold)


def _clear_foreign(fold: Fold, foreign: dict[str, Golden]) -> None:
    """A value that reached a platform only through the other side, with no claim left here, is to be cleared."""
    for attribute, golden in foreign.items():
        claimed = any(
            (slot := record.slots.get(attribute)) is not None and slot.newest is not None and slot.newest.gives()
            for record in fold.state.records.values()
        )
        pinned = attribute in fold.state.pins and fold.state.pins[attribute].active
        if not claimed and not pinned and golden.value is not None:
            fold.withdrawn.add(attribute)
