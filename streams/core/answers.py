"""Receipts: what a platform answered moves its shadow, or keeps a value from being sent again (R11a, R12)."""

from __future__ import annotations

from streams.core.claims import remember_held
from streams.core.fold import Fold, slot_of
from streams.core.state import APPLIED, FAILED, REFUSED, SUPERSEDED, UNANSWERED, Customer, Held, Record, Sent, Slot
from streams.model import Command, Receipt

OUTCOMES = {"applied": APPLIED, "refused": REFUSED, "failed": FAILED, "superseded": SUPERSEDED}


def fold_receipt(fold: Fold, receipt: Receipt) -> None:
    """Match the receipt to its command and take the answer; one that fits nothing is noted `receipt_unmatched`."""
    command_id = find_command(fold.state, receipt)
    command = fold.state.unanswered.pop(command_id, None) if command_id is not None else None
    if command_id is not None:
        fold.state.resent.pop(command_id, None)
    if command is not None and command.op == "validate":
        if receipt.outcome != "applied":
            fold.note("validation_failed", fold.state.records.get(command.record_id or ""))
        return
    matched = False
    if command is not None and command.op == "create":
        matched = _fold_create(fold, command, receipt)
    elif command_id is not None:
        matched = _fold_answer(fold, command_id, receipt, _record_name(command, receipt))
    if not matched:
        fold.note("receipt_unmatched", detail=receipt.outcome)


def find_command(state: Customer, receipt: Receipt) -> str | None:
    """The command's id, or the latest unanswered command that fits what a replay's receipt names instead."""
    if receipt.command_id is not None:
        return receipt.command_id
    for command in reversed(state.unanswered.values()):
        if _fits(command, receipt):
            return command.command_id
    return None


def _fits(command: Command, receipt: Receipt) -> bool:
    return (
        receipt.platform == command.platform
        and receipt.record_id in (None, command.record_id)
        and receipt.golden_version in (None, command.golden_version)
    )


def _record_name(command: Command | None, receipt: Receipt) -> str:
    if command is not None:
        return f"{command.platform}:{command.record_id}"
    return f"{receipt.platform}:{receipt.record_id}"


def _fold_answer(fold: Fold, command_id: str, receipt: Receipt, name: str) -> bool:
    record = fold.state.records.get(name)
    if record is None:
        return False
    matched = False
    for attribute, slot in record.slots.items():
        if _answer(fold, slot, command_id, receipt):
            matched = True
            fold.pairs.add((name, attribute))
            if receipt.outcome == "applied":
                remember_held(fold, name, record, attribute, slot)
    for key, slot in record.consents.items():
        if _answer(fold, slot, command_id, receipt):
            matched = True
            fold.told.add((name, key))
    return matched


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


def _fold_create(fold: Fold, command: Command, receipt: Receipt) -> bool:
    """The platform's new record joins the customer, holding what it was created with."""
    slot = fold.state.creates.get(command.platform)
    sent = slot.sent[-1] if slot is not None and slot.sent else None
    if slot is None or sent is None or sent.command_id != command.command_id:
        return False
    sent.outcome = OUTCOMES[receipt.outcome]
    if receipt.outcome != "applied" or receipt.record_id is None:
        slot.refused = sent.seen
        return True
    name = f"{command.platform}:{receipt.record_id}"
    record = fold.state.records.get(name)
    if record is None:
        record = fold.state.records[name] = Record(command.platform, receipt.record_id)
        fold.links.append(name)
    at = receipt.at if receipt.at is not None else fold.at
    for attribute, assignment in command.attributes.items():
        made = slot_of(record.slots, attribute)
        seen = fold.policy.seen(command.platform, attribute, assignment.value)
        made.acked = Held(at, None, seen, assignment.value, version=command.golden_version)
        remember_held(fold, name, record, attribute, made)
    fold.entered.add(name)
    return True
