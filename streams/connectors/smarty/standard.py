"""The question that we ask about an address, and the standard form that a confirmed candidate gives it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from streams.model import Address

# Countries by which an address of the US postal service may be named: its states, territories and freely associated
# states.
COVERED: Final = frozenset({"US", "AS", "FM", "GU", "MH", "MP", "PR", "PW", "UM", "VI"})
_UNIT = re.compile(
    r"(#|(apt|apartment|unit|suite|ste|fl|floor|rm|room|bldg|building|lot|spc|space|trlr|trailer|ph|penthouse|dept)\b)"
    r"|[a-z]?\d{1,5}[a-z]?$",
    re.IGNORECASE,
)


class Components(msgspec.Struct, frozen=True):
    """The parts of a candidate that the standard form is made of; each may be absent or null."""

    primary_number: str | None = None
    secondary_designator: str | None = None
    secondary_number: str | None = None
    extra_secondary_designator: str | None = None
    extra_secondary_number: str | None = None
    pmb_designator: str | None = None
    pmb_number: str | None = None
    city_name: str | None = None
    state_abbreviation: str | None = None
    zipcode: str | None = None
    plus4_code: str | None = None

    def units(self) -> list[str]:
        """The secondary parts as they may stand at the end of a delivery line, the last one first."""
        pairs = (
            (self.pmb_designator, self.pmb_number),
            (self.extra_secondary_designator, self.extra_secondary_number),
            (self.secondary_designator, self.secondary_number),
        )
        return [" ".join(part for part in pair if part) for pair in pairs if any(pair)]


def asked(address: Address) -> dict[str, str]:
    """One lookup. The second line is a `secondary` where it looks like a unit, else `street2`, which may be anything.

    More than one candidate is asked for: an address that fits two places is not the customer's address yet.
    """
    second = "secondary" if _UNIT.match(address.line2.strip()) else "street2"
    lookup = {
        "street": address.line1,
        second: address.line2,
        "city": address.city,
        "state": address.region,
        "zipcode": address.postal_code,
    }
    return {name: value for name, value in lookup.items() if value}


def standard_form(given: Address, first: str, second: str, parts: Components) -> Address:
    """The validator's spelling of a confirmed address: the unit on the second line, ZIP+4, the country as given.

    `first` and `second` are the candidate's delivery lines.

    A second line that the validator did not place is kept: it may be a gate code, or a unit that it does not know.
    """
    line1, units = _split(first, parts)
    line2 = ", ".join(part for part in (*units, second) if part)
    territory = given.country.strip().upper() in COVERED - {"US"}
    return Address(
        line1=line1,
        line2=line2 or _unplaced(given, parts),
        city=parts.city_name or given.city,
        region=given.region if territory and given.region else parts.state_abbreviation or given.region,
        postal_code="-".join(part for part in (parts.zipcode, parts.plus4_code) if part) or given.postal_code,
        country=given.country,
    )


def _split(line: str, parts: Components) -> tuple[str, list[str]]:
    """A delivery line without the units at its end, and those units in their order."""
    units: list[str] = []
    for unit in parts.units():
        if line.casefold().endswith(f" {unit}".casefold()):
            line = line[: -len(unit) - 1]
            units.insert(0, unit)
    return line, units


def _unplaced(given: Address, parts: Components) -> str:
    """The given second line, unless that is where the street was."""
    words = given.line2.split()
    number = parts.primary_number
    is_street = bool(number) and number in words and number not in given.line1.split()
    return "" if is_street else given.line2
