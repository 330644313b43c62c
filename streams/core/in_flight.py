"""Commands in flight: kept whole until they are answered, emitted again, given up, and the next timer (R12)."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.core.canonical import same
from streams.core.fold import Fold
from streams.core.registers import pending_of
from streams.core.rules import Policy
from streams.core.standing import eligible
from streams.core.state import VALUE, Sent, Slot, Unanswered
from streams.model import Command, Millis

KEEP_SENT: Final = 4
encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Command)


def waits(policy: Policy, slot: Slot, attribute: str, at: Millis) -> bool:
    """R12: a claim waits from its validation request until its verdict, its replacement or the timeout."""
    claim = slot.newest
    if slot.asked_at is None or claim is None or claim.kind != VALUE or claim.canonical not in slot.asked:
        return False
    rule = policy.attributes.get(attribute)
    if rule is None or at >= slot.asked_at + policy.verdict_timeout_ms or eligible(rule, claim):
        return False
    return not any(same(known.canonical, claim.canonical) for known in slot.judgements)


def give_up(fold: Fold, command_id: str) -> None:
    """What is no longer kept can not be emitted again, so that it must not count as in flight either."""
    command = fold.state.unanswered.pop(command_id)
    for slot in _slots_of(fold, command):
        pending = pending_of(slot)
        if pending is not None and pending.command_id == command_id:
            pending.ended = True


def still_needed(fold: Fold, sent: Sent, later: list[Sent]) -> bool:
    """For the breaker within its window; for echoes until the next acknowledgement and the tolerance have passed."""
    passed = fold.at - fold.policy.clock_skew_tolerance_ms
    if sent.at >= fold.at - fold.policy.ping_pong_window_ms:
        return True
    return not any(one.acked_at is not None and one.acked_at < passed for one in later)


def live(fold: Fold, command_id: str, command: Unanswered) -> bool:
    """True while some part of an unanswered command is still in flight."""
    if command.op == "validate":
        record = fold.state.records.get(command.record_id or "")
        return record is not None and any(
            waits(fold.policy, record.slots[attribute], attribute, fold.at) for attribute in command.attributes
        )
    for slot in _slots_of(fold, command):
        sent = pending_of(slot)
        if sent is not None and sent.command_id == command_id:
            return True
    return False


def _slots_of(fold: Fold, command: Unanswered) -> list[Slot]:
    if command.op == "create":
        slot = fold.state.creates.get(command.platform)
        return [slot] if slot is not None else []
    record = fold.state.records.get(f"{command.platform}:{command.record_id}")
    if record is None:
        return []
    found = [record.slots.get(attribute) for attribute in command.attributes]
    found += [record.consents.get(key) for key in command.consents]
    return [slot for slot in found if slot is not None]


def decode_command(payload: bytes) -> Command:
    """A command that was kept whole."""
    return _decoder.decode(payload)


def forget_ended(fold: Fold) -> None:
    """A command of which nothing is in flight any more need not be kept whole."""
    unanswered = fold.state.unanswered
    for command_id in fold.ended:
        command = unanswered.get(command_id)
        if command is not None and not live(fold, command_id, command):
            del unanswered[command_id]


def emit_again(fold: Fold, cause: str | None) -> None:
    """Commands in flight are emitted again, with the same id, when their cause is read again or after the interval."""
    unanswered = fold.state.unanswered
    since = fold.at - fold.policy.resend_after_ms
    due = [
        command_id for command_id, command in unanswered.items() if command.since <= since or command.caused_by == cause
    ]
    if not due:
        return
    fresh = {command.command_id for command in fold.commands}
    for command_id in due:
        command = unanswered[command_id]
        if command_id in fresh:
            continue
        if live(fold, command_id, command):
            fold.commands.append(decode_command(command.payload))
            command.since = max(fold.at, command.since)
        else:
            del unanswered[command_id]


def next_due(fold: Fold) -> Millis | None:
    """When the clock alone will change something: an expiry, a verdict's timeout, a command to emit again."""
    state, policy = fold.state, fold.policy
    found: list[Millis] = []
    for known in state.consents.values():
        deadline = known.deadline
        if deadline is not None:
            found.append(deadline + 1)
    if state.unanswered:
        found += [command.since + policy.resend_after_ms for command in state.unanswered.values()]
    for record in state.records.values():
        for slot in record.consents.values():
            repeat_at = slot.repeat_at
            if repeat_at is not None:
                found.append(repeat_at)
        for attribute, slot in record.slots.items():
            asked_at = slot.asked_at
            if asked_at is not None and waits(policy, slot, attribute, fold.at):
                found.append(asked_at + policy.verdict_timeout_ms)
    return min(found) if found else None
