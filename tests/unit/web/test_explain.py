"""Every reason in words: why a claim won or lost, why a contact point may not be sent to, what holds a record back."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.explain import explain_view
from streams.policy import load_policy
from tests.unit.web.site import ANN, HOME, NOON, OLD_HOME, PHONE, Told

EXPLICIT: dict[str, Any] = {"explicit": True, "method": "form", "evidence": {"form": "f1"}}
PARTIAL = {"line1": "", "line2": "", "city": "Chicago", "region": "", "postal_code": "", "country": ""}


def explained(told: Told, second: int = 60) -> dict[str, Any]:
    state = told.pipeline.customer("C1")
    assert state is not None
    return explain_view(state, told.policy, NOON + second * 1000)


def lost(told: Told, attribute: str) -> list[tuple[str, str]]:
    """Reason and words of each loser."""
    return [(one["reason"], one["why"]) for one in explained(told)["attributes"][attribute]["losers"]]


def judged(told: Told, second: int, record: str, **verdict: Any) -> None:
    """A validator's verdict on the old home."""
    about = {
        "record": record,
        "attribute": "shipping_address",
        "input": OLD_HOME,
        "at": f"2026-01-10T12:00:{second:02}Z",
    }
    told.say("validator:v1", second, "C1", verdicts=[about | verdict])


def test_an_older_claim_names_the_one_that_came_later() -> None:
    told = Told()
    told.values("storefront:s1", 0, first_name="Ann")
    told.values("crm:r1", 5, first_name="Anna")

    why = "an eligible claim with a later effective time won: crm:r1 of 2026-01-10T12:00:05Z"
    assert lost(told, "first_name") == [("older", why)]
    assert (
        explained(told)["attributes"]["first_name"]["why"] == "of the eligible claims, it has the latest effective time"
    )


def test_a_claim_of_lower_priority_names_the_setting_that_says_so() -> None:
    told = Told()
    told.values("storefront:s1", 0, billing_address=HOME)
    told.values("crm:r1", 5, billing_address=OLD_HOME)
    told.values("esp:e1", 9, billing_address=HOME)
    winner = "it comes after crm:r1 of 2026-01-10T12:00:05Z"

    assert lost(told, "billing_address") == [
        ("lower_priority", f"{winner}, since billing_address.priority (crm, storefront) does not name esp"),
        ("lower_priority", f"{winner}, as billing_address.priority says (crm, storefront)"),
    ]
    shown = explained(told)["attributes"]["billing_address"]
    assert shown["why"] == "of the eligible claims, the one of crm comes first in billing_address.priority"
    assert shown["rule"] == "by priority: crm, storefront; then the latest"


@pytest.mark.parametrize(
    ("confidence", "why"),
    [
        (0.5, "its confidence 0.50 is below shipping_address.min_confidence 0.80"),
        (None, "it states no confidence, which counts as 0 and is below shipping_address.min_confidence 0.80"),
    ],
)
def test_a_claim_below_the_threshold_names_both_numbers(confidence: float | None, why: str) -> None:
    told = Told()
    told.values("crm:r1", 0, shipping_address=(OLD_HOME, confidence) if confidence else OLD_HOME)
    told.values("storefront:s1", 5, shipping_address=(HOME, 0.95))

    assert lost(told, "shipping_address") == [("below_threshold", why)]
    assert explained(told)["attributes"]["shipping_address"]["why"] == "it is the only eligible claim"


def test_a_tie_names_the_ranks_or_the_value() -> None:
    ranks = Told()
    ranks.values("esp:e1", 0, first_name="Ann")
    ranks.values("crm:r1", 0, first_name="Anna")
    equal = Told()
    equal.values("crm:r1", 0, first_name="Ann")
    equal.values("crm:r2", 0, first_name="Anna")
    tied = "it has the same effective time as {} of 2026-01-10T12:00:00Z; {}"

    [by_rank], [by_value] = lost(ranks, "first_name"), lost(equal, "first_name")
    assert by_rank == ("tie", tied.format("crm:r1", "the larger platform rank won (crm 3, esp 1)"))
    assert by_value == (
        "tie",
        tied.format("crm:r2", "with equal rank the larger value won, then the larger record name"),
    )
    assert explained(equal)["attributes"]["first_name"]["why"] == "it won a tie with a claim of the same effective time"


