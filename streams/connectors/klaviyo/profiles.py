"""A profile object: what Klaviyo holds of one person, with subscriptions and suppressions where they were asked for.

A profile whose subscriptions were not read says nothing about consent. `can_receive_email_marketing` is true for
people who never subscribed, so only `consent` counts. A location without a street is a guess from an IP address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from streams.connectors.klaviyo.consents import Act, act_of, evidence_of, is_ours, method_of
from streams.connectors.klaviyo.shapes import identity, inner, latest, moment, text
from streams.model import Address, Change, ConsentStatement, Identifiers, Invalid, Millis, Statement, Suppression
from streams.model.change import Kind, Op

SCALARS = {"first_name": "first_name", "last_name": "last_name", "email": "email", "phone": "phone_number"}
LOCATION = {
    "line1": "address1",
    "line2": "address2",
    "city": "city",
    "region": "region",
    "postal_code": "zip",
    "country": "country",
}
CUSTOMER_PROPERTY = "writeback_customer_id"
# A read without sparse fields holds all of these, null where empty.
WHOLE = frozenset({*SCALARS.values(), "location"})

_BOUNCED = frozenset({"HARD_BOUNCE", "INVALID_EMAIL"})
# Suppressions that are somebody's word. The read enum says SPAM_COMPLAINT, the write side SPAM_REPORT.
_OPTED_OUT = {
    "UNSUBSCRIBE": "unsubscribe",
    "USER_SUPPRESSED": "manual_suppression",
    "SPAM_COMPLAINT": "spam_complaint",
    "SPAM_REPORT": "spam_complaint",
}
_EXTERNAL = re.compile(r"[a-z][a-z0-9_]*:\S{1,200}", re.ASCII)
_EXTERNAL_PROPERTY = re.compile(r"writeback_([a-z]+)_id", re.ASCII)


def profile_id(profile: Mapping[str, Any]) -> str:
    """Raises Invalid("bad_profile") for what is no profile with an id."""
    named = identity(profile.get("id")) if profile.get("type") == "profile" else None
    if named is None:
        raise Invalid("bad_profile", "type or id")
    return named


def profile_change(
    platform: str, profile: Mapping[str, Any], change_id: str, kind: Kind, op: Op, trust: bool
) -> Change:
    """What the profile states, dated with its `updated`; raises Invalid("bad_profile")."""
    attributes = inner(profile, "attributes")
    updated = moment(attributes.get("updated"))
    suppressions = tuple(_suppressions(attributes))
    return Change(
        change_id=change_id,
        platform=platform,
        record_id=profile_id(profile),
        kind=kind,
        op=op,
        observed_at=updated,
        actor="import" if kind == "snapshot" else "unknown",
        customer_id=text(inner(attributes, "properties").get(CUSTOMER_PROPERTY)),
        identifiers=_identifiers(attributes, trust and not suppressions),
        attributes=_stated(attributes),
        consents=tuple(_consents(attributes, updated)),
        suppressions=suppressions,
    )


def ignored_of(profile: Mapping[str, Any]) -> tuple[str, ...]:
    """What the profile holds and does not mean."""
    location = inner(profile, "attributes", "location")
    guessed = not text(location.get("address1")) and any(text(location.get(name)) for name in LOCATION.values())
    return ("location_without_street",) if guessed else ()


def contact_point(profile: Mapping[str, Any], channel: str) -> str | None:
    """The profile's e-mail or phone."""
    return text(inner(profile, "attributes").get("email" if channel == "email" else "phone_number"))


def marketing(profile: Mapping[str, Any], channel: str) -> Mapping[str, Any]:
    """What the profile holds about marketing by a channel; empty where its subscriptions were not read."""
    return inner(profile, "attributes", "subscriptions", channel, "marketing")


def _stated(attributes: Mapping[str, Any]) -> dict[str, Statement]:
    """A null is a counted nothing: Klaviyo does not say whether a field was emptied or never filled (R5)."""
    stated = {
        attribute: Statement(value=text(attributes[field]))
        for attribute, field in SCALARS.items()
        if field in attributes
    }
    location = inner(attributes, "location")
    if text(location.get("address1")):
        parts = {part: text(location.get(name)) or "" for part, name in LOCATION.items()}
        stated["shipping_address"] = Statement(value=Address(**parts))
    elif "location" in attributes:
        stated["shipping_address"] = Statement()
    return stated


def _identifiers(attributes: Mapping[str, Any], trust_email: bool) -> Identifiers:
    """The e-mail unless untrusted or bounced; external ids only where they name their platform, `storefront:9`."""
    email = text(attributes.get("email"))
    named = {
        f"{match[1]}:{value}"
        for name, raw in inner(attributes, "properties").items()
        if name != CUSTOMER_PROPERTY and (match := _EXTERNAL_PROPERTY.fullmatch(name)) and (value := text(raw))
    }
    external = text(attributes.get("external_id"))
    if external and _EXTERNAL.fullmatch(external):
        named.add(external)
    return Identifiers(email=(email,) if trust_email and email else (), external=tuple(sorted(named)))


def _entries(held: Mapping[str, Any]) -> Iterator[tuple[str, Millis | None]]:
    """Each suppression's reason and time."""
    listed = held.get("suppression")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("reason"), str):
            yield entry["reason"].upper(), moment(entry.get("timestamp"))


def _suppressions(attributes: Mapping[str, Any]) -> Iterator[Suppression]:
    email = text(attributes.get("email"))
    found = [
        at for reason, at in _entries(inner(attributes, "subscriptions", "email", "marketing")) if reason in _BOUNCED
    ]
    if email and found:
        yield Suppression(contact_point=email, channel="email", at=latest(*found))


def _consents(attributes: Mapping[str, Any], updated: Millis | None) -> Iterator[ConsentStatement]:
    for channel, field in (("email", "email"), ("sms", "phone_number")):
        held = inner(attributes, "subscriptions", channel, "marketing")
        reached = text(attributes.get(field))
        act = held_act(held, channel, updated) if reached else None
        if reached and act:
            yield act.statement(reached, evidence_of(held, source="profile"))


def held_act(held: Mapping[str, Any], channel: str, updated: Millis | None) -> Act | None:
    """The decision that Klaviyo holds; None where the person never decided.

    A suppression that is somebody's word outweighs `SUBSCRIBED`. An opt-out is dated with the latest that is known, at
    last with the profile; an opt-in without a time of its own stays undated and so can never count.
    """
    consent = (text(held.get("consent")) or "").upper()
    method = "sync" if is_ours(held) else method_of(held.get("method"))
    given, changed = moment(held.get("consent_timestamp")), moment(held.get("last_updated"))
    words = [(at, _OPTED_OUT[why]) for why, at in _entries(held) if why in _OPTED_OUT]
    suppressed_at = latest(*(at for at, _ in words))
    if consent == "UNSUBSCRIBED":
        at = latest(given, changed, suppressed_at)
        act = act_of("opt_out", channel, updated if at is None else at, method)
        return act if method else act._replace(explicit=False)
    if words:
        said = next(word for at, word in words if at == suppressed_at or suppressed_at is None)
        act = act_of("opt_out", channel, updated if suppressed_at is None else suppressed_at, said)
        return act._replace(explicit=said == "spam_complaint")
    if consent != "SUBSCRIBED":
        return None
    confirmed = held.get("double_optin") is True and method != "sync"
    return act_of("opt_in", channel, given, "double_opt_in" if confirmed else method)
