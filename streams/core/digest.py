"""The digest: one hash of all that the rules make equal for every order of the same inputs (replay contract)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from streams.core.state import Claim, Customer, Record, Slot


def digest(customers: Iterable[Customer]) -> str:
    """A hash of claims, ledger entries as a set, bindings, pins, suppressions, golden values and shadow values.

    Left out: golden_version, ids, counters, `seq`, times of confirmation.
    """
    described = sorted(msgspec.json.encode(_customer(one), order="deterministic") for one in customers)
    return blake2b(b"\n".join(described), digest_size=32).hexdigest()


def _customer(state: Customer) -> dict[str, Any]:
    return {
        "records": {name: _record(record) for name, record in state.records.items()},
        "golden": {
            attribute: [golden.canonical, golden.status, golden.record, golden.at, golden.confidence]
            for attribute, golden in state.golden.items()
        },
        "pins": {key: [pin.at, pin.active, pin.value] for key, pin in state.pins.items()},
        "ledger": {
            key: sorted(
                msgspec.json.encode(
                    [one.record, one.decision, one.at, one.explicit, one.evidence, one.method, one.expires_at]
                ).decode()
                for one in entries
            )
            for key, entries in state.entries.items()
        },
        "suppressions": {
            key: {name: [word.at, word.active] for name, word in words.items()} for key, words in state.reach.items()
        },
    }


def _record(record: Record) -> dict[str, Any]:
    slots = {attribute: _slot(slot) for attribute, slot in record.slots.items()}
    consents = {key: _shadow(slot) for key, slot in record.consents.items()}
    return {
        "open": record.open,
        "deleted_at": record.deleted_at,
        "slots": {attribute: known for attribute, known in slots.items() if known != [None, [], None]},
        "consents": {key: known for key, known in consents.items() if known is not None},
    }


def _slot(slot: Slot) -> list[Any]:
    newest = _claim(slot.newest) if slot.newest is not None else None
    return [newest, [_claim(claim) for claim in slot.verified], _shadow(slot)]


def _claim(claim: Claim) -> list[Any]:
    standard = claim.standard.parts() if claim.standard is not None else None
    return [claim.at, claim.sequence, claim.kind, claim.canonical, claim.confidence, claim.deliverable, standard]


def _shadow(slot: Slot) -> str | None:
    shadow = slot.shadow()
    return shadow.seen if shadow is not None else None