def test_partial_undeliverable_pinned_over_and_withdrawn_claims_say_so() -> None:
    told = Told()
    told.values("storefront:s1", 0, shipping_address=(HOME, 0.95))
    told.values("esp:e1", 1, shipping_address=PARTIAL)
    told.values("crm:r1", 2, shipping_address=(OLD_HOME, 0.9), first_name="Ann")
    judged(told, 3, "crm:r1", confidence=0.9, deliverable=False)
    told.say("crm:r1", 4, attributes={"first_name": {"retract": True}})

    assert dict(lost(told, "shipping_address")) == {
        "incomplete": "it is a partial address, and its record has no full one to complete it with",
        "undeliverable": "the validator says that nothing can be delivered there",
    }
    assert lost(told, "first_name") == [("retracted", "its record withdrew it at 2026-01-10T12:00:04Z")]

    told.ask(10, "pin", attribute="shipping_address", value=OLD_HOME)
    assert ("pinned_over", "a steward has pinned another value at 2026-01-10T12:00:10Z") in lost(
        told, "shipping_address"
    )


def flips(told: Told, attribute: str) -> dict[str, dict[str, Any]]:
    """The smallest change of each loser, by record."""
    return {one["record"]: one["flip"] for one in explained(told)["attributes"][attribute]["losers"]}


def test_each_loser_says_the_smallest_change_that_would_make_it_win() -> None:
    told = Told()
    told.values("crm:r1", 0, shipping_address=(OLD_HOME, 0.5), first_name="Ann")
    told.values("storefront:s1", 5, shipping_address=(HOME, 0.95), first_name="Anna")
    told.values("esp:e1", 5, shipping_address=PARTIAL)

    address = flips(told, "shipping_address")
    assert address["crm:r1"] == {
        "words": "crm:r1 would win if storefront:s1 withdrew its value, and with confidence >= 0.80",
        "withdraw": ["storefront:s1"],
        "verdict": {"confidence": 0.8},
    }
    assert address["esp:e1"]["state"] == {
        "value": "full",
        "confidence": 0.8,
        "missing": ["line1", "country", "postal_code"],
    }
    assert flips(told, "first_name")["crm:r1"] == {
        "words": "crm:r1 would win with another value stated after 2026-01-10T12:00:05Z",
        "state": {"value": "another", "after": "2026-01-10T12:00:05Z"},
    }


def test_a_platform_of_larger_rank_need_only_be_as_late_and_a_pin_must_be_taken_back_first() -> None:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann", phone=PHONE)
    told.values("esp:e1", 5, first_name="Anna")
    told.ask(9, "pin", attribute="phone", value="+14155550101")

    assert flips(told, "first_name")["crm:r1"]["words"] == (
        "crm:r1 would win with another value stated at or after 2026-01-10T12:00:05Z"
    )
    assert flips(told, "phone")["crm:r1"] == {"words": "crm:r1 would win if phone were unpinned", "unpin": "phone"}


def test_an_undeliverable_address_needs_another_verdict_and_a_withdrawn_value_a_new_statement() -> None:
    told = Told()
    told.values("crm:r1", 2, shipping_address=(OLD_HOME, 0.9), first_name="Ann")
    judged(told, 3, "crm:r1", confidence=0.9, deliverable=False)
    told.say("crm:r1", 4, attributes={"first_name": {"retract": True}})

    assert flips(told, "first_name")["crm:r1"]["state"] == {"value": "any", "after": "2026-01-10T12:00:04Z"}
    told.values("storefront:s1", 1, shipping_address=(HOME, 0.95))
    assert flips(told, "shipping_address")["crm:r1"] == {
        "words": (
            "crm:r1 would win if storefront:s1 withdrew its value, "
            "and with a verdict that it can be delivered to and confidence >= 0.80"
        ),
        "withdraw": ["storefront:s1"],
        "verdict": {"confidence": 0.8, "deliverable": True},
    }


def test_each_status_of_a_winner_says_what_it_means() -> None:
    told = Told()
    told.values("crm:r1", 0, shipping_address=(OLD_HOME, 0.5), phone=PHONE)
    told.say("storefront:s1", 5, attributes={"phone": {"clear": True}})
    told.ask(6, "pin", attribute="first_name", value="Ann")
    shown = explained(told)["attributes"]

    assert {name: (one["status"], one["why"]) for name, one in shown.items()} == {
        "first_name": (
            "pinned",
            "a steward has pinned this value at 2026-01-10T12:00:06Z, and a pin wins over every claim",
        ),
        "phone": ("cleared", "of the eligible claims, it has the latest effective time, and it clears the value"),
        "shipping_address": (
            "provisional",
            "no claim is eligible (shipping_address.min_confidence is 0.80): "
            "the newest complete one is shown, and no platform is told of it",
        ),
    }


