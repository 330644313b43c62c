"""What a platform says of identity: a merge of two records, another e-mail address, a guest's order, a redaction."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from streams.core.reviewing import follows, opened
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.model import Note, parse_time
from streams.policy import load_policy
from streams.replay import Pipeline

POLICY = load_policy(None)
NOW = parse_time("2026-01-10T13:00:00Z")
OLD, NEW, BEN = "ann@example.com", "ann.new@example.com", "ben@example.com"


def unique(*platforms: str) -> Policy:
    """The shipped policy, where each of these platforms has one record a customer."""
    tables = {name: replace(rule, unique=name in platforms) for name, rule in POLICY.platforms.items()}
    return replace(POLICY, platforms=tables)


def said(minute: int, record: str, email: str = "", **more: Any) -> dict[str, Any]:
    """A change of a record, which has this verified e-mail address now."""
    platform, _, record_id = record.partition(":")
    change = {
        "change_id": f"{record} {minute}",
        "platform": platform,
        "record_id": record_id,
        "observed_at": f"2026-01-10T12:{minute:02}:00Z",
        **more,
    }
    if email:
        change["identifiers"] = {**change.get("identifiers", {}), "email": [email]}
        change.setdefault("attributes", {"email": {"value": email}})
    return change


def merged(minute: int, gone: str, kept: str) -> dict[str, Any]:
    return said(minute, gone, op="delete", identifiers={"external": [kept]})


class World:
    """A pipeline that is told changes one after the other."""

    def __init__(self, *told: dict[str, Any], rules: Policy = POLICY) -> None:
        self.pipeline = Pipeline(rules)
        self.notes: list[Note] = []
        self._at = NOW
        for one in told:
            self.tell("changes", one)

    def tell(self, topic: str, value: Any, headers: dict[str, str] | None = None) -> None:
        self._at += 1000
        self.notes += self.pipeline.feed(topic, value, self._at, headers).notes

    def shopify(self, topic: str, body: dict[str, Any]) -> None:
        headers = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Event-Id": f"e{self._at}",
            "X-Shopify-Triggered-At": "2026-01-10T12:30:00Z",
        }
        self.tell("raw.storefront", json.dumps(body), headers)

    @property
    def people(self) -> list[list[str]]:
        return [sorted(state.records) for state in self.pipeline.customers()]

    @property
    def only(self) -> Customer:
        (state,) = self.pipeline.customers()
        return state

    @property
    def reviews(self) -> list[Note]:
        return [note for note in self.notes if note.kind == "review"]

    @property
    def rules(self) -> list[str | None]:
        return [note.rule for note in self.reviews]


MERGE = (
    said(1, "storefront:1", OLD, attributes={"email": {"value": OLD}, "phone": {"value": "+13125550100"}}),
    said(2, "storefront:2", NEW),
    merged(3, "storefront:1", "storefront:2"),
)


class TestMerges:
    @pytest.mark.parametrize("rules", [POLICY, unique("storefront")], ids=["many", "unique"])
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_a_merge_ends_in_one_customer_in_whatever_order_it_is_heard_of(self, order: list[int], rules: Policy):
        world = World(*(MERGE[place] for place in order), rules=rules)

        assert world.people == [["storefront:1", "storefront:2"]]
        assert world.reviews == []

    @pytest.mark.parametrize("rules", [POLICY, unique("storefront")], ids=["many", "unique"])
    @pytest.mark.parametrize("place", range(4))
    def test_a_deletion_beside_the_merge_changes_nothing(self, place: int, rules: Policy):
        told = list(MERGE)
        told.insert(place, said(3, "storefront:1", op="delete", change_id="deleted"))

        assert World(*told, rules=rules).people == [["storefront:1", "storefront:2"]]

    def test_the_record_that_is_gone_leaves_its_history_its_identifiers_and_its_opt_out(self):
        told = said(1, "storefront:1", OLD)
        told["consents"] = [
            {
                "contact_point": OLD,
                "channel": "email",
                "purpose": "marketing",
                "decision": "opt_out",
                "at": told["observed_at"],
            }
        ]

        world = World(told, *MERGE[1:], said(4, "esp:7", OLD))

        state = world.only
        assert sorted(state.records) == ["esp:7", "storefront:1", "storefront:2"]
        assert [entry.decision for entries in state.entries.values() for entry in entries if entry.record] == [
            "opt_out"
        ]
        assert len(state.aliases) == 1
        assert state.joins[0].identifier == "external"

    def test_what_it_alone_had_said_is_withdrawn(self):
        assert "phone" not in World(*MERGE).only.golden

    def test_an_upstream_may_say_the_two_facts_apart(self):
        names = said(3, "storefront:2", identifiers={"external": ["storefront:1"]})
        gone = said(4, "storefront:1", op="delete")

        for told in ((names, gone), (gone, names)):
            assert World(*MERGE[:2], *told).people == [["storefront:1", "storefront:2"]]

    def test_said_apart_a_platform_of_one_record_a_customer_needs_the_deletion_first(self):
        names = said(3, "storefront:2", identifiers={"external": ["storefront:1"]})
        gone = said(4, "storefront:1", op="delete")
        rules = unique("storefront")

        assert World(*MERGE[:2], gone, names, rules=rules).people == [["storefront:1", "storefront:2"]]
        early = World(*MERGE[:2], names, gone, rules=rules)
        assert len(early.people) == 2
        assert early.rules == ["records_max"]

    def test_a_deleted_record_makes_room_for_another(self):
        rules = unique("storefront")
        gone = said(2, "storefront:1", op="delete")

        world = World(said(1, "storefront:1", OLD), gone, said(3, "storefront:2", OLD), rules=rules)

        assert world.people == [["storefront:1", "storefront:2"]]
        assert world.reviews == []

    def test_it_makes_room_at_the_customer_that_took_over_too(self):
        world = World(*MERGE, said(4, "crm:7", OLD), said(5, "crm:8", BEN), rules=unique("storefront", "crm"))
        world.tell("changes", merged(6, "crm:8", "crm:7"))
        world.tell("changes", said(7, "storefront:2", op="delete"))
        world.tell("changes", said(8, "storefront:3", BEN))

        assert world.people == [["crm:7", "crm:8", "storefront:1", "storefront:2", "storefront:3"]]
        assert world.reviews == []

    def test_where_the_policy_does_not_merge_by_external_ids_a_steward_decides(self):
        rules = replace(POLICY, identity=replace(POLICY.identity, merge=("email",)))

        world = World(*MERGE, rules=rules)

        assert len(world.people) == 2
        assert [(note.rule, note.identifier, note.change_ids) for note in world.reviews] == [
            ("not_automatic", "external", ("storefront:1 3",))
        ]

    def test_a_shops_own_webhook_does_it(self):
        world = World(*MERGE[:2], rules=unique("storefront"))
        gid = "gid://shopify/Customer/"
        told = {
            "admin_graphql_api_customer_kept_id": f"{gid}2",
            "admin_graphql_api_customer_deleted_id": f"{gid}1",
        }

        world.shopify("customers/merge", {**told, "status": "in_progress"})
        assert len(world.people) == 2
        world.shopify("customers/merge", {**told, "status": "completed"})
        assert world.people == [["storefront:1", "storefront:2"]]


class TestOtherAddress:
    def test_a_record_that_takes_another_address_stays_with_its_customer_and_is_found_by_it(self):
        world = World(said(1, "storefront:9", OLD), said(2, "storefront:9", NEW), said(3, "crm:7", NEW))

        assert world.people == [["crm:7", "storefront:9"]]

    def test_who_has_the_old_address_later_is_somebody_else_until_a_steward_says_otherwise(self):
        world = World(said(1, "storefront:9", OLD), said(2, "storefront:9", NEW), said(3, "crm:7", OLD))

        assert sorted(world.people) == [["crm:7"], ["storefront:9"]]
        (review,) = world.reviews
        assert (review.rule, review.identifier, review.platform, review.record_id) == ("given_up", "email", "crm", "7")
        assert review.change_ids == ("crm:7 3",)
        assert {review.customer_id, review.other_id} == {one.customer_id for one in world.pipeline.customers()}

    def test_a_customer_that_was_known_before_is_not_merged_by_it_either(self):
        told = (said(1, "storefront:9", OLD), said(1, "crm:7", BEN), said(2, "storefront:9", NEW))

        world = World(*told, said(3, "crm:7", OLD))

        assert sorted(world.people) == [["crm:7"], ["storefront:9"]]
        assert world.rules == ["given_up"]

    def test_who_comes_then_joins_the_new_owner(self):
        world = World(
            said(1, "storefront:9", OLD),
            said(2, "storefront:9", NEW),
            said(3, "crm:7", OLD),
            said(4, "esp:1", OLD),
            said(5, "esp:2", NEW),
        )

        assert sorted(world.people) == [["crm:7", "esp:1"], ["esp:2", "storefront:9"]]

    def test_what_was_said_while_it_still_had_the_address_binds_however_late_it_comes(self):
        had, has, profile = said(1, "storefront:9", OLD), said(3, "storefront:9", NEW), said(2, "esp:7", OLD)

        for order in ((had, has, profile), (had, profile, has), (has, had, profile), (profile, had, has)):
            assert World(*order).people == [["esp:7", "storefront:9"]]

    def test_where_it_has_an_owner_by_then_a_steward_decides(self):
        had, has, profile = said(1, "storefront:9", OLD), said(3, "storefront:9", NEW), said(2, "esp:7", OLD)

        for order in ((has, profile, had), (profile, has, had)):
            assert World(*order).rules == ["given_up"]

    def test_a_late_or_repeated_statement_takes_the_address_from_nobody(self):
        first = said(1, "storefront:9", OLD)

        again = World(first, said(3, "storefront:9", NEW), said(4, "esp:7", OLD), first)
        late = World(said(3, "storefront:9", NEW), said(4, "esp:7", OLD), first)

        assert sorted(again.people) == sorted(late.people) == [["esp:7"], ["storefront:9"]]
        assert again.rules == late.rules == ["given_up"]

    def test_an_old_act_in_the_old_address_takes_it_from_nobody_either(self):
        act = said(2, "storefront:9", identifiers={"email": [OLD]})

        world = World(said(1, "storefront:9", OLD), said(3, "storefront:9", NEW), said(4, "esp:7", OLD), act)

        assert sorted(world.people) == [["esp:7"], ["storefront:9"]]

    def test_an_address_that_another_record_of_the_person_has_still_binds(self):
        world = World(
            said(1, "storefront:9", OLD), said(1, "crm:7", OLD), said(2, "storefront:9", NEW), said(3, "esp:7", OLD)
        )

        assert world.people == [["crm:7", "esp:7", "storefront:9"]]

    def test_so_does_one_that_is_heard_of_late(self):
        world = World(
            said(1, "storefront:9", OLD), said(3, "storefront:9", NEW), said(2, "crm:7", OLD), said(4, "esp:7", OLD)
        )

        assert world.people == [["crm:7", "esp:7", "storefront:9"]]

    def test_an_order_names_its_owners_address_and_holds_none_itself(self):
        order = said(2, "storefront:orders-9", identifiers={"email": [OLD], "external": ["storefront:9"]})

        world = World(said(1, "storefront:9", OLD), order, said(3, "storefront:9", NEW), said(4, "esp:7", OLD))

        assert sorted(world.people) == [["esp:7"], ["storefront:9", "storefront:orders-9"]]

    def test_who_takes_the_old_address_again_has_it_again(self):
        world = World(
            said(1, "storefront:9", OLD),
            said(2, "storefront:9", NEW),
            said(3, "storefront:9", OLD),
            said(4, "esp:7", OLD),
            said(5, "crm:7", NEW),
        )

        assert sorted(world.people) == [["crm:7"], ["esp:7", "storefront:9"]]

    def test_the_address_is_the_same_in_capitals(self):
        world = World(said(1, "storefront:9", "Ann@Example.COM"), said(2, "storefront:9", OLD), said(3, "crm:7", OLD))

        assert world.people == [["crm:7", "storefront:9"]]

    def test_an_erasure_forgets_the_address_that_was_given_up(self):
        world = World(said(1, "storefront:9", OLD), said(2, "storefront:9", NEW))
        erased = world.only.customer_id
        world.tell(
            "steward", {"action": "erase", "request_id": "s1", "customer_id": erased, "by": "Sam", "why": "asked"}
        )
        world.tell("changes", said(50, "esp:7", OLD, observed_at="2026-01-10T13:00:30Z"))

        assert world.rules == []
        assert {one.customer_id for one in world.pipeline.customers() if sorted(one.records) == ["esp:7"]} - {erased}


class TestGuests:
    def test_a_guests_order_that_is_given_to_an_account_becomes_its_customers(self):
        world = World(said(1, "storefront:9", OLD))
        order = {
            "id": 77,
            "created_at": "2026-01-10T12:00:00Z",
            "shipping_address": {"address1": "12 Harbor St", "city": "Chicago", "zip": "60601", "country_code": "US"},
        }
        world.shopify("orders/create", order)
        assert len(world.people) == 2
        owner = {"id": 9, "email": OLD, "verified_email": True, "created_at": "2026-01-01T00:00:00Z"}
        world.shopify("orders/updated", {**order, "customer": owner, "updated_at": "2026-01-10T12:20:00Z"})

        assert world.people == [["storefront:9", "storefront:order-77", "storefront:orders-9"]]


REDACT = {"customer": {"id": 9, "email": OLD, "phone": None}}


class TestRedaction:
    def test_a_request_to_redact_erases_nobody_and_is_a_case_with_the_customer(self):
        world = World(said(1, "storefront:9", OLD))
        world.shopify("customers/redact", REDACT)

        (review,) = world.reviews
        assert world.only.erased_at is None
        assert (review.rule, review.platform, review.record_id) == ("erase_requested", "storefront", "9")
        assert review.customer_id == world.only.customer_id

    def test_its_approval_asks_for_the_erasure(self):
        world = World(said(1, "storefront:9", OLD))
        world.shopify("customers/redact", REDACT)
        case = opened(world.reviews[0], "storefront:9", NOW)
        case.state, case.by, case.why = "approved", "Sam", "the customer asked the shop"

        request = follows(case)

        assert request is not None
        assert (request.action, request.customer_id) == ("erase", world.only.customer_id)
        assert (request.request_id, request.with_, request.record) == (case.review_id, None, None)

    def test_a_person_that_was_never_heard_of_is_counted(self):
        world = World()
        world.shopify("customers/redact", REDACT)

        assert [(note.kind, note.record_id) for note in world.notes] == [("redact_unmatched", None)]

    def test_a_person_that_was_erased_is_named_no_more(self):
        world = World(said(1, "storefront:9", OLD))
        customer = world.only.customer_id
        world.tell(
            "steward", {"action": "erase", "request_id": "s1", "customer_id": customer, "by": "Sam", "why": "asked"}
        )
        world.shopify("customers/redact", REDACT)

        assert world.reviews == []
        assert [(note.kind, note.record_id) for note in world.notes[-1:]] == [("erased_drop", None)]

    def test_a_shop_that_leaves_is_a_case_of_no_single_person(self):
        world = World(said(1, "storefront:9", OLD))
        world.shopify("shop/redact", {"shop_id": 1})

        (review,) = world.reviews
        assert (review.rule, review.record_id, review.customer_id) == ("erase_requested", None, None)
        assert follows(opened(review, "storefront", NOW)) is None
