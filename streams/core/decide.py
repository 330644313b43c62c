"""The one entry of the core: fold one input into one customer's state and say what follows from it.

Pure: no clock, no I/O. `decide` takes over the state that it is given; the caller keeps bytes, not objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple, TypeAlias

import msgspec

from streams.core.answers import fold_receipt
from streams.core.canonical import check_separators, same
from streams.core.claims import delete_record, empty_shadows, state_attribute
from streams.core.commands import emit
from streams.core.consent import state_consent, state_suppression
from streams.core.effective import announce_contacts, resolve_consents, touch_deadlines
from streams.core.erasure import Erasure, erase, fold_erased
from streams.core.fold import ContactUpdate, Fold, Said
from streams.core.in_flight import emit_again, forget_ended, next_due
from streams.core.pruning import prune
from streams.core.rules import Policy
from streams.core.state import Customer, Record
from streams.core.steward import fold_request
from streams.core.survivorship import resolve
from streams.core.verdicts import judge_claim
from streams.model import (
    Address,
    Change,
    Command,
    Invalid,
    LedgerEntry,
    Millis,
    Note,
    Receipt,
    StewardRequest,
)

# What may be read again and then emits again what it caused.
_CAUSES: Final = (Change, StewardRequest)


class Tick(NamedTuple):
    """The clock has reached the input's Kafka timestamp; due timers fire."""


Input: TypeAlias = Change | Receipt | StewardRequest | Tick


class Decision(NamedTuple):
    """What one input made of one customer."""

    state: Customer
    commands: list[Command]
    ledger: list[LedgerEntry]
    notes: list[Note]
    contacts: list[ContactUpdate]
    links: list[str]
    # Attributes that golden shows otherwise than before, those that are gone included, in order.
    shown: Sequence[str] = ()
    erasure: Erasure | None = None


def decide(state: Customer, event: Input, at: Millis, policy: Policy) -> Decision:
    """Fold `event` (Kafka timestamp `at`, ms) into `state`; commands, ledger rows and notes in order of emission."""
    fold = Fold(state, policy, at, _cause(event))
    if state.erased_at is not None:
        erasure = fold_erased(fold, event)
        return _decision(fold, erasure)
    if isinstance(event, StewardRequest) and event.action == "erase":
        return _erased(fold, event)
    state.clock = max(state.clock, at)
    touch_deadlines(fold)
    _fold_input(fold, event)
    return settle(fold, fold.cause if isinstance(event, _CAUSES) else None)


def settle(fold: Fold, cause: str | None = None) -> Decision:
    """What follows from what was touched: winners, consent states, version, commands.

    `cause`: commands in flight that it caused are emitted again.
    """
    state = fold.state
    if state.policy_version != fold.policy.version:
        _adopt_policy(fold)
    changed, differs = _resolve_attributes(fold)
    differs |= resolve_consents(fold)
    if differs:
        state.version += 1
    announce_contacts(fold)
    if fold.keys or fold.spoken:
        prune(fold)
    emit(fold, changed)
    if state.unanswered:
        forget_ended(fold)
        emit_again(fold, cause)
    state.due_at = next_due(fold)
    return _decision(fold)


def _erased(fold: Fold, request: StewardRequest) -> Decision:
    """K3: the end of this customer, unless the request is an old one again."""
    request_id = request.request_id or fold.cause
    return _decision(fold, None if request_id in fold.state.requests else erase(fold, request_id))


def _decision(fold: Fold, erasure: Erasure | None = None) -> Decision:
    return Decision(fold.state, fold.commands, fold.ledger, fold.notes, fold.contacts, fold.links, fold.shown, erasure)


def _cause(event: Input) -> str:
    match event:
        case Change():
            return event.change_id
        case Receipt():
            return event.command_id or "receipt"
        case StewardRequest():
            return event.request_id or "steward"
        case _:
            return "clock"


def _fold_input(fold: Fold, event: Input) -> None:
    match event:
        case Change():
            _fold_change(fold, event)
        case Receipt():
            fold_receipt(fold, event)
        case StewardRequest():
            fold_request(fold, event)
        case _:
            _touch_due(fold)


def _touch_due(fold: Fold) -> None:
    """A verdict that did not come in time, and opt-outs whose repetition was put off, are compared again."""
    for name, record in fold.state.records.items():
        for attribute, slot in record.slots.items():
            if slot.asked_at is not None and fold.at >= slot.asked_at + fold.policy.verdict_timeout_ms:
                fold.touch(name, attribute)
        for key, slot in record.consents.items():
            if slot.repeat_at is not None and fold.at >= slot.repeat_at:
                slot.repeat_at = None
                fold.touch_consent(name, key)


def _adopt_policy(fold: Fold) -> None:
    """Another policy version: every winner and every record is compared again."""
    if fold.state.policy_version:
        fold.reason = fold.reason or "policy"
        for name, record in fold.state.records.items():
            for attribute in record.slots:
                if attribute in fold.policy.attributes:
                    fold.touch(name, attribute)
                    fold.attributes.add(attribute)
        fold.keys.update(fold.state.entries)
        fold.entered.update(fold.state.records)
    fold.state.policy_version = fold.policy.version


# Changes