def test_every_rule_of_the_shipped_policy_is_told_in_words() -> None:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann", shipping_address=(HOME, 0.9))
    shown = explained(told)

    assert shown["policy"] == load_policy().version
    assert shown["attributes"]["first_name"]["rule"] == "the latest eligible claim wins"
    assert shown["attributes"]["shipping_address"]["rule"] == (
        "by priority: storefront, crm, esp; then the latest; only with a confidence of 0.80 or more; "
        "others are sent to validator"
    )


# Consent


def consents(told: Told, point: str = ANN) -> dict[str, Any]:
    [one] = [one for one in explained(told)["consents"] if one["contact_point"] == point]
    return dict(one)


def test_an_opt_out_names_when_where_and_how() -> None:
    told = Told()
    told.values("storefront:s1", 0, email=ANN)
    told.consent("storefront:s1", 1, "opt_in", **EXPLICIT)
    told.consent("storefront:s1", 2, "opt_out", method="unsubscribe_link")
    told.consent("crm:r1", 3, "opt_in", method="batch")
    shown = consents(told)

    assert shown["why"] == ["opted out at 2026-01-10T12:00:02Z in storefront:s1 by unsubscribe_link"]
    assert [(one["decision"], one["status"], one["why"]) for one in shown["entries"]] == [
        ("opt_in", "accepted", "counts"),
        ("opt_out", "accepted", "counts"),
        (
            "opt_in",
            "rejected_not_explicit",
            "does not count: after an opt-out or an expiry only an explicit opt-in counts, and this one is not",
        ),
    ]


@pytest.mark.parametrize(
    ("opt_in", "why"),
    [
        ({"explicit": True, "method": "form"}, "an opt-in needs evidence, and this one has none"),
        ({**EXPLICIT, "method": "import"}, "the method import is not trusted"),
    ],
)
def test_an_opt_in_that_does_not_count_names_what_it_lacks(opt_in: dict[str, Any], why: str) -> None:
    told = Told()
    told.consent("storefront:s1", 1, "opt_out")
    told.consent("storefront:s1", 2, "opt_in", **opt_in)

    assert consents(told)["entries"][-1]["why"] == f"does not count: after an opt-out or an expiry {why}"


def test_an_opt_in_without_a_time_says_so() -> None:
    told = Told()
    told.consent("storefront:s1", 1, "opt_in", at=None)
    shown = consents(told)

    assert shown["entries"][0]["why"] == "does not count: an opt-in must say when it was given"
    assert shown["why"] == ["no decision about it counts, and marketing needs an opt-in"]


def test_what_may_be_sent_to_says_who_allowed_it_and_an_expired_opt_in_when_it_ended() -> None:
    told = Told()
    told.consent("storefront:s1", 1, "opt_in", **EXPLICIT, expires_at="2026-01-10T12:00:30Z")
    assert consents(told)["why"] == ["opted in at 2026-01-10T12:00:01Z in storefront:s1 by form"]

    told.pipeline.feed("clock", None, NOON + 40_000)
    shown = consents(told)
    assert shown["why"] == ["the opt-in ended at 2026-01-10T12:00:30Z"]
    assert shown["entries"][0]["why"] == "counted until it ended at 2026-01-10T12:00:30Z"


def test_a_contact_point_of_which_nobody_has_spoken_says_so() -> None:
    told = Told()
    told.values("storefront:s1", 0, email=ANN)

    assert consents(told)["why"] == ["nobody has decided anything about it, and marketing needs an opt-in"]


def test_every_reason_not_to_send_is_told() -> None:
    told = Told()
    told.values("storefront:s1", 0, email=ANN)
    told.consent("storefront:s1", 1, "opt_in", **EXPLICIT)
    bounce = {"contact_point": ANN, "channel": "email", "reason": "hard_bounce", "active": True}
    told.say("esp:e1", 2, "C1", suppressions=[bounce | {"at": "2026-01-10T12:00:02Z"}])
    person = {"contact_point": "*", "channel": "email", "purpose": "marketing", "decision": "opt_out"}
    told.say("crm:r1", 3, "C1", consents=[person | {"at": "2026-01-10T12:00:03Z"}])

    assert consents(told)["why"] == [
        "the person as a whole has opted out of marketing by email at 2026-01-10T12:00:03Z",
        "messages bounce there: esp:e1 at 2026-01-10T12:00:02Z",
    ]


