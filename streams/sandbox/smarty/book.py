"""The address book of the validator: invented buildings, one for each kind of answer that the service gives."""

from __future__ import annotations

import re
from typing import NamedTuple

SUFFIXES = {
    "AVENUE": "Ave",
    "AVE": "Ave",
    "BOULEVARD": "Blvd",
    "BLVD": "Blvd",
    "COURT": "Ct",
    "CT": "Ct",
    "DRIVE": "Dr",
    "DR": "Dr",
    "LANE": "Ln",
    "LN": "Ln",
    "ROAD": "Rd",
    "RD": "Rd",
    "ROW": "Row",
    "STREET": "St",
    "ST": "St",
    "WAY": "Way",
}
DIRECTIONS = {"NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W", "N": "N", "S": "S", "E": "E", "W": "W"}
DESIGNATORS = {"APARTMENT": "Apt", "APT": "Apt", "SUITE": "Ste", "STE": "Ste", "UNIT": "Unit", "FLOOR": "Fl", "#": "#"}


class Building(NamedTuple):
    """One primary address. `units`: those that exist; with `units_required` the door alone is not enough."""

    number: str
    direction: str
    street: str
    suffix: str
    city: str
    state: str
    zipcode: str
    plus4: str
    designator: str = ""
    units: tuple[str, ...] = ()
    units_required: bool = False
    vacant: bool = False
    active: bool = True
    zip_type: str = "Standard"

    @property
    def line(self) -> str:
        return " ".join(part for part in (self.number, self.direction, self.street, self.suffix) if part)


BOOK: tuple[Building, ...] = (
    Building("12", "", "Harbor", "St", "Chicago", "IL", "60601", "1012"),
    Building("400", "", "Ledger", "Ave", "Chicago", "IL", "60602", "2400"),
    Building("77", "", "Lakeview", "Ave", "Chicago", "IL", "60601", "1077", "Apt", ("1", "2", "5", "12"), True),
    Building("88", "", "Juniper", "Way", "San Francisco", "CA", "94107", "3088"),
    Building("1450", "", "Tidewater", "Dr", "San Francisco", "CA", "94107", "3145", "Unit", ("7", "8", "9")),
    Building("5", "", "Orchard", "Row", "New York", "NY", "10002", "4005", "Apt", ("4A", "4B", "5A"), True),
    Building("230", "W", "Foundry", "St", "New York", "NY", "10002", "4230", "Apt", ("2F", "3R"), True),
    Building("731", "", "Cedar", "Ln", "Seattle", "WA", "98101", "5731"),
    Building("910", "", "Kelp", "Rd", "Seattle", "WA", "98101", "5910"),
    Building("2200", "", "Mesa", "Blvd", "Austin", "TX", "78701", "6220", "Ste", ("300", "310"), True),
    Building("64", "", "Pecan", "Ct", "Austin", "TX", "78701", "6064"),
    Building("19", "", "Quay", "Ct", "Boston", "MA", "02110", "7019"),
    Building("303", "", "Granary", "St", "Boston", "MA", "02110", "7303"),
    # One door on each side of town: without a direction both are meant.
    Building("150", "N", "Mill", "St", "Springfield", "IL", "62701", "8150"),
    Building("150", "S", "Mill", "St", "Springfield", "IL", "62701", "8151"),
    Building("8", "", "Hollow", "Rd", "Springfield", "IL", "62701", "8008", vacant=True),
    Building("9", "", "Hollow", "Rd", "Springfield", "IL", "62701", "8009", active=False),
)


class Asked(NamedTuple):
    """One lookup, taken apart; empty where it was not given. `designator` is in its standard form."""

    number: str
    direction: str
    street: str
    suffix: str
    designator: str
    unit: str
    city: str
    state: str
    zipcode: str


def ask(street: str, secondary: str, city: str, state: str, zipcode: str) -> Asked:
    """Take a lookup apart; a unit may stand in the street or in the secondary line."""
    words = re.sub(r"[.,]", " ", street).replace("#", " # ").split()
    start = next((place for place, word in enumerate(words) if word.upper() in DESIGNATORS), len(words))
    designator, unit = _unit(words[start:] or re.sub(r"[.,]", " ", secondary).replace("#", " # ").split())
    words = words[:start]
    number = words.pop(0) if words and words[0][0].isdigit() else ""
    direction = DIRECTIONS[words.pop(0).upper()] if len(words) > 1 and words[0].upper() in DIRECTIONS else ""
    suffix = SUFFIXES[words.pop().upper()] if len(words) > 1 and words[-1].upper() in SUFFIXES else ""
    place = city.strip(), state.strip().upper(), zipcode.strip()[:5]
    return Asked(number, direction, " ".join(words), suffix, designator, unit, *place)


def _unit(words: list[str]) -> tuple[str, str]:
    if not words:
        return "", ""
    if words[0].upper() in DESIGNATORS:
        return DESIGNATORS[words[0].upper()], " ".join(words[1:]).upper()
    return "", " ".join(words).upper()


def same_place(building: Building, asked: Asked) -> bool:
    """The ZIP decides where there is one that the city does not contradict; else city and state."""
    in_city = (building.city.casefold(), building.state) == (asked.city.casefold(), asked.state)
    return in_city or (bool(asked.zipcode) and building.zipcode == asked.zipcode)


def same_street(building: Building, asked: Asked) -> bool:
    return (
        building.street.casefold() == asked.street.casefold()
        and asked.suffix in ("", building.suffix)
        and asked.direction in ("", building.direction)
        and same_place(building, asked)
    )
