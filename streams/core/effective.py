"""Effective consent: what travels to other contact points, what may be sent, what the ledger gets (C4, C5, C6, C8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from streams.core.canonical import SEP, is_email, is_phone
from streams.core.contact_points import appearances, channels_of, joined, points_of, purposes, split
from streams.core.fold import ContactUpdate, Fold
from streams.core.ledger_fold import OPTED_IN, OPTED_OUT, UNKNOWN, Judged, counts, is_explicit, judge
from streams.core.rules import Policy
from streams.core.state import PERSON, ConsentState, Customer, Entry, Pin
from streams.model import LedgerEntry, Millis
from streams.model.change import Decision
from streams.model.command import ToldDecision
from streams.model.ledger import LedgerStatus


def _carried(fold: Fold, channel: str, purpose: str, named: list[str], found: dict[str, Millis]) -> dict[str, Millis]:
    """C5: the contact points to which an opt-out travels, and when; in order of their appearance."""
    state, carried = fold.state, dict[str, Millis]()
    points = sorted((found[point], point) for point in named)
    for at, point in points:
        own = state.entries.get(joined(point, channel, purpose), ())
        if any(entry.at <= at and counts(entry) for entry in own):
            continue
        for _, other in points:
            if other != point and _was_opted_out(fold, joined(other, channel, purpose), at, carried.get(other)):
                carried[point] = at
                break
    return carried


def _was_opted_out(fold: Fold, key: str, at: Millis, carried_at: Millis | None) -> bool:
    pin = _pinned(fold.state, key)
    if pin is not None and pin.at <= at:
        return True
    before = [entry for entry in fold.state.entries.get(key, ()) if entry.at <= at]
    if carried_at is not None and carried_at > at:
        carried_at = None
    if not before and carried_at is None:
        return False
    return judge(before, fold.policy, fold.state.clock, carried_at).state == OPTED_OUT


def resolve_consents(fold: Fold) -> bool:
    """Judge every touched key again, with those that it can change; True where an effective state differs."""
    if fold.spoken and (fold.state.entries or fold.state.pins):
        _touch_new_contacts(fold)
    if not fold.keys:
        return False
    groups = {(key.channel, key.purpose) for key in map(split, fold.keys)}
    found = appearances(fold.state)
    differs = False
    for channel, purpose in sorted(groups):
        differs |= _resolve_group(fold, channel, purpose, found)
    return differs | _resolve_reach(fold)


def _resolve_reach(fold: Fold) -> bool:
    """C6: an explicit opt-in for one purpose ends a bounce for all of them: once it is judged, they are seen again."""
    state, seen, differs = fold.state, set[str](), False
    if not state.reach:
        return False
    for contact_point, channel, _ in map(split, fold.keys):
        if f"{contact_point}{SEP}{channel}" in state.reach:
            seen.update(joined(contact_point, channel, purpose) for purpose in purposes(state, fold.policy, channel))
    for key in sorted(seen):
        _, channel, purpose = split(key)
        person = state.consents.get(joined(PERSON, channel, purpose))
        known = state.consents.get(key)
        carried_at = known.carried_at if known is not None else None
        differs |= _resolve_key(fold, key, carried_at, person is not None and person.state == OPTED_OUT)
    return differs


def _touch_new_contacts(fold: Fold) -> None:
    """A contact point that appeared (or appeared earlier) may get a carried opt-out, or a person-level one."""
    known = [split(key) for key in fold.state.entries]
    known += [split(key) for key in fold.state.pins if SEP in key]
    for contact_point in fold.spoken:
        channels = channels_of(contact_point)
        for key in known:
            if key.channel in channels:
                fold.keys.add(joined(contact_point, key.channel, key.purpose))


def _resolve_group(fold: Fold, channel: str, purpose: str, found: dict[str, Millis]) -> bool:
    state = fold.state
    person = joined(PERSON, channel, purpose)
    points = points_of(state, channel, found)
    carried = _carried(fold, channel, purpose, points, found) if len(points) > 1 else {}
    group = f"{SEP}{channel}{SEP}{purpose}"
    if state.pruned and any(key.endswith(group) for key in state.pruned):
        # What was opted out when a contact point appeared can no longer be told: what was carried then stays.
        for point in points:
            known = state.consents.get(point + group)
            if known is not None and known.carried_at is not None:
                carried.setdefault(point, known.carried_at)
    keys = {key for key in fold.keys if key.endswith(group)}
    if person in keys or len(points) > 1:
        keys.update([point + group for point in points])
    differs = False
    if person in keys or person in state.entries:
        differs = _resolve_key(fold, person, None, False)
        keys.discard(person)
    objected = person in state.consents and state.consents[person].state == OPTED_OUT
    for key in sorted(keys):
        differs |= _resolve_key(fold, key, carried.get(split(key).contact_point) if carried else None, objected)
    return differs


def _resolve_key(fold: Fold, key: str, carried_at: Millis | None, objected: bool) -> bool:
    state, policy = fold.state, fold.policy
    before = state.consents.get(key)
    entries = state.entries.get(key, [])
    judged = judge(entries, policy, state.clock, carried_at)
    _record_judgements(fold, key, entries, judged)
    if carried_at is not None and (before is None or before.carried_at is None):
        _append_row(fold, key, "opt_out", carried_at, "carried")
    after = _effective(state, policy, key, judged, carried_at, objected)
    contact_point, channel, purpose = split(key)
    if before is None:
        spoken = bool(entries) or carried_at is not None or objected or _pinned(state, key) is not None
        if not spoken and not suppressed(state, policy, contact_point, channel):
            return False
    state.consents[key] = after
    name, sendable = after.state, after.sendable
    if before is None or _outcome(before) != _outcome(after):
        why = reasons(state, policy, key)
        fold.contacts.append(ContactUpdate(contact_point, channel, purpose, name, sendable, why))
        fold.changed.add(key)
        _free_records(state, key)
    return (before.state if before is not None else UNKNOWN) != name


def _outcome(known: ConsentState) -> tuple[str, bool, str | None, bool]:
    return (known.state, known.sendable, known.told, known.lapsed)


def _free_records(state: Customer, key: str) -> None:
    """R12, R15: what was refused or contradicted under another decision is neither under this one."""
    for record in state.records.values():
        slot = record.consents.get(key)
        if slot is None:
            continue
        slot.refused = slot.quarantined = None
        for sent in slot.sent:
            sent.contradicted = False


def _effective(
    state: Customer, policy: Policy, key: str, judged: Judged, carried_at: Millis | None, objected: bool
) -> ConsentState:
    contact_point, channel, purpose = split(key)
    pin = _pinned(state, key)
    name = OPTED_OUT if pin is not None else judged.state
    since = pin.at if pin is not None else judged.since
    told = _told(policy, name, judged, objected)
    if objected and name != OPTED_OUT:
        since = max(since, state.consents[joined(PERSON, channel, purpose)].decided_at)
    sendable = name == OPTED_IN if policy.consent.needs_opt_in(purpose) else name != OPTED_OUT
    if objected or (sendable and contact_point != PERSON and suppressed(state, policy, contact_point, channel)):
        sendable = False
    force = judged.in_force
    explicit = told == "opt_in" and force is not None and force.explicit and force.evidence
    return ConsentState(name, sendable, told, since, explicit, carried_at, judged.deadline, judged.lapsed)


def _told(policy: Policy, name: str, judged: Judged, objected: bool) -> ToldDecision | None:
    """C4, C8, C9: what records are told of a key; `pending` and an untrusted opt-in are told to nobody."""
    if name == OPTED_OUT or objected:
        return "opt_out"
    if name != OPTED_IN or judged.in_force is None:
        return None
    return None if judged.in_force.method in policy.consent.untrusted_methods else "opt_in"


def _pinned(state: Customer, key: str) -> Pin | None:
    pin = state.pins.get(key)
    return pin if pin is not None and pin.active else None


def suppressed(state: Customer, policy: Policy, contact_point: str, channel: str) -> bool:
    """C6: a record reports a hard bounce that no later explicit opt-in has ended."""
    if not state.reach:
        return False
    words = state.reach.get(f"{contact_point}{SEP}{channel}")
    latest = max((word.at for word in words.values() if word.active), default=None) if words else None
    if latest is None:
        return False
    return not any(
        entry.at > latest
        and entry.decision in ("opt_in", "confirm")
        and entry.status == "accepted"
        and is_explicit(policy.consent, entry)
        for key, entries in state.entries.items()
        if key.startswith(f"{contact_point}{SEP}{channel}{SEP}")
        for entry in entries
    )


def _record_judgements(fold: Fold, key: str, entries: list[Entry], judged: Judged) -> None:
    """C3: a new entry's row gets its judgement; one that a late entry reverses gets a row `rejudged`."""
    statuses = judged.statuses
    for place, entry in enumerate(entries):
        before, status = entry.status, statuses[place]
        if before == status:
            continue
        if before == "":
            _append_entry(fold, key, entry, status)
        else:
            _append_row(fold, key, entry.decision, entry.at, entry.method, status="rejudged", judgement=status)
        entry.status = status
    for entry, at in judged.expired:
        if not entry.expired:
            entry.expired = True
            _append_row(fold, key, "expire", at, entry.method, names=entry.at)


