"""What platforms say of one person's several records: merges, links and requests for erasure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.connectors.base import EraseRequest, Refetch, Translation
from streams.connectors.klaviyo import CONNECTOR as KLAVIYO
from streams.connectors.salesforce import CONNECTOR as SALESFORCE
from streams.connectors.shopify import CONNECTOR as SHOPIFY
from streams.model import Change, Invalid, parse_time

TRIGGERED = "2026-01-09T11:30:03.250Z"
LOSER, MASTER, THIRD = "003Hs00004QkTzAIAV", "003Hs00004QkTzBIAV", "003Hs00004QkTzCIAV"
KEPT, GONE = "01KEXAMPLEPR0F1LE000000001", "01KEXAMPLEPR0F1LE000000002"


def shopify(topic: str, body: Any) -> Translation:
    headers = {"x-shopify-topic": topic, "x-shopify-event-id": "e-1", "x-shopify-triggered-at": TRIGGERED}
    return SHOPIFY.translate("storefront", headers, json.dumps(body).encode())


def merge(kept: int = 7001, deleted: int = 7002, status: str = "completed") -> dict[str, Any]:
    gid = "gid://shopify/Customer/"
    return {
        "admin_graphql_api_customer_kept_id": f"{gid}{kept}",
        "admin_graphql_api_customer_deleted_id": f"{gid}{deleted}",
        "status": status,
    }


def deleted(*records: str, client: str = "SfdcInternalAPI/", **said: Any) -> Translation:
    header = {
        "entityName": "Contact",
        "recordIds": records,
        "changeType": "DELETE",
        "changeOrigin": f"com/salesforce/api/soap/62.0;client={client}",
        "transactionKey": "t1",
        "sequenceNumber": 1,
        "commitTimestamp": 1_767_958_200_000,
    }
    return SALESFORCE.translate("crm", {}, json.dumps({**said, "ChangeEventHeader": header}).encode())


def merged_event(properties: Any, profile: str | None = KEPT) -> Translation:
    event = {
        "type": "event",
        "id": "EvtMrg00001",
        "attributes": {"timestamp": 1_767_958_800, "event_properties": properties},
        "relationships": {"profile": {"data": {"type": "profile", "id": profile}}},
    }
    told = {"topic": "event:klaviyo.merged_profile", "external_id": "EvtMrg00001", "payload": {"data": event}}
    return KLAVIYO.translate("esp", {}, json.dumps({"data": [told]}).encode())


def said_of(translation: Translation) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.record_id, one.op, one.identifiers.external) for one in translation.changes]


def only(translation: Translation) -> Change:
    (change,) = translation.changes
    return change


class TestShopify:
    @pytest.mark.parametrize("status", ["completed", "COMPLETED"])
    def test_a_completed_merge_deletes_the_one_customer_and_names_the_other(self, status: str):
        said = shopify("customers/merge", merge(status=status))

        assert said_of(said) == [("7002", "delete", ("storefront:7001",))]
        assert only(said).observed_at == parse_time(TRIGGERED)

    @pytest.mark.parametrize("status", ["requested", "in_progress", "failed"])
    def test_a_merge_that_is_not_completed_says_nothing(self, status: str):
        assert shopify("customers/merge", merge(status=status)).changes == ()

    def test_ids_above_what_a_float_holds_stay_exact(self):
        said = shopify("customers/merge", merge(706405506930370085, 706405506930370084))

        assert said_of(said) == [("706405506930370084", "delete", ("storefront:706405506930370085",))]

    @pytest.mark.parametrize("body", [{"status": "completed"}, {**merge(), "admin_graphql_api_customer_kept_id": None}])
    def test_a_completed_merge_that_does_not_name_both_is_invalid(self, body: dict[str, Any]):
        with pytest.raises(Invalid) as raised:
            shopify("customers/merge", body)

        assert raised.value.reason == "no_id"

    def test_a_merge_of_a_customer_with_itself_is_invalid(self):
        with pytest.raises(Invalid) as raised:
            shopify("customers/merge", merge(7001, 7001))

        assert raised.value.reason == "merged_with_itself"

    def test_a_request_to_redact_is_for_a_steward_to_decide_and_says_nothing_itself(self):
        said = shopify("customers/redact", {"customer": {"id": 7001, "email": "ines@example.com"}})

        assert said == Translation(erase_requests=(EraseRequest("7001", "shopify:e-1:customers/redact:7001"),))

    def test_a_guests_orders_are_redacted_one_by_one(self):
        said = shopify("customers/redact", {"customer": None, "orders_to_redact": [77, 78]})

        assert [one.record_id for one in said.erase_requests] == ["order-77", "order-78"]

    def test_a_shop_that_leaves_asks_for_everybody(self):
        said = shopify("shop/redact", {"shop_id": 1})

        assert [one.record_id for one in said.erase_requests] == [None]

    @pytest.mark.parametrize("orders", ["77", [{}], [1] * 1001])
    def test_orders_that_are_no_ids_are_invalid(self, orders: Any):
        with pytest.raises(Invalid):
            shopify("customers/redact", {"orders_to_redact": orders})


def linked(topic: str = "orders/updated", email: str | None = "", came: str = "2026-01-01T00:00:00Z") -> Change:
    order = {
        "id": 77,
        "email": email,
        "created_at": "2026-01-09T11:30:00Z",
        "shipping_address": {"address1": "12 Harbor St", "city": "Chicago", "zip": "60601", "country_code": "US"},
        "customer": {"id": 7001, "email": "ines@example.com", "verified_email": True, "created_at": came},
    }
    return only(shopify(topic, order))


class TestGuests:
    def test_a_guests_order_that_is_given_to_a_customer_names_the_record_that_it_had_before(self):
        change = linked()

        assert (change.record_id, change.identifiers.external) == (
            "orders-7001",
            ("storefront:7001", "storefront:order-77"),
        )

    def test_so_does_one_whose_customer_came_after_it(self):
        change = linked(email="Ines@example.com", came="2026-01-10T00:00:00Z")

        assert change.identifiers.external == ("storefront:7001", "storefront:order-77")

    @pytest.mark.parametrize(("topic", "email"), [("orders/updated", "INES@example.com"), ("orders/create", "")])
    def test_an_order_that_its_customer_placed_names_the_customer_alone(self, topic: str, email: str):
        assert linked(topic, email).identifiers.external == ("storefront:7001",)


class TestSalesforce:
    def test_a_deletion_with_a_master_record_says_who_it_is_now(self):
        said = deleted(LOSER, THIRD, MasterRecordId=MASTER[:15])

        external = (f"crm:{MASTER}",)
        assert said_of(said) == [(LOSER, "delete", external), (THIRD, "delete", external)]
        assert said.refetch == ()

    def test_a_deletion_without_one_is_asked_about_since_a_merge_does_not_say_so(self):
        said = deleted(LOSER)

        assert said_of(said) == [(LOSER, "delete", ())]
        assert [one.why for one in said.refetch] == ["deleted"]

    def test_a_deletion_of_more_than_a_merge_can_delete_is_believed(self):
        assert deleted(LOSER, MASTER, THIRD).refetch == ()

    def test_our_own_deletion_is_believed(self):
        assert deleted(LOSER, client="writeback").refetch == ()

    def test_a_row_from_the_recycle_bin_says_it_too(self):
        row = {"type": "Contact", "Id": LOSER, "IsDeleted": True, "MasterRecordId": MASTER}

        said = SALESFORCE.translate("crm", {}, json.dumps([row]).encode())

        assert said_of(said) == [(LOSER, "delete", (f"crm:{MASTER}",))]
        assert only(said).kind == "snapshot"

    def test_a_record_that_was_taken_out_of_the_bin_speaks_for_itself_again(self):
        header = {"entityName": "Contact", "recordIds": [LOSER], "changeType": "UNDELETE"}
        event = {"Email": "ines@example.com", "MasterRecordId": MASTER, "ChangeEventHeader": header}

        change = only(SALESFORCE.translate("crm", {}, json.dumps(event).encode()))

        assert (change.op, change.identifiers.external) == ("upsert", ())
        assert change.identifiers.email == ("ines@example.com",)


class TestKlaviyo:
    @pytest.mark.parametrize(
        "properties",
        [{"source_profile_id": GONE}, {"merged_profile_ids": [GONE, GONE]}, {"Source Profile ID": GONE}],
    )
    def test_a_merge_deletes_its_sources_and_reads_the_profile_that_stays(self, properties: dict[str, Any]):
        said = merged_event(properties)

        assert said_of(said) == [(GONE, "delete", (f"esp:{KEPT}",))]
        assert said.refetch == (Refetch(KEPT, "merged_profile"),)
        assert only(said).observed_at == 1_767_958_800_000

    @pytest.mark.parametrize("properties", [None, {}, {"source_profile_id": 7}, {"source_profile_ids": [None, {}]}])
    def test_a_merge_that_names_no_source_is_counted_and_the_profile_read(self, properties: Any):
        said = merged_event(properties)

        assert said == Translation(ignored=("merged_profile:no_source",), refetch=(Refetch(KEPT, "merged_profile"),))

    def test_a_merge_without_a_profile_that_stays_is_invalid(self):
        with pytest.raises(Invalid) as raised:
            merged_event({"source_profile_id": GONE}, None)

        assert raised.value.reason == "no_profile"

    def test_the_apis_own_document_names_both_sides(self):
        profiles = {"profiles": {"data": [{"type": "profile", "id": GONE}]}}
        document = {"data": {"type": "profile-merge", "id": KEPT, "relationships": profiles}}

        said = KLAVIYO.translate("esp", {}, json.dumps(document).encode())

        assert said_of(said) == [(GONE, "delete", (f"esp:{KEPT}",))]
