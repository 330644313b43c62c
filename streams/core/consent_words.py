"""Why a contact point may or may not be sent to, and what became of each decision about it (C2-C8)."""

from __future__ import annotations

from typing import Any

from streams.core.canonical import SEP
from streams.core.contact_points import joined, split
from streams.core.effective import reasons
from streams.core.erasure import ERASED
from streams.core.ledger_fold import OPTED_IN, PENDING, Judged, judge
from streams.core.rules import ConsentRule, Policy
from streams.core.state import PERSON, Customer, Entry
from streams.model import Millis, format_time


def consent_reasons(state: Customer, policy: Policy, key: str) -> list[str]:
    """One sentence for each reason not to send; for one that may be sent to, what allows it."""
    found = reasons(state, policy, key)
    judged = _judged(state, policy, key)
    if not found:
        return [_allowed(policy, key, judged)]
    return [_reason(state, policy, key, one, judged) for one in found]


def ledger_view(state: Customer, policy: Policy, key: str) -> list[dict[str, Any]]:
    """The decisions about a key in order of effective time, each with what became of it."""
    return [
        {
            "decision": entry.decision,
            "at": format_time(entry.at),
            "record": entry.record,
            "method": entry.method,
            "explicit": entry.explicit,
            "status": entry.status,
            "why": _became(policy.consent, entry),
        }
        for entry in state.entries.get(key, ())
    ]


def _judged(state: Customer, policy: Policy, key: str) -> Judged:
    known = state.consents.get(key)
    return judge(state.entries.get(key, ()), policy, state.clock, known.carried_at if known is not None else None)


def _allowed(policy: Policy, key: str, judged: Judged) -> str:
    if judged.state == OPTED_IN and judged.in_force is not None:
        return f"opted in at {_act(judged.in_force)}"
    return f"{split(key).purpose} needs no opt-in, and nothing speaks against it"


def _reason(state: Customer, policy: Policy, key: str, reason: str, judged: Judged) -> str:
    contact_point, channel, purpose = split(key)
    match reason:
        case "opted_out":
            return _opted_out(judged)
        case "pending":
            return _pending(judged)
        case "expired":
            return f"the opt-in ended at {format_time(judged.since)}"
        case "objected":
            since = state.consents[joined(PERSON, channel, purpose)].decided_at
            return f"the person as a whole has opted out of {purpose} by {channel} at {format_time(since)}"
        case "hard_bounce" | "erased":
            return _unreachable(state, contact_point, channel)
        case "pinned":
            return f"a steward has pinned the opt-out at {format_time(state.pins[key].at)}"
    if state.entries.get(key):
        return f"no decision about it counts, and {purpose} needs an opt-in"
    return f"nobody has decided anything about it, and {purpose} needs an opt-in"


def _opted_out(judged: Judged) -> str:
    entry = judged.in_force
    if entry is None:
        return f"opted out at {format_time(judged.since)}"
    if entry.method == "carried":
        at = format_time(entry.at)
        return (
            f"another contact point of this person was opted out when this one appeared at {at}, and that carries over"
        )
    return f"opted out at {_act(entry)}"


def _pending(judged: Judged) -> str:
    until = f" until {format_time(judged.deadline)}" if judged.deadline is not None else ""
    return f"the opt-in of {format_time(judged.since)} waits for its confirmation{until}"


def _act(entry: Entry) -> str:
    """When, where and how a decision was made."""
    where = f" in {entry.record}" if entry.record else ""
    how = f" by {entry.method}" if entry.method else ""
    return f"{format_time(entry.at)}{where}{how}"


def _unreachable(state: Customer, contact_point: str, channel: str) -> str:
    words = state.reach.get(f"{contact_point}{SEP}{channel}", {})
    active = {name: word for name, word in sorted(words.items()) if word.active}
    if ERASED in active:
        return "it belonged to a customer who was erased, and only a later explicit opt-in ends that"
    return "messages bounce there: " + ", ".join(f"{name} at {format_time(one.at)}" for name, one in active.items())


def _became(rule: ConsentRule, entry: Entry) -> str:
    match entry.status:
        case "rejected_not_explicit":
            return f"does not count: after an opt-out or an expiry {_missing(rule, entry)}"
        case "rejected_no_time":
            return "does not count: an opt-in must say when it was given"
        case "rejected_not_pending":
            return f"does not count: there was no opt-in to confirm ({PENDING})"
    if entry.expired:
        return f"counted until it ended{_end(entry.expires_at)}"
    return "counts"


def _missing(rule: ConsentRule, entry: Entry) -> str:
    if not entry.explicit:
        return "only an explicit opt-in counts, and this one is not"
    if not entry.evidence:
        return "an opt-in needs evidence, and this one has none"
    return f"the method {entry.method or 'none'} is not trusted"


def _end(at: Millis | None) -> str:
    return f" at {format_time(at)}" if at is not None else ""
