"""The one function that every contender runs; nothing else in the benchmarks knows what a change is."""

from typing import Any

import msgspec

from streams.codec import PublicCodec, change_from_json
from streams.codec.internal import decode_customer_change
from streams.codec.internal import encode as encode_change
from streams.codec.public import ledger_key
from streams.codec.state import decode_customer, encode_customer
from streams.core.decide import Decision, decide
from streams.core.history import entry_of
from streams.core.state import Customer
from streams.policy import load_policy

Output = tuple[str, bytes, bytes]
"""Topic, key, value of one record to write."""

_POLICY = load_policy()
_CODEC = PublicCodec()
_LEDGER = "consent.ledger"
_CONTACTS = "contacts"
_HISTORY = "history"

OUTPUTS = (*(f"commands.{platform}" for platform in _POLICY.platforms), _LEDGER, _CONTACTS, _HISTORY)


def encode(change: dict[str, Any]) -> bytes:
    """The contract's JSON to the bytes of the input topic."""
    return encode_change(change_from_json(change))


def fold(state: bytes | None, change: bytes, timestamp_ms: int) -> tuple[bytes, list[Output]]:
    """One change into one customer's state: the state after it, and the records to write, in order."""
    event = decode_customer_change(change)
    customer = decode_customer(state) if state else Customer(event.customer_id or "", born_at=timestamp_ms)
    decision = decide(customer, event, timestamp_ms, _POLICY)
    outputs = _outputs(decision)
    entry = entry_of(decision, event, timestamp_ms)
    if entry is not None:
        outputs.append((_HISTORY, customer.customer_id.encode(), entry))
    return encode_customer(decision.state), outputs


def _outputs(decision: Decision) -> list[Output]:
    customer_id = decision.state.customer_id
    key = customer_id.encode()
    outputs = [(f"commands.{one.platform}", key, _CODEC.encode_command(one)) for one in decision.commands]
    outputs += [(_LEDGER, ledger_key(one).encode(), _CODEC.encode_ledger(one)) for one in decision.ledger]
    version = decision.state.version
    for point, *state in decision.contacts:
        if point != "*":
            outputs.append((_CONTACTS, point.encode(), _holding(customer_id, *state, version)))
    return outputs


def _holding(*fields: Any) -> bytes:
    """As `streams.runtime.contacts` writes it, which cannot be imported where there is no Faust."""
    return b"\x01" + msgspec.msgpack.encode(fields)
