"""Bulk jobs: checked at once, answered 202 with nothing, applied a little later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from streams.sandbox.clock import millis
from streams.sandbox.klaviyo.profiles import (
    LIFTED_BY_SUBSCRIBE,
    Account,
    Problem,
    Profile,
    Subscription,
    invalid,
    normal_email,
    write,
)

Channel: TypeAlias = Literal["email", "sms"]
CHANNELS: tuple[Channel, ...] = ("email", "sms")
SUBSCRIBE_MAX = 1000
UNSUBSCRIBE_MAX = 100
_POINTER = "/data/attributes/profiles/data"


class Decided(NamedTuple):
    """One channel of one profile, as a job says it; identifiers find the profile when the job runs."""

    profile_id: str | None
    identifiers: dict[str, str | None]
    channel: Channel
    consent: str
    consented_at: int | None
    source: str | None


def decisions(document: Any, kind: str, consent: str, most: int) -> list[Decided]:
    """What a job asks for; raises Problem for what the API refuses at once."""
    attributes = _attributes(document, kind)
    historical = bool(attributes.get("historical_import", False))
    rows = (attributes.get("profiles") or {}).get("data")
    if not isinstance(rows, list) or not rows:
        raise invalid("'profiles' is a required field.", _POINTER)
    if len(rows) > most:
        raise invalid(f"A maximum of {most} profiles is allowed.", _POINTER)
    found: list[Decided] = []
    for place, row in enumerate(rows):
        found += _row(row, f"{_POINTER}/{place}", consent, historical, attributes.get("custom_source"))
    return found


def _attributes(document: Any, kind: str) -> dict[str, Any]:
    resource = document.get("data") if isinstance(document, dict) else None
    if not isinstance(resource, dict) or resource.get("type") != kind:
        raise invalid(f"The resource type must be '{kind}'.", "/data/type")
    return resource.get("attributes") or {}


def _row(row: Mapping[str, Any], pointer: str, consent: str, historical: bool, source: str | None) -> Iterator[Decided]:
    attributes = row.get("attributes") or {}
    draft = Profile("", 0, 0)
    write(draft, {name: attributes[name] for name in ("email", "phone_number") if name in attributes})
    identifiers = {"email": draft.email, "phone_number": draft.phone_number}
    if not (row.get("id") or any(identifiers.values())):
        raise invalid("One of the identifiers email, phone_number or id is required.", f"{pointer}/attributes")
    subscriptions = attributes.get("subscriptions") or {}
    if not subscriptions:
        raise invalid("'subscriptions' is a required field.", f"{pointer}/attributes/subscriptions")
    for channel in CHANNELS:
        marketing = (subscriptions.get(channel) or {}).get("marketing")
        if marketing is not None:
            at = _consented_at(marketing, f"{pointer}/attributes/subscriptions/{channel}", consent, historical)
            if not row.get("id") and identifiers["email" if channel == "email" else "phone_number"] is None:
                raise invalid(f"The {channel} channel needs its identifier.", f"{pointer}/attributes")
            yield Decided(row.get("id"), identifiers, channel, consent, at, source)


def _consented_at(marketing: Mapping[str, Any], pointer: str, consent: str, historical: bool) -> int | None:
    if marketing.get("consent") != consent:
        raise invalid(f"consent must be {consent}.", f"{pointer}/marketing/consent")
    stated = marketing.get("consented_at")
    if stated and not historical:
        raise invalid("consented_at is only allowed with historical_import.", f"{pointer}/marketing/consented_at")
    if historical and not stated:
        raise invalid("consented_at is required with historical_import.", f"{pointer}/marketing/consented_at")
    try:
        return millis(stated) if stated else None
    except ValueError:
        raise invalid("consented_at is not a time.", f"{pointer}/marketing/consented_at") from None


def profile_of(account: Account, decided: Decided) -> Profile | None:
    """The profile that a decision is about; a subscription makes one where there is none."""
    if decided.profile_id:
        return account.profiles.get(decided.profile_id)
    point = "email" if decided.channel == "email" else "phone_number"
    found = account.find(**{point: decided.identifiers[point]}) or account.find(**decided.identifiers)
    if found:
        return found[0]
    profile = account.new()
    profile.email = normal_email(decided.identifiers["email"])
    profile.phone_number = decided.identifiers["phone_number"]
    account.profiles[profile.id] = profile
    return profile


def apply(profile: Profile, decided: Decided, at_ms: int) -> bool:
    """Take the decision; False where the profile was so already. A subscription lifts suppressions."""
    subscription = profile.subscriptions[decided.channel]
    if decided.channel == "email" and decided.consent == "SUBSCRIBED":
        for reason in LIFTED_BY_SUBSCRIBE:
            profile.suppressions.pop(reason, None)
    if subscription.consent == decided.consent:
        return False
    if decided.channel == "email" and decided.consent == "UNSUBSCRIBED":
        profile.suppressions["UNSUBSCRIBE"] = at_ms
    profile.subscriptions[decided.channel] = Subscription(
        consent=decided.consent,
        consented_at=decided.consented_at or at_ms,
        updated_at=at_ms,
        method="API",
        custom_method_detail=decided.source,
    )
    profile.updated_at = at_ms
    return True


def profile_to_erase(account: Account, document: Any) -> Profile | None:
    """The profile of a data-privacy job, by id or by one identifier."""
    attributes = _attributes(document, "data-privacy-deletion-job")
    row = (attributes.get("profile") or {}).get("data") or {}
    if row.get("id"):
        return account.profiles.get(row["id"])
    given = row.get("attributes") or {}
    identifiers = {name: given.get(name) for name in ("email", "phone_number", "external_id") if given.get(name)}
    if len(identifiers) != 1:
        raise invalid("Exactly one identifier is required.", "/data/attributes/profile")
    identifiers = {name: normal_email(v) if name == "email" else v for name, v in identifiers.items()}
    found = account.find(**identifiers)
    return found[0] if found else None


__all__ = ["CHANNELS", "Decided", "Problem", "apply", "decisions", "profile_of", "profile_to_erase"]