def _append_entry(fold: Fold, key: str, entry: Entry, status: str) -> None:
    state = fold.state
    contact_point, channel, purpose = split(key)
    seq = state.seq = state.seq + 1
    fold.ledger.append(
        LedgerEntry(
            state.customer_id,
            contact_point,
            channel,
            purpose,
            cast(Decision, entry.decision),
            entry.at,
            cast(LedgerStatus, status),
            entry.record,
            entry.stated_at,
            entry.explicit,
            entry.method,
            fold.evidence.get(id(entry)),
            entry.expires_at,
            fold.cause,
            None,
            None,
            seq,
        )
    )


def _append_row(
    fold: Fold,
    key: str,
    decision: str,
    at: Millis,
    method: str | None,
    status: LedgerStatus = "accepted",
    judgement: str | None = None,
    names: Millis | None = None,
) -> None:
    fold.state.seq += 1
    fold.ledger.append(
        LedgerEntry(
            fold.state.customer_id,
            *split(key),
            cast(Decision, decision),
            at,
            status,
            method=method,
            caused_by=fold.cause,
            judgement=judgement,
            names=names,
            seq=fold.state.seq,
        )
    )


def touch_deadlines(fold: Fold) -> None:
    """C8: keys whose opt-in has ended by now are judged again, whatever the input was."""
    for key, known in fold.state.consents.items():
        if known.deadline is not None and known.deadline < fold.state.clock:
            fold.keys.add(key)


