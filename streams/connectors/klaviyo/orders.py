"""Commands as Klaviyo's requests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from streams.connectors.klaviyo.consents import OUR_SOURCE
from streams.connectors.klaviyo.profiles import CUSTOMER_PROPERTY, LOCATION, SCALARS
from streams.model import Address, Assignment, Command, ConsentOrder, Millis, format_time

_FIELD = {"email": "email", "sms": "phone_number"}


class Plan(NamedTuple):
    """What of a command Klaviyo can be told: profile attributes, consents; `unsaid` names the rest."""

    attributes: dict[str, Any]
    consents: tuple[ConsentOrder, ...]
    unsaid: tuple[str, ...]


def plan_of(command: Command) -> Plan:
    """Sort a command into requests. An opt-in is told only where an explicit one is in force: it lifts suppressions."""
    attributes: dict[str, Any] = {}
    unsaid: list[str] = []
    for attribute, assignment in command.attributes.items():
        if attribute in SCALARS:
            attributes[SCALARS[attribute]] = None if assignment.clear else assignment.value
        elif attribute == "shipping_address":
            attributes["location"] = location(assignment)
        else:
            unsaid.append("unsupported_attribute")
    consents = []
    for consent in command.consents:
        why = unsupported(consent)
        if why is None:
            consents.append(consent)
        else:
            unsaid.append(why)
    return Plan(attributes, tuple(consents), tuple(unsaid))


def unsupported(consent: ConsentOrder) -> str | None:
    """Why Klaviyo is not told of a consent; None where it is."""
    if consent.channel not in _FIELD:
        return "unsupported_channel"
    if consent.purpose != "marketing":
        return "unsupported_purpose"
    if consent.decision == "opt_in" and not consent.explicit:
        return "opt_in_not_explicit"
    return None


def location(assignment: Assignment) -> dict[str, Any]:
    """All six fields, null where empty, so that no old part stays; the country as given."""
    value = assignment.value if isinstance(assignment.value, Address) and not assignment.clear else Address()
    return {LOCATION[part]: said or None for part, said in value.parts().items()}


def patch_body(record_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """PATCH /api/profiles/{id}: null clears, absent keeps."""
    return {"data": {"type": "profile", "id": record_id, "attributes": dict(attributes)}}


def import_body(command: Command, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """POST /api/profile-import: an upsert by e-mail or phone, marked with our customer id."""
    said = {name: value for name, value in attributes.items() if value is not None}
    return {"data": {"type": "profile", "attributes": {**said, "properties": {CUSTOMER_PROPERTY: command.customer_id}}}}


def unsubscribe_body(consents: Iterable[ConsentOrder]) -> dict[str, Any]:
    """At most 100. No list is named: a profile that is not in a named list would be unsubscribed from all anyway."""
    profiles = [_subject(consent, {"consent": "UNSUBSCRIBED"}) for consent in consents]
    return {"data": {"type": "profile-subscription-bulk-delete-job", "attributes": {"profiles": {"data": profiles}}}}


def subscribe_body(consent: ConsentOrder, record_id: str, now: Millis, list_id: str) -> dict[str, Any]:
    """A consent that was given elsewhere, at its own time: `historical_import` skips a second confirmation by mail.

    Only that flag lets the time be stated, and the time must lie in the past.
    """
    given_at = format_time(min(consent.decided_at, now - 1000))
    profile = {"id": record_id, **_subject(consent, {"consent": "SUBSCRIBED", "consented_at": given_at})}
    job: dict[str, Any] = {
        "type": "profile-subscription-bulk-create-job",
        "attributes": {"custom_source": OUR_SOURCE, "historical_import": True, "profiles": {"data": [profile]}},
    }
    if list_id:
        job["relationships"] = {"list": {"data": {"type": "list", "id": list_id}}}
    return {"data": job}


def _subject(consent: ConsentOrder, said: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "profile",
        "attributes": {
            _FIELD[consent.channel]: consent.contact_point,
            "subscriptions": {consent.channel: {"marketing": said}},
        },
    }


def erase_body(record_id: str) -> dict[str, Any]:
    """POST /api/data-privacy-deletion-jobs."""
    return {
        "data": {
            "type": "data-privacy-deletion-job",
            "attributes": {"profile": {"data": {"type": "profile", "id": record_id}}},
        }
    }