def test_a_carried_and_a_pinned_opt_out_say_where_they_come_from() -> None:
    told = Told()
    told.values("storefront:s1", 0, email=ANN)
    told.consent("storefront:s1", 1, "opt_out")
    told.values("crm:r1", 5, email="ann.new@example.com")
    assert consents(told, "ann.new@example.com")["why"] == [
        "another contact point of this person was opted out when this one appeared at 2026-01-10T12:00:05Z, "
        "and that carries over"
    ]

    told.ask(9, "pin", contact_point=ANN, channel="email", purpose="marketing", value="opt_out")
    assert consents(told)["why"] == ["a steward has pinned the opt-out at 2026-01-10T12:00:09Z"]


# What holds a record back


def held(told: Told, second: int = 60) -> dict[tuple[str, str], tuple[str, Any, str]]:
    return {
        (one["record"], one["what"]): (one["state"], one["value"], one["why"])
        for one in explained(told, second)["open"]
    }


def test_a_command_in_flight_is_shown_with_its_value_until_its_receipt() -> None:
    told = Told(acknowledge=False)
    told.values("storefront:s1", 0, first_name="Ann")
    out = told.values("crm:r1", 5, first_name="Anna")
    why = "commanded at 2026-01-10T12:00:05Z; no receipt yet, and it is repeated every 300 s until one comes"
    assert held(told) == {("storefront:s1", "first_name"): ("in flight", "Anna", why)}
    assert [(one["platform"], one["op"]) for one in explained(told)["unanswered"]] == [("storefront", "update")]

    told.answer(out, "applied", 8)
    assert held(told) == {}
    assert explained(told)["unanswered"] == []


@pytest.mark.parametrize(
    ("outcome", "state", "begins"),
    [
        ("refused", "refused", "the platform refused it for good"),
        ("failed", "failed", "every try failed, and the command is in the dead letters"),
    ],
)
def test_a_value_that_was_not_taken_says_what_would_make_it_be_told_again(
    outcome: str, state: str, begins: str
) -> None:
    told = Told(acknowledge=False)
    told.values("storefront:s1", 0, first_name="Ann")
    told.answer(told.values("crm:r1", 5, first_name="Anna"), outcome, 8)

    found = held(told)[("storefront:s1", "first_name")]
    assert found[:2] == (state, "Anna")
    assert found[2].startswith(begins)
    assert found[2].endswith("or a steward releases it")

    told.values("crm:r1", 20, first_name="Ann")
    assert ("storefront:s1", "first_name") not in held(told)


def test_a_quarantined_value_says_how_often_it_was_contradicted() -> None:
    told = Told()
    told.say("crm:r1", 0, "C1")
    told.ask(1, "pin", attribute="phone", value=PHONE)
    for second in (10, 20, 30):
        told.values("crm:r1", second, phone=f"+141555501{second}")

    assert held(told)[("crm:r1", "phone")] == (
        "quarantined",
        PHONE,
        "the platform contradicted it 2 times within 3600 s; "
        "it is told again once golden changes or a steward releases it",
    )


def test_a_claim_that_waits_says_for_whom_and_until_when() -> None:
    told = Told(acknowledge=False)
    told.values("crm:r1", 5, shipping_address=(OLD_HOME, 0.5))

    assert held(told)[("crm:r1", "shipping_address")] == (
        "waits for its verdict",
        OLD_HOME,
        "sent to validator at 2026-01-10T12:00:05Z; until its verdict, at the latest 2026-01-11T12:00:05Z, "
        "the record is not told a different value",
    )
    assert held(told, 90_000) == {}
    assert [one["op"] for one in explained(told)["unanswered"]] == ["validate"]


def test_a_consent_in_flight_names_the_contact_point_and_the_decision() -> None:
    told = Told(acknowledge=False)
    told.values("esp:e1", 0, email=ANN)
    told.consent("storefront:s1", 5, "opt_out")

    state, value, _ = held(told)[("esp:e1", f"{ANN} email marketing")]
    assert (state, value) == ("in flight", "opt_out")
    told_of = [one["consents"] for one in explained(told)["unanswered"] if one["platform"] == "esp"]
    assert [f"{ANN} email marketing"] in told_of
