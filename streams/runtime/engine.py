"""The engine: changes, receipts, steward requests and ticks folded into the table `customers`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from streams.codec import PublicCodec
from streams.codec.internal import decode_customer_change, decode_receipt, decode_steward
from streams.codec.public import ledger_key
from streams.codec.state import decode_customer, encode_customer
from streams.core.asking import Ask
from streams.core.bonds import MADE
from streams.core.decide import Decision, Input, Tick, check_change, decide
from streams.core.erasure import refuse_erased
from streams.core.fold import ContactUpdate
from streams.core.history import entry_of
from streams.core.identity import Bound, Message
from streams.core.own_writes import own_writes
from streams.core.repointing import customer_key
from streams.core.rules import Policy
from streams.core.state import PERSON, Customer
from streams.core.steward import check_request
from streams.core.timeline import whole_entry
from streams.lane import Batch, Done, Emit, Record, Rows, TooLarge
from streams.model import Invalid, Note, StewardRequest
from streams.runtime import topics
from streams.runtime.asked import gone, heard, turned_down
from streams.runtime.binder import encode_message
from streams.runtime.contacts import Holding, encode_holding
from streams.runtime.erasing import FENCES, Erasing, carried_out
from streams.runtime.erasure_steps import Step, decode_step, is_step
from streams.runtime.historian import entry_emits, moved_emit
from streams.runtime.letters import ALERTS, Letters, alert
from streams.runtime.metrics import DECIDE_S, RECORDS, Tally
from streams.runtime.moving import Moving

# Local rows: when a customer's next timer fires. `due`, the time (8 bytes, big-endian ms), the customer's id.
DUE: Final = b"\x00due"
_DUE_END: Final = len(DUE) + 8
# Rows of the table that are no customers begin so.
OTHERS: Final = b"\x00"


def due_key(at: int, customer: bytes) -> bytes:
    """The local row of a timer."""
    return DUE + at.to_bytes(8, "big") + customer


def derive(key: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """The timer that follows from a customer's row, for recovery."""
    if key[:1] == OTHERS:
        return []
    due_at = decode_customer(value).due_at
    return [] if due_at is None else [(due_key(due_at, key), b"")]