def announce_contacts(fold: Fold) -> None:
    """C5: a contact point that appears starts `unknown`, and is published as held by this customer."""
    for contact_point in sorted(fold.spoken):
        for channel in _shown_channels(contact_point):
            for purpose in purposes(fold.state, fold.policy, channel):
                key = joined(contact_point, channel, purpose)
                if key not in fold.state.consents:
                    why = reasons(fold.state, fold.policy, key)
                    fold.contacts.append(ContactUpdate(contact_point, channel, purpose, UNKNOWN, not why, why))


def _shown_channels(contact_point: str) -> tuple[str, ...]:
    return ("email",) if is_email(contact_point) else ("sms",) if is_phone(contact_point) else ()


def reasons(state: Customer, policy: Policy, key: str) -> tuple[str, ...]:
    """Why a key may not be sent to; empty where it may."""
    consents = state.consents
    known = consents.get(key)
    contact_point, channel, purpose = split(key)
    name = known.state if known is not None else UNKNOWN
    found: list[str] = []
    if name == OPTED_OUT or (name != OPTED_IN and policy.consent.needs_opt_in(purpose)):
        lapsed = known is not None and known.lapsed
        found.append("pinned" if _pinned(state, key) is not None else "expired" if lapsed else name)
    if contact_point != PERSON:
        person = consents.get(joined(PERSON, channel, purpose))
        if person is not None and person.state == OPTED_OUT:
            found.append("objected")
        if suppressed(state, policy, contact_point, channel):
            erased = "erased" in state.reach[f"{contact_point}{SEP}{channel}"]
            found.append("erased" if erased else "hard_bounce")
    return tuple(found)


def listed_keys(state: Customer, policy: Policy) -> Iterator[str]:
    """Every key to show: those with a state, and each contact point that starts `unknown` (C5)."""
    shown = set(state.consents)
    for point in appearances(state):
        for channel in _shown_channels(point):
            shown.update(joined(point, channel, purpose) for purpose in purposes(state, policy, channel))
    yield from sorted(shown)
