"""Receipts: what a platform answered moves its shadow, or keeps a value from being sent again (R11a, R12)."""

from __future__ import annotations

from typing import NamedTuple

from streams.core.claims import forget_acknowledgements
from streams.core.echoes import remember_held
from streams.core.fold import Fold, slot_of
from streams.core.in_flight import decode_command
from streams.core.state import (
    APPLIED,
    FAILED,
    REFUSED,
    SUPERSEDED,
    UNANSWERED,
    Customer,
    Held,
    Record,
    Sent,
    Slot,
    Unanswered,
)
from streams.model import Millis, Receipt

OUTCOMES = {"applied": APPLIED, "refused": REFUSED, "failed": FAILED, "superseded": SUPERSEDED}


def fold_receipt(fold: Fold, receipt: Receipt) -> None:
    """Match the receipt to its command and take the answer; one that fits nothing is noted `receipt_unmatched`."""
    found = find_command(fold.state, receipt)
    command = fold.state.unanswered.pop(found.command_id, None) if found is not None else None
    if found is None:
        fold.note("receipt_unmatched", detail=receipt.outcome)
    elif command is not None and command.op == "validate":
        if receipt.outcome != "applied":
            fold.note("validation_failed", fold.state.records.get(command.record_id or ""))
    elif command is not None and command.op == "create":
        _fold_create(fold, found.command_id, command, receipt)
    elif not _fold_answer(fold, found.command_id, receipt, found.record):
        known = _was_sent(fold.state.records.get(found.record), found.command_id)
        fold.note("receipt_repeated" if known else "receipt_unmatched", detail=receipt.outcome)


class Answered(NamedTuple):
    """The command that a receipt answers, and when it was issued."""

    command_id: str
    record: str
    issued_at: Millis


def find_command(state: Customer, receipt: Receipt) -> Answered | None:
    """The command by its id; else the latest unanswered one that fits what a replay's receipt names instead."""
    if receipt.command_id is not None:
        return Answered(receipt.command_id, f"{receipt.platform}:{receipt.record_id}", 0)
    fitting: list[tuple[Millis, int, str, str]] = []
    for command_id, command in state.unanswered.items():
        if command.op in ("create", "validate") and receipt.platform == command.platform:
            fitting.append((command.issued_at, state.version, command_id, f"{command.platform}:{command.record_id}"))
    for name, record in state.records.items():
        if receipt.platform == record.platform and receipt.record_id in (None, record.record_id):
            for slot in (*record.slots.values(), *record.consents.values()):
                fitting += [(one.at, one.version, one.command_id, name) for one in slot.sent if _fits(one, receipt)]
    if not fitting:
        return None
    issued_at, _, command_id, name = max(fitting)
    return Answered(command_id, name, issued_at)


def _fits(sent: Sent, receipt: Receipt) -> bool:
    return sent.outcome == UNANSWERED and receipt.golden_version in (None, sent.version)


def _fold_answer(fold: Fold, command_id: str, receipt: Receipt, name: str) -> bool:
    record = fold.state.records.get(name)
    if record is None:
        return False
    matched = False
    for attribute, slot in record.slots.items():
        if _answer(fold, slot, command_id, receipt):
            matched = True
            fold.touch(name, attribute)
            if receipt.outcome == "applied" and record.open:
                remember_held(fold, name, record, attribute, slot)
    for key, slot in record.consents.items():
        if _answer(fold, slot, command_id, receipt):
            matched = True
            fold.touch_consent(name, key)
    if matched and not record.open:
        forget_acknowledgements(record)
    return matched


def _was_sent(record: Record | None, command_id: str) -> bool:
    """True where the command was answered before: a sink that reads it twice answers it twice."""
    slots = (*record.slots.values(), *record.consents.values()) if record is not None else ()
    return any(sent.command_id == command_id for slot in slots for sent in slot.sent)


def _answer(fold: Fold, slot: Slot, command_id: str, receipt: Receipt) -> bool:
    sent = next((one for one in reversed(slot.sent) if one.command_id == command_id), None)
    if sent is None or not _open_to(sent, receipt):
        return False
    sent.outcome = OUTCOMES[receipt.outcome]
    if receipt.outcome == "applied":
        _acknowledge(slot, sent, receipt.at if receipt.at is not None else fold.at)
    elif receipt.outcome in ("refused", "failed") and sent is slot.sent[-1] and not sent.ended:
        slot.refused = sent.seen
    return True


def _open_to(sent: Sent, receipt: Receipt) -> bool:
    """A command is answered once; only a failed one may still be applied, from the dead letters."""
    return sent.outcome == UNANSWERED or (sent.outcome == FAILED and receipt.outcome == "applied")


def _acknowledge(slot: Slot, sent: Sent, at: int) -> None:
    """R11a: ordered by golden_version, and no earlier than the shadow that the command was compared with."""
    sent.acked_at = max(at, sent.compared_at)
    if slot.acked is None or sent.version >= slot.acked.version:
        slot.acked = Held(sent.acked_at, None, sent.seen, sent.value, version=sent.version)
    if slot.refused == sent.seen:
        slot.refused = None


def _fold_create(fold: Fold, command_id: str, command: Unanswered, receipt: Receipt) -> None:
    """The platform's new record joins the customer, holding what it was created with."""
    slot = fold.state.creates.get(command.platform)
    # After a merge there may be two.
    sent = next((one for one in slot.sent if one.command_id == command_id), None) if slot is not None else None
    if slot is None or sent is None:
        fold.note("receipt_unmatched", detail=receipt.outcome)
        return
    sent.outcome = OUTCOMES[receipt.outcome]
    if receipt.outcome != "applied":
        slot.refused = sent.seen
        return
    slot.acked = Held(fold.at, None, sent.seen, None, version=sent.version)
    if receipt.record_id is None:
        return  # applied, and the record will speak for itself
    name = f"{command.platform}:{receipt.record_id}"
    record = fold.state.records.get(name)
    if record is None:
        record = fold.state.records[name] = Record(command.platform, receipt.record_id, heard_at=fold.at)
        if receipt.customer_id not in (None, fold.state.customer_id):
            record.home = receipt.customer_id
        fold.links.append(name)
    at = receipt.at if receipt.at is not None else fold.at
    for attribute, assignment in decode_command(command.payload).attributes.items():
        made = slot_of(record.slots, attribute)
        canonical = fold.policy.canonical(attribute, assignment.value)
        seen = fold.policy.seen(command.platform, attribute, assignment.value, canonical)
        made.acked = Held(at, None, seen, assignment.value, version=sent.version)
        # So that the platform's own event of the new record is known for an echo.
        made.sent = [*made.sent, Sent(command_id, sent.version, sent.at, seen, assignment.value, 0, APPLIED, at)]
        remember_held(fold, name, record, attribute, made)
    fold.entered.add(name)
