"""Smarty's case: a service that confirms every address it is asked about."""

from __future__ import annotations

from streams.model import Address, Assignment, Command
from tests.contract.case import NOW, Case, Fault, Reply, Request

SETTINGS = {"AUTH_ID": "id-invented", "AUTH_TOKEN": "token-invented", "LICENSE": "us-core-cloud"}
HOME = Address("77 lakeview avenue", "apt 5", "chicago", "IL", "60601", "US")
BILLING = Address("400 Ledger Ave", "", "Chicago", "IL", "60602", "US")
ABROAD = Address("Hauptstr. 5", "", "Berlin", "", "10115", "DE")


def validate(record_id: str | None = "crm:003xx", **addresses: Address) -> Command:
    return Command(
        command_id=f"validate-{record_id}-{'-'.join(addresses)}",
        customer_id="C1",
        platform="validator",
        record_id=record_id,
        golden_version=4,
        op="validate",
        reason="validation",
        caused_by="evt-1",
        issued_at=NOW - 5000,
        attributes={name: Assignment(address) for name, address in addresses.items()},
    )


def candidate(place: int, **analysis: str) -> dict[str, object]:
    return {
        "input_index": place,
        "candidate_index": 0,
        "delivery_line_1": "77 Lakeview Ave Apt 5",
        "last_line": "Chicago IL 60601-1077",
        "components": {
            "primary_number": "77",
            "street_name": "Lakeview",
            "street_suffix": "Ave",
            "secondary_designator": "Apt",
            "secondary_number": "5",
            "city_name": "Chicago",
            "state_abbreviation": "IL",
            "zipcode": "60601",
            "plus4_code": "1077",
        },
        "metadata": {"record_type": "H", "zip_type": "Standard", "dst": "true"},
        "analysis": {"dpv_match_code": "Y", "dpv_footnotes": "AABB", "dpv_vacant": "N", "active": "Y", **analysis},
    }


def success(request: Request) -> Reply:
    assert (request.method, request.path) == ("POST", "/street-address")
    assert request.query["auth-id"] == SETTINGS["AUTH_ID"]
    assert request.query["auth-token"] == SETTINGS["AUTH_TOKEN"]
    assert request.query["license"] == SETTINGS["LICENSE"]
    return Reply(200, [candidate(place) for place in range(len(request.json()))])


COMMANDS = (
    validate(shipping_address=HOME),
    validate("storefront:7001", shipping_address=HOME, billing_address=BILLING),
    validate("esp:01GX", shipping_address=BILLING),
)
FAULTS = (
    Fault("no subscription", lambda _: Reply(402, b"Payment Required"), later="http_402"),
    Fault(
        "a candidate for a lookup that was not made", lambda _: Reply(200, [candidate(99)]), later="unreadable_answer"
    ),
    Fault("a malformed payload", lambda _: Reply(400, b"Bad Request"), refused="http_400"),
    Fault("an address abroad", success, refused="country_not_covered", commands=(validate(shipping_address=ABROAD),)),
    Fault("a command without an address", success, refused="not_an_address", commands=(validate(),)),
    Fault(
        "a command without a record", success, refused="no_record", commands=(validate(None, shipping_address=HOME),)
    ),
)

CASE = Case(
    vendor="smarty",
    platform="validator",
    settings=SETTINGS,
    commands=COMMANDS,
    success=success,
    faults=FAULTS,
    bare_successes=(b"[]",),
)
