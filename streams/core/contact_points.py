"""Contact points and consent keys: their canonical form, their channels, when they appeared (C1, C5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.core.canonical import CACHE_MAX, SEP, email, folded, is_email, is_phone, phone
from streams.core.rules import Policy
from streams.core.state import PERSON, ConsentKey, Customer
from streams.model import Millis

EMAIL_CHANNELS = frozenset({"email"})
PHONE_CHANNELS = frozenset({"sms", "mms", "phone", "voice", "whatsapp", "rcs"})


def canonical_contact(contact_point: str, channel: str, default_region: str) -> str:
    """The contact point in the form of its channel; `*` is the person as a whole (C1)."""
    if contact_point == PERSON:
        return PERSON
    if channel in EMAIL_CHANNELS:
        return email(contact_point)
    if channel in PHONE_CHANNELS:
        return phone(contact_point, default_region)
    return folded(contact_point)


def joined(contact_point: str, channel: str, purpose: str) -> str:
    """A consent key as the state's tables spell it."""
    return f"{contact_point}{SEP}{channel}{SEP}{purpose}"


def split(key: str) -> ConsentKey:
    """The parts of a consent key."""
    known = _keys.get(key)
    if known is None:
        if len(_keys) >= CACHE_MAX:
            _keys.clear()
        known = _keys[key] = ConsentKey(*key.split(SEP))
    return known


# A dict: the compiled core would call an lru_cache slowly.
_keys: Final[dict[str, ConsentKey]] = {}


def channels_of(contact_point: str) -> frozenset[str]:
    """The channels that a contact point belongs to by its form; any other text only to those it was named with."""
    if is_email(contact_point):
        return EMAIL_CHANNELS
    return PHONE_CHANNELS if is_phone(contact_point) else frozenset()


def points_of(state: Customer, channel: str, found: Mapping[str, Millis]) -> list[str]:
    """The person's contact points of a channel: by their form, or because a consent named them with it."""
    named = {key.contact_point for key in map(split, state.entries) if key.channel == channel}
    return [point for point in found if point in named or channel in channels_of(point)]


def appearances(state: Customer) -> dict[str, Millis]:
    """When each contact point of the person appeared first: stated by a record, or set by a pin (C5)."""
    found = dict(state.appeared)
    for record in state.records.values():
        for contact_point, at in record.appeared.items():
            if contact_point not in found or at < found[contact_point]:
                found[contact_point] = at
    return found


def purposes(state: Customer, policy: Policy, channel: str) -> tuple[str, ...]:
    """The purposes that are spoken of: in the policy, and in this customer's entries of the channel; in order."""
    named = policy.consent.purposes
    spoken = {key.purpose for key in map(split, state.entries) if key.channel == channel}
    spoken.difference_update(named)
    return tuple(sorted(spoken.union(named))) if spoken else named
