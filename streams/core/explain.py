"""Why a record is what it is: each winner, each loser with its reason in words, and what is still on its way."""

from __future__ import annotations

from typing import Any

from streams.core.canonical import SEP
from streams.core.commands import waits
from streams.core.golden import golden_view
from streams.core.rules import AttributeRule, Policy
from streams.core.state import Customer, Slot
from streams.model import Millis, format_time

# One sentence for each reason of R10.
REASONS = {
    "older": "an eligible claim with a later effective time won",
    "lower_priority": "the winner's platform comes earlier in the attribute's priority",
    "tie": "equal effective time: platform rank, then value, then record name decided",
    "below_threshold": "its confidence is below the attribute's min_confidence, so it may not win",
    "incomplete": "it is a partial address and the record has no full one to complete it with",
    "undeliverable": "the validator says that nothing can be delivered there",
    "pinned_over": "a steward has pinned another value",
    "retracted": "the record has withdrawn its claim",
    "erased": "the customer was erased",
}
STATUSES = {
    "settled": "an eligible claim won",
    "provisional": "no claim is eligible: the newest complete one is shown and commanded nowhere",
    "pinned": "a steward has pinned this value",
    "cleared": "the winning statement clears the attribute",
}


def explain_view(state: Customer, policy: Policy, now: Millis) -> dict[str, Any]:
    """The golden view with reasons in words, the rule of each attribute, and what each record is still to be told."""
    view = golden_view(state, policy)
    if state.erased_at is not None:
        return view
    for attribute, shown in view["attributes"].items():
        shown["rule"] = _rule(policy.attributes[attribute])
        shown["why"] = STATUSES.get(shown["status"] or "", "no claim is left")
        for loser in shown["losers"]:
            loser["why"] = REASONS[loser["reason"]]
    view["policy"] = policy.version
    view["open"] = _open(state, policy, now)
    view["unanswered"] = [
        {
            "command_id": command_id,
            "platform": command.platform,
            "record_id": command.record_id,
            "op": command.op,
            "attributes": command.attributes,
            "consents": len(command.consents),
            "issued_at": format_time(command.issued_at),
        }
        for command_id, command in state.unanswered.items()
    ]
    return view


def _rule(rule: AttributeRule) -> str:
    strategy = "latest" if rule.priority is None else f"priority: {', '.join(rule.priority)}"
    threshold = f"; min_confidence {rule.min_confidence}" if rule.min_confidence is not None else ""
    return f"{strategy}{threshold}" + (f"; validated by {rule.validate_with}" if rule.validate_with else "")


def _open(state: Customer, policy: Policy, now: Millis) -> list[dict[str, Any]]:
    """What holds a record back from golden: in flight, refused, quarantined, waiting for a verdict."""
    found: list[dict[str, Any]] = []
    for name, record in sorted(state.records.items()):
        for attribute, slot in sorted(record.slots.items()):
            found += [{"record": name, "what": attribute, "state": one} for one in _holds(slot)]
            if waits(policy, slot, attribute, now):
                found.append({"record": name, "what": attribute, "state": "waits for its verdict"})
        for key, slot in sorted(record.consents.items()):
            found += [{"record": name, "what": key.replace(SEP, " "), "state": one} for one in _holds(slot)]
    return found


def _holds(slot: Slot) -> list[str]:
    states = [
        ("in flight", slot.pending() is not None),
        ("refused", slot.refused is not None),
        ("quarantined", slot.quarantined is not None),
    ]
    return [name for name, holds in states if holds]
