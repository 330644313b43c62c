"""The live side of merges and unlinks: messages between customers' rows on `customer.changes` (`core/moves.py`).

A state and everything that is sent on behind it go from one partition to another by the same topic, so that they keep
their order. What a customer agreed to is carried out on its row as it was stored, never in the batch in which it
agreed: a batch that comes again then sends the same state, whatever came first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from streams.codec.internal import decode_customer_change, decode_receipt, decode_steward
from streams.codec.moves import MOVE, decode_move, encode_move
from streams.core.decide import Decision
from streams.core.erasure import buried, refuse_erased
from streams.core.merging import request_merge
from streams.core.move_steps import carry_out, take, take_as_alias
from streams.core.moves import Carry, Move, Step, elsewhere, remembered
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.core.steward import check_request
from streams.core.unlinking import request_unlink
from streams.lane import Emit, Record, Rows, partition_of
from streams.model import Command, Note, StewardRequest
from streams.runtime import topics
from streams.runtime.asked import moved, settled
from streams.runtime.binder import encode_message
from streams.runtime.contacts import withdrawal
from streams.runtime.erasure_steps import Bury, decode_step, is_step
from streams.runtime.letters import Letters, alerts

# What goes out for a decision: the decision, the request behind it, the record that led to it, the rows at hand.
Tell: TypeAlias = Callable[[Decision, StewardRequest, Record, Rows], list[Emit]]

BEGIN: Final = {"merge": request_merge, "unlink": request_unlink}
# What must not overtake what was agreed to.
BEHIND: Final = frozenset({"merge", "unlink", "erase"})


class Taken(NamedTuple):
    """What became of a record: the row, what is emitted, how many dead letters; `rest` is an input to be decided."""

    state: Customer | None
    emits: list[Emit]
    dead: int = 0
    rest: Record | None = None


class Moving:
    """Takes the engine's records that concern more than one customer. `count` is told of every note."""

    def __init__(
        self,
        policy: Policy,
        letters: Letters,
        limit_bytes: int,
        partitions: int,
        tell: Tell,
        count: Callable[[list[Note]], None],
    ) -> None:
        self._policy = policy
        self._letters = letters
        self._limit_bytes = limit_bytes
        self._partitions = partitions
        self._tell = tell
        self._count = count
        # Customers that agreed to something in this batch.
        self._fresh: set[bytes] = set()

    def begin(self) -> None:
        """A new batch: what is stored now is stored."""
        self._fresh.clear()

    def begin_again(self, customer: bytes) -> None:
        """The customer's part of this batch is taken from the start."""
        self._fresh.discard(customer)

    def stored(self, customer: bytes, state: Customer, record: Record, rows: Rows) -> tuple[Customer, list[Emit]]:
        """Carry out what the row, as it was stored, intends, before anything else is taken at it."""
        if customer in self._fresh or not remembered(state).intents:
            return state, []
        step = self._step(customer, state)
        carry_out(step)
        emits = self._emits(step, record, rows)
        return step.known(), emits

    def concerns(self, record: Record, state: Customer | None) -> bool:
        """True for a record that `take` must see."""
        if state is not None and state.moves is not None:
            return True
        if record.topic == topics.CUSTOMER_CHANGES:
            value = record.value
            return bool(value) and value[0] == MOVE  # type: ignore[index]
        return record.topic == topics.STEWARD

    def take(self, customer: bytes, state: Customer | None, record: Record, rows: Rows) -> Taken:
        """Take a move, send on what does not belong here, begin what a steward asks; raises Invalid."""
        value = record.value or b""
        move = decode_move(value) if record.topic == topics.CUSTOMER_CHANGES and value[:1] == b"\x02" else None
        step = self._step(customer, state)
        survivor = remembered(state).survivor if state is not None else None
        if survivor is not None:
            return self._at_alias(step, survivor, record, move, rows)
        if isinstance(move, Carry):
            record = msgspec.structs.replace(record, topic=move.topic, value=move.value)
        elif move is not None:
            take(step, move)
            return self._taken(step, record, rows)
        if state is not None and state.moves is not None and (gone := self._gone(state, record)) is not None:
            return Taken(state, [_onward(gone, record)])
        return self._asked(step, record, rows)

    def _at_alias(self, step: Step, survivor: str, record: Record, move: Move | None, rows: Rows) -> Taken:
        if move is not None and take_as_alias(step, move):
            return self._taken(step, record, rows)
        told = decode_step(record) if is_step(record) else None
        if isinstance(told, Bury):
            return Taken(buried(step.customer_id, told.at, survivor), [])
        if record.value is None:
            return Taken(step.state, [], rest=record)
        return Taken(step.state, [_onward(survivor, record)])

    def _gone(self, state: Customer, record: Record) -> str | None:
        """The customer to whom an input must go on."""
        if record.value is None or is_step(record):
            return None
        if record.topic == topics.CUSTOMER_CHANGES:
            return elsewhere(state, decode_customer_change(record.value))
        if record.topic == topics.RECEIPTS:
            return elsewhere(state, decode_receipt(record.value))
        return elsewhere(state, decode_steward(record.value))

    def _asked(self, step: Step, record: Record, rows: Rows) -> Taken:
        """Begin what a steward asks; behind what was agreed to, nothing of the kind before that is done."""
        state = step.state
        request = decode_steward(record.value) if record.topic == topics.STEWARD and record.value is not None else None
        if request is None or request.action not in BEHIND:
            return Taken(state, [], rest=record)
        check_request(request, self._policy)
        refuse_erased(state, request)
        if state is not None and remembered(state).intents:
            return Taken(state, [_onward(step.customer_id, record)])
        begin = BEGIN.get(request.action)
        if begin is None:
            return Taken(state, [], rest=record)
        begin(step, request, request.request_id or f"steward-{record.timestamp_ms}", record.timestamp_ms)
        return self._taken(step, record, rows)

    def _step(self, customer: bytes, state: Customer | None) -> Step:
        return Step(customer.decode(), state, self._policy, self._limit_bytes)

    def _taken(self, step: Step, record: Record, rows: Rows) -> Taken:
        if step.state is not None and remembered(step.state).intents:
            self._fresh.add(step.customer_id.encode())
        emits = self._emits(step, record, rows)
        if step.refused is None:
            return Taken(step.state, emits)
        invalid, offer = step.refused
        # The offer in the place of a state: so that no letter holds a whole customer.
        letter = msgspec.structs.replace(record, value=encode_move(offer))
        return Taken(step.state, [*emits, self._letters.refuse(letter, invalid, "TASK_PUT", __name__)], dead=1)

    def _emits(self, step: Step, record: Record, rows: Rows) -> list[Emit]:
        """What was decided first, so that a contact point is held anew before it is withdrawn."""
        emits, at = list[Emit](), record.timestamp_ms
        for decision, request in step.decisions:
            emits += self._tell(decision, request, record, rows)
        emits += [
            Emit(topics.CONTACTS, point.encode(), withdrawal(holder), timestamp_ms=at)
            for point, holder in step.withdrawn
        ]
        emits += [
            Emit(topics.CUSTOMER_CHANGES, target.encode(), encode_move(move), timestamp_ms=at)
            for target, move in step.sends
        ]
        emits += [
            Emit(topics.IDENTITY, key.encode(), encode_message(message), timestamp_ms=at) for key, message in step.told
        ]
        if step.notes:
            self._count(step.notes)
        return emits + alerts(step.notes, at) + moved(step, at) + settled(step.closed, at)

    def place(self, decision: Decision, command: Command) -> int | None:
        """R14: the partition of a command; a record's commands stay where they began, beside their fence."""
        name = f"{command.platform}:{command.record_id}"
        record = decision.state.records.get(name)
        home = record.home if record is not None else None
        if decision.erasure is not None:
            home = decision.erasure.homes.get(name)
        home = home or command.customer_id
        return None if home == decision.state.customer_id else partition_of(home.encode(), self._partitions)


def _onward(customer_id: str, record: Record) -> Emit:
    """The record as it is, to another row, by the topic by which states move."""
    value, headers = record.value or b"", record.headers
    if record.topic != topics.CUSTOMER_CHANGES:
        value = encode_move(Carry(record.topic, value))
    return Emit(topics.CUSTOMER_CHANGES, customer_id.encode(), value, None, record.timestamp_ms, headers)
