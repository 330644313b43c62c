"""The golden record as people and files read it: what won, what lost and why, consents, shadows (contracts)."""

from __future__ import annotations

from typing import Any

from streams.core.canonical import SEP
from streams.core.contact_points import split
from streams.core.effective import listed_keys, reasons
from streams.core.ledger_fold import UNKNOWN
from streams.core.rules import Policy
from streams.core.state import Customer, Golden
from streams.core.survivorship import Loser, losers
from streams.model import Address, Millis, Value, format_time


def golden_view(state: Customer, policy: Policy) -> dict[str, Any]:
    """One line of `golden.ndjson`; plain JSON values, keys in a fixed order."""
    if state.erased_at is not None:
        return {"customer_id": state.customer_id, "erased": True}
    return {
        "customer_id": state.customer_id,
        "aliases": sorted(state.aliases),
        "records": sorted(name for name, record in state.records.items() if record.open),
        "golden_version": state.version,
        "attributes": {name: view for name in policy.attributes if (view := _attribute(state, policy, name))},
        "consents": [_consent(state, policy, key) for key in listed_keys(state, policy)],
        "shadows": {name: shadows for name in sorted(state.records) if (shadows := shadow_view(state, name))},
    }


def value_view(value: Value | None) -> Any:
    """A value as JSON: an address with all six parts."""
    return value.parts() if isinstance(value, Address) else value


def _time(at: Millis | None) -> str | None:
    return None if at is None else format_time(at)


def _attribute(state: Customer, policy: Policy, attribute: str) -> dict[str, Any] | None:
    golden = state.golden.get(attribute)
    lost = [_loser(one) for one in losers(state, policy, attribute, golden)]
    if golden is None and not lost:
        return None
    known = golden or Golden(None, "", "")
    return {
        "value": value_view(known.value),
        "record": known.record,
        "effective_at": _time(known.at),
        "confidence": _confidence(state, policy, attribute, known),
        "status": known.status or None,
        "policy_version": state.policy_version or policy.version,
        "losers": lost,
    }


def _confidence(state: Customer, policy: Policy, attribute: str, golden: Golden) -> float | None:
    """R7: without a stated confidence 1.0 where the attribute has no threshold, else 0."""
    if golden.record is None:
        return None
    if golden.confidence is not None:
        return golden.confidence
    return 1.0 if policy.attributes[attribute].min_confidence is None else 0.0


def _loser(one: Loser) -> dict[str, Any]:
    return {
        "record": one.record,
        "value": value_view(one.value),
        "effective_at": format_time(one.at),
        "confidence": one.confidence,
        "reason": one.reason,
    }


def _consent(state: Customer, policy: Policy, key: str) -> dict[str, Any]:
    contact_point, channel, purpose = split(key)
    known = state.consents.get(key)
    why = reasons(state, policy, key)
    return {
        "contact_point": contact_point,
        "channel": channel,
        "purpose": purpose,
        "state": known.state if known is not None else UNKNOWN,
        "sendable": known.sendable if known is not None else not why,
        "reasons": list(why),
    }


def shadow_view(state: Customer, name: str) -> dict[str, Any]:
    """What one record's platform is known to hold: attributes, and consents as `channel/purpose contact point`."""
    record = state.records[name]
    found: dict[str, Any] = {}
    for attribute, slot in sorted(record.slots.items()):
        shadow = slot.shadow()
        if shadow is not None:
            found[attribute] = value_view(shadow.value)
    consents = {
        key.replace(SEP, " "): shadow.seen
        for key, slot in sorted(record.consents.items())
        if (shadow := slot.shadow()) is not None
    }
    if consents:
        found["consents"] = consents
    return found
