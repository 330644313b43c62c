"""What became of a steward's request, and what ends a case, on the way to the review queue: the topic `reviews`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from streams.codec.internal import decode_steward
from streams.codec.moves import MOVE, decode_move
from streams.codec.versioned import Versioned
from streams.core.decide import Decision
from streams.core.erasure import Erasure
from streams.core.moves import Carry, Closed, Step
from streams.lane import Emit, Record
from streams.model import Invalid, Millis, Note, StewardRequest
from streams.runtime import topics

Answer: TypeAlias = Literal["accepted", "refused"]

# Rows and keys of answers; a review's id never starts so.
REQUEST: Final = b"request:"


class Outcome(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The answer to one request, under `request:<id>`: `reason` names why it was refused.

    `follows`: the request that was made of it, which has an answer of its own.
    """

    request_id: str
    at: Millis
    state: Answer
    customer_id: str | None = None
    reason: str | None = None
    follows: str | None = None


class Decide(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A steward's decision, under the key of the case's notes."""

    request: StewardRequest


class Settle(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A case has nothing left to decide, under its key: its customers are one, `became`; None: one was erased."""

    review_id: str
    became: str | None


Message: TypeAlias = Outcome | Decide | Settle

_messages: Final = Versioned[Message](Message, b"\x01", "review message")
encode_message: Final = _messages.encode
decode_message: Final = _messages.decode


def request_key(request_id: str) -> bytes:
    """The row of a request's answer."""
    return REQUEST + request_id.encode()


def outcome_emit(outcome: Outcome) -> Emit:
    """An answer on its way to its row."""
    return Emit(topics.REVIEWS, request_key(outcome.request_id), encode_message(outcome), timestamp_ms=outcome.at)


def accepted(request_id: str | None, customer_id: str, at: Millis) -> list[Emit]:
    """The request was carried out, or had been before."""
    return [outcome_emit(Outcome(request_id, at, "accepted", customer_id))] if request_id is not None else []


def refused(request_id: str | None, customer_id: str, reason: str, at: Millis) -> list[Emit]:
    """The request was not carried out."""
    return [outcome_emit(Outcome(request_id, at, "refused", customer_id, reason))] if request_id is not None else []


def heard(customer_id: str, request: StewardRequest, decision: Decision | None, at: Millis) -> list[Emit]:
    """What a customer's row made of a request that was folded; a decision on a case goes on to the review queue."""
    if request.action == "review":
        return [_onward(customer_id, request, at)]
    reason = _unheard(decision.notes) if decision is not None else None
    if reason is not None:
        return refused(request.request_id, customer_id, reason, at)
    return accepted(request.request_id, customer_id, at)


def _onward(customer_id: str, request: StewardRequest, at: Millis) -> Emit:
    key = request.record if request.record is not None else customer_id
    return Emit(topics.REVIEWS, key.encode(), encode_message(Decide(request)), timestamp_ms=at)


def _unheard(notes: list[Note]) -> str | None:
    return "not_linked" if any(note.kind == "release_unmatched" for note in notes) else None


def turned_down(record: Record, invalid: Invalid) -> list[Emit]:
    """A record that goes to the dead letters: where it is a request, its answer."""
    try:
        request = _request_of(record)
    except Invalid:
        return []
    if request is None:
        return []
    customer_id = (record.key or b"").decode(errors="replace")
    return refused(request.request_id, customer_id, invalid.reason, record.timestamp_ms)


def _request_of(record: Record) -> StewardRequest | None:
    """The request in a record, also where it was carried on from an alias; raises Invalid."""
    if record.topic == topics.STEWARD:
        return decode_steward(record.value)
    if record.topic == topics.CUSTOMER_CHANGES and record.value and record.value[0] == MOVE:
        move = decode_move(record.value)
        if isinstance(move, Carry) and move.topic == topics.STEWARD:
            return decode_steward(move.value)
    return None


def moved(step: Step, at: Millis) -> list[Emit]:
    """What a merge or an unlink came to, for the person who asked; what the policy did by itself has none."""
    emits: list[Emit] = []
    for request_id, reason in step.answers:
        if reason is None:
            emits += accepted(request_id, step.customer_id, at)
        else:
            emits += refused(request_id, step.customer_id, reason, at)
    return emits


def settled(closed: Iterable[Closed], at: Millis) -> list[Emit]:
    """Cases that end by themselves, on their way to where they lie."""
    return [
        Emit(topics.REVIEWS, one.key.encode(), encode_message(Settle(one.review_id, one.became)), timestamp_ms=at)
        for one in closed
    ]


def gone(erasure: Erasure, at: Millis) -> list[Emit]:
    """The cases on an erased customer that lie under somebody else's key."""
    return settled((Closed(one.review_id, one.key, None) for one in erasure.cases), at)
