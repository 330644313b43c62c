"""Profiles, errors and events as the API and its webhooks write them."""

from __future__ import annotations

import uuid
from typing import Any

from streams.sandbox.clock import utc
from streams.sandbox.klaviyo.profiles import LOCATION, TEXTS, Problem, Profile, Subscription

API = "https://a.klaviyo.com/api"
METRICS = {"email": "Mail01", "sms": "Text01"}


def api_time(at_ms: int | None) -> str | None:
    """`2026-01-10T12:00:00+00:00`."""
    return None if at_ms is None else utc(at_ms).isoformat(timespec="seconds")


def profile_object(profile: Profile, with_subscriptions: bool = False) -> dict[str, Any]:
    """The JSON:API object; subscriptions only where they were asked for."""
    attributes: dict[str, Any] = {
        "email": profile.email,
        "phone_number": profile.phone_number,
        **{name: profile.texts.get(name) for name in TEXTS},
        "created": api_time(profile.created_at),
        "updated": api_time(profile.updated_at),
        "last_event_date": None,
        "location": {name: profile.location.get(name) for name in LOCATION},
        "properties": profile.properties,
    }
    if with_subscriptions:
        attributes["subscriptions"] = subscriptions(profile)
    return {
        "type": "profile",
        "id": profile.id,
        "attributes": attributes,
        "links": {"self": f"{API}/profiles/{profile.id}/"},
    }


def subscriptions(profile: Profile) -> dict[str, Any]:
    """What is known of both channels; one without a contact point can receive nothing."""
    email, sms = profile.subscriptions["email"], profile.subscriptions["sms"]
    suppressed = [{"reason": reason, "timestamp": api_time(at)} for reason, at in profile.suppressions.items()]
    may_mail = bool(profile.email) and not suppressed and email.consent != "UNSUBSCRIBED"
    return {
        "email": {
            "marketing": {
                "can_receive_email_marketing": may_mail,
                **_marketing(email),
                "suppression": suppressed,
                "list_suppressions": [],
            }
        },
        "sms": {
            "marketing": {
                "can_receive_sms_marketing": bool(profile.phone_number) and sms.consent == "SUBSCRIBED",
                **_marketing(sms),
            }
        },
    }


def _marketing(subscription: Subscription) -> dict[str, Any]:
    return {
        "consent": subscription.consent,
        "consent_timestamp": api_time(subscription.consented_at),
        "last_updated": api_time(subscription.updated_at),
        "method": subscription.method,
        "method_detail": subscription.method_detail,
        "custom_method_detail": subscription.custom_method_detail,
        "double_optin": subscription.double_optin,
    }


def error_body(problem: Problem) -> dict[str, Any]:
    error = {
        "id": str(uuid.uuid4()),
        "status": problem.status,
        "code": problem.code,
        "title": problem.title,
        "detail": problem.detail,
        "source": {"pointer": problem.pointer},
        "links": {},
        "meta": problem.meta,
    }
    return {"errors": [error]}


def merged_event(kept: Profile, gone: str, at_ms: int) -> dict[str, Any]:
    """The payload of `merged_profile`: an event of the profile that stays."""
    told = event(kept, "email", at_ms, {"source_profile_id": gone})
    told["data"]["relationships"]["metric"]["data"]["id"] = "Merge1"
    return told


def event(profile: Profile, channel: str, at_ms: int, method: dict[str, Any]) -> dict[str, Any]:
    """The payload of a subscription event: what happened to which contact point, and how."""
    number = uuid.uuid4().hex[:11]
    point = {"email_address": profile.email} if channel == "email" else {"phone_number": profile.phone_number}
    properties = {name: value for name, value in method.items() if value is not None}
    return {
        "data": {
            "id": number,
            "type": "event",
            "links": {"self": f"{API}/events/{number}/"},
            "attributes": {
                "uuid": str(uuid.uuid1()),
                "datetime": api_time(at_ms),
                "timestamp": at_ms // 1000,
                "event_properties": {**properties, "$event_id": str(at_ms // 1000), **point},
            },
            "relationships": {
                "metric": {"data": {"id": METRICS[channel], "type": "metric"}},
                "profile": {"data": {"id": profile.id, "type": "profile"}},
            },
        }
    }
