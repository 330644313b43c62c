"""Unlink: a record leaves with its own part of the state and becomes a customer of its own (I4). See `moves.py`."""

from __future__ import annotations

from streams.core.foreign import remember_parting
from streams.core.identity import minted
from streams.core.joining import Part, part, settle_apart
from streams.core.moves import (
    REMEMBERED_MAX,
    Install,
    Step,
    asked,
    asked_by,
    held_points,
    intend,
    kept,
    moves_of,
    remember_request,
    review,
    size_bytes,
    too_large,
)
from streams.core.repointing import Parted
from streams.core.state import Intent, Join, Moves, Parting
from streams.model import Invalid, Millis, StewardRequest


def request_unlink(step: Step, request: StewardRequest, request_id: str, at: Millis) -> None:
    """A steward wants a record to be a customer of its own; raises Invalid."""
    state, name = asked(step, request_id), request.record or ""
    if state is None:
        return
    if name not in state.records:
        raise Invalid("bad_request", "the record is not linked to this customer; if a merge is under way, ask again")
    remember_request(state, request_id, step.policy)
    evidence = Join(step.customer_id, at, request_id, request.by, request.why)
    intend(step, Intent(request_id, at, minted("unlink", name, request_id), name, evidence))


def part_record(step: Step, intent: Intent) -> None:
    """The record leaves with its own; what it had spoken of is no longer held here."""
    state = step.known()
    if intent.record not in state.records or too_large(step, size_bytes(state)):
        rule = "too_large" if intent.record in state.records else "not_linked"
        step.notes.append(review(step.customer_id, intent.target, asked_by(intent), rule))
        step.answer(asked_by(intent), rule)
        return
    before, version = held_points(state), state.version + 1
    parted: Part = part(state, intent.record, intent.target, intent.at, intent.request_id, step.policy)
    moves = moves_of(state)
    moves.parted = kept({**moves.parted, intent.record: intent.target})
    moves.apart = [*moves.apart, intent.target][-REMEMBERED_MAX:]
    remember_parting(moves, Parting(intent.target, version, intent.at), REMEMBERED_MAX)
    step.decisions.append((parted.stays, _request(intent)))
    step.withdrawn += [(point, step.customer_id) for point in sorted(before - held_points(state))]
    install = Install(parted.moved, intent.record, asked_by(intent), step.names, parted.foreign)
    step.sends.append((intent.target, install))


def _request(intent: Intent) -> StewardRequest:
    asked = asked_by(intent)
    return StewardRequest(
        "unlink", intent.request_id, record=intent.record, with_=intent.target, at=intent.at, by=asked.by, why=asked.why
    )


def install_state(step: Step, install: Install) -> None:
    """I4: the unlinked record is a customer of its own, and takes back what the others had written to it."""
    state, request = step.state, install.request
    if state is not None and (state.erased_at is not None or install.state.customer_id in step.names):
        return
    moved = install.state
    moved.moves = Moves(apart=list(install.names)[-REMEMBERED_MAX:])
    remember_parting(moved.moves, Parting(install.names[0], moved.version, request.at, install.record), REMEMBERED_MAX)
    remember_request(moved, request.request_id, step.policy)
    decision = settle_apart(moved, install.foreign, request.at, request.request_id, step.policy)
    step.state = moved
    asked = StewardRequest(
        "unlink",
        request.request_id,
        record=install.record,
        with_=install.names[0],
        at=request.at,
        by=request.by,
        why=request.why,
    )
    step.decisions.append((decision, asked))
    step.answer(request)
    step.told.append((install.record, Parted(install.record, step.customer_id, install.names)))
