"""What a record says of consent: acts, stored states, suppressions (C2, C3, C6, D1, D2)."""

from __future__ import annotations

from streams.core.canonical import SEP
from streams.core.contact_points import canonical_contact, joined, purposes
from streams.core.echoes import may_repeat
from streams.core.fold import Fold, Said, slot_of
from streams.core.ledger_fold import OPTED_IN, counts, entry_order
from streams.core.registers import hold_stated, latest_before, shadow_of
from streams.core.state import PERSON, Entry, Held, Reach, Sent, Slot
from streams.model import ConsentStatement, Millis, Suppression


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
    echo = said.echo or (bool(sent) and _repeats_command(fold, said, sent[-1], decision, consent))
    # An export was taken no earlier than what it tells of: a platform need not touch its row for a consent.
    taken_at = said.at if stated_at is None else max(said.at, at)
    missed = said.snapshot and not echo and _missed_opt_out(fold, said, key, decision, taken_at)
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
    elif not said.snapshot or not _decided(fold, key):
        _append(fold, key, _entry(said, consent, at), consent)


def _decided(fold: Fold, key: str) -> bool:
    """C2: the key has an entry; an opt-in that never said when hides neither an opt-in nor an opt-out of an export."""
    return any(counts(entry) for entry in fold.state.entries.get(key, ()))


def _repeats_command(fold: Fold, said: Said, sent: Sent, decision: str, consent: ConsentStatement) -> bool:
    """R11: it repeats what we last commanded and carries no act of its own."""
    if said.snapshot or sent.seen != decision or not may_repeat(fold.policy, said, sent):
        return False
    return not consent.explicit and consent.method in (None, "", "sync")


def _missed_opt_out(fold: Fold, said: Said, key: str, decision: str, taken_at: Millis) -> bool:
    """D1: unsubscribed there, opted in here, not known of that record, and exported after our last acknowledgement."""
    known = fold.state.consents.get(key)
    if decision != "opt_out" or known is None or known.state != OPTED_IN:
        return False
    slot = said.record.consents[key]
    shadow = shadow_of(slot)
    if shadow is not None and shadow.seen == "opt_out":
        return False
    return slot.acked is None or taken_at > slot.acked.at


def _end_contradicted(fold: Fold, said: Said, slot: Slot, decision: str) -> None:
    """The platform's own word against ours: remembered for the breaker, and the command is no longer in flight."""
    latest = latest_before(slot, said.shadow_at)
    if latest is not None and latest.seen != decision:
        latest.contradicted = latest.ended = True
        if latest.differed_at is None or said.shadow_at < latest.differed_at:
            latest.differed_at = said.shadow_at
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
