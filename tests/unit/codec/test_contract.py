"""The contracts' JSON shapes, one example of each with people of our own."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given

from streams.codec import (
    change_from_json,
    change_to_json,
    command_to_json,
    ledger_to_json,
    note_to_json,
    receipt_from_json,
    receipt_to_json,
    steward_from_json,
    steward_to_json,
    suppression_to_json,
)
from streams.model import (
    Address,
    Assignment,
    Change,
    Command,
    ConsentOrder,
    Invalid,
    LedgerEntry,
    Note,
    Receipt,
    Statement,
    StewardRequest,
)
from streams.model.suppression import PublishedSuppression, SendableState
from tests.unit.codec import strategies

NOON = 1_768_046_400_000
HOME = {"line1": "9 Elm Rd", "line2": "", "city": "Austin", "region": "TX", "postal_code": "78701", "country": "US"}
CHANGE: dict[str, Any] = {
    "change_id": "evt-77", "platform": "loyalty", "record_id": "L-5", "kind": "event", "op": "upsert",
    "observed_at": "2026-01-10T12:00:00Z", "sequence": 3, "actor": "customer", "origin": None, "customer_id": None,
    "identifiers": {"email": ["kim@example.com"], "phone": ["+15125550142"], "external": ["crm:003kk"]},
    "attributes": {
        "phone": {"value": "+15125550142"},
        "shipping_address": {"value": HOME, "confidence": 0.9, "verified_by": "smarty"},
        "first_name": {"clear": True},
        "email": {"retract": True},
    },
    "consents": [
        {"contact_point": "kim@example.com", "channel": "email", "purpose": "marketing", "decision": "opt_out",
         "at": "2026-01-10T12:00:00.250Z", "explicit": True, "method": "unsubscribe_link",
         "evidence": {"ip": "192.0.2.7"}, "expires_at": None},
    ],
    "verdicts": [
        {"record": "loyalty:L-5", "attribute": "shipping_address", "input": HOME, "confidence": 0.9,
         "deliverable": True, "standardized": HOME, "at": "2026-01-10T12:00:00Z"},
    ],
    "suppressions": [
        {"contact_point": "kim@example.com", "channel": "email", "reason": "hard_bounce", "active": True,
         "at": "2026-01-10T12:00:00Z"},
    ],
}  # fmt: skip


def changed(path: str, value: Any) -> dict[str, Any]:
    """CHANGE with one place replaced; `path` is dotted, numbers are indices."""
    obj = copy.deepcopy(CHANGE)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = obj
    for step in way:
        place = place[step]
    place[last] = value
    return obj


def test_a_change_in_the_contracts_shape_is_read_whole() -> None:
    change = change_from_json(CHANGE)

    assert change.observed_at == NOON
    assert Address("9 Elm Rd", "", "Austin", "TX", "78701", "US") == change.attributes["shipping_address"].value
    assert (change.consents[0].at, change.consents[0].evidence) == (NOON + 250, {"ip": "192.0.2.7"})
    assert (change.verdicts[0].record, change.verdicts[0].at) == ("loyalty:L-5", NOON)
    assert change.identifiers.external == ("crm:003kk",)


@given(strategies.changes)
def test_a_change_survives_its_json(change: Change) -> None:
    assert change == change_from_json(json.loads(json.dumps(change_to_json(change))))


@given(strategies.receipts)
def test_a_receipt_survives_its_json(receipt: Receipt) -> None:
    assert receipt == receipt_from_json(json.loads(json.dumps(receipt_to_json(receipt))))


@given(strategies.steward_requests)
def test_a_steward_request_survives_its_json(request: StewardRequest) -> None:
    assert request == steward_from_json(json.loads(json.dumps(steward_to_json(request))))


def test_only_three_fields_of_a_change_are_required() -> None:
    assert Change("e", "crm", "1") == change_from_json({"change_id": "e", "platform": "crm", "record_id": "1"})


def test_null_is_as_good_as_absent_and_unknown_fields_are_ignored() -> None:
    obj = {"change_id": "e", "platform": "crm", "record_id": "1", "kind": None, "identifiers": None, "colour": "red"}

    assert Change("e", "crm", "1") == change_from_json(obj)


def test_an_attribute_that_is_null_is_kept_as_a_statement_that_says_nothing() -> None:
    attributes = {"phone": None, "email": {"value": None}, "first_name": {"value": ""}}
    change = change_from_json({**CHANGE, "attributes": attributes})

    assert {"phone": Statement(), "email": Statement(), "first_name": Statement("")} == change.attributes


def test_an_address_part_that_is_null_is_empty() -> None:
    change = change_from_json(changed("attributes.shipping_address.value.line2", None))

    assert change.attributes["shipping_address"].value.line2 == ""


@pytest.mark.parametrize(
    ("obj", "reason", "detail"),
    [
        ([], "bad_field", "not an object"),
        ({"change_id": "e", "platform": "crm"}, "missing_field", "record_id"),
        (changed("record_id", 706405506930370084), "bad_field", "record_id"),
        (changed("record_id", "9" * 513), "too_long", "record_id"),
        (changed("change_id", "9" * 4097), "too_long", "change_id"),
        (changed("kind", "kim@example.com"), "unknown_enum", "kind"),
        (changed("origin", "sync"), "unknown_enum", "origin"),
        (changed("consents.0.decision", "maybe"), "unknown_enum", "consents[0].decision"),
        (changed("consents.0.contact_point", ""), "missing_field", "consents[...]"),
        (changed("consents.0.channel", " "), "missing_field", "consents[...]"),
        (changed("suppressions.0.contact_point", " "), "missing_field", "suppressions[...]"),
        (changed("suppressions.0.reason", "moon"), "unknown_enum", "suppressions[0].reason"),
        (changed("observed_at", 1768046400000), "bad_time", "observed_at"),
        (changed("observed_at", "yesterday"), "bad_time", "observed_at"),
        (changed("consents.0.at", "soon"), "bad_time", "consents[...].at"),
        (changed("sequence", 2**63), "bad_field", "sequence"),
        (changed("sequence", True), "bad_field", "sequence"),
        (changed("attributes", []), "bad_field", "attributes"),
        (changed("attributes.phone", "+15125550142"), "bad_field", "attributes[...]"),
        (changed("attributes.phone.value", 15125550142), "bad_field", "attributes[...].value"),
        (changed("attributes.phone.value", "5" * 4097), "too_long", "attributes[...].value"),
        (changed("attributes.phone.clear", True), "bad_field", "attributes[...]: one of value, clear and retract"),
        (changed("attributes.phone.confidence", 1.01), "bad_field", "attributes[...].confidence"),
        (changed("attributes.phone.confidence", float("inf")), "bad_field", "attributes[...].confidence"),
        (changed("attributes.shipping_address.value.city", 7), "bad_field", "attributes[...].value.city"),
        (changed("consents", {"0": 1}), "bad_field", "consents"),
        (changed("consents", CHANGE["consents"] * 65), "too_many", "consents"),
        (changed("verdicts", CHANGE["verdicts"] * 65), "too_many", "verdicts"),
        (changed("verdicts.0.confidence", -0.1), "bad_field", "verdicts[...].confidence"),
        (changed("identifiers.email", ["kim@example.com"] * 65), "too_many", "identifiers.email"),
        (changed("consents.0.evidence", {"note": "x" * 5000}), "too_long", "consents[...].evidence"),
        (changed("platform", "\ud800"), "bad_field", "text that is not Unicode, or a number out of range"),
    ],
)
def test_a_change_that_is_wrong_is_invalid_with_its_place_and_no_value(obj: Any, reason: str, detail: str) -> None:
    with pytest.raises(Invalid) as raised:
        change_from_json(obj)

    assert (reason, detail) == (raised.value.reason, raised.value.detail)
    assert "kim" not in str(raised.value)


def test_a_command_shows_whole_addresses_and_its_empty_consents() -> None:
    told = {
        "phone": Assignment("+15125550142"),
        "first_name": Assignment(clear=True),
        "shipping_address": Assignment(Address("9 Elm Rd", city="Austin", country="US")),
    }
    command = Command("k-1", "C9", "crm", "003kk", 4, "update", "survivorship", "evt-77", NOON, told)

    assert command_to_json(command) == {
        "command_id": "k-1", "customer_id": "C9", "platform": "crm", "record_id": "003kk", "golden_version": 4,
        "op": "update",
        "attributes": {
            "phone": {"value": "+15125550142"},
            "first_name": {"clear": True},
            "shipping_address": {"value": {"line1": "9 Elm Rd", "line2": "", "city": "Austin", "region": "",
                                           "postal_code": "", "country": "US"}},
        },
        "consents": [], "caused_by": "evt-77", "reason": "survivorship", "issued_at": "2026-01-10T12:00:00Z",
    }  # fmt: skip


def test_a_consent_command_shows_empty_attributes_and_says_explicit_only_where_it_is() -> None:
    orders = (
        ConsentOrder("kim@example.com", "email", "marketing", "opt_out", NOON),
        ConsentOrder("+15125550142", "sms", "marketing", "opt_in", NOON, explicit=True),
    )
    shown = command_to_json(Command("k", "C9", "crm", None, 4, "create", "consent", "e", NOON, consents=orders))

    assert shown["attributes"] == {}
    assert None is shown["record_id"]
    assert shown["consents"] == [
        {"contact_point": "kim@example.com", "channel": "email", "purpose": "marketing", "decision": "opt_out",
         "decided_at": "2026-01-10T12:00:00Z"},
        {"contact_point": "+15125550142", "channel": "sms", "purpose": "marketing", "decision": "opt_in",
         "decided_at": "2026-01-10T12:00:00Z", "explicit": True},
    ]  # fmt: skip


def test_a_receipt_shows_what_the_contract_shows() -> None:
    obj = {
        "command_id": "k-1", "customer_id": "C9", "platform": "crm", "record_id": "003kk", "outcome": "applied",
        "at": "2026-01-10T12:00:00Z", "detail": None,
    }  # fmt: skip

    assert obj == receipt_to_json(receipt_from_json(obj))


def test_a_steward_request_names_its_partner_with() -> None:
    obj = {
        "request_id": "r-1",
        "customer_id": "C9",
        "action": "merge",
        "with": "C8",
        "at": "2026-01-10T12:00:00Z",
        "by": "sam",
    }

    assert steward_from_json(obj).with_ == "C8"
    assert obj == steward_to_json(steward_from_json(obj))


@pytest.mark.parametrize(
    ("read", "obj", "reason"),
    [
        (receipt_from_json, {"outcome": "lost"}, "unknown_enum"),
        (receipt_from_json, {}, "missing_field"),
        (receipt_from_json, {"outcome": "applied", "golden_version": 2**64}, "bad_field"),
        (receipt_from_json, {"outcome": "applied", "detail": "x" * 4097}, "too_long"),
        (receipt_from_json, {"outcome": "applied", "at": 3}, "bad_time"),
        (steward_from_json, {"action": "explode"}, "unknown_enum"),
        (steward_from_json, {"action": "pin", "value": 3}, "bad_field"),
        (steward_from_json, {"action": "pin", "value": {"city": "x" * 4097}}, "too_long"),
    ],
)
def test_a_receipt_or_request_that_is_wrong_is_invalid_for_a_named_reason(read: Any, obj: Any, reason: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(obj)

    assert reason == raised.value.reason


def test_a_ledger_row_shows_its_times_as_text_and_rare_fields_only_where_they_are() -> None:
    entry = LedgerEntry("C9", "kim@example.com", "email", "marketing", "opt_out", NOON, "accepted", "crm:003kk", seq=2)

    assert ledger_to_json(entry) == {
        "customer_id": "C9", "contact_point": "kim@example.com", "channel": "email", "purpose": "marketing",
        "decision": "opt_out", "at": "2026-01-10T12:00:00Z", "status": "accepted", "record": "crm:003kk",
        "stated_at": None, "explicit": False, "method": None, "evidence": None, "expires_at": None, "caused_by": None,
        "seq": 2,
    }  # fmt: skip


def test_a_note_always_shows_what_it_is_about() -> None:
    assert note_to_json(Note("echo", "e-1", "crm")) == {
        "kind": "echo",
        "change_id": "e-1",
        "platform": "crm",
        "attribute": None,
    }


def test_a_suppression_row_shows_every_state() -> None:
    row = PublishedSuppression(
        "kim@example.com", NOON, 2, (SendableState("email", "marketing", "opted_out", False, ("opted_out",)),)
    )

    assert suppression_to_json(row) == {
        "contact_point": "kim@example.com",
        "states": [
            {"channel": "email", "purpose": "marketing", "state": "opted_out", "sendable": False,
             "reasons": ["opted_out"]},
        ],
        "customer_count": 2,
        "updated_at": "2026-01-10T12:00:00Z",
    }  # fmt: skip