class Engine:
    """Processor of `customer.changes`, `receipts`, `steward` and `ticks`."""

    def __init__(
        self,
        policy: Policy,
        codec: PublicCodec,
        letters: Letters,
        record_max_bytes: int,
        due_max: int,
        partitions: int,
        erasing: Erasing,
    ) -> None:
        self._policy = policy
        self._codec = codec
        self._letters = letters
        self._record_max_bytes = record_max_bytes
        self._due_max = due_max
        self._erasing = erasing
        self._keeps_history = policy.history.max_entries > 0
        self._tally = Tally()
        self._moving = Moving(policy, letters, record_max_bytes, partitions, self._told, self._noted)

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The customers of the batch, and whether anybody was erased."""
        return (FENCES, *(one.key for one in batch.records if one.key is not None))

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Each customer's inputs in their order; states are decoded and written once for the batch."""
        records = batch.records if batch.topic != topics.STEWARD else _one_each(batch.records)
        RECORDS.labels(batch.topic).inc(len(records))
        self._tally = Tally()
        self._moving.begin()
        with DECIDE_S.labels("engine").time():
            emits, dead = self._all(batch.topic, records, rows)
        self._tally.publish()
        self._letters.count(len(records), dead)
        return Done(emits, None if len(records) == len(batch.records) else records[-1].offset)

    def _all(self, topic: str, batch: Sequence[Record], rows: Rows) -> tuple[list[Emit], int]:
        if topic == topics.TICKS:
            return self._fire(batch[-1], rows), 0
        emits: list[Emit] = []
        dead = 0
        for customer, records in _by_customer(batch).items():
            made, refused = self._fold(customer, records, rows)
            emits += made
            dead += refused
        return emits, dead

    def _fold(self, customer: bytes, records: list[Record], rows: Rows) -> tuple[list[Emit], int]:
        """Fold a customer's records; where the state outgrows its limit, one by one, to find which one it is."""
        if customer[:1] == OTHERS:
            return self._erasing.keep(customer, records, rows, self._letters)
        stored = rows.get(customer)
        try:
            return self._fold_together(customer, stored, records, rows)
        except TooLarge:
            return self._fold_singly(customer, stored, records, rows)

    def _fold_together(
        self, customer: bytes, stored: bytes | None, records: list[Record], rows: Rows
    ) -> tuple[list[Emit], int]:
        state = decode_customer(stored) if stored is not None else None
        due_before = state.due_at if state is not None else None
        emits: list[Emit] = []
        dead = 0
        fenced = rows.get(FENCES) is not None
        if state is not None and state.moves is not None:
            state, emits = self._moving.stored(customer, state, records[0], rows)
        for record in records:
            try:
                if self._moving.concerns(record, state):
                    state, made, refused, rest = self._moving.take(customer, state, record, rows)
                    emits += made
                    dead += refused
                    if rest is None:
                        continue
                    record = rest
                event = self._event(record, state)
            except Invalid as invalid:
                dead += 1
                emits += [*self._erasing.refused(record, invalid, state, self._letters), *turned_down(record, invalid)]
                continue
            decision = self._decide(customer, state, event, record.timestamp_ms)
            if fenced and decision.contacts:
                decision = self._erasing.checked(decision, rows)
            if decision.state.erased_at is not None:
                emits += self._erasing.emits(record, event, decision)
            if isinstance(event, Step):
                emits += self._erasing.passed_on(decision.state, event)
            emits += self._emits(customer, decision, record.timestamp_ms, event)
            if isinstance(event, StewardRequest):
                emits += heard(customer.decode(), event, decision, record.timestamp_ms)
            state = decision.state
        if state is not None:
            _store(customer, state, due_before, rows)
        return emits, dead

    def _fold_singly(
        self, customer: bytes, stored: bytes | None, records: list[Record], rows: Rows
    ) -> tuple[list[Emit], int]:
        emits: list[Emit] = []
        dead = 0
        self._moving.begin_again(customer)
        for record in records:
            try:
                made, refused = self._fold_together(customer, rows.get(customer), [record], rows)
            except TooLarge as error:
                invalid = Invalid("too_large", f"the customer's state would be {error.size_bytes} bytes")
                letter = self._letters.refuse(record, invalid, "TASK_PUT", __name__)
                made, refused = [letter, *turned_down(record, invalid)], 1
            emits += made
            dead += refused
        return emits, dead

    def _event(self, record: Record, state: Customer | None) -> Input | Step:
        """The input that a record carries; raises Invalid before anything is touched."""
        if record.key is None:
            raise Invalid("null_key", "the key is the customer")
        if record.topic == topics.CUSTOMER_CHANGES:
            if is_step(record):
                return decode_step(record)
            change = decode_customer_change(record.value)
            check_change(change, self._policy)
            return change
        if record.topic == topics.RECEIPTS:
            event: Input = decode_receipt(record.value)
        else:
            event = decode_steward(record.value)
            check_request(event, self._policy)
            refuse_erased(state, event)
        if state is None:
            raise Invalid("unknown_customer", "no customer under this key")
        return event

    def _decide(self, customer: bytes, state: Customer | None, event: Input | Step, at: int) -> Decision:
        known = state if state is not None else Customer(customer.decode(), at)
        if isinstance(event, Step):
            return carried_out(known, event, self._policy)
        decision = decide(known, event, at, self._policy)
        self._tally.add(decision.notes, decision.commands, decision.ledger)
        return decision

    def _emits(self, customer: bytes, decision: Decision, at: int, event: Input | Step | None = None) -> list[Emit]:
        """What goes out, consent first (C9), and the history of the event that caused it."""
        state, commands, ledger, notes, contacts, links, *_ = decision
        codec, emits = self._codec, list[Emit]()
        at_home = state.moves is None and decision.erasure is None
        for command in commands:
            topic, encoded = topics.commands(command.platform), codec.encode_command(command)
            emits.append(Emit(topic, customer, encoded, None if at_home else self._moving.place(decision, command), at))
        for row in ledger:
            key, encoded = ledger_key(row).encode(), codec.encode_ledger(row)
            emits.append(Emit(topics.LEDGER, key, encoded, None, at))
        for update in contacts:
            point = update.contact_point
            if point != PERSON:
                held = encode_holding(_holding(state.customer_id, update, state.version))
                emits.append(Emit(topics.CONTACTS, point.encode(), held, None, at))
        for name, told in own_writes(decision, self._policy) if commands or links else ():
            emits.append(Emit(topics.IDENTITY, name.encode(), encode_message(told), timestamp_ms=at))
        for name in links:
            emits += _linked(state.customer_id, name, at)
        if self._keeps_history and event is not None and not isinstance(event, Step):
            entry = entry_of(decision, event, at)
            if entry is not None:
                emits.append(Emit(topics.HISTORY, customer, entry, None, at))
        for note in notes:
            if note.kind in ALERTS:
                emits.append(alert(note, at))
        return emits if decision.erasure is None else [*emits, *gone(decision.erasure, at)]

    def _fire(self, tick: Record, rows: Rows) -> list[Emit]:
        """The customers whose timers are due by this tick, at most `due_max`; the rest waits for the next one."""
        emits: list[Emit] = []
        for key, _ in rows.scan_local(DUE, due_key(tick.timestamp_ms, b""), self._due_max):
            rows.delete_local(key)
            customer = key[_DUE_END:]
            stored = rows.get(customer)
            state = decode_customer(stored) if stored is not None else None
            if state is None or state.due_at is None or state.due_at >= tick.timestamp_ms:
                continue
            if state.moves is not None:
                state, made = self._moving.stored(customer, state, tick, rows)
                emits += made
                if state.due_at is None:
                    _store(customer, state, None, rows)
                    continue
            decision = self._decide(customer, state, Tick(), tick.timestamp_ms)
            emits += self._emits(customer, decision, tick.timestamp_ms, Tick())
            _store(customer, decision.state, None, rows)
        return emits

    def _told(self, decision: Decision, request: StewardRequest, record: Record, rows: Rows) -> list[Emit]:
        """What goes out for a merge or an unlink, with the whole customer in its history."""
        self._tally.add(decision.notes, decision.commands, decision.ledger)
        state, at = decision.state, record.timestamp_ms
        customer = state.customer_id.encode()
        decision = self._erasing.checked(decision, rows)
        emits = self._erasing.emits(record, request, decision) if state.erased_at is not None else []
        emits += self._emits(customer, decision, at)
        if self._keeps_history:
            cause = request.request_id or request.action
            entry = whole_entry(
                decision, self._policy, at, request.action, cause, request.record, request.with_, request
            )
            emits += entry_emits(customer, entry, at)
        if request.action == "merge" and request.with_ is not None:
            # Only now that it is absorbed: a state that is given back keeps its history.
            emits.append(moved_emit(request.with_.encode(), state.customer_id, at))
        return emits

    def _noted(self, notes: list[Note]) -> None:
        self._tally.add(notes)


