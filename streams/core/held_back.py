"""What each record is still to be told, and what holds it back (R9, R12, R15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streams.core.canonical import same
from streams.core.contact_points import split
from streams.core.golden import value_view
from streams.core.in_flight import waits
from streams.core.rules import Policy
from streams.core.state import FAILED, Customer, Record, Sent, Slot
from streams.model import Millis, Value, format_time

IN_FLIGHT, REFUSED, GIVEN_UP, QUARANTINED, WAITS = (
    "in flight",
    "refused",
    "failed",
    "quarantined",
    "waits for its verdict",
)


def held_back(state: Customer, policy: Policy, now: Millis) -> list[dict[str, Any]]:
    """Per record and attribute, or consent key: `state`, the `value` it is about, and `why` in words.

    `state`: in flight, refused, failed (retries used up), quarantined, or waits for its verdict.
    """
    found: list[dict[str, Any]] = []
    for name, record in sorted(state.records.items()):
        if record.open:
            found += _attributes(state, policy, name, record, now)
            found += _consents(state, policy, name, record)
    for platform, slot in sorted(state.creates.items()):
        wanted = slot.sent[-1].seen if slot.sent and slot.acked is None else None
        found += _held(policy, platform, "a new record", slot, wanted, None)
    return found


def _attributes(state: Customer, policy: Policy, name: str, record: Record, now: Millis) -> Iterator[dict[str, Any]]:
    for attribute, slot in sorted(record.slots.items()):
        golden = state.golden.get(attribute)
        wanted = policy.seen(record.platform, attribute, golden.value, golden.canonical) if golden is not None else None
        yield from _held(policy, name, attribute, slot, wanted, golden.value if golden is not None else None)
        if waits(policy, slot, attribute, now):
            yield _entry(name, attribute, WAITS, _claimed(slot), _waiting(policy, attribute, slot))


def _consents(state: Customer, policy: Policy, name: str, record: Record) -> Iterator[dict[str, Any]]:
    for key, slot in sorted(record.consents.items()):
        known = state.consents.get(key)
        wanted = known.told if known is not None else None
        yield from _held(policy, name, " ".join(split(key)), slot, wanted, wanted)


def _held(
    policy: Policy, name: str, what: str, slot: Slot, wanted: str | None, value: Value | None
) -> Iterator[dict[str, Any]]:
    """What holds back the value that the record should have now; a refusal of an earlier one holds nothing back."""
    pending = slot.pending()
    if pending is not None:
        shown = pending.value if value is not None else None
        yield _entry(name, what, IN_FLIGHT, shown, _under_way(policy, pending))
    if wanted is None:
        return
    if slot.refused is not None and same(slot.refused, wanted):
        failed = bool(slot.sent) and slot.sent[-1].outcome == FAILED
        yield _entry(name, what, GIVEN_UP if failed else REFUSED, value, _not_taken(failed))
    if slot.quarantined is not None and same(slot.quarantined, wanted):
        yield _entry(name, what, QUARANTINED, value, _contradicted(policy))


def _entry(name: str, what: str, held: str, value: Value | None, why: str) -> dict[str, Any]:
    return {"record": name, "what": what, "state": held, "value": value_view(value), "why": why}


def _under_way(policy: Policy, sent: Sent) -> str:
    every = policy.resend_after_ms // 1000
    return f"commanded at {format_time(sent.at)}; no receipt yet, and it is repeated every {every} s until one comes"


def _not_taken(failed: bool) -> str:
    what = "every try failed, and the command is in the dead letters" if failed else "the platform refused it for good"
    return f"{what}; it is told again once golden or the platform's own statement changes, or a steward releases it"


def _contradicted(policy: Policy) -> str:
    times, window = policy.ping_pong_limit, policy.ping_pong_window_ms // 1000
    return (
        f"the platform contradicted it {times} times within {window} s; "
        "it is told again once golden changes or a steward releases it"
    )


def _claimed(slot: Slot) -> Value | None:
    return slot.newest.value if slot.newest is not None else None


def _waiting(policy: Policy, attribute: str, slot: Slot) -> str:
    asked = slot.asked_at or 0
    until = format_time(asked + policy.verdict_timeout_ms)
    validator = policy.attributes[attribute].validate_with or "the validator"
    return (
        f"sent to {validator} at {format_time(asked)}; until its verdict, at the latest {until}, "
        "the record is not told a different value"
    )
