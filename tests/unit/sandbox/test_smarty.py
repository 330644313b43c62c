"""The validator gives each kind of answer that the vendor gives, for invented addresses."""

from __future__ import annotations

from typing import Any

import pytest

from streams.sandbox import Sandbox
from tests.unit.sandbox.conftest import Caller


async def look_up(sandbox: Sandbox, validator: Caller, *lookups: dict[str, Any]) -> list[dict[str, Any]]:
    environment = sandbox.environment()
    credentials = {
        "auth-id": environment["WRITEBACK_VALIDATOR_AUTH_ID"],
        "auth-token": environment["WRITEBACK_VALIDATOR_AUTH_TOKEN"],
    }
    status, body, _ = await validator("POST", "/street-address", params=credentials, json=list(lookups))
    assert status == 200
    return body


def chicago(street: str, **more: Any) -> dict[str, Any]:
    return {"street": street, "city": "Chicago", "state": "IL", "zipcode": "60601", "candidates": 5, **more}


async def test_wrong_credentials_are_401(validator: Caller) -> None:
    status, _, _ = await validator("POST", "/street-address", json=[chicago("12 Harbor St")])

    assert status == 401


@pytest.mark.parametrize(
    ("street", "code", "dpv_footnotes", "line"),
    [
        ("12 HARBOR STREET", "Y", "AABB", "12 Harbor St"),
        ("77 lakeview avenue, apt 5", "Y", "AABB", "77 Lakeview Ave Apt 5"),
        ("77 Lakeview Ave", "D", "AAN1", "77 Lakeview Ave"),
        ("77 Lakeview Ave Apt 99", "S", "AAC1", "77 Lakeview Ave Apt 99"),
        ("12 Harbor St #4", "S", "AACC", "12 Harbor St # 4"),
    ],
)
async def test_an_address_on_the_books_is_graded(
    sandbox: Sandbox, validator: Caller, street: str, code: str, dpv_footnotes: str, line: str
) -> None:
    (candidate,) = await look_up(sandbox, validator, chicago(street))

    assert candidate["analysis"]["dpv_match_code"] == code
    assert candidate["analysis"]["dpv_footnotes"] == dpv_footnotes
    assert candidate["delivery_line_1"] == line
    assert candidate["components"]["zipcode"] == "60601"


async def test_an_address_without_a_match_is_an_empty_array(sandbox: Sandbox, validator: Caller) -> None:
    assert await look_up(sandbox, validator, chicago("1 Nowhere Blvd")) == []
    assert await look_up(sandbox, validator, chicago("13 Harbor St")) == []


async def test_a_lenient_match_returns_what_does_not_exist(sandbox: Sandbox, validator: Caller) -> None:
    wrong_number, no_street = await look_up(
        sandbox,
        validator,
        chicago("13 Harbor St", match="invalid", input_id="a"),
        chicago("1 Nowhere Blvd", match="enhanced", input_id="b"),
    )

    assert (wrong_number["input_id"], wrong_number["analysis"]["dpv_match_code"]) == ("a", "N")
    assert (no_street["input_id"], no_street["input_index"]) == ("b", 1)
    assert "dpv_match_code" not in no_street["analysis"]


async def test_an_ambiguous_address_has_candidates_that_each_match(sandbox: Sandbox, validator: Caller) -> None:
    mill = {"street": "150 Mill St", "city": "Springfield", "state": "IL", "zipcode": "62701"}
    both = await look_up(sandbox, validator, {**mill, "candidates": 5})
    one = await look_up(sandbox, validator, mill)

    assert [candidate["delivery_line_1"] for candidate in both] == ["150 N Mill St", "150 S Mill St"]
    assert {candidate["analysis"]["dpv_match_code"] for candidate in both} == {"Y"}
    assert len(one) == 1


async def test_vacant_and_inactive_doors_say_so(sandbox: Sandbox, validator: Caller) -> None:
    place = {"city": "Springfield", "state": "IL"}
    vacant, inactive = await look_up(
        sandbox, validator, {"street": "8 Hollow Rd", **place}, {"street": "9 Hollow Road", **place}
    )

    assert (vacant["analysis"]["dpv_vacant"], vacant["analysis"]["active"]) == ("Y", "Y")
    assert (inactive["analysis"]["dpv_vacant"], inactive["analysis"]["active"]) == ("N", "N")


async def test_a_malformed_or_too_long_list_is_refused(sandbox: Sandbox, validator: Caller) -> None:
    environment = sandbox.environment()
    credentials = {
        "auth-id": environment["WRITEBACK_VALIDATOR_AUTH_ID"],
        "auth-token": environment["WRITEBACK_VALIDATOR_AUTH_TOKEN"],
    }
    malformed, _, _ = await validator("POST", "/street-address", params=credentials, data=b"{")
    long, _, _ = await validator("POST", "/street-address", params=credentials, json=[chicago("1 A St")] * 101)

    assert (malformed, long) == (400, 413)


async def test_every_person_lives_at_an_address_on_the_books(sandbox: Sandbox, validator: Caller) -> None:
    sandbox.seed_everywhere(platforms=("storefront",))
    for record in sandbox.simulators["storefront"].record_ids():
        address = sandbox.holds("storefront", record).attributes["shipping_address"]
        lookup = {
            "street": address["line1"],
            "secondary": address["line2"],
            "city": address["city"],
            "state": address["region"],
            "zipcode": address["postal_code"],
        }
        (candidate,) = await look_up(sandbox, validator, lookup)

        assert candidate["analysis"]["dpv_match_code"] == "Y"


async def test_a_building_can_be_added(sandbox: Sandbox, validator: Caller) -> None:
    place = {"number": "1", "direction": "", "street": "New", "suffix": "Rd", "city": "Chicago", "state": "IL"}
    sandbox.edit("validator", "build", **place, zipcode="60601", plus4="0001")

    assert len(await look_up(sandbox, validator, chicago("1 New Road"))) == 1
