"""One command: its id, its content, and what is remembered of it (R11, R13)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from streams.core.canonical import SEP, same
from streams.core.contact_points import joined
from streams.core.fold import Fold
from streams.core.in_flight import KEEP_SENT, encoder, give_up, still_needed
from streams.core.registers import pending_of, spoken_at
from streams.core.state import Golden, Record, Sent, Slot, Unanswered
from streams.model import Assignment, Command, ConsentOrder, Value
from streams.model.command import CommandOp, Reason


def held_back(fold: Fold, record: Record, slot: Slot, attribute: str, wanted: str) -> bool:
    """In flight, refused or quarantined (R12, R15)."""
    pending = pending_of(slot)
    if pending is not None and same(pending.seen, wanted):
        return True
    refused, quarantined = slot.refused, slot.quarantined
    if refused is not None and same(refused, wanted):
        return True
    if quarantined is not None and same(quarantined, wanted):
        return True
    if tripped(fold, slot, wanted):
        slot.quarantined = wanted
        fold.note("ping_pong", record, attribute)
        return True
    return False


def tripped(fold: Fold, slot: Slot, wanted: str) -> bool:
    """R15: commanded and contradicted `ping_pong_limit` times within the window."""
    times, since = 0, fold.at - fold.policy.ping_pong_window_ms
    for sent in slot.sent:
        if sent.contradicted and sent.at >= since and same(sent.seen, wanted):
            times += 1
    return times >= fold.policy.ping_pong_limit


def assignment(golden: Golden) -> Assignment:
    return Assignment(clear=True) if golden.value is None else Assignment(golden.value)


def new_command(
    fold: Fold,
    platform: str,
    record_id: str | None,
    op: CommandOp,
    reason: Reason,
    slots: Iterable[Slot],
    attributes: dict[str, Assignment],
    consents: tuple[ConsentOrder, ...] = (),
) -> Command:
    state = fold.state
    repair = sum(_next_repair(slot, state.version) for slot in slots)
    command_id = command_hash(state.customer_id, platform, record_id, op, state.version, repair, attributes, consents)
    command = Command(
        command_id,
        state.customer_id,
        platform,
        record_id,
        state.version,
        op,
        reason,
        fold.cause,
        fold.at,
        attributes,
        consents,
    )
    fold.commands.append(command)
    state.unanswered[command_id] = Unanswered(
        op,
        platform,
        record_id,
        fold.cause,
        fold.at,
        fold.at,
        list(attributes),
        [joined(one.contact_point, one.channel, one.purpose) for one in consents],
        encoder.encode(command),
    )
    while len(state.unanswered) > fold.policy.limits.unanswered_max:
        give_up(fold, next(iter(state.unanswered)))
    return command


def _next_repair(slot: Slot, version: int) -> int:
    """R13: how often this content was commanded before at this version: a second repair is a command of its own."""
    if slot.repairs_version != version:
        slot.repairs_version, slot.repairs = version, 0
        return 0
    slot.repairs += 1
    return slot.repairs


def command_hash(
    customer_id: str,
    platform: str,
    record_id: str | None,
    op: str,
    version: int,
    repair: int,
    attributes: dict[str, Assignment],
    consents: tuple[ConsentOrder, ...],
) -> str:
    """R13: the id is a hash of what is said, to whom, at which version; the same input yields the same id."""
    named = f"{customer_id}{SEP}{platform}{SEP}{record_id}{SEP}{op}{SEP}{version}{SEP}{repair}{SEP}"
    said = encoder.encode((attributes, [_told_of(order) for order in consents]))
    return blake2b(named.encode() + said, digest_size=16).hexdigest()


def _told_of(order: ConsentOrder) -> tuple[str, str, str, str]:
    return (order.contact_point, order.channel, order.purpose, order.decision)


def remember(fold: Fold, slot: Slot, command: Command, seen: str, value: Value | None) -> None:
    """R11: what was commanded is remembered, at least the last four and all that an echo or the breaker needs."""
    pending = pending_of(slot)
    if pending is not None:
        fold.ended.add(pending.command_id)
    sent = Sent(command.command_id, command.golden_version, fold.at, seen, value, spoken_at(slot))
    kept = [*slot.sent, sent]
    if len(kept) > KEEP_SENT:
        old, recent = kept[:-KEEP_SENT], kept[-KEEP_SENT:]
        old = [one for place, one in enumerate(old) if still_needed(fold, one, kept[place + 1 :])]
        kept = [*old, *recent][-fold.policy.limits.sent_max :]
    slot.sent = kept
