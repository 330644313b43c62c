"""Take one move to its step, and carry out first what was agreed to before (`moves.py`)."""

from __future__ import annotations

from streams.core.closing import inquire
from streams.core.merging import absorb_state, answer_offer, consider, remember_return, surrender
from streams.core.moves import (
    Absorb,
    Carry,
    Inquire,
    Install,
    Move,
    Offer,
    Propose,
    Return,
    Step,
    Wake,
    moves_of,
    remembered,
)
from streams.core.unlinking import install_state, part_record


def carry_out(step: Step) -> None:
    """Carry out what the stored row intends; afterwards the row may be an alias. Only on a row as it was stored."""
    state = step.known()
    intents, moves_of(state).intents = moves_of(state).intents, []
    if state.erased_at is not None:
        return
    for intent in intents:
        if intent.record:
            part_record(step, intent)
    for intent in intents:
        if not intent.record and remembered(step.known()).survivor is None:
            surrender(step, intent)


def take(step: Step, move: Move) -> None:
    """Take one message at a row that is no alias; raises Invalid where a steward's offer cannot be taken."""
    match move:
        case Offer():
            answer_offer(step, move)
        case Absorb():
            absorb_state(step, move)
        case Install():
            install_state(step, move)
        case Return():
            pass  # delivered again: it has been a customer again since
        case Propose():
            consider(step, move)
        case Inquire():
            inquire(step, move)
        case Wake() | Carry():
            pass  # what was to be carried out was, by whatever came first; what was carried is an input by now


def take_as_alias(step: Step, move: Move) -> bool:
    """True where a message is for the alias itself; everything else goes on to the survivor."""
    moves = moves_of(step.known())
    if isinstance(move, Return) and move.request_id == moves.request_id:
        step.state = move.state
        remember_return(move.state, move.request_id, step.customer_id)
        return True
    return isinstance(move, Wake | Return)
