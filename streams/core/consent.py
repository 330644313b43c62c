"""Consent: the ledger, its fold, what travels to other contact points, what may be sent (C1-C8, D1, D2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from streams.core.canonical import CACHE_MAX, SEP, email, folded, is_email, is_phone, phone
from streams.core.fold import ContactUpdate, Fold, Said, slot_of
from streams.core.registers import hold_stated, latest_before, shadow_of
from streams.core.rules import ConsentRule, Policy
from streams.core.state import (
    PERSON,
    ConsentKey,
    ConsentState,
    Customer,
    Entry,
    Held,
    Pin,
    Reach,
    Slot,
)
from streams.model import ConsentStatement, LedgerEntry, Millis, Suppression
from streams.model.change import Decision
from streams.model.command import ToldDecision
from streams.model.ledger import LedgerStatus

OPTED_IN: Final = "opted_in"
OPTED_OUT: Final = "opted_out"
PENDING: Final = "pending"
UNKNOWN: Final = "unknown"
EMAIL_CHANNELS = frozenset({"email"})
PHONE_CHANNELS = frozenset({"sms", "mms", "phone", "voice", "whatsapp", "rcs"})

# Order of entries at one effective time: an opt-out wins, so it is folded last (C2).
_RANK = {"opt_in": 0, "confirm": 1, "expire": 2, "opt_out": 3}


def canonical_contact(contact_point: str, channel: str, default_region: str) -> str:
    """The contact point in the form of its channel; `*` is the person as a whole (C1)."""
    if contact_point == PERSON:
        return PERSON
    if channel in EMAIL_CHANNELS:
        return email(contact_point)
    if channel in PHONE_CHANNELS:
        return phone(contact_point, default_region)
    return folded(contact_point)


def joined(contact_point: str, channel: str, purpose: str) -> str:
    """A consent key as the state's tables spell it."""
    return f"{contact_point}{SEP}{channel}{SEP}{purpose}"


def split(key: str) -> ConsentKey:
    """The parts of a consent key."""
    known = _keys.get(key)
    if known is None:
        if len(_keys) >= CACHE_MAX:
            _keys.clear()
        known = _keys[key] = ConsentKey(*key.split(SEP))
    return known


# A dict: the compiled core would call an lru_cache slowly.
_keys: Final[dict[str, ConsentKey]] = {}


# The fold (C2, C3, C8)


def entry_order(entry: Entry) -> tuple[Millis, int, str, str]:
    """Effective time; at equal time an opt-out is folded last, so that it wins."""
    return (entry.at, _RANK[entry.decision], entry.record or "", entry.change_id or "")


class Judged:
    """One key's entries folded: the state, the entry in force, and how each entry was judged; one method a decision."""

    __slots__ = (
        "awaited",
        "clock",
        "deadline",
        "expired",
        "guarded",
        "in_force",
        "lapsed",
        "rule",
        "since",
        "state",
        "statuses",
    )

    def __init__(self, policy: Policy, clock: Millis) -> None:
        self.rule = policy.consent
        self.clock = clock
        self.state = UNKNOWN
        self.since: Millis = 0
        self.in_force: Entry | None = None
        self.guarded = False  # an opt-out or an expiry lies behind: only an explicit opt-in counts (C3)
        self.lapsed = False
        self.deadline: Millis | None = None
        self.awaited: Millis | None = None
        self.statuses: list[str] = []
        self.expired: list[tuple[Entry, Millis]] = []

    def finish(self) -> None:
        """Once all entries are folded: what the clock has passed, and the next moment to judge again."""
        self.expire(self.clock)
        if self.awaited is not None:
            self.deadline = min(self.awaited, self.deadline or self.awaited)

    def expire(self, until: Millis) -> None:
        """C8: the opt-in in force ends at its deadline, once the clock has passed it."""
        if self.deadline is None or self.deadline > until:
            return
        if self.deadline >= self.clock:
            # What follows was stated a little ahead of the clock: judged again when the clock is there.
            self.awaited = self.deadline if self.awaited is None else min(self.awaited, self.deadline)
            return
        if self.in_force is not None:
            self.expired.append((self.in_force, self.deadline))
        self._enter(UNKNOWN, self.deadline, None)
        self.guarded = self.lapsed = True

    def _enter(self, state: str, at: Millis, entry: Entry | None, deadline: Millis | None = None) -> None:
        self.state = state
        self.since = at
        self.in_force = entry
        self.deadline = deadline
        self.lapsed = False

    def fold(self, entry: Entry) -> str:
        """Take one entry; returns its status."""
        decision = entry.decision
        if decision == "opt_out":
            self._enter(OPTED_OUT, entry.at, entry)
            self.guarded = True
            return "accepted"
        if decision == "expire":
            if self.in_force is not None and self.state in (OPTED_IN, PENDING):
                self._enter(UNKNOWN, entry.at, None)
                self.guarded = self.lapsed = True
            return "accepted"
        return self._opt_in(entry)

    def _opt_in(self, entry: Entry) -> str:
        if entry.stated_at is None:
            return "rejected_no_time"
        confirms = entry.decision == "confirm" or (self.rule.double_opt_in and entry.method == "double_opt_in")
        if confirms:
            return self._confirm(entry)
        if self.guarded and self.state not in (OPTED_IN, PENDING) and not self._explicit(entry):
            return "rejected_not_explicit"
        if self.rule.double_opt_in and self.state != OPTED_IN:
            self._enter(PENDING, entry.at, entry, entry.at + self.rule.double_opt_in_ttl_ms)
        else:
            force = self._stronger(entry)
            self._enter(OPTED_IN, entry.at, force, force.expires_at)
        return "accepted"

    def _confirm(self, entry: Entry) -> str:
        """C8: a double opt-in is confirmed only while it is pending."""
        if self.state == OPTED_IN:
            return "accepted"
        if self.state != PENDING or not (entry.explicit or entry.decision == "confirm"):
            return "rejected_not_pending"
        held = self.in_force.expires_at if self.in_force is not None else None
        self._enter(OPTED_IN, entry.at, entry, held if entry.expires_at is None else entry.expires_at)
        return "accepted"

    def _explicit(self, entry: Entry) -> bool:
        return is_explicit(self.rule, entry)

    def _stronger(self, entry: Entry) -> Entry:
        """What is in force after one more opt-in: a weaker one does not weaken, an untrusted one does not renew."""
        held = self.in_force
        if self.state != OPTED_IN or held is None:
            return entry
        weaker = self._weight(held) > self._weight(entry)
        return held if weaker and (held.expires_at is None or not self._weight(entry)) else entry

    def _weight(self, entry: Entry) -> int:
        return 2 if self._explicit(entry) else int(entry.method not in self.rule.untrusted_methods)