def _one_each(records: Sequence[Record]) -> Sequence[Record]:
    """The requests up to the second one of a customer. What a customer has agreed to must be stored before the next is
    taken: sent on behind it by another topic, an erasure could overtake an unlink that a crash has undone."""
    asked: set[bytes | None] = set()
    for place, record in enumerate(records):
        if record.key in asked:
            return records[:place]
        asked.add(record.key)
    return records


def _by_customer(records: Iterable[Record]) -> dict[bytes, list[Record]]:
    grouped: dict[bytes, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.key or b"", []).append(record)
    return grouped


def _store(customer: bytes, state: Customer, due_before: int | None, rows: Rows) -> None:
    rows.put(customer, encode_customer(state))
    if state.due_at is not None and state.due_at != due_before:
        rows.put_local(due_key(state.due_at, customer), b"")
    elif state.due_at is None and due_before is not None:
        rows.delete_local(due_key(due_before, customer))


def _holding(customer_id: str, update: ContactUpdate, version: int) -> Holding:
    return Holding(customer_id, update.channel, update.purpose, update.state, update.sendable, update.reasons, version)


def _linked(customer_id: str, name: str, at: int) -> list[Emit]:
    """A record that a create made belongs to its customer before its platform speaks of it."""
    platform = name.partition(":")[0]
    told: dict[str, Message] = {
        name: Bound(customer_id, MADE),
        customer_key(customer_id): Ask(name, platform, "", by=MADE),
    }
    return [Emit(topics.IDENTITY, key.encode(), encode_message(one), timestamp_ms=at) for key, one in told.items()]
