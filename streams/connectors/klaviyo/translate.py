"""Raw bodies to changes: system webhooks (up to a thousand events), one profile, or a page of profiles."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from streams.connectors.base import Translation
from streams.connectors.batches import joined
from streams.connectors.klaviyo.events import translate_event
from streams.connectors.klaviyo.merges import TOPIC, TYPE, translate_merge, translate_merged
from streams.connectors.klaviyo.profiles import WHOLE, ignored_of, profile_change, profile_id
from streams.connectors.klaviyo.shapes import decode, identity, inner, key
from streams.model import Invalid
from streams.model.change import Op


def translate_body(platform: str, body: bytes, trust_email: bool) -> Translation:
    """Everything that a body means. One bad element among good ones is named in `ignored`; alone it is Invalid."""
    digest = sha256(body).hexdigest()[:32]
    held = decode(body).get("data")
    if isinstance(held, dict) and held.get("type") == TYPE:
        return translate_merge(platform, held, digest)
    if isinstance(held, dict):
        return _profile(platform, held, digest, trust_email, one=True)
    if not isinstance(held, list):
        raise Invalid("bad_shape", "data")
    found: list[Translation] = []
    bad: list[Invalid] = []
    for place, element in enumerate(held):
        try:
            found.append(_element(platform, element, f"{digest}:{place}", trust_email))
        except Invalid as invalid:
            bad.append(invalid)
    return joined(found, bad)


def _element(platform: str, element: Any, digest: str, trust_email: bool) -> Translation:
    if not isinstance(element, dict):
        raise Invalid("bad_shape", "data[]")
    if "topic" in element:
        profile = inner(element, "payload", "data")
        if profile.get("type") == "profile":
            return _profile(platform, profile, key(element.get("external_id")) or digest, trust_email, one=True)
        if element["topic"] == TOPIC:
            return translate_merged(platform, element, digest)
        return translate_event(platform, element, digest, trust_email)
    return _profile(platform, element, digest, trust_email, one=False)


def _profile(platform: str, profile: Mapping[str, Any], digest: str, trust_email: bool, one: bool) -> Translation:
    """One profile, alone or under a topic, was just changed: an event. A page of them is what a poll found."""
    change_id = f"{digest}:{profile_id(profile)}"
    if one:
        change = profile_change(platform, profile, change_id, "event", "upsert", trust_email)
    else:
        op: Op = "restate" if inner(profile, "attributes").keys() >= WHOLE else "upsert"
        change = profile_change(platform, profile, change_id, "snapshot", op, trust_email)
    return Translation((change,), ignored_of(profile))


def only_record(body: bytes) -> str | None:
    """The profile of a body that speaks of exactly one; None for several, for none, and for what cannot be read."""
    try:
        held = decode(body).get("data")
    except Invalid:
        return None
    elements = held if isinstance(held, list) else [held]
    return _record_of(elements[0]) if len(elements) == 1 else None


def _record_of(element: Any) -> str | None:
    if not isinstance(element, dict):
        return None
    if element.get("topic") == TOPIC:
        return None
    if "topic" in element:
        body = inner(element, "payload", "data")
        named = body if body.get("type") == "profile" else inner(body, "relationships", "profile", "data")
        return identity(named.get("id"))
    return identity(element.get("id")) if element.get("type") == "profile" else None
