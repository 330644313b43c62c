"""Which claim wins, and why the others lost (R7, R9, R10)."""

from __future__ import annotations

from tests.unit.core.story import HOME, WORK, Story, policy

P = "+1415555010"


def test_latest_takes_the_larger_time_whatever_the_rank() -> None:
    story = Story()
    story.say("storefront:9", 0, phone=f"{P}1")
    story.say("wms:1", 1, phone=f"{P}2")

    assert story.golden("phone") == f"{P}2"
    assert story.losers("phone") == {"storefront:9": "older"}


def test_priority_takes_the_earlier_in_the_list_and_those_not_listed_come_after() -> None:
    story = Story()
    story.say("wms:1", 20, email="wms@example.com")
    story.say("esp:7", 0, email="esp@example.com")
    story.say("crm:1", 10, email="crm@example.com")

    assert story.golden("email") == "crm@example.com"
    assert story.losers("email") == {"esp:7": "lower_priority", "wms:1": "lower_priority"}


def test_within_one_priority_the_later_wins() -> None:
    story = Story()
    story.say("crm:1", 0, email="one@example.com")
    story.say("crm:2", 10, email="two@example.com")

    assert story.golden("email") == "two@example.com"
    assert story.losers("email") == {"crm:1": "older"}


def test_platforms_that_are_not_listed_are_compared_by_time() -> None:
    story = Story()
    story.say("wms:1", 20, billing_address=HOME)
    story.say("helpdesk:h3", 10, billing_address=WORK)

    assert story.golden("billing_address") == HOME
    assert story.losers("billing_address") == {"helpdesk:h3": "older"}


def test_ties_go_to_the_rank_then_to_the_larger_value_then_to_the_larger_name() -> None:
    story = Story()
    story.say("esp:7", 0, phone=f"{P}9")
    story.say("crm:1", 0, phone=f"{P}1")
    by_rank = story.golden("phone")
    story.say("crm:2", 0, phone=f"{P}2")
    by_value = story.golden("phone")
    story.say("crm:3", 0, phone=f"{P}2")

    assert (by_rank, by_value, story.detail("phone")["record"]) == (f"{P}1", f"{P}2", "crm:3")
    assert set(story.losers("phone").values()) == {"tie"}


def test_without_a_stated_confidence_an_attribute_without_threshold_is_trusted_and_another_is_not() -> None:
    story = Story()
    story.say("crm:1", 0, billing_address=HOME, shipping_address=HOME)

    assert (story.detail("billing_address")["confidence"], story.detail("billing_address")["status"]) == (
        1.0,
        "settled",
    )
    assert (story.detail("shipping_address")["confidence"], story.detail("shipping_address")["status"]) == (
        0.0,
        "provisional",
    )


def test_a_confidence_exactly_at_the_threshold_is_enough() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.80))

    assert story.detail("shipping_address")["status"] == "settled"


def test_an_older_verified_claim_beats_a_newer_unverified_one_of_a_better_place() -> None:
    rules = policy({"attributes": {"shipping_address": {"strategy": "priority", "priority": ["storefront", "crm"]}}})
    story = Story(rules=rules)
    story.say("crm:1", 0, shipping_address=(HOME, 0.9))
    story.say("storefront:9", 10, shipping_address=(WORK, 0.5))

    assert story.golden("shipping_address") == HOME
    assert story.losers("shipping_address") == {"storefront:9": "below_threshold"}


def test_a_clear_needs_no_confidence_to_win() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.9))
    story.say("storefront:9", 10, shipping_address={"clear": True})

    assert story.detail("shipping_address")["status"] == "cleared"
    assert story.losers("shipping_address") == {"crm:1": "older"}


def test_the_newest_of_unverified_claims_is_provisional_and_the_others_are_below_the_threshold() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.7))
    story.say("esp:7", 10, shipping_address=(WORK, 0.1))

    assert (story.golden("shipping_address"), story.detail("shipping_address")["status"]) == (WORK, "provisional")
    assert story.losers("shipping_address") == {"crm:1": "below_threshold"}


def test_undeliverable_is_the_reason_only_where_the_confidence_alone_would_do() -> None:
    story = Story()
    story.say("storefront:9", 20, shipping_address=(HOME, 0.9))
    story.say("crm:1", 0, shipping_address=(WORK, 0.5))
    story.judge("crm:1", 30, WORK, 0.1, deliverable=False)
    low = story.losers("shipping_address")
    story.judge("crm:1", 40, WORK, 0.9, deliverable=False)

    assert (low, story.losers("shipping_address")) == ({"crm:1": "below_threshold"}, {"crm:1": "undeliverable"})


def test_a_record_with_two_registers_shows_why_the_newest_did_not_win() -> None:
    story = Story()
    story.say("crm:1", 0, shipping_address=(HOME, 0.9))
    story.say("crm:1", 10, shipping_address=(WORK, 0.5))

    shown = story.detail("shipping_address")
    assert (shown["record"], shown["value"]) == ("crm:1", HOME)
    assert [(one["record"], one["reason"]) for one in shown["losers"]] == [("crm:1", "below_threshold")]


def test_a_pin_over_everything_gives_every_claim_the_same_reason() -> None:
    story = Story()
    story.say("crm:1", 0, phone=f"{P}1")
    story.say("esp:7", 10, phone=f"{P}2")
    story.say("storefront:9", 20, phone={"retract": True})

    story.ask(30, "pin", attribute="phone", value=f"{P}9")

    assert story.losers("phone") == {"crm:1": "pinned_over", "esp:7": "pinned_over", "storefront:9": "retracted"}


def test_the_validators_standard_form_is_golden_and_told_also_to_the_record_that_stated_it() -> None:
    story = Story("crm:1")
    standard = {**HOME, "line1": "233 South Wacker Drive"}
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))

    story.judge("crm:1", 10, HOME, 0.95, standardized=standard)

    assert story.golden("shipping_address") == standard
    assert story.shadow("crm:1", "shipping_address") == standard
