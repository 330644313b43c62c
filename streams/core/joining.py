"""Merge and unlink: two customers become one, and one record becomes a customer of its own again (I3, I4, C7)."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from streams.core.canonical import SEP
from streams.core.conflicts import Pins, conflict_of, conflicts, still_conflicting, unmasked
from streams.core.contact_points import appearances, split
from streams.core.decide import Decision, settle
from streams.core.effective import suppressed
from streams.core.fold import Fold
from streams.core.ledger_fold import UNKNOWN, entry_order
from streams.core.orders import subscribed_by_us
from streams.core.pins_apart import part_pins, sides_of
from streams.core.rules import Policy
from streams.core.state import PERSON, ConsentState, Customer, Entry, Join, Record
from streams.model import Millis


def open_records(state: Customer, policy: Policy) -> dict[str, int]:
    """How many open records of each platform a customer has, without what is only evidence."""
    return dict(Counter(one.platform for name, one in state.records.items() if one.open and policy.tells(name)))


def refuses_merge(one: dict[str, int], other: dict[str, int], policy: Policy) -> str | None:
    """I2: the platform of which the two together have too many open records; None where nothing is in the way."""
    for platform in policy.platforms:
        most = policy.records_max(platform)
        if most is not None and one.get(platform, 0) + other.get(platform, 0) > most:
            return platform
    return None


def merge(
    survivor: Customer, other: Customer, at: Millis, request_id: str, policy: Policy, evidence: Join | None = None
) -> Decision:
    """I4: the join of claims, shadows and ledger; platforms get what differs for their own record.

    `evidence`: who asked for it and why, kept for the explanation.
    """
    contested = conflicts(survivor, other, at, policy)
    pins, appeared = sides_of(survivor.pins, other.pins), sides_of(survivor.appeared, other.appeared)
    sides = [sorted(survivor.records), sorted(other.records)]
    # The version is the greater plus one (R13): settling adds the one.
    survivor.version = max(survivor.version, other.version)
    _join(survivor, other)
    join = msgspec.structs.replace(
        evidence or Join(other.customer_id, at, request_id), sides=sides, pins=pins, appeared=appeared
    )
    survivor.joins = [*survivor.joins, *other.joins, join]
    for key in contested:
        _add(survivor, key, conflict_of(join))
    fold = _everything(survivor, at, request_id, policy)
    before = survivor.version
    fold.reason = "merge"
    decision = settle(fold)
    survivor.version = max(survivor.version, before + 1)
    return decision


def _join(survivor: Customer, other: Customer) -> None:
    survivor.clock = max(survivor.clock, other.clock)
    survivor.seq = max(survivor.seq, other.seq)
    _join_records(survivor, other)
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
    for platform, slot in other.creates.items():
        known_slot = survivor.creates.setdefault(platform, slot)
        if known_slot is not slot:
            known_slot.sent = [*slot.sent, *known_slot.sent]
    survivor.pruned = sorted({*survivor.pruned, *other.pruned})
    _join_carried(survivor, other)
    for contact_point, at in other.appeared.items():
        survivor.appeared[contact_point] = min(at, survivor.appeared.get(contact_point, at))
    survivor.requests = [*other.requests, *survivor.requests]
    survivor.aliases = sorted({*survivor.aliases, *other.aliases, other.customer_id})


def _join_records(survivor: Customer, other: Customer) -> None:
    """A record that both know was deleted and linked anew: the later link holds, with the fence of the earlier (K2)."""
    for name, record in other.records.items():
        if record.home is None:
            record.home = other.customer_id
        known = survivor.records.get(name)
        if known is None:
            survivor.records[name] = record
            continue
        later, earlier = (known, record) if _link_order(known) >= _link_order(record) else (record, known)
        if earlier.deleted_at is not None:
            later.deleted_at = max(earlier.deleted_at, later.deleted_at or 0)
        survivor.records[name] = later


def _link_order(record: Record) -> tuple[bool, Millis]:
    return (record.open, record.last_at)


def _join_carried(survivor: Customer, other: Customer) -> None:
    """C5: what was carried stays carried, also where the opt-out that it came from is only in the ledger any more."""
    for key, known in other.consents.items():
        if known.carried_at is not None and key not in survivor.consents:
            survivor.consents[key] = ConsentState(UNKNOWN, False, carried_at=known.carried_at)


def _add(state: Customer, key: str, entry: Entry) -> None:
    entries = state.entries.setdefault(key, [])
    if all(known.identity() != entry.identity() for known in entries):
        entries.append(entry)
        entries.sort(key=entry_order)


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
    fold.keys.update(key for key in state.pins if SEP in key)
    fold.entered.update(state.records)
    return fold


class Part(NamedTuple):
    """What an unlink makes: the decision of the customer that stays, and the new one's state, not settled yet."""

    stays: Decision
    moved: Customer
    foreign: tuple[str, ...]


