"""Acts, cases and refusals in plain words, for people who have not read the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streams.core.state import Customer
from streams.model import StewardRequest
from streams.web.foresight import oldest_first

REFUSALS: Final[Mapping[str, str]] = {
    "records_max": "the two together have more records of one platform than the policy allows a customer",
    "too_large": "what would come of it is larger than a customer may be",
    "already_approved": "it was approved before, and that has been carried out",
    "already_dismissed": "it was dismissed before",
    "already_settled": "its two customers have become one meanwhile",
    "erased_customer": "the customer was erased meanwhile",
    "unknown_customer": "there is no such customer any more",
    "unknown_review": "the queue has no such case any more",
    "not_linked": "the record is not linked to this customer any more",
    "bad_request": "the engine could not make sense of it as things are now",
}
RULES: Final[Mapping[str, str]] = {
    "not_automatic": "The policy lets no such identifier join two customers by itself.",
    "unlinked": "A steward had taken the two apart.",
    "merges_per_day_max": "One of the two has been merged as often as the policy allows in a day.",
    "records_max": "The platform allows a customer no further record.",
    "too_large": "Together they are larger than a customer may be.",
    "unknown_customer": "One of the two is not known.",
}
_SHARED: Final[Mapping[str, str]] = {
    "email": "an e-mail address",
    "phone": "a phone number",
    "external": "an external id",
    "claimed": "an external id",
}
# How a certificate's answers read, behind the platform's name.
ERASED: Final[Mapping[str, str]] = {
    "acked": "has erased what it had",
    "waiting": "has been told and has not answered yet",
    "failed": "could not be reached; the command is in the dead letters",
    "refused": "refused; what it has must be erased there by hand",
    "unsupported": "has no way to be told; what it has must be erased there by hand",
}


def words(name: str) -> str:
    """A name in code as people read it: `shipping_address` -> `shipping address`."""
    return name.replace("_", " ")


def lasting(seconds: int) -> str:
    """How long something takes, for reading: whole hours, else minutes that are enough, else seconds."""
    unit, length = ("second", 1) if seconds < 60 else ("minute", 60) if seconds % 3600 else ("hour", 3600)
    count = -(-seconds // length)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def refusal(reason: str) -> str:
    """Why the engine refused, as a sentence part; an unknown reason by its name."""
    return REFUSALS.get(reason, words(reason))


def erased(outcome: str) -> str:
    """What a platform has answered to an erasure."""
    return ERASED.get(outcome, words(outcome))


def headline(request: StewardRequest) -> str:
    """What a button does: `Pin the phone`."""
    what = words(request.attribute) if request.attribute else "consent"
    match request.action:
        case "pin":
            return f"Pin the {what}" if request.attribute else "Pin the opt-out"
        case "unpin":
            return f"Take back the pin of the {what}"
        case "merge":
            return "Merge the two customers"
        case "unlink":
            return "Unlink the record"
        case "release":
            return f"Release the {what}"
        case "erase":
            return "Erase the customer for ever"
        case "review":
            return "Approve the case" if request.value == "approve" else "Dismiss the case"
    return words(request.action).capitalize()


def consequence(request: StewardRequest, state: Customer, other: Customer | None) -> list[str]:
    """What the act means, in sentences; what it would change and tell comes from `foresight`."""
    match request.action:
        case "pin":
            return _pin(request)
        case "unpin":
            return ["The pin is taken back, and the records decide again by the policy's rules."]
        case "merge" if other is not None:
            return _merge(*oldest_first(state, other))
        case "unlink":
            return [
                f"{request.record} leaves {state.customer_id} and becomes a customer of its own, with what it has "
                "stated and the consent that was given through it.",
                "The policy does not join the two again by itself; a steward can.",
            ]
        case "release":
            return [f"{request.record} is told once more what it has refused or contradicted."]
        case "erase":
            return _erase(state)
    return []


def _pin(request: StewardRequest) -> list[str]:
    until = "whatever any record says, until the pin is taken back"
    if request.attribute is None:
        what = f"{request.purpose} by {request.channel}"
        return [f"{request.contact_point} is opted out of {what}, {until}."]
    if request.value is None:
        return [f"The customer has no {words(request.attribute)}, {until}."]
    return [f"This value is the customer's {words(request.attribute)}, {until}."]


def _merge(survivor: Customer, other: Customer) -> list[str]:
    return [
        f"{other.customer_id} becomes part of {survivor.customer_id}, which is the older one. The id "
        f"{other.customer_id} leads there for ever.",
        "Records, pins, consent and history come together. Where one had opted in and the other out, the person is "
        "opted out until they opt in again.",
    ]


def _erase(state: Customer) -> list[str]:
    count = sum(record.open for record in state.records.values())
    records = "one record" if count == 1 else f"{count} records"
    return [
        f"Everything that is known of {state.customer_id} is erased here, and every platform with one of its "
        f"{records} is told to erase it.",
        "There is no way back. The contact points stay suppressed, late changes bring nothing back, and a later "
        "sign-up is a new customer without a past.",
    ]


# Cases of the review queue


def case_title(case: Mapping[str, Any]) -> str:
    """What a case is about."""
    record = case.get("record", "a record")
    match case["kind"]:
        case "ping_pong":
            about = words(case["attribute"]) if "attribute" in case else "an opt-out"
            return f"{record} keeps contradicting what it is told: {about}"
        case "validation_failed":
            return f"The validator could not judge what {record} states"
    if case.get("rule") == "records_max":
        return f"One {case.get('platform', 'platform')} record too many"
    return "Two customers met" if "other_id" in case else f"{record} needs a look"


def case_story(case: Mapping[str, Any]) -> list[str]:
    """Its evidence in sentences: kinds and ids, never the value of an identifier."""
    found = []
    if case.get("identifier") == "customer_id":
        found.append(f"{case.get('record', 'A record')} belongs to one of them and names the other.")
    elif "other_id" in case and "identifier" in case:
        shared = _SHARED.get(case["identifier"], words(case["identifier"]))
        found.append(f"{case.get('record', 'A record')} names {shared} that leads to both of them.")
    elif "other_id" in case:
        found.append("A steward asked for the two to be merged, and it could not be done.")
    if "rule" in case:
        found.append(RULES.get(case["rule"], f"The rule: {words(case['rule'])}."))
    return found
