"""Shopify's surprises: each is a sentence of the vendor's documentation or of its users' grief."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.connectors.base import Refetch, Translation
from streams.connectors.shopify import CONNECTOR
from streams.connectors.shopify.consent import UNDECIDED
from streams.model import Address, Change, ConsentStatement, Identifiers, Invalid, Statement, parse_time

EMAIL, SMS = "customers_email_marketing_consent/update", "customers_marketing_consent/update"
TRIGGERED = "2026-01-09T11:30:03.250Z"


def read(topic: str, body: Any, **headers: str) -> Translation:
    named = {"x-shopify-topic": topic, "x-shopify-event-id": "e-1", "x-shopify-triggered-at": TRIGGERED, **headers}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CONNECTOR.translate("storefront", named, raw)


def one(topic: str, body: Any, **headers: str) -> Change:
    (change,) = read(topic, body, **headers).changes
    return change


def customer(**said: Any) -> dict[str, Any]:
    return {"id": 7001, "updated_at": "2026-01-09T06:30:00-05:00", **said}


def email_consent(state: Any, **said: Any) -> dict[str, Any]:
    consent = {"state": state, "opt_in_level": None, "consent_updated_at": "2026-01-09T06:29:58-05:00", **said}
    return {"customer_id": 7001, "email_address": "ines@example.com", "email_marketing_consent": consent}


def order(**said: Any) -> dict[str, Any]:
    return {
        "id": 450789001,
        "created_at": "2026-01-09T06:30:00-05:00",
        "processed_at": "2026-01-09T06:30:00-05:00",
        "updated_at": "2026-01-09T06:30:02-05:00",
        "customer": {"id": 7001, "email": "ines@example.com", "verified_email": True},
        "shipping_address": {"address1": "77 Lakeview Ave", "city": "Chicago", "zip": "60601", "country_code": "US"},
        **said,
    }


def verdict(**codes: Any) -> list[dict[str, Any]]:
    return [{"name": "address_verdict", "value": json.dumps(codes)}]


class TestIds:
    def test_an_id_above_2_53_is_kept_exactly(self):
        assert one("customers/update", customer(id=9007199254740993, first_name="I")).record_id == "9007199254740993"

    def test_the_global_id_is_believed_over_a_rounded_number(self):
        body = customer(id=706405506930370000, admin_graphql_api_id="gid://shopify/Customer/706405506930370084")

        assert one("customers/update", {**body, "first_name": "I"}).record_id == "706405506930370084"

    @pytest.mark.parametrize(
        "wrong", [str(2**63), str(2**64), "-1", "0", "1.5", "true", '"12a"', '"\u0663"', "[7001]", "1" + "0" * 300]
    )
    def test_what_is_no_id_is_invalid(self, wrong: str):
        raw = f'{{"first_name": "I", "id": {wrong}}}'.encode()

        with pytest.raises(Invalid, match="bad_id"):
            read("customers/update", raw)

    def test_the_largest_id_is_one_below_2_63(self):
        assert one("customers/update", customer(id=2**63 - 1, first_name="I")).record_id == str(2**63 - 1)

    def test_a_global_id_of_another_kind_of_thing_is_invalid(self):
        with pytest.raises(Invalid, match="bad_id"):
            read("customers/update", customer(admin_graphql_api_id="gid://shopify/Order/7001", first_name="I"))

    def test_no_id_at_all_is_invalid(self):
        with pytest.raises(Invalid, match="no_id"):
            read("customers/update", {"first_name": "I"})


class TestCustomers:
    def test_absent_null_and_a_value_are_three_things(self):
        said = one("customers/update", customer(first_name="Ines", phone=None)).attributes

        assert said == {"first_name": Statement(value="Ines"), "phone": Statement()}

    def test_nothing_is_ever_cleared_because_it_is_null_or_empty(self):
        body = customer(first_name="Ines", last_name="", email=None, default_address=None)

        assert not any(said.clear or said.retract for said in one("customers/update", body).attributes.values())

    def test_the_default_address_is_the_shipping_address_with_codes_before_names(self):
        given = {
            "address1": " 12 Harbor St ",
            "address2": None,
            "city": "Chicago",
            "province": "Illinois",
            "province_code": "IL",
            "country": "United States",
            "country_code": "US",
            "zip": "60601",
        }

        said = one("customers/update", customer(default_address=given)).attributes["shipping_address"]

        assert said == Statement(value=Address("12 Harbor St", "", "Chicago", "IL", "60601", "US"))

    def test_names_stand_in_where_there_are_no_codes(self):
        given = {"address1": "1 Rue X", "city": "Paris", "province": "Ile-de-France", "country": "France"}

        said = one("customers/update", customer(default_address=given)).attributes["shipping_address"]

        assert said.value == Address("1 Rue X", "", "Paris", "Ile-de-France", "", "France")

    def test_time_is_the_customers_own_else_that_of_the_delivery(self):
        stated = one("customers/update", customer(first_name="I"))
        silent = one("customers/update", {"id": 7001, "first_name": "I"})

        assert stated.observed_at == parse_time("2026-01-09T11:30:00Z")
        assert silent.observed_at == parse_time(TRIGGERED)

    def test_only_a_verified_email_identifies(self):
        verified = one(
            "customers/update", customer(email="ines@example.com", verified_email=True, phone="+13125550142")
        )
        not_verified = one("customers/update", customer(email="ines@example.com", verified_email=False))

        assert verified.identifiers == Identifiers(email=("ines@example.com",))
        assert not_verified.identifiers == Identifiers()

    def test_marketing_fields_of_old_versions_are_no_consent(self):
        said = read("customers/create", customer(first_name="I", accepts_marketing=True))

        assert said.changes[0].consents == ()
        assert said.ignored == ("customers/create:accepts_marketing",)

    def test_a_deletion_is_dated_by_the_delivery(self):
        change = one("customers/delete", {"id": 7001})

        assert (change.op, change.record_id, change.observed_at) == ("delete", "7001", parse_time(TRIGGERED))


class TestConsent:
    def test_confirmed_opt_in_is_an_explicit_double_opt_in_with_evidence(self):
        change = one(EMAIL, email_consent("subscribed", opt_in_level="confirmed_opt_in"))

        assert change.consents == (
            ConsentStatement(
                "ines@example.com",
                "email",
                "marketing",
                "opt_in",
                at=parse_time("2026-01-09T11:29:58Z"),
                explicit=True,
                method="double_opt_in",
                evidence={"topic": EMAIL, "event_id": "e-1", "opt_in_level": "confirmed_opt_in"},
            ),
        )

    def test_single_opt_in_is_an_explicit_checkbox(self):
        (said,) = one(EMAIL, email_consent("subscribed", opt_in_level="single_opt_in")).consents

        assert (said.decision, said.explicit, said.method) == ("opt_in", True, "checkbox")

    @pytest.mark.parametrize("level", ["unknown", None])
    def test_an_opt_in_of_unknown_origin_is_not_explicit(self, level: str | None):
        (said,) = one(EMAIL, email_consent("subscribed", opt_in_level=level)).consents

        assert (said.decision, said.explicit, said.method, said.evidence) == ("opt_in", False, None, None)

    def test_an_opt_out_carries_no_act_so_that_its_echo_is_recognised(self):
        (said,) = one(EMAIL, email_consent("unsubscribed", opt_in_level="single_opt_in")).consents

        assert (said.decision, said.explicit, said.method) == ("opt_out", False, None)

    @pytest.mark.parametrize("state", sorted(UNDECIDED))
    def test_a_state_that_nobody_decided_is_counted_and_not_believed(self, state: str):
        assert read(EMAIL, email_consent(state)) == Translation(ignored=(f"{EMAIL}:{state}",))

    def test_states_in_capitals_are_the_same_states(self):
        (said,) = one(EMAIL, email_consent("UNSUBSCRIBED")).consents

        assert said.decision == "opt_out"

    def test_an_opt_in_without_a_time_gets_none_invented(self):
        (said,) = one(EMAIL, email_consent("subscribed", consent_updated_at=None)).consents

        assert said.at is None

    @pytest.mark.parametrize("field", ["state", "opt_in_level"])
    def test_an_unknown_word_goes_to_the_dead_letters(self, field: str):
        body = email_consent("subscribed")
        body["email_marketing_consent"][field] = "perhaps"

        with pytest.raises(Invalid, match="unknown_enum"):
            read(EMAIL, body)

    def test_an_opt_out_of_an_unnamed_address_is_read_again_and_not_lost(self):
        said = read(EMAIL, {**email_consent("unsubscribed"), "email_address": ""})

        assert said == Translation(refetch=(Refetch("7001", f"{EMAIL}:no_email_address"),))

    def test_the_marketing_topic_without_email_in_its_name_is_sms(self):
        consent = {"state": "subscribed", "opt_in_level": "single_opt_in", "consent_collected_from": "OTHER"}
        change = one(SMS, {"id": 7001, "phone": "+13125550142", "sms_marketing_consent": consent})

        (said,) = change.consents
        assert (change.record_id, said.channel, said.contact_point) == ("7001", "sms", "+13125550142")
        assert said.evidence is not None
        assert said.evidence["consent_collected_from"] == "other"

    def test_one_event_under_two_topics_is_two_changes(self):
        first = one("customers/update", customer(first_name="I"))
        second = one(EMAIL, email_consent("unsubscribed"))

        assert first.change_id != second.change_id

    def test_one_event_that_touches_two_customers_is_two_changes(self):
        first = one("customers/update", customer(first_name="I"))
        second = one("customers/update", customer(id=7002, first_name="I"))

        assert first.change_id != second.change_id

    def test_without_an_event_id_the_body_tells_deliveries_apart(self):
        nameless = {"x-shopify-event-id": ""}
        first = one("customers/update", customer(first_name="I"), **nameless)
        again = one("customers/update", customer(first_name="I"), **nameless)
        other = one("customers/update", customer(first_name="J"), **nameless)

        assert first.change_id == again.change_id != other.change_id


class TestOrders:
    def test_an_order_speaks_of_its_own_record_bound_to_the_customers_row(self):
        change = one("orders/create", order())

        assert change.record_id == "orders-7001"
        assert change.identifiers == Identifiers(email=("ines@example.com",), external=("storefront:7001",))

    def test_the_address_typed_into_the_order_wins_nothing_by_later_events_about_the_order(self):
        bought = one("orders/create", order())
        shipped = one("orders/updated", order(updated_at="2026-02-20T10:00:00Z"))

        assert bought.observed_at == shipped.observed_at == parse_time("2026-01-09T11:30:00Z")
        assert bought.sequence is not None
        assert shipped.sequence is not None
        assert bought.sequence < shipped.sequence

    def test_an_imported_order_is_as_old_as_its_purchase(self):
        change = one("orders/create", order(created_at="2026-01-09T00:00:00Z", processed_at="2019-05-01T00:00:00Z"))

        assert change.observed_at == parse_time("2019-05-01T00:00:00Z")

    def test_neither_consent_nor_contact_points_come_from_an_order(self):
        consent = {"state": "subscribed", "opt_in_level": "single_opt_in", "consent_updated_at": TRIGGERED}
        body = order(buyer_accepts_marketing=True, email="typed@example.com", phone="+13125550199")
        body["customer"]["email_marketing_consent"] = consent

        change = one("orders/create", body)

        assert change.consents == ()
        assert set(change.attributes) == {"shipping_address"}
        assert "typed@example.com" not in str(change.identifiers)

    def test_a_guests_order_is_a_record_that_binds_to_nobody(self):
        change = one("orders/create", order(customer=None, email="typed@example.com"))

        assert change.record_id == "order-450789001"
        assert change.identifiers == Identifiers()
        assert set(change.attributes) == {"shipping_address"}

    def test_the_checkouts_verdict_gives_the_shipping_address_its_confidence(self):
        codes = verdict(dpv_match_code="Y", dpv_footnotes="AABB", active="Y", vacant="N")
        body = order(note_attributes=codes, billing_address={"address1": "400 Ledger Ave", "city": "Chicago"})

        said = one("orders/create", body).attributes

        assert (said["shipping_address"].confidence, said["shipping_address"].verified_by) == (0.98, "smarty")
        assert (said["billing_address"].confidence, said["billing_address"].verified_by) == (None, None)

    def test_a_bad_verdict_is_a_low_confidence(self):
        said = one("orders/create", order(note_attributes=verdict(dpv_match_code="N"))).attributes

        assert said["shipping_address"].confidence == 0.15

    def test_without_a_verdict_there_is_no_confidence(self):
        said = one("orders/create", order(note_attributes=[{"name": "gift", "value": "no"}])).attributes

        assert said["shipping_address"].confidence is None

    def test_a_verdict_is_not_about_an_address_that_was_edited_afterwards(self):
        codes = verdict(dpv_match_code="Y", dpv_footnotes="AABB", active="Y", vacant="N")

        said = one("orders/updated", order(note_attributes=codes)).attributes

        assert said["shipping_address"].confidence is None

    @pytest.mark.parametrize("value", ["", "{", "[]", '{"dpv_match_code": 7}', "[" * 5000])
    def test_a_verdict_that_cannot_be_read_is_counted_and_the_order_is_still_read(self, value: str):
        said = read("orders/create", order(note_attributes=[{"name": "address_verdict", "value": value}]))

        assert said.changes[0].attributes["shipping_address"].confidence is None
        assert said.ignored == ("orders/create:address_verdict_unreadable",)

    def test_an_order_typed_in_by_staff_is_an_agents(self):
        assert one("orders/create", order(source_name="shopify_draft_order")).actor == "agent"
        assert one("orders/create", order(source_name="web")).actor == "customer"

    @pytest.mark.parametrize(
        ("said", "why"),
        [({"test": True}, "test"), ({"cancel_reason": "fraud"}, "fraud"), ({"shipping_address": None}, "no_address")],
    )
    def test_an_order_that_proves_nothing_is_counted_by_its_reason(self, said: dict[str, Any], why: str):
        assert read("orders/create", order(**said)) == Translation(ignored=(f"orders/create:{why}",))

    def test_an_apartment_on_the_first_line_is_left_for_the_validator(self):
        swapped = {"address1": "Apartment 23", "address2": "Chestnut Street 92", "city": "Louisville"}

        said = one("orders/create", order(shipping_address=swapped)).attributes["shipping_address"]

        assert said.value == Address("Apartment 23", "Chestnut Street 92", "Louisville")


class TestTopics:
    @pytest.mark.parametrize("status", ["failed", "in_progress", "requested"])
    def test_a_merge_that_is_not_done_is_counted_by_its_status(self, status: str):
        assert read("customers/merge", {"status": status}).ignored == (f"customers/merge:{status}",)

    def test_a_request_for_a_copy_of_somebodys_data_is_counted_by_name(self):
        assert read("customers/data_request", {"shop_id": 1}).ignored == ("customers/data_request",)

    def test_header_names_without_x_are_the_same_headers(self):
        headers = {"shopify-topic": "customers/delete", "shopify-triggered-at": TRIGGERED}

        (change,) = CONNECTOR.translate("storefront", headers, b'{"id": 7001}').changes

        assert change.observed_at == parse_time(TRIGGERED)

    @pytest.mark.parametrize("topic", ["", "customers update", "x" * 300, "../../etc", "a/b/c/d"])
    def test_a_topic_that_is_no_name_is_invalid(self, topic: str):
        with pytest.raises(Invalid, match="topic"):
            read(topic, {"id": 1})

    def test_no_exception_repeats_a_value(self):
        body = customer(default_address={"zip": ["ines@example.com"]})

        with pytest.raises(Invalid) as raised:
            read("customers/update", body)

        assert "ines" not in str(raised.value)
        assert raised.value.detail == "zip"
