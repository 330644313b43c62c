"""What a story is, and the words in which stories speak of what platforms hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from streams.core import canonical
from streams.demo.world import Holds, NotConverged, World
from streams.model import Address
from streams.sandbox import POPULATION

PLATFORMS: Final = ("storefront", "crm", "esp")
PEOPLE: Final = tuple(person for person in POPULATION if person.key in ("ann", "ben", "chloe", "esi"))

Holdings = Mapping[str, Mapping[str, Any]]
Reads = Callable[[Mapping[str, Any]], str]


class Row(msgspec.Struct, frozen=True):
    """One line of a story's table; `after_s` None: nothing was to happen there."""

    platform: str
    what: str
    before: str
    now: str
    after_s: float | None = None


class Told(msgspec.Struct):
    """What a story has to show."""

    rows: list[Row] = []
    remarks: list[str] = []
    headings: tuple[str, str] = ("before", "now")


class Story(msgspec.Struct, frozen=True):
    """`play` raises NotConverged, which names the platform, where one does not end as it should."""

    title: str
    plot: str
    play: Callable[[World], Awaitable[Told]]


def address(holding: Mapping[str, Any], attribute: str = "shipping_address") -> str:
    """An address on one line; empty where there is none."""
    held = holding["attributes"].get(attribute) or {}
    place = f"{held.get('region', '')} {held.get('postal_code', '')}".strip()
    return ", ".join(part for part in (held.get("line1"), held.get("line2"), held.get("city"), place) if part)


def billing(holding: Mapping[str, Any]) -> str:
    """The billing address on one line."""
    return address(holding, "billing_address")


def phone(holding: Mapping[str, Any]) -> str:
    """The phone in the platform's own notation."""
    return str(holding["attributes"].get("phone") or "")


def email(holding: Mapping[str, Any]) -> str:
    """The e-mail address."""
    return str(holding["attributes"].get("email") or "")


def name(holding: Mapping[str, Any]) -> str:
    """First and last name."""
    held = holding["attributes"]
    return " ".join(part for part in (held.get("first_name"), held.get("last_name")) if part)


def email_consent(holding: Mapping[str, Any]) -> str:
    """The consent to marketing by e-mail, in the platform's own words."""
    return str(holding["consents"].get("email", "")).replace("_", " ")


def wants(platform: str, reads: Reads, what: str, wanted: str) -> Holds:
    """That a platform holds exactly this text."""
    return Holds(platform, what, reads, lambda held: bool(held == wanted))


def wants_phone(platform: str, wanted: str) -> Holds:
    """That a platform holds this number, in whatever notation."""
    return Holds(platform, "phone", phone, lambda held: canonical.phone(held, "US") == wanted)


def rows(wanted: Sequence[Holds], before: Holdings, now: Holdings, times: Sequence[float]) -> list[Row]:
    """A line for each thing that was waited for."""
    return [
        Row(one.platform, one.what, one.reads(before[one.platform]), one.reads(now[one.platform]), after_s)
        for one, after_s in zip(wanted, times, strict=True)
    ]


def unmoved(platforms: Sequence[str], what: str, reads: Reads, before: Holdings, now: Holdings) -> list[Row]:
    """A line for each platform where nothing was to happen; raises NotConverged where something has."""
    for platform in platforms:
        if reads(before[platform]) != reads(now[platform]):
            raise NotConverged(f"{platform} ({what}) has changed and should not have")
    return [Row(one, what, reads(before[one]), reads(now[one])) for one in platforms]


def home(line1: str, line2: str, city: str, region: str, postal_code: str) -> dict[str, str]:
    """An address as a person types it."""
    return Address(line1, line2, city, region, postal_code, "US").parts()
