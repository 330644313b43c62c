"""What a statement makes of a record's claim: effective time, registers, re-assertions, partial addresses (R1-R6)."""

from __future__ import annotations

from tests.property.vocabulary import T0
from tests.unit.core.story import HOME, P0, WORK, Story, kinds, policy, stamp, updates

PARTIAL = {"line1": "40 E Oak St"}


def at(seconds: float) -> int:
    return T0 + round(seconds * 1000)


# R2 effective time


def test_a_time_within_the_tolerance_of_the_future_is_taken_as_it_is() -> None:
    story = Story()

    output = story.say("crm:1", 300, 0, phone="+14155550101")

    assert story.claim("crm:1", "phone").at == at(300)
    assert "clamped" not in kinds(output)


def test_a_time_beyond_the_tolerance_becomes_the_kafka_timestamp_and_is_noted() -> None:
    story = Story()

    output = story.say("crm:1", 301, 0, phone="+14155550101")

    assert story.claim("crm:1", "phone").at == at(0)
    assert kinds(output) == ["clamped"]


def test_a_clamped_statement_delivered_again_when_its_time_has_come_keeps_its_first_time() -> None:
    story = Story()
    story.say("crm:1", 1000, 0, phone="+14155550101")
    story.say("crm:1", 500, phone="+14155550102")

    story.hear("crm:1", 1000, 1001, attributes={"phone": {"value": "+14155550101"}}, change_id="E-again")

    assert story.golden("phone") == "+14155550102"


def test_an_untimed_statement_delivered_again_keeps_its_first_time() -> None:
    story = Story()
    for ingested in (100, 900):
        story.hear("crm:1", None, ingested, attributes={"phone": {"value": "+14155550101"}}, change_id="same")
        story.say("crm:1", 500, phone="+14155550102")

    assert story.golden("phone") == "+14155550102"


def test_an_untimed_statement_under_another_change_id_is_a_new_statement() -> None:
    story = Story()
    story.say("crm:1", None, 100, phone="+14155550101")
    story.say("crm:1", 500, phone="+14155550102")

    story.say("crm:1", None, 900, phone="+14155550101")

    assert story.golden("phone") == "+14155550101"


def test_an_untimed_verdict_delivered_again_does_not_become_the_later_one() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    good = {"record": "crm:1", "attribute": "shipping_address", "input": HOME, "confidence": 0.9}
    story.hear("validator:v1", None, 100, verdicts=[good], change_id="good")
    story.hear("validator:v1", None, 200, verdicts=[{**good, "confidence": 0.1}], change_id="bad")

    story.hear("validator:v1", None, 300, verdicts=[good], change_id="good")

    assert story.claim("crm:1", "shipping_address").confidence == 0.1


# R3 registers


def test_at_equal_time_and_sequence_a_clear_beats_a_value_and_a_retract_beats_both() -> None:
    story = Story()
    story.say("crm:1", 100, phone="+14155550101")
    story.say("crm:1", 100, phone={"clear": True})
    cleared = story.detail("phone")["status"]
    story.say("crm:1", 100, phone={"retract": True})

    assert cleared == "cleared"
    assert story.losers("phone") == {"crm:1": "retracted"}


def test_at_equal_time_the_larger_sequence_is_newer_and_an_absent_one_is_the_smallest() -> None:
    story = Story()
    story.hear("crm:1", 100, sequence=2, attributes={"phone": {"value": "+14155550102"}})
    story.hear("crm:1", 100, sequence=1, attributes={"phone": {"value": "+14155550109"}})
    story.say("crm:1", 100, phone="+14155550108")

    assert story.golden("phone") == "+14155550102"


def test_an_unverified_edit_does_not_throw_the_verified_value_away() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.9))
    story.say("crm:1", 100, shipping_address=(WORK, 0.5))

    assert story.golden("shipping_address") == HOME
    assert story.losers("shipping_address") == {"crm:1": "below_threshold"}