def is_explicit(rule: ConsentRule, entry: Entry) -> bool:
    """C3: an explicit act, with evidence, by a method that the policy trusts."""
    return entry.explicit and entry.evidence and bool(entry.method) and entry.method not in rule.untrusted_methods


def judge(entries: Sequence[Entry], policy: Policy, clock: Millis, carried_at: Millis | None = None) -> Judged:
    """Fold one key's entries in order of effective time; a carried opt-out is folded at its own time (C5)."""
    judged = Judged(policy, clock)
    waiting = carried_at
    for entry in entries:
        if waiting is not None and waiting <= entry.at:
            judged.fold(Entry("opt_out", waiting, None, method="carried"))
            waiting = None
        if judged.deadline is not None:
            judged.expire(entry.at if entry.decision == "opt_out" else entry.at - 1)
        judged.statuses.append(judged.fold(entry))
    if waiting is not None:
        judged.fold(Entry("opt_out", waiting, None, method="carried"))
    judged.finish()
    return judged


# Statements (C2, C3, C6, D1, D2)


def state_consent(fold: Fold, said: Said, consent: ConsentStatement, at: Millis) -> None:
    """Fold one consent: an act in an event, what is stored in a snapshot; an echo is neither.

    `at` is its effective time (R2).
    """
    channel, stated_at = consent.channel, consent.at
    contact_point = canonical_contact(consent.contact_point, channel, fold.policy.default_region)
    key = joined(contact_point, channel, consent.purpose)
    slot = slot_of(said.record.consents, key)
    sent = slot.sent
    decision = "opt_out" if consent.decision in ("opt_out", "expire") else "opt_in"
    echo = said.echo or (bool(sent) and _repeats_command(sent[-1].seen, decision, consent, said.snapshot))
    missed = said.snapshot and not echo and _missed_opt_out(fold, said, key, decision)
    hold_stated(slot, Held(said.shadow_at, said.sequence, decision, decision))
    fold.touch_consent(said.name, key)
    if echo:
        fold.note("echo", said.record, detail=channel)
        latest = latest_before(slot, said.shadow_at)
        if latest is not None and latest.seen != decision:
            latest.contradicted = True
        return
    if sent:
        _end_contradicted(fold, said, slot, decision)
    _appear(fold, said, contact_point, at)
    if missed:
        # D1: the platform's own time, else the export's.
        at = at if stated_at is not None else said.at
        stated_at = stated_at if stated_at is not None else said.at
        _append(fold, key, Entry("opt_out", at, said.name, stated_at, method="reconcile"), consent)
    elif not said.snapshot or not fold.state.entries.get(key):
        _append(fold, key, _entry(said, consent, at), consent)


def _repeats_command(commanded: str, decision: str, consent: ConsentStatement, snapshot: bool) -> bool:
    """R11: it repeats what we last commanded and carries no act of its own."""
    if snapshot or commanded != decision:
        return False
    return not consent.explicit and consent.method in (None, "", "sync")


