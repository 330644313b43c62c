"""One event of a system webhook: a consent act, or a reason to read the profile again.

Its time is the event's own, never the delivery's. Its e-mail may differ from the profile's current one: it names the
contact point, and states nothing about the profile's attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from streams.connectors.base import Refetch, Translation
from streams.connectors.klaviyo.asked import Asked
from streams.connectors.klaviyo.consents import Act, act_of, evidence_of, is_ours, method_of
from streams.connectors.klaviyo.shapes import identity, inner, key, moment, text
from streams.model import Change, Identifiers, Invalid
from streams.model.command import ToldDecision

_PREFIX = "event:klaviyo."
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,120}", re.ASCII)
_CONTACT = {
    "email": ("email_address", "email", "$email"),
    "sms": ("phone_number", "phone", "$phone_number"),
}


class _Topic(NamedTuple):
    """What a topic decides; `method` where the topic itself says how."""

    decision: ToldDecision
    channel: str
    method: str | None = None


_TOPICS = {
    "subscribed_to_email_marketing": _Topic("opt_in", "email"),
    "subscribed_to_sms_marketing": _Topic("opt_in", "sms"),
    "unsubscribed_from_email_marketing": _Topic("opt_out", "email"),
    "unsubscribed_from_sms_marketing": _Topic("opt_out", "sms"),
    "manually_suppressed_from_email_marketing": _Topic("opt_out", "email", "manual_suppression"),
    "marked_email_as_spam": _Topic("opt_out", "email", "spam_complaint"),
}
# An end of suppression is nobody's opt-in, and new preferences may be either: only the profile tells what stands now.
_READ_AGAIN = ("manually_unsuppressed_", "updated_email_preferences")


def translate_event(platform: str, event: Mapping[str, Any], digest: str, trust_email: bool) -> Translation:
    """Raises Invalid("no_profile") where a known topic's event names no profile."""
    topic = event.get("topic")
    said = topic.removeprefix(_PREFIX) if isinstance(topic, str) and topic.startswith(_PREFIX) else ""
    if said not in _TOPICS and not said.startswith(_READ_AGAIN):
        named = topic if isinstance(topic, str) and _NAME.fullmatch(topic) else "other"
        return Translation(ignored=(f"topic:{named}",))
    body = inner(event, "payload", "data")
    profile = identity(inner(body, "relationships", "profile", "data").get("id"))
    if profile is None:
        raise Invalid("no_profile", "relationships.profile.data.id")
    if said not in _TOPICS:
        return Translation(refetch=(Refetch(profile, said if _NAME.fullmatch(said) else "read_again"),))
    event_id = key(event.get("external_id")) or key(body.get("id")) or digest
    return _act(platform, profile, event_id, inner(body, "attributes"), _TOPICS[said], trust_email)


def _act(
    platform: str, profile: str, event_id: str, attributes: Mapping[str, Any], topic: _Topic, trust_email: bool
) -> Translation:
    properties = inner(attributes, "event_properties")
    ours = is_ours(properties)
    act = _decided(topic, attributes, properties, ours)
    reached = next((said for name in _CONTACT[act.channel] if (said := text(properties.get(name)))), None)
    if reached is None:
        if ours:
            return Translation(ignored=("echo_without_contact_point",))
        return Translation(refetch=(Refetch(Asked(profile, act, event_id).text(), "consent_without_contact_point"),))
    change = act_change(platform, profile, event_id, act, reached, evidence_of(properties, event=event_id))
    return Translation((_marked(change, act, reached, ours, trust_email),))


def _decided(topic: _Topic, attributes: Mapping[str, Any], properties: Mapping[str, Any], ours: bool) -> Act:
    at = moment(attributes.get("datetime"))
    if at is None:
        at = moment(attributes.get("timestamp"))
    if ours:
        return Act(topic.decision, topic.channel, at, "sync", explicit=False)
    confirmed = topic.decision == "opt_in" and properties.get("double_optin") is True
    method = topic.method or ("double_opt_in" if confirmed else method_of(properties.get("method")))
    return act_of(topic.decision, topic.channel, at, method)


def act_change(platform: str, profile: str, event_id: str, act: Act, reached: str, evidence: dict[str, Any]) -> Change:
    """The act as a change of the profile's record."""
    return Change(
        change_id=f"{event_id}:{act.decision}:{act.channel}",
        platform=platform,
        record_id=profile,
        observed_at=act.at,
        actor=act.actor,
        consents=(act.statement(reached, evidence),),
    )


def _marked(change: Change, act: Act, reached: str, ours: bool, trust_email: bool) -> Change:
    """The origin, and what the person acted with as the profile's identifier."""
    if ours:
        return replace(change, origin="writeback", actor="integration")
    if act.channel == "email" and trust_email:
        return replace(change, identifiers=Identifiers(email=(reached,)))
    return change