def test_a_verified_value_older_than_a_retract_does_not_come_back() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.9))
    story.say("crm:1", 100, shipping_address={"retract": True})
    story.say("crm:1", 200, shipping_address=(WORK, 0.5))

    assert story.detail("shipping_address")["status"] == "provisional"
    assert story.golden("shipping_address") == WORK


def test_a_late_statement_is_noted_older_and_changes_nothing() -> None:
    story = Story("esp:7")
    story.say("crm:1", 100, phone="+14155550101")

    output = story.say("crm:1", 50, 200, phone="+14155550102")

    assert kinds(output) == ["older"]
    assert (story.golden("phone"), output.commands) == ("+14155550101", [])


# R4 re-assertions


def test_a_reassertion_does_not_move_the_claims_time() -> None:
    story = Story()
    story.say("crm:1", 0, phone="+14155550101")

    output = story.say("crm:1", 500, phone="(415) 555-0101")

    assert kinds(output) == ["reassertion"]
    assert story.claim("crm:1", "phone").at == at(0)


def test_a_statement_older_than_the_last_confirmation_does_not_replace_the_claim() -> None:
    story = Story()
    story.say("crm:1", 0, phone="+14155550101")
    story.say("crm:1", 500, phone="+14155550101")

    output = story.say("crm:1", 300, 600, phone="+14155550102")

    assert kinds(output) == ["older"]
    assert story.golden("phone") == "+14155550101"


def test_taking_back_our_acknowledged_write_is_a_real_revert() -> None:
    story = Story("storefront:9")
    story.say("crm:1", 0, phone="+14155550101")
    story.say("storefront:9", 100, phone="+14155550102")

    story.say("crm:1", 200, phone="+14155550101")

    assert story.detail("phone")["record"] == "crm:1"
    assert story.claim("crm:1", "phone").at == at(200)


def test_repeating_the_old_value_before_our_write_was_acknowledged_is_no_revert() -> None:
    story = Story("storefront:9")
    story.say("crm:1", 0, phone="+14155550101")
    story.say("storefront:9", 100, phone="+14155550102")

    story.say("crm:1", 90, 200, phone="+14155550101")

    assert story.golden("phone") == "+14155550102"
    assert story.claim("crm:1", "phone").at == at(0)


def test_an_export_that_shows_the_old_value_is_no_revert_but_is_corrected() -> None:
    story = Story("storefront:9")
    story.say("crm:1", 0, phone="+14155550101")
    story.say("storefront:9", 100, phone="+14155550102")

    output = story.export("crm:1", 200, phone="+14155550101")

    assert story.golden("phone") == "+14155550102"
    assert updates(output) == {"crm:1": {"phone": "+14155550102"}}


def test_an_export_of_the_older_verified_value_is_a_reassertion_of_that_register() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.9))
    story.say("crm:1", 100, shipping_address=(WORK, 0.5))

    output = story.export("crm:1", 200, shipping_address=HOME)

    assert "reassertion" in kinds(output)
    assert story.claim("crm:1", "shipping_address").at == at(100)


def test_a_value_in_its_validators_standard_form_is_a_reassertion() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    standard = {**HOME, "line1": "233 South Wacker Drive"}
    story.judge("crm:1", 100, HOME, 0.95, standardized=standard)

    output = story.hear("crm:1", 200, kind="snapshot", attributes={"shipping_address": {"value": standard}})

    assert story.claim("crm:1", "shipping_address").at == at(0)
    assert story.golden("shipping_address") == standard
    assert output.commands == []


def test_a_reassertion_with_more_confidence_makes_the_claim_eligible() -> None:
    story = Story("esp:7")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))

    output = story.say("crm:1", 100, shipping_address=(HOME, 0.9))

    assert (story.detail("shipping_address")["status"], story.claim("crm:1", "shipping_address").at) == (
        "settled",
        at(0),
    )
    assert updates(output) == {"esp:7": {"shipping_address": HOME["line1"]}}


def test_a_statement_delivered_again_does_not_undo_the_verdict_on_it() -> None:
    story = Story("esp:7")
    for _ in range(2):
        story.hear("crm:1", 0, attributes={"shipping_address": {"value": HOME, "confidence": 0.9}}, change_id="same")
        output = story.judge("crm:1", 100, HOME, 0.1)

    assert story.claim("crm:1", "shipping_address").confidence == 0.1
    assert output.commands == []


