"""Canonical changes of invented people, the same ones for the same arguments, on every machine."""

import heapq
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from streams.model import format_time

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP_MS = 250
PLATFORMS = ("storefront", "crm", "esp")

# What an act of a person brings, as shares of all acts, and what else a change says, as shares of all changes.
MOVES, NEW_PHONE, FLIPS_CONSENT = 0.3, 0.4, 0.2
CLEARS_NAME, HAS_VERDICT, BOUNCES = 0.02, 0.1, 0.02

# One act reaches us from several platforms: each of the two others tells of it, with this chance, within this many
# changes of anybody (10 s of Kafka time). 0: every change is an act of its own, spread at random over the people.
FOLLOWS = 0.75
WITHIN = 40

_FIRST = ("Ann", "Bo", "Chidi", "Dana", "Eero", "Farah", "Goran", "Hana", "Ines", "Jamal", "Kaya", "Lise")
_STREETS = ("Main St", "Harbor Rd", "Mill Ln", "Orchard Ave", "Station St", "Quarry Rd")
_TOWNS = (
    ("Chicago", "IL", "60601"),
    ("Portland", "OR", "97201"),
    ("Austin", "TX", "78701"),
    ("Denver", "CO", "80202"),
    ("Albany", "NY", "12207"),
)


class Keyed(NamedTuple):
    """One record of the input: the customer it belongs to, its Kafka timestamp, and the change as JSON has it."""

    customer_id: str
    timestamp_ms: int
    change: dict[str, Any]


class _Person:
    """What one customer says of themselves at the moment; every platform repeats it with its own changes."""

    __slots__ = ("consent", "decided_at", "home", "number", "phone")

    def __init__(self, number: int, born_at: int) -> None:
        self.number = number
        self.home = number
        self.phone = number
        self.consent = True
        self.decided_at = born_at


def changes(count: int, customers: int, seed: int = 7, follows: float = FOLLOWS, first: int = 0) -> Iterator[Keyed]:
    """`count` changes of `customers` people, one every `STEP_MS` of Kafka time; 1 to 3 platforms tell of each act.

    `first`: the number of the first of the people.
    """
    chance = random.Random(seed)
    people: dict[int, _Person] = {}
    following: list[tuple[int, int, str]] = []
    for n in range(count):
        at = START_MS + n * STEP_MS
        if following and following[0][0] <= n:
            _, number, platform = heapq.heappop(following)
        else:
            number, platform = first + chance.randrange(customers), chance.choice(PLATFORMS)
            _live(people.setdefault(number, _Person(number, at)), chance, at)
            for other in PLATFORMS:
                if other != platform and chance.random() < follows:
                    heapq.heappush(following, (n + chance.randint(1, WITHIN), number, other))
        yield Keyed(f"C{number}", at, _change(n, people[number], platform, chance, at))


def _live(person: _Person, chance: random.Random, at: int) -> None:
    if chance.random() < MOVES:
        person.home += 1
    if chance.random() < NEW_PHONE:
        person.phone += 1
    if chance.random() < FLIPS_CONSENT:
        person.consent = not person.consent
        person.decided_at = at


def _change(n: int, person: _Person, platform: str, chance: random.Random, at: int) -> dict[str, Any]:
    email, phone, seen = f"person{person.number}@example.com", _phone(person), format_time(at - 1000)
    return {
        "change_id": f"evt-{n}",
        "platform": platform,
        "record_id": f"{platform[:2]}{person.number:07d}",
        "kind": "event",
        "op": "upsert",
        "observed_at": seen,
        "sequence": n,
        "actor": "customer",
        "origin": None,
        "customer_id": f"C{person.number}",
        "identifiers": {"email": [email], "phone": [phone], "external": [f"loyalty:lo{person.number:07d}"]},
        "attributes": _attributes(person, chance, email, phone),
        "consents": [_consent(person, email)],
        "verdicts": [_verdict(person, platform, seen)] if chance.random() < HAS_VERDICT else [],
        "suppressions": [_bounce(email, seen)] if chance.random() < BOUNCES else [],
    }


def _attributes(person: _Person, chance: random.Random, email: str, phone: str) -> dict[str, Any]:
    first_name = {"value": _FIRST[person.number % len(_FIRST)]}
    return {
        "phone": {"value": phone},
        "email": {"value": email},
        "first_name": {"clear": True} if chance.random() < CLEARS_NAME else first_name,
        "shipping_address": {"value": _address(person), "confidence": 0.95, "verified_by": "smarty"},
    }


def _phone(person: _Person) -> str:
    """A number from the range that is set aside for fiction (555-0100 to 555-0199), in one of 700 areas."""
    return f"+1{201 + person.number % 700}5550{100 + person.phone % 100}"


def _address(person: _Person) -> dict[str, str]:
    city, region, postal_code = _TOWNS[person.home % len(_TOWNS)]
    return {
        "line1": f"{1 + person.home % 990} {_STREETS[person.home % len(_STREETS)]}",
        "line2": "",
        "city": city,
        "region": region,
        "postal_code": postal_code,
        "country": "US",
    }


def _consent(person: _Person, email: str) -> dict[str, Any]:
    return {
        "contact_point": email,
        "channel": "email",
        "purpose": "marketing",
        "decision": "opt_in" if person.consent else "opt_out",
        "at": format_time(person.decided_at),
        "explicit": True,
        "method": "preference_center" if person.consent else "unsubscribe_link",
        "evidence": {"ip": f"192.0.2.{person.number % 250}"},
        "expires_at": None,
    }


def _verdict(person: _Person, platform: str, seen: str) -> dict[str, Any]:
    address = _address(person)
    return {
        "record": f"{platform}:{platform[:2]}{person.number:07d}",
        "attribute": "shipping_address",
        "input": address,
        "confidence": 0.97,
        "deliverable": True,
        "standardized": {**address, "line1": address["line1"].upper()},
        "at": seen,
    }


def _bounce(email: str, seen: str) -> dict[str, Any]:
    return {"contact_point": email, "channel": "email", "reason": "hard_bounce", "active": True, "at": seen}
