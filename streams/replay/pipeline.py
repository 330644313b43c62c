"""The pipeline without a broker: intake, identity and engine in one process, deterministic to the byte.

It calls the same functions as the live engine, in the same order, and keeps states as the bytes that the engine keeps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.codec.contract import change_from_json, receipt_from_json, steward_from_json
from streams.codec.state import decode_customer, decode_row, encode_customer, encode_row
from streams.connectors import connector
from streams.connectors.base import EraseRequest
from streams.core.answers import Answered, find_command
from streams.core.decide import Decision, Input, Tick, check_change, decide
from streams.core.erasure import Erasure, keyed_hash, refuse_erased, shun, suppressed_again
from streams.core.foreign import disown, following, is_at_home
from streams.core.forgetting import messages
from streams.core.identity import Arrive, Message, Row, row_key, step
from streams.core.merging import proposed, request_merge
from streams.core.move_steps import carry_out, take, take_as_alias
from streams.core.moves import Move, Step, elsewhere, remembered
from streams.core.own_writes import own_writes
from streams.core.redaction import Redact, redaction_of_all
from streams.core.repointing import Proposal
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.core.steward import check_request
from streams.core.unlinking import request_unlink
from streams.model import Change, Command, Invalid, LedgerEntry, Millis, Note, Receipt, StewardRequest

ACKNOWLEDGEMENTS_MAX = 10_000
HOPS_MAX = 100_000


@dataclass(slots=True)
class Output:
    """All that one input caused, in order of emission."""

    commands: list[Command] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)


class Pipeline:
    """Customers and identity rows in memory. `acknowledge`: every command is applied at once (`--receipts auto`)."""

    def __init__(self, policy: Policy, acknowledge: bool = True, erasure_key: bytes = b"replay") -> None:
        self.policy = policy
        self.acknowledge = acknowledge
        self._key = erasure_key
        self._erased: dict[str, Millis] = {}
        self._requests: set[str] = set()
        self._customers: dict[str, bytes] = {}
        self._rows: dict[str, bytes] = {}

    def customers(self) -> list[Customer]:
        """Every customer, by id; one that was merged is none."""
        found = (decode_customer(self._customers[key]) for key in sorted(self._customers))
        return [state for state in found if remembered(state).survivor is None]

    def customer(self, customer_id: str) -> Customer | None:
        """One customer, None where there is none."""
        state = self._stored(customer_id)
        return state if state is not None and remembered(state).survivor is None else None

    def _stored(self, customer_id: str) -> Customer | None:
        stored = self._customers.get(customer_id)
        return decode_customer(stored) if stored is not None else None

    def feed(self, topic: str, value: Any, at: Millis, headers: Mapping[str, str] | None = None) -> Output:
        """Take one input record; raises Invalid for one that belongs to the dead letters, with nothing changed."""
        output = Output()
        if topic == "changes":
            self._change(change_from_json(value), at, output)
        elif topic == "receipts":
            self._receipt(receipt_from_json(value), at, output)
        elif topic == "steward":
            self._steward(steward_from_json(value), at, output)
        elif topic == "clock":
            for state in self.customers():
                self._decide(state.customer_id, Tick(), at, output)
        elif topic.startswith("raw."):
            self._raw(topic.removeprefix("raw."), value, at, headers or {}, output)
        else:
            raise Invalid("unknown_topic", topic)
        return output

    def _raw(self, platform: str, value: Any, at: Millis, headers: Mapping[str, str], output: Output) -> None:
        rule = self.policy.platforms.get(platform)
        if rule is None:
            raise Invalid("unknown_platform", "topic")
        body = _body(value)
        lowered = {name.lower(): text for name, text in headers.items()}
        translation = connector(rule.connector).translate(platform, lowered, body)
        for change in translation.changes:
            check_change(change, self.policy)
        for change in translation.changes:
            self._change(change, at, output)
        for asked in translation.erase_requests:
            self._erase_request(platform, asked, at, output)
        output.notes += [Note(kind="ignored", platform=platform, detail=what) for what in translation.ignored]
        output.notes += [
            Note(kind="refetch", platform=platform, record_id=one.record_id, detail=one.why)
            for one in translation.refetch
        ]

    # Identity

    def _erase_request(self, platform: str, asked: EraseRequest, at: Millis, output: Output) -> None:
        if asked.record_id is None:
            output.notes.append(redaction_of_all(platform, asked.change_id))
        else:
            self._take_steps([(f"{platform}:{asked.record_id}", Redact(asked.change_id))], at, output)

    def _change(self, change: Change, at: Millis, output: Output) -> None:
        check_change(change, self.policy)
        if change.only_verdicts and change.customer_id is not None and row_key(change) not in self._rows:
            self._decide(change.customer_id, change, at, output)
            return
        self._take_steps([(row_key(change), Arrive(change))], at, output)

    def _take_steps(self, messages: Sequence[tuple[str, Message]], at: Millis, output: Output) -> None:
        waiting: deque[tuple[str, Message]] = deque(messages)
        proposals: list[Proposal] = []
        hops = 0
        while waiting:
            key, message = waiting.popleft()
            stored = self._rows.get(key)
            hop = step(key, decode_row(stored) if stored is not None else Row(), message, at, self.policy)
            self._rows[key] = encode_row(hop.row)
            output.notes += hop.notes
            for forward in hop.forwards:
                self._decide(forward.customer_id, forward.change, forward.at, output)
            waiting.extend(hop.sends)
            proposals += hop.proposals
            hops += 1
            if hops > HOPS_MAX:
                raise RuntimeError("identity did not come to rest")
        for proposal in proposals:
            self._take_moves([proposed(proposal)], at, output)

    # Engine

    def _receipt(self, receipt: Receipt, at: Millis, output: Output) -> None:
        customer_id = self._answered(receipt)
        if customer_id is None:
            output.notes.append(Note(kind="receipt_unmatched", platform=receipt.platform, record_id=receipt.record_id))
            return
        self._decide(customer_id, receipt, at, output)

    def _answered(self, receipt: Receipt) -> str | None:
        """The customer whose command a receipt answers: named, or the one that has a command which fits."""
        if receipt.customer_id is not None:
            customer_id = self._resolved(receipt.customer_id)
            return customer_id if customer_id in self._customers else None
        fits = [
            (found.issued_at, state.customer_id)
            for state in self.customers()
            if (found := find_command(state, receipt)) is not None and _knows(state, found)
        ]
        return max(fits)[1] if fits else None

    def _steward(self, request: StewardRequest, at: Millis, output: Output) -> None:
        check_request(request, self.policy)
        customer_id = self._resolved(request.customer_id or "")
        if customer_id not in self._customers:
            raise Invalid("unknown_customer", "customer_id")
        request_id = request.request_id or f"steward-{at}"
        if request_id in self._requests:
            return
        refuse_erased(self._stored(customer_id), request)
        begin = {"merge": request_merge, "unlink": request_unlink}.get(request.action)
        if begin is None and request.action != "erase":
            self._decide(customer_id, request, at, output)
            return
        self._requests.add(request_id)
        if begin is None:
            self._decide(customer_id, msgspec.structs.replace(request, request_id=request_id), at, output)
            return
        step = self._step_of(customer_id)
        begin(step, request, request_id, at)
        self._take_moves(self._done(step, at, output), at, output)

    # Moves

    def _step_of(self, customer_id: str) -> Step:
        return Step(customer_id, self._stored(customer_id), self.policy, 0)

    def _take_moves(self, moves: Sequence[tuple[str, Move]], at: Millis, output: Output) -> None:
        """Each at its row, which first carries out what it agreed to before, as a row of the engine does."""
        waiting: deque[tuple[str, Move]] = deque(moves)
        while waiting:
            customer_id, move = waiting.popleft()
            step = self._step_of(customer_id)
            if step.state is not None and remembered(step.state).intents:
                carry_out(step)
            survivor = remembered(step.state).survivor if step.state is not None else None
            if survivor is None:
                take(step, move)
            elif not take_as_alias(step, move):
                step.sends.append((survivor, move))
            waiting.extend(self._done(step, at, output))

    def _done(self, step: Step, at: Millis, output: Output) -> list[tuple[str, Move]]:
        """Keep what one step made, and acknowledge its commands; what is to be sent. Raises Invalid."""
        if step.state is not None:
            self._customers[step.customer_id] = encode_customer(step.state)
        output.notes += step.notes
        output.customers += [note.customer_id for note in step.notes if note.customer_id is not None]
        for decision, _ in step.decisions:
            self._settle(step.customer_id, self._suppressed(decision), output)
            output.customers.append(step.customer_id)
        if step.refused is not None:
            raise step.refused[0]
        self._take_steps(step.told, at, output)
        return step.sends

    def _forget(self, erasure: Erasure, output: Output) -> None:
        """K3: its rows are fenced, its contact points suppressed wherever they are shown, now or later."""
        self._take_steps(messages(erasure, self.policy), erasure.at, output)
        for point, pairs in erasure.points.items():
            self._erased[keyed_hash(self._key, point)] = erasure.at
            channels = tuple(sorted({channel for channel, _ in pairs}))
            for other in self.customers():
                if shun(other, point, channels, erasure.at, self.policy):
                    self._customers[other.customer_id] = encode_customer(other)
        self._disown(erasure)

    def _disown(self, erasure: Erasure) -> None:
        """Whoever an unlink set apart from it keeps nothing of what it had been told of the erased customer."""
        waiting = deque((one, erasure.ids) for one in erasure.apart)
        while waiting:
            customer_id, ids = waiting.popleft()
            state = self.customer(self._resolved(customer_id))
            if state is not None:
                if is_at_home(state, customer_id):
                    disown(state, ids, self.policy)
                    self._customers[state.customer_id] = encode_customer(state)
                waiting.extend(following(state, customer_id, ids))

    def _resolved(self, customer_id: str) -> str:
        """A merged customer's id resolves to the one that survived, for ever (I3)."""
        state = self._stored(customer_id)
        while state is not None and (survivor := remembered(state).survivor) is not None:
            customer_id = survivor
            state = self._stored(customer_id)
        return customer_id

    def _home(self, customer_id: str, event: Input) -> str:
        """Where an input belongs that names this customer: its survivor, or whom a record of it has become."""
        state = self._stored(customer_id)
        while state is not None and state.moves is not None and not isinstance(event, Tick):
            following = elsewhere(state, event)
            if following is None:
                break
            customer_id = following
            state = self._stored(customer_id)
        return customer_id

    def _decide(self, customer_id: str, event: Input, at: Millis, output: Output) -> None:
        customer_id = self._home(customer_id, event)
        self._settle(customer_id, self._fold(customer_id, event, at), output)
        output.customers.append(customer_id)

    def _settle(self, customer_id: str, first: Decision, output: Output) -> None:
        """With `acknowledge`, each command is applied at once, and each acknowledgement is an input (contract)."""
        decisions: deque[Decision] = deque([first])
        acknowledged = 0
        while decisions:
            decision = decisions.popleft()
            output.commands += decision.commands
            output.ledger += decision.ledger
            output.notes += decision.notes
            if decision.erasure is not None:
                self._forget(decision.erasure, output)
            self._take_steps(own_writes(decision, self.policy), decision.state.clock, output)
            if not self.acknowledge:
                continue
            acknowledged += len(decision.commands)
            if acknowledged > ACKNOWLEDGEMENTS_MAX:
                raise RuntimeError("commands did not come to rest")
            for command in decision.commands:
                decisions.append(self._fold(customer_id, _acknowledgement(command), command.issued_at))

    def _fold(self, customer_id: str, event: Input, at: Millis) -> Decision:
        stored = self._customers.get(customer_id)
        state = decode_customer(stored) if stored is not None else Customer(customer_id, at)
        return self._suppressed(decide(state, event, at, self.policy))

    def _suppressed(self, decision: Decision) -> Decision:
        """The decision, kept, with what was erased suppressed wherever it is shown again."""
        if self._erased and decision.contacts:
            decision = suppressed_again(decision, self.policy, self._erased_at)
        self._customers[decision.state.customer_id] = encode_customer(decision.state)
        return decision

    def _erased_at(self, contact_point: str) -> Millis | None:
        return self._erased.get(keyed_hash(self._key, contact_point))


def _knows(state: Customer, found: Answered) -> bool:
    """A receipt that gives a command id but no customer: the id must be one of this customer's."""
    record = state.records.get(found.record)
    slots = (*record.slots.values(), *record.consents.values()) if record is not None else ()
    return found.command_id in state.unanswered or any(
        one.command_id == found.command_id for slot in slots for one in slot.sent
    )


def _body(value: Any) -> bytes:
    """A raw payload as it came: text as it is, anything else as JSON."""
    try:
        return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError, TypeError):
        raise Invalid("bad_field", "text that is not Unicode, or a number out of range") from None


def _acknowledgement(command: Command) -> Receipt:
    return Receipt(
        outcome="applied",
        command_id=command.command_id,
        customer_id=command.customer_id,
        platform=command.platform,
        record_id=command.record_id,
        at=command.issued_at,
    )