def test_a_reassertion_later_than_the_verdict_with_more_confidence_holds_when_the_verdict_comes_again() -> None:
    story = Story("esp:7")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    story.judge("crm:1", 100, HOME, 0.1)
    story.say("crm:1", 200, shipping_address=(HOME, 0.9))

    story.judge("crm:1", 100, HOME, 0.1)

    assert story.claim("crm:1", "shipping_address").confidence == 0.9


def test_a_confirmation_delivered_again_after_the_value_was_replaced_leaves_no_second_claim() -> None:
    story = Story()
    home = {"shipping_address": {"value": HOME, "confidence": 0.9}}
    for _ in range(2):
        story.hear("crm:1", 0, attributes=home, change_id="first")
        story.hear("crm:1", 100, attributes=home, change_id="again")
        story.say("crm:1", 300, shipping_address=(WORK, 0.9))

    assert [claim.at for claim in story.slot("crm:1", "shipping_address").verified] == [at(0)]


# R5 absent, null, cleared, retracted


def test_null_and_empty_say_nothing_and_are_counted() -> None:
    story = Story()
    story.say("crm:1", 0, phone="+14155550101", first_name="Ann")

    output = story.hear("crm:1", 100, attributes={"phone": {"value": None}, "first_name": {"value": "  "}})

    assert kinds(output) == ["null_ignored", "null_ignored"]
    assert (story.golden("phone"), story.golden("first_name")) == ("+14155550101", "Ann")


def test_after_the_last_claim_is_withdrawn_golden_is_empty_and_nothing_is_commanded() -> None:
    story = Story("esp:7")
    story.say("crm:1", 0, phone="+14155550101")

    output = story.say("crm:1", 100, phone={"retract": True})

    assert story.golden("phone") is None
    assert output.commands == []
    assert (story.shadow("crm:1", "phone"), story.shadow("esp:7", "phone")) == ("unknown", "+14155550101")


def test_after_a_retract_the_record_is_told_the_next_best_value() -> None:
    story = Story()
    story.say("esp:7", 0, phone="+14155550101")
    story.say("crm:1", 100, phone="+14155550102")

    output = story.say("crm:1", 200, phone={"retract": True})

    assert updates(output) == {
        "crm:1": {"phone": "+14155550101"},
        "esp:7": {"phone": "+14155550101"},
    }


def test_a_record_that_withdrew_its_value_is_told_an_older_one_once() -> None:
    story = Story("crm:1")
    story.say("crm:1", 150, phone={"retract": True})

    output = story.say("storefront:9", 100, phone="+14155550101")

    assert updates(output) == {"crm:1": {"phone": "+14155550101"}}
    assert story.shadow("crm:1", "phone") == "+14155550101"


def test_a_clear_empties_the_others_but_not_a_record_that_is_not_known_to_hold_anything() -> None:
    story = Story("esp:7")
    story.say("crm:1", 0, phone="+14155550101")
    story.hear("loyalty:44", 50)
    story.say("loyalty:44", 60, phone={"retract": True})

    story.say("crm:1", 200, phone={"clear": True})
    output = story.say("helpdesk:h3", 210, first_name="Ann")

    assert story.detail("phone")["status"] == "cleared"
    assert story.shadow("esp:7", "phone") is None
    assert "phone" not in str(updates(output))


def test_a_restate_without_an_attribute_empties_the_shadow_and_keeps_the_claim() -> None:
    story = Story("esp:7")
    story.say("crm:1", 0, phone="+14155550101", first_name="Ann")

    output = story.hear("crm:1", 100, op="restate", attributes={"first_name": {"value": "Ann"}})

    assert story.golden("phone") == "+14155550101"
    assert updates(output) == {"crm:1": {"phone": "+14155550101"}}


