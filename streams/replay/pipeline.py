"""The pipeline without a broker: intake, identity and engine in one process, deterministic to the byte.

It calls the same functions as the live engine, in the same order, and keeps states as the bytes that the engine keeps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.codec.contract import change_from_json, receipt_from_json, steward_from_json
from streams.codec.state import decode_customer, decode_row, encode_customer, encode_row
from streams.connectors import connector
from streams.core.answers import Answered, find_command
from streams.core.decide import Decision, Input, Tick, check_change, decide
from streams.core.identity import Arrive, Message, Row, row_key, step
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.core.steward import check_request
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

    def __init__(self, policy: Policy, acknowledge: bool = True) -> None:
        self.policy = policy
        self.acknowledge = acknowledge
        self._customers: dict[str, bytes] = {}
        self._rows: dict[str, bytes] = {}
        self._attributes = frozenset(policy.attributes)

    def customers(self) -> list[Customer]:
        """Every customer, by id."""
        return [decode_customer(self._customers[key]) for key in sorted(self._customers)]

    def customer(self, customer_id: str) -> Customer | None:
        """One customer, None where there is none."""
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
            for customer_id in sorted(self._customers):
                self._decide(customer_id, Tick(), at, output)
        elif topic.startswith("raw."):
            self._raw(topic.removeprefix("raw."), value, at, headers or {}, output)
        else:
            raise Invalid("unknown_topic", topic)
        return output

    def _raw(self, platform: str, value: Any, at: Millis, headers: Mapping[str, str], output: Output) -> None:
        rule = self.policy.platforms.get(platform)
        if rule is None:
            raise Invalid("unknown_platform", "topic")
        body = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        lowered = {name.lower(): text for name, text in headers.items()}
        translation = connector(rule.connector).translate(platform, lowered, body)
        for change in translation.changes:
            check_change(change, self.policy)
        for change in translation.changes:
            self._change(change, at, output)
        output.notes += [Note(kind="ignored", platform=platform, detail=what) for what in translation.ignored]
        output.notes += [
            Note(kind="refetch", platform=platform, record_id=one.record_id, detail=one.why)
            for one in translation.refetch
        ]

    # Identity

    def _change(self, change: Change, at: Millis, output: Output) -> None:
        check_change(change, self.policy)
        if change.only_verdicts and change.customer_id is not None and row_key(change) not in self._rows:
            self._decide(change.customer_id, change, at, output)
            return
        waiting: deque[tuple[str, Message]] = deque([(row_key(change), Arrive(change))])
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
            hops += 1
            if hops > HOPS_MAX:
                raise RuntimeError("identity did not come to rest")

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
            return receipt.customer_id if receipt.customer_id in self._customers else None
        fits = [
            (found.issued_at, state.customer_id)
            for state in self.customers()
            if (found := find_command(state, receipt)) is not None and _knows(state, found)
        ]
        return max(fits)[1] if fits else None

    def _steward(self, request: StewardRequest, at: Millis, output: Output) -> None:
        check_request(request, self._attributes)
        if request.customer_id is None or request.customer_id not in self._customers:
            raise Invalid("unknown_customer", "customer_id")
        self._decide(request.customer_id, request, at, output)

    def _decide(self, customer_id: str, event: Input, at: Millis, output: Output) -> None:
        waiting: deque[tuple[Input, Millis]] = deque([(event, at)])
        acknowledged = 0
        while waiting:
            current, moment = waiting.popleft()
            decision = self._fold(customer_id, current, moment)
            output.commands += decision.commands
            output.ledger += decision.ledger
            output.notes += decision.notes
            if self.acknowledge:
                acknowledged += len(decision.commands)
                if acknowledged > ACKNOWLEDGEMENTS_MAX:
                    raise RuntimeError("commands did not come to rest")
                waiting.extend((_acknowledgement(command), command.issued_at) for command in decision.commands)
        output.customers.append(customer_id)

    def _fold(self, customer_id: str, event: Input, at: Millis) -> Decision:
        stored = self._customers.get(customer_id)
        state = decode_customer(stored) if stored is not None else Customer(customer_id, at)
        decision = decide(state, event, at, self.policy)
        self._customers[customer_id] = encode_customer(decision.state)
        return decision


def _knows(state: Customer, found: Answered) -> bool:
    """A receipt that gives a command id but no customer: the id must be one of this customer's."""
    record = state.records.get(found.record)
    slots = (*record.slots.values(), *record.consents.values()) if record is not None else ()
    return found.command_id in state.unanswered or any(
        one.command_id == found.command_id for slot in slots for one in slot.sent
    )


def _acknowledgement(command: Command) -> Receipt:
    return Receipt(
        outcome="applied",
        command_id=command.command_id,
        customer_id=command.customer_id,
        platform=command.platform,
        record_id=command.record_id,
        at=command.issued_at,
    )
