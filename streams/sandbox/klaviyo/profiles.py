"""Profiles with their subscriptions and suppressions, and the rules by which the account takes new values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.sandbox.clock import Clock
from streams.sandbox.places import country_code, country_name, e164

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
TEXTS = ("external_id", "first_name", "last_name", "organization", "locale", "title", "image")
LOCATION = ("address1", "address2", "city", "country", "region", "zip", "timezone", "ip", "latitude", "longitude")
LIFTED_BY_SUBSCRIBE = ("UNSUBSCRIBE", "SPAM_COMPLAINT", "USER_SUPPRESSED")
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def profile_id(number: int) -> str:
    """The 26 characters of the account's n-th profile."""
    digits = ""
    for _ in range(16):
        number, digit = divmod(number, 32)
        digits = _ULID[digit] + digits
    return f"01KSANDB0X{digits}"


class Problem(Exception):
    """What the API refuses, as one JSON:API error."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        pointer: str = "/data",
        meta: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.pointer, self.meta = pointer, meta or {}


def invalid(detail: str, pointer: str) -> Problem:
    return Problem(400, "invalid", "Invalid input.", detail, pointer)


@dataclass(slots=True)
class Subscription:
    """One channel's marketing consent."""

    consent: str = "NEVER_SUBSCRIBED"
    consented_at: int | None = None
    updated_at: int | None = None
    method: str | None = None
    method_detail: str | None = None
    custom_method_detail: str | None = None
    double_optin: bool = False


@dataclass(slots=True)
class Profile:
    """One profile. `suppressions` are by reason, with their times."""

    id: str
    created_at: int
    updated_at: int
    email: str | None = None
    phone_number: str | None = None
    texts: dict[str, str] = field(default_factory=dict)
    location: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(
        default_factory=lambda: {"email": Subscription(), "sms": Subscription()}
    )
    suppressions: dict[str, int] = field(default_factory=dict)

    def identifiers(self) -> dict[str, str | None]:
        return {
            "email": self.email,
            "phone_number": self.phone_number,
            "external_id": self.texts.get("external_id"),
        }

    def contact_point(self, channel: str) -> str | None:
        return self.email if channel == "email" else self.phone_number


class Account:
    """All profiles by id."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.profiles: dict[str, Profile] = {}
        self._last = 0

    def new(self) -> Profile:
        """A profile that is not stored yet."""
        self._last += 1
        now = self.clock()
        return Profile(profile_id(self._last), now, now)

    def find(self, **identifiers: str | None) -> list[Profile]:
        """The profiles that hold any of these identifiers, oldest first."""
        wanted = {name: value for name, value in identifiers.items() if value}
        return [
            profile
            for profile in self.profiles.values()
            if any(profile.identifiers()[name] == value for name, value in wanted.items())
        ]

    def refuse_duplicates(self, draft: Profile) -> None:
        """Raises Problem(409) where another profile holds one of the draft's identifiers."""
        for other in self.find(**draft.identifiers()):
            if other.id != draft.id:
                raise Problem(
                    409,
                    "duplicate_profile",
                    "Conflict.",
                    "A profile already exists with one of these identifiers.",
                    "/data/attributes",
                    {"duplicate_profile_id": other.id},
                )


def write(profile: Profile, attributes: Mapping[str, Any]) -> None:
    """Write what is given: null clears, what is left out stays. Raises Problem for what the API refuses."""
    for name, value in attributes.items():
        pointer = f"/data/attributes/{name}"
        match name:
            case "email":
                profile.email = _email(value, pointer)
            case "phone_number":
                profile.phone_number = _phone(value, pointer)
            case "location":
                _write_location(profile.location, value, pointer)
            case "properties":
                _merge(profile.properties, value or {})
            case _ if name in TEXTS:
                _merge(profile.texts, {name: None if value is None else str(value).strip() or None})
            case "subscriptions" | "id" | "anonymous_id" | "_kx" | "meta":
                continue
            case _:
                raise invalid(f"'{name}' is not a valid field for the resource 'profile'.", pointer)


def normal_email(value: Any) -> str | None:
    return str(value).strip().lower() or None if value is not None else None


def _email(value: Any, pointer: str) -> str | None:
    email = normal_email(value)
    if email and not EMAIL.fullmatch(email):
        raise invalid("Invalid email address", pointer)
    return email


def _phone(value: Any, pointer: str) -> str | None:
    if value in (None, ""):
        return None
    text = str(value)
    if not text.startswith("+") or e164(text) is None:
        raise invalid("Invalid phone number format (Example of a valid format: +12345678901)", pointer)
    return e164(text)


def _write_location(location: dict[str, Any], given: Any, pointer: str) -> None:
    if given is None:
        location.clear()
        return
    if not isinstance(given, dict):
        raise invalid("The payload provided in the request is invalid.", pointer)
    for name, value in _known_location(given, pointer):
        text = value.strip() if isinstance(value, str) else value
        if name == "country" and text:
            code = country_code(text)
            text = country_name(code) if code else text
        _merge(location, {name: text if text != "" else None})


def _known_location(given: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if name not in LOCATION:
            raise invalid(f"'{name}' is not a valid field for 'location'.", f"{pointer}/{name}")
        yield name, value


def _merge(stored: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if value is None:
            stored.pop(name, None)
        else:
            stored[name] = value
