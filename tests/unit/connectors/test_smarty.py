"""The validator's answers as verdicts: what each is worth, and that no unit is ever lost to a standard form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.connectors.base import Applied, Later, Refused
from streams.connectors.smarty import CONNECTOR
from streams.connectors.smarty.client import SmartyClient
from streams.connectors.smarty.judge import Candidate, judged
from streams.connectors.smarty.standard import Components, asked, standard_form
from streams.model import Address, Invalid, Verdict
from tests.contract.case import NOW, Reply, Request
from tests.contract.server import Platform, running, serving
from tests.contract.smarty.case import ABROAD, BILLING, CASE, HOME, SETTINGS, candidate, success, validate

GIVEN = Address("77 lakeview avenue", "apt 5", "chicago", "IL", "60601", "US")
PARTS = Components(
    primary_number="77",
    secondary_designator="Apt",
    secondary_number="5",
    city_name="Chicago",
    state_abbreviation="IL",
    zipcode="60601",
    plus4_code="1077",
)


def found(place: int = 0, **analysis: Any) -> Candidate:
    return msgspec.convert(candidate(place, **analysis), Candidate)


class TestJudgement:
    def test_a_confirmed_address_is_believed_and_spelt_by_the_validator(self):
        judgement = judged(GIVEN, [found()])

        assert (judgement.grade.confidence, judgement.grade.deliverable) == (0.98, True)
        assert judgement.standardized == Address("77 Lakeview Ave", "Apt 5", "Chicago", "IL", "60601-1077", "US")

    def test_a_unit_that_is_not_known_there_is_never_overwritten(self):
        judgement = judged(GIVEN, [found(dpv_match_code="S", dpv_footnotes="AACC")])

        assert (judgement.grade.confidence, judgement.standardized) == (0.70, None)

    def test_a_missing_unit_is_half_believed(self):
        judgement = judged(GIVEN, [found(dpv_match_code="D", dpv_footnotes="AAN1")])

        assert (judgement.grade.confidence, judgement.standardized) == (0.60, None)

    def test_two_candidates_are_no_answer_however_good_each_is(self):
        judgement = judged(GIVEN, [found(), found()])

        assert (judgement.grade.name, judgement.grade.confidence, judgement.standardized) == ("ambiguous", 0.5, None)

    def test_two_bad_candidates_are_as_bad_as_the_better_one(self):
        judgement = judged(GIVEN, [found(dpv_match_code="N"), found(dpv_match_code="")])

        assert judgement.grade.confidence == 0.15

    def test_no_candidate_is_no_address(self):
        judgement = judged(GIVEN, [])

        assert (judgement.grade.confidence, judgement.grade.deliverable) == (0.0, False)

    def test_a_candidate_without_a_match_code_is_not_confirmed(self):
        bare = msgspec.convert({"input_index": 0, "analysis": {"dpv_footnotes": "A1"}}, Candidate)

        judgement = judged(GIVEN, [bare])

        assert (judgement.grade.name, judgement.grade.confidence) == ("not_checked", 0.15)


class TestStandardForm:
    def test_the_unit_goes_to_the_second_line(self):
        assert standard_form(GIVEN, "77 Lakeview Ave Apt 5", "", PARTS).line2 == "Apt 5"

    def test_a_second_line_that_was_not_placed_stays(self):
        parts = Components(primary_number="12", city_name="Chicago", state_abbreviation="IL", zipcode="60601")
        given = Address("12 harbor street", "gate code 4711", "chicago", "IL", "60601", "US")

        form = standard_form(given, "12 Harbor St", "", parts)

        assert (form.line1, form.line2, form.postal_code) == ("12 Harbor St", "gate code 4711", "60601")

    def test_a_street_that_stood_on_the_second_line_is_not_repeated(self):
        parts = Components(primary_number="92", city_name="Louisville", state_abbreviation="KY", zipcode="40202")
        given = Address("Acme Inc", "92 chestnut street", "Louisville", "KY", "40202", "US")

        form = standard_form(given, "92 Chestnut St", "", parts)

        assert (form.line1, form.line2) == ("92 Chestnut St", "")

    def test_swapped_lines_come_back_in_order(self):
        parts = Components(primary_number="92", secondary_designator="Apt", secondary_number="23")
        given = Address("Apartment 23", "Chestnut Street 92", "Louisville", "KY", "40202", "US")

        form = standard_form(given, "92 Chestnut St Apt 23", "", parts)

        assert (form.line1, form.line2) == ("92 Chestnut St", "Apt 23")

    def test_a_building_a_unit_and_a_mailbox_all_stay(self):
        parts = Components(
            primary_number="1",
            extra_secondary_designator="Bldg",
            extra_secondary_number="C",
            secondary_designator="#",
            secondary_number="12",
        )

        form = standard_form(GIVEN, "1 Main St # 12 Bldg C", "PMB 7", parts)

        assert (form.line1, form.line2) == ("1 Main St", "# 12, Bldg C, PMB 7")

    def test_a_street_that_ends_like_its_unit_keeps_its_name(self):
        parts = Components(primary_number="5", secondary_designator="Apt", secondary_number="5")

        form = standard_form(GIVEN, "5 Avenue 5", "", parts)

        assert form.line1 == "5 Avenue 5"

    def test_the_country_stays_as_it_was_given(self):
        island = Address("1 Calle Sol", "", "San Juan", "", "00901", "PR")
        parts = Components(primary_number="1", city_name="San Juan", state_abbreviation="PR", zipcode="00901")

        form = standard_form(island, "1 Calle Sol", "", parts)

        assert (form.region, form.country) == ("PR", "PR")


class TestQuestion:
    @pytest.mark.parametrize("unit", ["Apt 5", "apt. 5", "#12", "Suite 200", "4A", "Unit B", "12", "PH 2"])
    def test_what_looks_like_a_unit_is_asked_as_one(self, unit: str):
        assert asked(Address("1 Main St", unit))["secondary"] == unit

    @pytest.mark.parametrize("other", ["c/o Ines", "gate code 4711", "92 Chestnut St", "Floral Park", "Lotus House"])
    def test_anything_else_on_the_second_line_is_not_forced_to_be_a_unit(self, other: str):
        assert asked(Address("1 Main St", other))["street2"] == other

    def test_empty_parts_are_not_asked(self):
        assert asked(Address("1 Main St", city="Chicago")) == {"street": "1 Main St", "city": "Chicago"}


class TestClient:
    async def test_a_verdict_names_the_claim_and_carries_the_time_of_the_answer(self):
        async with serving(Platform(success)) as url:
            client = SmartyClient("validator", {**SETTINGS, "BASE_URL": url}, clock=lambda: NOW)
            await client.open()
            (given,) = await client.deliver([validate(shipping_address=HOME)])
            await client.close()

        assert isinstance(given, Applied)
        (change,) = given.changes
        assert (change.platform, change.kind, change.actor) == ("validator", "event", "system")
        assert change.only_verdicts
        assert change.verdicts == (
            Verdict(
                record="crm:003xx",
                attribute="shipping_address",
                input=HOME,
                confidence=0.98,
                deliverable=True,
                standardized=Address("77 Lakeview Ave", "Apt 5", "Chicago", "IL", "60601-1077", "US"),
                at=NOW,
            ),
        )

    async def test_a_batch_is_one_request_and_each_answer_finds_its_command(self):
        def answers(request: Request) -> Reply:
            return Reply(200, [candidate(2, dpv_match_code="N"), candidate(0), candidate(0)])

        platform = Platform(answers)
        async with running(CASE, platform) as client:
            given = await client.deliver(
                [
                    validate("crm:1", shipping_address=HOME),
                    validate("crm:2", shipping_address=ABROAD),
                    validate("crm:3", shipping_address=HOME, billing_address=BILLING),
                ]
            )

        assert len(platform.requests) == 1
        assert [one.detail for one in given] == ["ambiguous", "country_not_covered", "no_candidate,not_confirmed"]

    async def test_one_address_at_fault_does_not_hold_up_the_batch(self):
        def answers(request: Request) -> Reply:
            lookups = request.json()
            return Reply(400) if any("Ledger" in one["street"] for one in lookups) else success(request)

        async with running(CASE, Platform(answers)) as client:
            given = await client.deliver(
                [validate(f"crm:{n}", shipping_address=BILLING if n == 2 else HOME) for n in range(5)]
            )

        assert [type(one) for one in given] == [Applied, Applied, Refused, Applied, Applied]
        assert given[2] == Refused("http_400")

    async def test_more_lookups_than_a_request_may_hold_are_asked_in_several(self):
        platform = Platform(success)
        async with running(CASE, platform) as client:
            given = await client.deliver(
                [validate(f"crm:{n}", shipping_address=HOME, billing_address=BILLING) for n in range(60)]
            )

        assert {type(one) for one in given} == {Applied}
        assert max(len(request.json()) for request in platform.requests) <= 100

    async def test_nothing_is_asked_where_nothing_can_be(self):
        platform = Platform(success)
        async with running(CASE, platform) as client:
            given = await client.deliver([validate(shipping_address=ABROAD)])

        assert given == [Refused("country_not_covered")]
        assert platform.requests == []

    async def test_several_candidates_are_asked_for(self):
        platform = Platform(success)
        async with running(CASE, platform) as client:
            await client.deliver([validate(shipping_address=HOME)])

        (lookup,) = platform.requests[0].json()
        assert lookup["candidates"] > 1
        assert lookup["match"] == "strict"

    async def test_null_parts_of_a_candidate_do_not_spoil_the_batch(self):
        nulls = {"primary_number": "77", "secondary_number": None}
        bare = {**candidate(0), "components": nulls, "delivery_line_2": None}

        async with running(CASE, Platform(lambda _: Reply(200, [bare]))) as client:
            (given,) = await client.deliver([validate(shipping_address=HOME)])

        assert isinstance(given, Applied)

    async def test_a_wrong_address_of_the_service_stops_the_platform_and_refuses_nothing(self):
        async with running(CASE, Platform(lambda _: Reply(404, b"not found"))) as client:
            given = await client.deliver([validate(shipping_address=HOME)])

        assert given == [Later("http_404")]


def test_a_message_in_a_validators_name_is_a_mistake():
    with pytest.raises(Invalid, match="no_events"):
        CONNECTOR.translate("validator", {}, b"{}")