def check_change(change: Change, policy: Policy) -> None:
    """Raise Invalid, naming the place, for a change that the policy cannot take; the state is not touched."""
    if change.platform not in policy.platforms:
        raise Invalid("unknown_platform", "platform")
    for attribute, statement in change.attributes.items():
        rule = policy.attributes.get(attribute)
        if rule is None or statement.value is None:
            continue
        if isinstance(statement.value, Address) != (rule.kind == "address"):
            raise Invalid(
                "bad_value", f"attributes.{attribute}: not {'an address' if rule.kind == 'address' else 'a text'}"
            )
        if isinstance(statement.value, str):
            check_separators(f"attributes.{attribute}", statement.value)
    for consent in change.consents:
        check_separators("consents", consent.contact_point, consent.channel, consent.purpose)
    for suppression in change.suppressions:
        check_separators("suppressions", suppression.contact_point, suppression.channel)


def _fold_change(fold: Fold, change: Change) -> None:
    if change.verdicts and change.only_verdicts:
        _fold_verdicts(fold, change, _first_seen(fold, fold.state.records.get(change.verdicts[0].record), change))
        return
    name = change.record
    record = fold.state.records.get(name)
    if record is None:
        record = fold.state.records[name] = Record(change.platform, change.record_id, heard_at=fold.at)
        fold.entered.add(name)
    seen_at = _first_seen(fold, record, change)
    at = effective(fold, record, change.observed_at, seen_at, "observed_at")
    if record.deleted_at is not None and change.op != "delete":
        if at <= record.deleted_at:
            fold.note("deleted_drop", record)
            return
        if not record.open:
            record.open = True
            fold.entered.add(name)
    snapshot = change.kind == "snapshot" or change.op == "restate"
    fold.snapshot = snapshot
    shadow_at = fold.at if snapshot else min(at, fold.at)
    rule = fold.policy.platforms.get(change.platform)
    said = Said(change, name, record, rule, at, shadow_at, snapshot, change.origin == "writeback")
    _fold_said(fold, said, seen_at)
    record.last_at = max(record.last_at, at)


def _fold_said(fold: Fold, said: Said, seen_at: Millis) -> None:
    change = said.change
    if change.op == "delete":
        delete_record(fold, said)
        return
    if change.op == "restate":
        empty_shadows(fold, said)
    for attribute, statement in change.attributes.items():
        state_attribute(fold, said, attribute, statement)
    for consent in change.consents:
        state_consent(fold, said, consent, effective(fold, said.record, consent.at, seen_at, "consents"))
    for suppression in change.suppressions:
        state_suppression(
            fold, said, suppression, effective(fold, said.record, suppression.at, seen_at, "suppressions")
        )
    _fold_verdicts(fold, change, seen_at)


def _fold_verdicts(fold: Fold, change: Change, seen_at: Millis) -> None:
    for verdict in change.verdicts:
        stated = verdict.at if verdict.at is not None else change.observed_at
        judge_claim(fold, verdict, effective(fold, None, stated, seen_at, "verdicts"))


def effective(fold: Fold, record: Record | None, stated: Millis | None, seen_at: Millis, what: str) -> Millis:
    """R2: the stated time, unless it is absent or lies too far after the Kafka timestamp (noted `clamped`)."""
    if stated is None:
        return seen_at
    if stated > seen_at + fold.policy.clock_skew_tolerance_ms:
        fold.note("clamped", record, detail=what)
        return seen_at
    return stated


def _first_seen(fold: Fold, record: Record | None, change: Change) -> Millis:
    """R2: a statement without a usable time keeps the Kafka timestamp at which it was delivered first.

    One that was clamped is known again also when its time has come meanwhile.
    """
    needed = _needs_memory(fold, change)
    if record is None or not (needed or record.firsts):
        return fold.at
    names = [change.change_id]
    if change.observed_at is not None:
        content = msgspec.structs.replace(change, change_id="")
        names.append(blake2b(msgspec.msgpack.encode(content, order="deterministic"), digest_size=12).hexdigest())
    for name in names:
        if name in record.firsts:
            return record.firsts[name]
    if not needed:
        return fold.at
    for name in names:
        record.firsts[name] = fold.at
    while len(record.firsts) > fold.policy.limits.firsts_max:
        record.firsts.pop(next(iter(record.firsts)))
    return fold.at


def _needs_memory(fold: Fold, change: Change) -> bool:
    latest = fold.at + fold.policy.clock_skew_tolerance_ms
    observed_at = change.observed_at
    if observed_at is None or observed_at > latest:
        return True
    for consent in change.consents:
        at = consent.at
        if at is None or at > latest:
            return True
    for suppression in change.suppressions:
        at = suppression.at
        if at is None or at > latest:
            return True
    return any(one.at is not None and one.at > latest for one in change.verdicts)


# Golden


def _resolve_attributes(fold: Fold) -> tuple[set[str], bool]:
    """Resolve the touched attributes; the ones whose value differs now, and whether a value or a status does."""
    state, changed, differs = fold.state, set[str](), False
    if not fold.attributes:
        return changed, differs
    golden = state.golden
    for attribute in sorted(fold.attributes):
        if attribute not in fold.policy.attributes:
            continue
        before = golden.get(attribute)
        after = resolve(state, fold.policy, attribute)
        if after is None:
            if golden.pop(attribute, None) is not None:
                differs = True
                fold.shown.append(attribute)
            continue
        golden[attribute] = after
        if before is None or before.status != after.status or not same(before.canonical, after.canonical):
            differs = True
            changed.add(attribute)
            fold.shown.append(attribute)
        elif before.value != after.value:
            fold.shown.append(attribute)  # the same value, spelt otherwise
    for attribute in changed:
        _free_refused(fold, attribute)
    return changed, differs


def _free_refused(fold: Fold, attribute: str) -> None:
    """R12, R15: a refused or quarantined value is drift until golden changes."""
    for record in fold.state.records.values():
        slot = record.slots.get(attribute)
        if slot is not None:
            slot.refused = slot.quarantined = None
