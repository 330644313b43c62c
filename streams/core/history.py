"""One entry of a customer's history for each input that changed something, made of what `decide` already knows.

On the hot path, and compiled: the entry is encoded here at once, as an array that `timeline.Entry` reads back. Equal
inputs give equal bytes, so that what is delivered again is known again.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.core.decide import Decision, Input
from streams.core.state import Customer
from streams.model import Change, Command, Millis, Receipt, StewardRequest

# The first byte of what is on the topic `history` and in its table.
ENTRY: Final = b"\x01"

# What an entry covers: what differs; the same, and there was nothing before; everything there is.
PART: Final = 0
BORN: Final = 1
WHOLE: Final = 2

_NO_ANSWER: Final = ("receipt_unmatched", "receipt_repeated")

_encoder: Final = msgspec.msgpack.Encoder()


def entry_of(decision: Decision, event: Input, at: Millis) -> bytes | None:
    """The entry of one input with the Kafka timestamp `at`; None where it changed nothing, or nothing is kept.

    Something changed: a golden value or its status, an effective consent, a new command, the answer to one, a
    steward's request. A command that is only emitted again is no news.
    """
    state = decision.state
    if state.erased_at is not None:
        return None
    version = state.version
    told = [_told(one) for one in decision.commands if one.golden_version == version and one.issued_at == at]
    changed = bool(told or decision.shown or decision.contacts)
    if isinstance(event, Change):
        if not changed:
            return None
        return _encoded(decision, at, "change", event.change_id, None, event.record, told)
    if isinstance(event, Receipt):
        outcome = _outcome(decision, event)
        if outcome is None and not changed:
            return None
        record = f"{event.platform}:{event.record_id or ''}"
        return _encoded(decision, at, "receipt", event.command_id or "receipt", outcome, record, told, event.detail)
    if isinstance(event, StewardRequest):
        request_id = event.request_id or "steward"
        if not changed and (not state.requests or state.requests[-1] != request_id):
            return None
        return _encoded(decision, at, "steward", request_id, None, event.record, told, event)
    return _encoded(decision, at, "clock", "clock", None, None, told) if changed else None


def _encoded(
    decision: Decision,
    at: Millis,
    kind: str,
    cause: str,
    outcome: str | None,
    record: str | None,
    told: list[tuple[Any, ...]],
    more: Any = None,
) -> bytes:
    state = decision.state
    shown = {attribute: golden_of(state, attribute) for attribute in decision.shown}
    extent = BORN if state.born_at == at else PART
    entry = (at, state.version, kind, cause, outcome, extent, record, shown, decision.contacts, told)
    if more is None:
        return ENTRY + _encoder.encode(entry)
    detail, request = (more, None) if kind == "receipt" else (None, more)
    return ENTRY + _encoder.encode((*entry, detail, request))


def golden_of(state: Customer, attribute: str) -> tuple[Any, ...] | None:
    """What golden shows of an attribute: value, status, record, effective time, confidence; None where nothing."""
    golden = state.golden.get(attribute)
    if golden is None:
        return None
    return (golden.value, golden.status, golden.record, golden.at, golden.confidence)


def _told(command: Command) -> tuple[Any, ...]:
    """What a command says, without the values: they are golden's."""
    consents = [(one.contact_point, one.channel, one.purpose, one.decision) for one in command.consents]
    return (
        command.command_id,
        command.platform,
        command.record_id,
        command.op,
        command.reason,
        list(command.attributes),
        consents,
    )


def _outcome(decision: Decision, receipt: Receipt) -> str | None:
    """The answer, None where it answers nothing that waits for one."""
    for note in decision.notes:
        if note.kind in _NO_ANSWER:
            return None
    return receipt.outcome
