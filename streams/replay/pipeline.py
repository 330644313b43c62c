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
from streams.core.contact_points import joined
from streams.core.decide import Decision, Input, Tick, check_change, decide
from streams.core.effective import resolve_consents
from streams.core.erasure import erase, keyed_hash, suppress
from streams.core.fold import Fold
from streams.core.identity import Arrive, Message, Row, customer_key, minted, row_key, step
from streams.core.joining import merge, older, refuses_merge, unlink
from streams.core.rules import Policy
from streams.core.state import Customer, Join
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

    def __init__(self, policy: Policy, acknowledge: bool = True, erasure_key: bytes = b"replay") -> None:
        self.policy = policy
        self.acknowledge = acknowledge
        self._key = erasure_key
        self._aliases: dict[str, str] = {}
        self._erased: dict[str, Millis] = {}
        self._requests: set[str] = set()
        self._customers: dict[str, bytes] = {}
        self._rows: dict[str, bytes] = {}

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
        body = _body(value)
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
        known = self._of_the_living(change, at, output)
        if known is None:
            return
        change = known
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

    def _of_the_living(self, change: Change, at: Millis, output: Output) -> Change | None:
        """K3: an erased id never comes back to life: what a new record says for it later is a new customer's."""
        owner = self.customer(self._resolved(change.customer_id)) if change.customer_id is not None else None
        if owner is None or owner.erased_at is None or self._row(row_key(change)).joined:
            return change
        observed = change.observed_at if change.observed_at is not None else at
        if observed > owner.erased_at:
            return msgspec.structs.replace(change, customer_id=None)
        output.notes.append(Note(kind="erased_drop", platform=change.platform))
        return None

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
        acts = {"merge": self._merge, "unlink": self._unlink, "erase": self._erase}
        act = acts.get(request.action)
        if act is None:
            self._decide(customer_id, request, at, output)
            return
        self._requests.add(request_id)
        act(customer_id, request, request_id, at, output)

    def _merge(self, customer_id: str, request: StewardRequest, request_id: str, at: Millis, output: Output) -> None:
        other_id = self._resolved(request.with_ or "")
        one, other = self.customer(customer_id), self.customer(other_id)
        if one is None or other is None:
            raise Invalid("unknown_customer", "with")
        if customer_id == other_id or one.erased_at is not None or other.erased_at is not None:
            raise Invalid("bad_request", "a customer cannot be merged with itself or with an erased one")
        survivor, joining = older(one, other)
        platform = refuses_merge(survivor, joining, self.policy)
        if platform is not None:
            output.notes.append(Note(kind="review", platform=platform, customer_id=survivor.customer_id))
            output.customers.append(survivor.customer_id)
            return
        self._aliases[joining.customer_id] = survivor.customer_id
        del self._customers[joining.customer_id]
        evidence = Join(joining.customer_id, at, request_id, request.by, request.why)
        self._follow(survivor.customer_id, merge(survivor, joining, at, request_id, self.policy, evidence), output)

    def _unlink(self, customer_id: str, request: StewardRequest, request_id: str, at: Millis, output: Output) -> None:
        state, name = self.customer(customer_id), request.record or ""
        new_id = minted("unlink", name, request_id)
        parted = unlink(state, name, new_id, at, request_id, self.policy) if state is not None else None
        if parted is None:
            raise Invalid("bad_request", "the record is not linked to this customer")
        self._move_row(name, customer_id, new_id)
        for decision in parted:
            self._follow(decision.state.customer_id, decision, output)

    def _move_row(self, name: str, customer_id: str, new_id: str) -> None:
        """The record and its identifiers belong to the new customer; the old one has forgotten them."""
        row = self._row(name)
        row.customer = new_id
        self._rows[name] = encode_row(row)
        for key in row.claimed:
            claimed = self._row(key)
            claimed.customer = new_id
            self._rows[key] = encode_row(claimed)
        for key in [customer_key(one) for one in (customer_id, *self._aliases)]:
            members = self._row(key)
            for names in members.records.values():
                if name in names:
                    names.remove(name)
            self._rows[key] = encode_row(members)

    def _erase(self, customer_id: str, request: StewardRequest, request_id: str, at: Millis, output: Output) -> None:
        state = self.customer(customer_id)
        if state is None or state.erased_at is not None:
            raise Invalid("unknown_customer", "customer_id")
        fold = Fold(state, self.policy, at, request_id)
        erased_ids = {customer_id, *state.aliases}
        for point in erase(fold):
            self._erased[keyed_hash(self._key, point)] = at
        for key in [key for key in self._rows if self._row(key).customer in erased_ids]:
            if key.startswith("@"):
                del self._rows[key]
            else:
                self._fence(key, at)
        self._follow(customer_id, Decision(fold.state, fold.commands, [], [], [], []), output)

    def _fence(self, key: str, at: Millis) -> None:
        """The erased record stays bound to the tombstone, where its changes are dropped, until the fence is over."""
        row = self._row(key)
        row.closed_at, row.claimed = at + self.policy.erasure_fence_ms, []
        self._rows[key] = encode_row(row)

    def _row(self, key: str) -> Row:
        stored = self._rows.get(key)
        return decode_row(stored) if stored is not None else Row()

    def _resolved(self, customer_id: str) -> str:
        """A merged customer's id resolves to the one that survived, for ever (I3)."""
        while customer_id in self._aliases:
            customer_id = self._aliases[customer_id]
        return customer_id

    def _follow(self, customer_id: str, decision: Decision, output: Output) -> None:
        """Keep a decision that was made outside of `decide`, and acknowledge its commands."""
        self._customers[customer_id] = encode_customer(decision.state)
        self._settle(customer_id, decision, output)
        output.customers.append(customer_id)

    def _decide(self, customer_id: str, event: Input, at: Millis, output: Output) -> None:
        customer_id = self._resolved(customer_id)
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
        decision = decide(state, event, at, self.policy)
        if self._erased and decision.contacts:
            self._suppress_erased(decision)
        self._customers[customer_id] = encode_customer(decision.state)
        return decision

    def _suppress_erased(self, decision: Decision) -> None:
        """K3: the contact points of an erased customer stay suppressed until a later explicit opt-in."""
        fold = Fold(decision.state, self.policy, decision.state.clock, "erased")
        for update in decision.contacts:
            erased_at = self._erased.get(keyed_hash(self._key, update.contact_point))
            if erased_at is not None:
                suppress(fold, update.contact_point, update.channel, erased_at)
                fold.keys.add(joined(update.contact_point, update.channel, update.purpose))
        if fold.keys:
            resolve_consents(fold)


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