def _missed_opt_out(fold: Fold, said: Said, key: str, decision: str) -> bool:
    """D1: unsubscribed there, opted in here, not known of that record, and exported after our last acknowledgement."""
    known = fold.state.consents.get(key)
    if decision != "opt_out" or known is None or known.state != OPTED_IN:
        return False
    slot = said.record.consents[key]
    shadow = shadow_of(slot)
    if shadow is not None and shadow.seen == "opt_out":
        return False
    return slot.acked is None or said.at > slot.acked.at


def _end_contradicted(fold: Fold, said: Said, slot: Slot, decision: str) -> None:
    """The platform's own word against ours: remembered for the breaker, and the command is no longer in flight."""
    latest = latest_before(slot, said.shadow_at)
    if latest is not None and latest.seen != decision:
        latest.contradicted = latest.ended = True
        fold.ended.add(latest.command_id)
        slot.refused = None


def _entry(said: Said, consent: ConsentStatement, at: Millis) -> Entry:
    return Entry(
        consent.decision,
        at,
        said.name,
        consent.at,
        consent.explicit,
        bool(consent.evidence),
        consent.method,
        consent.expires_at,
        said.change.change_id,
    )


def _append(fold: Fold, key: str, entry: Entry, consent: ConsentStatement) -> None:
    """C2: the same entry delivered again is one entry. Its row is written when it is judged."""
    entries = fold.state.entries.setdefault(key, [])
    stated_at = entry.stated_at
    for known in entries:
        # The time tells nearly all entries apart; the rest of the identity is compared where it does not.
        if known.stated_at == stated_at and known.identity() == entry.identity():
            return
    entry.status = ""
    entries.append(entry)
    if len(entries) > 1:
        entries.sort(key=entry_order)
    fold.keys.add(key)
    fold.evidence[id(entry)] = consent.evidence


def state_suppression(fold: Fold, said: Said, suppression: Suppression, at: Millis) -> None:
    """C6: a hard bounce suppresses without touching consent; the reporting platform's own word ends it."""
    contact_point = canonical_contact(suppression.contact_point, suppression.channel, fold.policy.default_region)
    words = fold.state.reach.setdefault(f"{contact_point}{SEP}{suppression.channel}", {})
    known = words.get(said.name)
    word = Reach(at, suppression.active)
    if known is None or (word.at, word.active) > (known.at, known.active):
        words[said.name] = word
    _appear(fold, said, contact_point, at)
    for purpose in purposes(fold.state, fold.policy, suppression.channel):
        fold.keys.add(joined(contact_point, suppression.channel, purpose))


def _appear(fold: Fold, said: Said, contact_point: str, at: Millis) -> None:
    if contact_point == PERSON:
        return
    known = said.record.appeared.get(contact_point)
    if known is None or at < known:
        said.record.appeared[contact_point] = at
        fold.spoken.add(contact_point)


# Contact points (C1, C5)


def channels_of(contact_point: str) -> frozenset[str]:
    """The channels that a contact point belongs to by its form; any other text only to those it was named with."""
    if is_email(contact_point):
        return EMAIL_CHANNELS
    return PHONE_CHANNELS if is_phone(contact_point) else frozenset()


def points_of(state: Customer, channel: str, found: Mapping[str, Millis]) -> list[str]:
    """The person's contact points of a channel: by their form, or because a consent named them with it."""
    named = {key.contact_point for key in map(split, state.entries) if key.channel == channel}
    return [point for point in found if point in named or channel in channels_of(point)]


def appearances(state: Customer) -> dict[str, Millis]:
    """When each contact point of the person appeared first: stated by a record, or set by a pin (C5)."""
    found = dict(state.appeared)
    for record in state.records.values():
        for contact_point, at in record.appeared.items():
            if contact_point not in found or at < found[contact_point]:
                found[contact_point] = at
    return found


def purposes(state: Customer, policy: Policy, channel: str) -> tuple[str, ...]:
    """The purposes that are spoken of: in the policy, and in this customer's entries of the channel; in order."""
    named = policy.consent.purposes
    spoken = {key.purpose for key in map(split, state.entries) if key.channel == channel}
    spoken.difference_update(named)
    return tuple(sorted(spoken.union(named))) if spoken else named


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


def counts(entry: Entry) -> bool:
    """False for an opt-in without a time: it is kept, never counts, and so holds no carried opt-out off (C3)."""
    return entry.stated_at is not None or entry.decision not in ("opt_in", "confirm")


def _was_opted_out(fold: Fold, key: str, at: Millis, carried_at: Millis | None) -> bool:
    before = [entry for entry in fold.state.entries.get(key, ()) if entry.at <= at]
    if carried_at is not None and carried_at > at:
        carried_at = None
    if not before and carried_at is None:
        return False
    return judge(before, fold.policy, fold.state.clock, carried_at).state == OPTED_OUT


# Effective states (C4, C8)


def resolve_consents(fold: Fold) -> bool:
    """Judge every touched key again, with those that it can change; True where an effective state differs."""
    if fold.spoken and fold.state.entries:
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
    if not fold.spoken:
        return
    told = {update.contact_point for update in fold.contacts}
    for contact_point in sorted(fold.spoken - told):
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
