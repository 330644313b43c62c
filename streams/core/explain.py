"""Why a record is what it is: each winner, each loser with its reason in words, and what is still on its way."""

from __future__ import annotations

from typing import Any

from streams.core.bond_words import joins_view
from streams.core.consent_words import consent_reasons, ledger_view
from streams.core.contact_points import joined, split
from streams.core.erasure import erased_view
from streams.core.flips import flip_of, flip_view
from streams.core.golden import golden_view
from streams.core.held_back import held_back
from streams.core.rules import AttributeRule, Policy
from streams.core.state import Customer, Golden
from streams.core.survivorship import Loser, losers
from streams.model import Millis, format_time


def explain_view(state: Customer, policy: Policy, now: Millis) -> dict[str, Any]:
    """The golden view with reasons in words, the rule of each attribute, and what each record is still to be told.

    Per attribute `rule` and `why`, per loser `why` and `flip` (`core/flips.py`); per consent `why` (sentences) and
    `entries` (the decisions, with what became of each); `open`: what holds a record back from golden; `unanswered`:
    commands without a receipt; `joins`: the customers that became part of this one, and why.
    An erased customer has only `erased_at`, and in `certificate` what became of the erasure at each platform.
    """
    view = golden_view(state, policy)
    if state.erased_at is not None:
        return erased_view(state)
    for attribute, shown in view["attributes"].items():
        rule, golden = policy.attributes[attribute], state.golden.get(attribute)
        shown["rule"] = rule_in_words(rule)
        shown["why"] = _won(state, policy, rule, golden)
        for lost, one in zip(shown["losers"], losers(state, policy, attribute, golden), strict=True):
            lost["why"] = _lost(state, policy, rule, one, golden)
            lost["flip"] = flip_view(flip_of(state, policy, attribute, one))
    for consent in view["consents"]:
        key = _key(consent)
        consent["why"] = consent_reasons(state, policy, key)
        consent["entries"] = ledger_view(state, policy, key)
    view["policy"] = policy.version
    view["open"] = held_back(state, policy, now)
    view["joins"] = joins_view(state)
    view["unanswered"] = [_unanswered(state, command_id) for command_id in state.unanswered]
    return view


def _key(consent: dict[str, Any]) -> str:
    return joined(consent["contact_point"], consent["channel"], consent["purpose"])


def _unanswered(state: Customer, command_id: str) -> dict[str, Any]:
    command = state.unanswered[command_id]
    return {
        "command_id": command_id,
        "platform": command.platform,
        "record_id": command.record_id,
        "op": command.op,
        "attributes": command.attributes,
        "consents": [" ".join(split(key)) for key in command.consents],
        "issued_at": format_time(command.issued_at),
    }


# The rule


def rule_in_words(rule: AttributeRule) -> str:
    """What the policy says of an attribute (R7, R9)."""
    parts = ["the latest eligible claim wins"]
    if rule.priority is not None:
        parts = [f"by priority: {', '.join(rule.priority)}; then the latest"]
    if rule.min_confidence is not None:
        parts.append(f"only with a confidence of {rule.min_confidence:.2f} or more")
    if rule.validate_with is not None:
        parts.append(f"others are sent to {rule.validate_with}")
    return "; ".join(parts)


# The winner


def _won(state: Customer, policy: Policy, rule: AttributeRule, golden: Golden | None) -> str:
    if golden is None:
        return "no claim is left that could win, so there is no value and no platform is told anything"
    if golden.status == "pinned":
        pin = state.pins[rule.name]
        return f"a steward has pinned this value at {format_time(pin.at)}, and a pin wins over every claim"
    if golden.status == "provisional":
        return f"no claim is eligible ({_bar(rule)}): the newest complete one is shown, and no platform is told of it"
    why = _ahead(state, policy, rule, golden)
    return f"{why}, and it clears the value" if golden.status == "cleared" else why


def _bar(rule: AttributeRule) -> str:
    if rule.min_confidence is None:
        return "none is complete and deliverable"
    return f"{rule.name}.min_confidence is {rule.min_confidence:.2f}"


def _ahead(state: Customer, policy: Policy, rule: AttributeRule, golden: Golden) -> str:
    """By what the winner is ahead of the best of the others."""
    reasons = {one.reason for one in losers(state, policy, rule.name, golden)}
    if "lower_priority" in reasons and rule.priority is not None:
        platform = (golden.record or "").partition(":")[0]
        return f"of the eligible claims, the one of {platform} comes first in {rule.name}.priority"
    if "older" in reasons:
        return "of the eligible claims, it has the latest effective time"
    if "tie" in reasons:
        return "it won a tie with a claim of the same effective time"
    return "it is the only eligible claim"


# The losers (R10)


def _lost(state: Customer, policy: Policy, rule: AttributeRule, lost: Loser, golden: Golden | None) -> str:
    platform = lost.record.partition(":")[0]
    match lost.reason:
        case "older":
            return f"an eligible claim with a later effective time won: {_winner(golden)}"
        case "lower_priority":
            return f"it comes after {_winner(golden)}, {_place(rule, platform)}"
        case "tie":
            return f"it has the same effective time as {_winner(golden)}; {_tie(policy, platform, golden)}"
        case "below_threshold":
            return _below(rule, lost.confidence)
        case "incomplete":
            return "it is a partial address, and its record has no full one to complete it with"
        case "undeliverable":
            return "the validator says that nothing can be delivered there"
        case "pinned_over":
            return f"a steward has pinned another value at {format_time(state.pins[rule.name].at)}"
        case "retracted":
            return f"its record withdrew it at {format_time(lost.at)}"
    return "the customer was erased"


def _winner(golden: Golden | None) -> str:
    if golden is None or golden.record is None or golden.at is None:
        return "another claim"
    return f"{golden.record} of {format_time(golden.at)}"


def _place(rule: AttributeRule, platform: str) -> str:
    order = ", ".join(rule.priority or ())
    if platform in (rule.priority or ()):
        return f"as {rule.name}.priority says ({order})"
    return f"since {rule.name}.priority ({order}) does not name {platform}"


def _tie(policy: Policy, platform: str, golden: Golden | None) -> str:
    other = (golden.record or "").partition(":")[0] if golden is not None else ""
    if policy.rank(platform) != policy.rank(other):
        return f"the larger platform rank won ({other} {policy.rank(other)}, {platform} {policy.rank(platform)})"
    return "with equal rank the larger value won, then the larger record name"


def _below(rule: AttributeRule, confidence: float | None) -> str:
    if rule.min_confidence is None:
        return "it is not eligible"
    bar = f"{rule.name}.min_confidence {rule.min_confidence:.2f}"
    if confidence is None:
        return f"it states no confidence, which counts as 0 and is below {bar}"
    return f"its confidence {confidence:.2f} is below {bar}"
