"""What the service says of one lookup: its candidates, with delivery-point codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from streams.sandbox.smarty.book import Asked, Building, same_place, same_street


class Judged(NamedTuple):
    """A building and the codes of its match; `unit` is what belongs in its delivery line."""

    building: Building
    unit: str
    code: str
    dpv_footnotes: str
    footnotes: str


def judge(building: Building, asked: Asked) -> Judged:
    """Y with the unit or without need of one, S where the unit is unknown, D where it is missing."""
    if asked.unit and asked.unit in building.units:
        return Judged(building, f"{building.designator} {asked.unit}", "Y", "AABB", "N#")
    if asked.unit:
        unit = f"{asked.designator or '#'} {asked.unit}"
        return Judged(building, unit, "S", "AAC1" if building.units_required else "AACC", "S#")
    if building.units_required:
        return Judged(building, "", "D", "AAN1", "H#")
    return Judged(building, "", "Y", "AABB", "N#")


def candidates(book: Iterable[Building], asked: Asked, match: str, most: int) -> list[dict[str, Any]]:
    """At most `most` candidates. Only where `match` is not strict does an address that does not exist get one."""
    known = list(book)
    on_street = [one for one in known if same_street(one, asked)]
    found = [judge(one, asked) for one in on_street if one.number == asked.number]
    if not found and on_street and match != "strict":
        wrong = on_street[0]._replace(number=asked.number, plus4="")
        found = [Judged(wrong, "", "N", "AAM3" if asked.number else "AAM1", "S#")]
    if found:
        return [_candidate(judged) for judged in found[:most]]
    if match == "strict" or (not any(same_place(one, asked) for one in known) and match != "enhanced"):
        return []
    return [_unmatched(asked)]


def _candidate(judged: Judged) -> dict[str, Any]:
    building = judged.building
    designator, _, number = judged.unit.partition(" ")
    line = " ".join(part for part in (building.line, judged.unit) if part)
    zip9 = f"{building.zipcode}-{building.plus4}" if building.plus4 else building.zipcode
    components = {
        "primary_number": building.number,
        "street_predirection": building.direction,
        "street_name": building.street,
        "street_suffix": building.suffix,
        "secondary_designator": designator,
        "secondary_number": number,
        "city_name": building.city,
        "default_city_name": building.city,
        "state_abbreviation": building.state,
        "zipcode": building.zipcode,
        "plus4_code": building.plus4,
    }
    return {
        "delivery_line_1": line,
        "last_line": f"{building.city} {building.state} {zip9}",
        "components": {name: value for name, value in components.items() if value},
        "metadata": {
            "record_type": "H" if building.units else "S",
            "zip_type": building.zip_type,
            "rdi": "Residential",
            "precision": "Zip9" if building.plus4 else "Zip5",
            "time_zone": "Central",
            "dst": True,
        },
        "analysis": {
            "dpv_match_code": judged.code,
            "dpv_footnotes": judged.dpv_footnotes,
            "dpv_cmra": "N",
            "dpv_vacant": "Y" if building.vacant else "N",
            "active": "Y" if building.active else "N",
            "footnotes": judged.footnotes,
        },
    }


def _unmatched(asked: Asked) -> dict[str, Any]:
    """What a lenient match returns for an address that it cannot place: no delivery-point code at all."""
    street = " ".join(part for part in (asked.number, asked.direction, asked.street, asked.suffix) if part)
    components = {"primary_number": asked.number, "street_name": asked.street, "city_name": asked.city}
    return {
        "delivery_line_1": street,
        "last_line": " ".join(part for part in (asked.city, asked.state, asked.zipcode) if part),
        "components": {name: value for name, value in components.items() if value},
        "metadata": {"precision": "Unknown"},
        "analysis": {"dpv_footnotes": "A1", "footnotes": "C#"},
    }