def test_a_platform_that_never_keeps_a_value_is_not_told_it_for_ever() -> None:
    story = Story("esp:7")
    story.say("crm:1", 0, phone="+14155550101")

    told = [story.hear("esp:7", 100 * n, op="restate", attributes={}).commands != [] for n in range(1, 7)]

    assert told == [True, False, False, False, False, False]


# R6 addresses


def test_a_partial_address_is_merged_with_the_records_own_claim_and_loses_its_confidence() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.9))

    output = story.say("crm:1", 100, shipping_address=({"line1": "40 E Oak St", "city": ""}, 0.99))

    claim = story.claim("crm:1", "shipping_address")
    assert (claim.complete, claim.confidence) == (True, None)
    assert story.golden("shipping_address") == HOME
    assert updates(output) == {"validate": {"shipping_address": "40 E Oak St"}}


def test_a_partial_address_without_an_own_claim_is_incomplete_and_never_validated() -> None:
    story = Story("crm:1")

    output = story.say("crm:1", 100, shipping_address=(PARTIAL, 0.99))

    assert output.commands == []
    assert story.golden("shipping_address") is None
    assert story.losers("shipping_address") == {"crm:1": "incomplete"}


def test_parts_are_not_borrowed_from_another_record() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, shipping_address=(HOME, 0.9))

    story.say("crm:1", 100, shipping_address=(PARTIAL, 0.99))

    claim = story.claim("crm:1", "shipping_address")
    assert (claim.complete, getattr(claim.value, "city", None)) == (False, "")


def test_parts_that_arrive_one_after_the_other_make_a_whole_address() -> None:
    story = Story("crm:1")
    parts = [{"line1": "1 Main St"}, {"city": "Chicago"}, {"postal_code": "60601", "country": "US"}]
    for place, part in enumerate(parts):
        story.say("crm:1", place, billing_address=part)

    assert story.golden("billing_address")["postal_code"] == "60601"


def test_an_address_in_a_country_without_postal_codes_is_full_without_one() -> None:
    story = Story()
    dubai = {"line1": "12 Al Wasl Rd", "city": "Dubai", "country": "United Arab Emirates"}

    story.say("crm:1", 0, billing_address=dubai)

    assert story.detail("billing_address")["status"] == "settled"


def test_an_address_in_a_country_with_postal_codes_is_not_full_without_one() -> None:
    story = Story()

    story.say("crm:1", 0, billing_address={"line1": "1 High St", "city": "Leeds", "country": "GB"})

    assert story.losers("billing_address") == {"crm:1": "incomplete"}


def test_a_part_of_nothing_but_spaces_says_nothing() -> None:
    story = Story()
    story.say("crm:1", 0, billing_address=HOME)

    story.say("crm:1", 100, billing_address={**WORK, "city": "  "})

    assert story.golden("billing_address")["city"] == "Chicago"


def test_the_shadow_takes_only_the_parts_that_were_told() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, shipping_address=(HOME, 0.9))

    story.say("crm:1", 100, shipping_address={"line1": "875 N Michigan Ave"})

    told = story.commands[-1]
    assert (f"{told.platform}:{told.record_id}", told.op) == ("crm:1", "update")
    assert story.shadow("crm:1", "shipping_address") == HOME


def test_a_partial_echo_of_our_address_makes_no_claim() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, shipping_address=(HOME, 0.9))

    output = story.say("crm:1", 10, shipping_address={"line1": " 233 s WACKER  dr.", "postal_code": "60606-0001"})

    assert kinds(output) == ["echo"]
    assert story.slot("crm:1", "shipping_address").newest is None


# Policy


def test_a_stricter_policy_sends_the_claims_below_its_threshold_for_validation() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, shipping_address=(HOME, 0.85))
    strict = policy({"version": "p1", "attributes": {"shipping_address": {"min_confidence": 0.9}}})
    story.pipeline.policy = strict

    output = story.ask(100, "activate", policy_version="p1")

    assert updates(output) == {"validate": {"shipping_address": HOME["line1"]}}
    assert story.detail("shipping_address")["status"] == "provisional"
    assert P0.version != strict.version
    assert stamp(0).endswith("Z")