def part(state: Customer, name: str, new_id: str, at: Millis, request_id: str, policy: Policy) -> Part:
    """I4: the record leaves with its own claims, consents and commands in flight; each side gets corrections only.

    The record must be linked. `foreign`: the attributes that had a golden value before: each
    side takes back what is not its own.
    """
    record = state.records.pop(name)
    moved = Customer(new_id, record_born(record, at), state.version, state.clock, state.policy_version)
    moved.records[name] = record
    if record.home is None:
        record.home = state.customer_id
    for command_id, command in list(state.unanswered.items()):
        if name in (command.record_id, f"{command.platform}:{command.record_id}"):
            moved.unanswered[command_id] = state.unanswered.pop(command_id)
    moved.version += 1
    pinned: dict[str, Pins] = {join.request_id: [dict(side) for side in join.pins] for join in state.joins}
    part_pins(state, moved, name)
    _part_ledger(state, moved, name, policy, pinned)
    for join in state.joins:
        join.sides = [[one for one in side if one != name] for side in join.sides]
    foreign = tuple(sorted(name for name, golden in state.golden.items() if golden.value is not None))
    return Part(settle_apart(state, foreign, at, request_id, policy), moved, foreign)


def record_born(record: Record, otherwise: Millis) -> Millis:
    """I3: when the record was first heard of; of one kept from before that was remembered, as far as claims tell."""
    if record.heard_at is not None:
        return record.heard_at
    times = [slot.newest.at for slot in record.slots.values() if slot.newest is not None]
    return min(times, default=otherwise)


def _part_ledger(state: Customer, moved: Customer, name: str, policy: Policy, pinned: dict[str, Pins]) -> None:
    """An entry belongs to the record that stated it; one that the merge itself made belongs to those that met in it."""
    for key, entries in list(state.entries.items()):
        own = [entry for entry in entries if entry.record == name]
        kept = [entry for entry in still_conflicting(state, key, entries, policy, pinned) if entry.record != name]
        if own:
            moved.entries[key] = own
            kept = unmasked(state, key, kept, policy)
        state.entries[key] = kept
        if not kept:
            del state.entries[key]
    for key, words in list(state.reach.items()):
        if name in words:
            moved.reach[key] = {name: words.pop(name)}


def settle_apart(state: Customer, foreign: tuple[str, ...], at: Millis, request_id: str, policy: Policy) -> Decision:
    """Resolve everything again on one side of an unlink."""
    _take_back_consents(state)
    fold = _everything(state, at, request_id, policy)
    fold.reason = "unlink"
    _clear_foreign(fold, foreign)
    decision = settle(fold)
    _forget_unknown(state, policy)
    return decision


def _take_back_consents(state: Customer) -> None:
    """What was told of a consent that is no longer here is judged once more, so that it is taken back.

    Of the other side's own contact points nothing is said: that would end what their owner has agreed to.
    """
    held = {*appearances(state), PERSON}
    for record in state.records.values():
        for key, slot in record.consents.items():
            if key not in state.consents and subscribed_by_us(slot) and split(key).contact_point in held:
                state.consents[key] = ConsentState(UNKNOWN, False)
    for key in [one for one in state.consents if one not in state.entries and one not in state.pins]:
        if split(key).contact_point not in held:
            del state.consents[key]


def _forget_unknown(state: Customer, policy: Policy) -> None:
    """Nobody speaks of these keys any more, and no platform has to be told of them."""
    subscribed = {
        key for record in state.records.values() for key, slot in record.consents.items() if subscribed_by_us(slot)
    }
    for key, known in list(state.consents.items()):
        plain = known.state == UNKNOWN and known.told is None and known.carried_at is None
        spoken = key in state.entries or key in subscribed
        if plain and not spoken and not suppressed(state, policy, *split(key)[:2]):
            del state.consents[key]


def _clear_foreign(fold: Fold, foreign: tuple[str, ...]) -> None:
    """A value that reached a platform only through the other side, with no claim left here, is to be cleared."""
    for attribute in foreign:
        claimed = any(
            (slot := record.slots.get(attribute)) is not None and slot.newest is not None and slot.newest.gives()
            for record in fold.state.records.values()
        )
        pinned = attribute in fold.state.pins and fold.state.pins[attribute].active
        if not claimed and not pinned:
            fold.withdrawn.add(attribute)
