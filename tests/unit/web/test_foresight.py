"""What an act would do is what it then does, and looking ahead changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.codec.contract import steward_from_json
from streams.codec.state import decode_customer
from streams.core.state import Customer
from streams.model import StewardRequest
from streams.web.foresight import Telling, foresee
from tests.unit.web.site import ANN, HOME, NOON, PHONE, Rows, Told

LATER = NOON + 60_000


def story() -> Told:
    """Two customers with something to tell each other's platforms."""
    told = Told()
    told.values("storefront:s1", 0, "C1", first_name="Ann", email=ANN, shipping_address=(HOME, 0.97))
    told.values("crm:r1", 1, "C1", first_name="Anna")
    told.values("esp:e1", 2, "C2", first_name="An", phone=PHONE)
    told.consent("esp:e1", 3, "opt_out", customer="C2", explicit=True, method="link")
    return told


def state_of(rows: Rows, customer: str) -> Customer:
    return decode_customer(rows.stored["customers"][customer.encode()])


def told_by(commands: list[Any]) -> set[tuple[str, str]]:
    """(record, attribute or consent) of what was commanded."""
    found = set()
    for one in commands:
        record = f"{one.platform}:{one.record_id}" if one.record_id else one.platform
        found |= {(record, name) for name in one.attributes}
        found |= {(record, f"{each.purpose} by {each.channel}") for each in one.consents}
    return found


@pytest.mark.parametrize(
    "asked",
    [
        {"action": "pin", "attribute": "first_name", "value": "Anne"},
        {"action": "pin", "attribute": "first_name", "value": None},
        {"action": "pin", "attribute": "shipping_address", "value": HOME | {"line2": "Suite 9"}},
        {"action": "pin", "contact_point": ANN, "channel": "email", "purpose": "marketing", "value": "opt_out"},
        {"action": "merge", "with": "C2"},
        {"action": "unlink", "record": "crm:r1"},
    ],
    ids=lambda one: f"{one['action']}-{one.get('attribute', one.get('contact_point', ''))}",
)
def test_who_would_be_told_is_who_is_told(asked: dict[str, Any]) -> None:
    told = story()
    rows = told.rows()
    request = steward_from_json({"request_id": "ask-60", "customer_id": "C1", **asked})
    other = state_of(rows, "C2") if "with" in asked else None
    foreseen = foresee(request, state_of(rows, "C1"), other, told.policy, LATER)
    action = asked.pop("action")
    output = told.ask(60, action, **asked)

    assert {(one.record, one.what) for one in foreseen.tellings} == told_by(output.commands)
    assert foreseen.tellings
    assert foreseen.changes


def test_an_erasure_names_every_record_and_what_cannot_be_told() -> None:
    told = story()
    policy = replace(told.policy, platforms=dict(told.policy.platforms))
    policy.platforms["crm"] = replace(policy.platforms["crm"], erases=False)
    foreseen = foresee(StewardRequest("erase", "q", "C1"), state_of(told.rows(), "C1"), None, policy, LATER)

    assert foreseen.tellings == [Telling("storefront:s1", "erase")]
    assert foreseen.untold == ("crm",)


def test_a_merge_that_the_policy_does_not_allow_is_known_before() -> None:
    told = story()
    told.values("crm:r2", 4, "C2", first_name="An")
    policy = replace(told.policy, platforms=dict(told.policy.platforms))
    policy.platforms["crm"] = replace(policy.platforms["crm"], unique=True)
    rows = told.rows()
    request = StewardRequest("merge", "q", "C1", with_="C2")
    foreseen = foresee(request, state_of(rows, "C1"), state_of(rows, "C2"), policy, LATER)

    assert foreseen.hindered == "the two have more records of crm than a customer may have (1)"
    assert foreseen.tellings == []


def test_looking_ahead_changes_no_row() -> None:
    rows = story().rows()
    before = dict(rows.stored["customers"])
    request = StewardRequest("pin", "q", "C1", attribute="first_name", value="Anne")
    foresee(request, state_of(rows, "C1"), None, story().policy, LATER)

    assert rows.stored["customers"] == before
