"""A customer's history as people and pages read it: plain JSON values, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from streams.core.canonical import SEP
from streams.core.golden import value_view
from streams.core.history import WHOLE
from streams.core.timeline import (
    Consent,
    Entry,
    Kept,
    Shown,
    Snapshot,
    Told,
    as_of,
    begun,
    clocks,
    encode_entry,
    follow,
    known_from,
)
from streams.model import Invalid, Millis, StewardRequest, format_time, parse_time

# Of a request: what else it names, beside who, when and why.
_NAMED = ("attribute", "contact_point", "channel", "purpose", "record", "with_", "policy_version")


class _Line(NamedTuple):
    """One entry on the common line of time."""

    clock: Millis
    view: dict[str, Any]


def timeline_view(lines: Sequence[Kept], limit: int, before: str | None = None) -> dict[str, Any]:
    """A page of at most `limit` entries, newest first; `lines`: the customer's own history, then merged ones.

    `before`: the `next` of the page before, or a time. Each command has its `outcome`, null while none is known.
    `attributes` and `consents` of an entry are what differs since, `before` in them what it was. `complete` is False
    where older entries were dropped. Raises Invalid("bad_request").
    """
    entries = _newest_first(lines)
    start = _start(entries, before) if before else 0
    shown = entries[start : start + limit]
    more = start + limit < len(entries)
    since = known_from(lines[0])
    return {
        "customer_id": lines[0].customer_id,
        "complete": since is None,
        "known_from": _time(since),
        "entries": [one.view for one in shown],
        "next": shown[-1].view["id"] if more and shown else None,
    }


def as_of_view(lines: Sequence[Kept], at: Millis) -> dict[str, Any]:
    """What was golden and sendable at `at`; in `merged`, of each customer that had not been merged then.

    `known` is False where that is before the oldest entry kept; `complete` is False where attributes and consents that
    have not changed since the history was begun are missing. `note` says either in words.
    """
    view = {"customer_id": lines[0].customer_id, "at": format_time(at), **_state(lines[0], at)}
    joined = _merges(lines)
    view["merged"] = {one.customer_id: _state(one, at) for one in lines[1:] if joined.get(one.customer_id, at) > at}
    return view


# Entries


def _newest_first(lines: Sequence[Kept]) -> list[_Line]:
    answers = _answers(lines)
    found: list[_Line] = []
    for kept in lines:
        snapshot = begun(kept.base)
        for clock, entry in zip(clocks(kept.base, kept.entries), kept.entries, strict=True):
            found.append(_Line(clock, _entry(kept.customer_id, entry, snapshot, answers)))
            follow(snapshot, entry)
    found.sort(key=lambda one: one.clock)  # stable: at equal time in the order of each line
    found.reverse()
    return found


def _start(entries: Sequence[_Line], before: str) -> int:
    """The first entry behind the one of this id, or before this time."""
    for place, one in enumerate(entries):
        if one.view["id"] == before:
            return place + 1
    try:
        at = parse_time(before)
    except Invalid:
        raise Invalid("bad_request", "before is the `next` of another page, or an RFC 3339 time") from None
    return sum(1 for one in entries if one.clock >= at)


def _answers(lines: Sequence[Kept]) -> dict[str, Entry]:
    """The last answer to each command."""
    entries = [entry for kept in lines for entry in kept.entries if entry.outcome is not None]
    return {entry.cause: entry for entry in entries}


def _entry(customer_id: str, entry: Entry, before: Snapshot, answers: dict[str, Entry]) -> dict[str, Any]:
    named = blake2b(f"{customer_id}{SEP}".encode() + encode_entry(entry), digest_size=8).hexdigest()
    return {
        "id": named,
        "at": format_time(entry.at),
        "customer_id": customer_id,
        "golden_version": entry.version,
        "kind": entry.kind,
        "cause": entry.cause,
        "record": entry.record,
        "attributes": _attributes(entry, before),
        "consents": _consents(entry, before),
        "commands": [_command(one, answers.get(one.command_id)) for one in entry.commands],
        "outcome": entry.outcome,
        "detail": entry.detail,
        "steward": _steward(entry.request) if entry.request is not None else None,
        "other": entry.other,
    }


def _attributes(entry: Entry, before: Snapshot) -> dict[str, Any]:
    changed = dict(entry.golden)
    if entry.extent == WHOLE:
        changed = {name: one for name, one in changed.items() if one != before.golden.get(name)}
        changed.update((name, None) for name in before.golden if name not in entry.golden)
    return {name: _shown(one) | {"before": _value(before.golden.get(name))} for name, one in sorted(changed.items())}


def _consents(entry: Entry, before: Snapshot) -> list[dict[str, Any]]:
    found = []
    for one in entry.consents:
        known = before.consents.get(SEP.join((one.contact_point, one.channel, one.purpose)))
        if entry.extent != WHOLE or one != known:
            found.append(_consent(one) | {"before": known.state if known is not None else None})
    return found


def _command(told: Told, answer: Entry | None) -> dict[str, Any]:
    return {
        "command_id": told.command_id,
        "platform": told.platform,
        "record_id": told.record_id,
        "op": told.op,
        "reason": told.reason,
        "attributes": list(told.attributes),
        "consents": [
            {"contact_point": point, "channel": channel, "purpose": purpose, "decision": decision}
            for point, channel, purpose, decision in told.consents
        ],
        "outcome": answer.outcome if answer is not None else None,
        "answered_at": format_time(answer.at) if answer is not None else None,
        "detail": answer.detail if answer is not None else None,
    }


def _steward(request: StewardRequest) -> dict[str, Any]:
    view: dict[str, Any] = {
        "action": request.action,
        "by": request.by,
        "why": request.why,
        "at": _time(request.at),
        "value": value_view(request.value),
    }
    named = {name.rstrip("_"): getattr(request, name) for name in _NAMED}
    return view | {name: value for name, value in named.items() if value is not None}


# Golden at a time


def _state(kept: Kept, at: Millis) -> dict[str, Any]:
    found, since = as_of(kept, at), _time(known_from(kept))
    if found is None and since is None:
        note = "no history is kept of this customer"
    elif found is None:
        note = f"the history is kept from {since} on; what was golden before that cannot be told"
    elif not found.whole:
        note = f"what has not changed since the history was begun, {since}, is missing"
    else:
        note = None
    state = found or Snapshot()
    return {
        "known": found is not None,
        "complete": found is not None and found.whole,
        "known_from": since,
        "note": note,
        "golden_version": state.version if found is not None else None,
        "attributes": {name: _shown(one) for name, one in sorted(state.golden.items())},
        "consents": [_consent(one) for _, one in sorted(state.consents.items())],
    }


def _merges(lines: Sequence[Kept]) -> dict[str, Millis]:
    """When each customer was merged into another of them."""
    return {
        entry.other: clock
        for kept in lines
        for clock, entry in zip(clocks(kept.base, kept.entries), kept.entries, strict=True)
        if entry.kind == "merge" and entry.other is not None
    }


def _shown(one: Shown | None) -> dict[str, Any]:
    return {
        "value": _value(one),
        "status": one.status if one is not None else None,
        "record": one.record if one is not None else None,
        "effective_at": _time(one.at) if one is not None else None,
        "confidence": one.confidence if one is not None else None,
    }


def _value(one: Shown | None) -> Any:
    return value_view(one.value) if one is not None else None


def _consent(one: Consent) -> dict[str, Any]:
    return {
        "contact_point": one.contact_point,
        "channel": one.channel,
        "purpose": one.purpose,
        "state": one.state,
        "sendable": one.sendable,
        "reasons": list(one.reasons),
    }


def _time(at: Millis | None) -> str | None:
    return None if at is None else format_time(at)
