"""What is decided, what may be sent, and who is told (C1-C9, D1, D2)."""

from __future__ import annotations

import pytest

from streams.model import format_time
from tests.property.vocabulary import stamp
from tests.unit.core.story import ANN, EXPLICIT, LEE, P0, SMS, Story, consent, kinds, orders, policy

DOUBLE = policy({"consent": {"double_opt_in": True}})
LENIENT = policy({"consent": {"purposes": {"service": {"requires_opt_in": False}}}})


def state(story: Story, point: str = ANN, purpose: str = "marketing", channel: str = "") -> str:
    return str(story.consent(point, channel or ("sms" if point.startswith("+") else "email"), purpose)["state"])


def statuses(story: Story) -> list[str]:
    return [row.status for row in story.ledger]


# C1, C2


def test_contact_points_are_canonical_so_two_notations_are_one_key() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", " Ann@Example.COM ", **EXPLICIT)
    story.consents("crm:1", 10, "opt_out", ANN, method="form")

    assert state(story) == "opted_out"


def test_the_same_entry_delivered_again_is_one_entry() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", **EXPLICIT)

    output = story.consents("crm:1", 50, "opt_in", **{**EXPLICIT, "at": 0})

    assert output.ledger == []


def test_at_equal_time_the_opt_out_wins_whichever_comes_first() -> None:
    for decisions in (("opt_in", "opt_out"), ("opt_out", "opt_in")):
        story = Story("crm:1", "esp:7")
        for record, decision in zip(("crm:1", "esp:7"), decisions, strict=True):
            story.consents(record, 100, decision, **EXPLICIT)

        assert state(story) == "opted_out"


def test_entries_are_folded_in_order_of_their_time_not_of_their_arrival() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 100, "opt_out", method="form")
    story.consents("crm:1", 50, "opt_in", ingested=200, **EXPLICIT)

    assert state(story) == "opted_out"


def test_a_snapshot_is_the_initial_load_only_where_the_key_has_no_entry() -> None:
    story = Story("crm:1", "esp:7")
    first = story.consents("crm:1", 0, "opt_in", kind="snapshot", method="import")

    again = story.consents("esp:7", 10, "opt_in", kind="snapshot", method="import")

    assert [row.status for row in first.ledger] == ["accepted"]
    assert again.ledger == []


@pytest.mark.parametrize("decision, expected", [("opt_in", "opted_in"), ("opt_out", "opted_out")])
def test_an_export_that_never_says_when_hides_no_other_initial_load(decision: str, expected: str) -> None:
    story = Story("crm:1", "esp:7")
    story.consents("crm:1", 0, "opt_in", kind="snapshot", at=None)

    story.consents("esp:7", 10, decision, kind="snapshot", **EXPLICIT)

    assert state(story) == expected


def test_an_opt_out_that_an_export_has_stored_is_not_lost_because_the_export_of_before_had_no_time() -> None:
    story = Story("crm:1", "esp:7")
    story.consents("crm:1", 0, "opt_in", kind="snapshot", at=None)
    story.consents("crm:1", 100, "opt_out", kind="snapshot")

    output = story.consents("esp:7", 200, "opt_in", method="checkbox")

    assert [row.status for row in output.ledger] == ["rejected_not_explicit"]
    assert state(story) == "opted_out"


# C3


@pytest.mark.parametrize(
    "act",
    [
        {"explicit": False, "method": "checkbox", "evidence": {"form": "f1"}},
        {"explicit": True, "method": "checkbox"},
        {"explicit": True, "method": "checkbox", "evidence": {}},
        {"explicit": True, "method": "import", "evidence": {"form": "f1"}},
        {"explicit": True, "evidence": {"form": "f1"}},
    ],
    ids=["not explicit", "no evidence", "empty evidence", "untrusted method", "no method"],
)
def test_after_an_opt_out_only_an_explicit_act_with_evidence_and_a_trusted_method_counts(act: dict) -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_out", method="form")

    output = story.consents("crm:1", 100, "opt_in", **act)

    assert [row.status for row in output.ledger] == ["rejected_not_explicit"]
    assert state(story) == "opted_out"


def test_an_opt_in_without_a_time_is_kept_and_never_counts() -> None:
    story = Story("crm:1")

    output = story.consents("crm:1", 0, "opt_in", **{**EXPLICIT, "at": None})

    assert [row.status for row in output.ledger] == ["rejected_no_time"]
    assert state(story) == "unknown"


def test_an_opt_out_without_a_time_takes_the_kafka_timestamp() -> None:
    story = Story("crm:1")

    output = story.consents("crm:1", 0, "opt_out", ingested=70, at=None)

    assert [stamp(70)] == [format_time(row.at) for row in output.ledger]


def test_a_late_opt_out_that_reverses_a_judgement_appends_a_rejudged_row() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 100, "opt_in", method="form")

    output = story.consents("crm:1", 50, "opt_out", ingested=200, method="form")

    assert [(row.decision, row.status, row.judgement) for row in output.ledger] == [
        ("opt_out", "accepted", None),
        ("opt_in", "rejudged", "rejected_not_explicit"),
    ]
    assert state(story) == "opted_out"


def test_an_act_that_comes_before_the_clock_has_reached_an_expiry_is_judged_as_if_it_had() -> None:
    for wait in (True, False):
        story = Story("crm:1")
        story.consents("crm:1", 0, "opt_in", expires_at=220, **EXPLICIT)
        if wait:
            story.wait(221)
        story.consents("crm:1", 250, "opt_in", ingested=201, method="form")
        story.wait(1000)

        assert state(story) == "unknown"


# C4


def test_a_purpose_without_opt_in_is_sendable_until_something_forbids_it() -> None:
    story = Story("crm:1", rules=LENIENT)
    story.say("crm:1", 0, email=ANN)
    before = story.consent(ANN, purpose="service")["sendable"]

    story.consents("crm:1", 10, "opt_out", purpose="service", method="form")

    assert (before, story.consent(ANN, purpose="service")["sendable"]) == (True, False)


def test_a_person_level_opt_out_is_told_for_each_contact_point_of_the_channel() -> None:
    story = Story("crm:1")
    story.say("esp:7", 0, email=ANN, phone=SMS)
    story.consents("storefront:9", 10, "opt_in", ANN, **EXPLICIT)
    story.consents("storefront:9", 20, "opt_in", SMS, **EXPLICIT)

    output = story.consents("storefront:9", 30, "opt_out", "*", method="objection")

    assert orders(output) == [
        ("crm:1", ANN, "opt_out"),
        ("esp:7", ANN, "opt_out"),
        ("storefront:9", ANN, "opt_out"),
    ]
    assert (story.consent(ANN)["reasons"], story.consent(SMS, "sms")["sendable"]) == (["objected"], True)


def test_a_person_level_opt_out_holds_for_a_contact_point_that_comes_later() -> None:
    story = Story("crm:1")
    story.consents("storefront:9", 0, "opt_out", "*", method="objection")

    story.say("crm:1", 10, email=ANN)
    story.consents("crm:1", 20, "opt_in", ANN, **EXPLICIT)

    assert story.consent(ANN)["sendable"] is False


@pytest.mark.parametrize(("explicit", "sendable"), [(False, False), (True, True)])
def test_only_an_explicit_opt_in_of_the_person_ends_the_person_level_opt_out(explicit: bool, sendable: bool) -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", ANN, **EXPLICIT)
    story.consents("crm:1", 10, "opt_out", "*", method="objection")

    story.consents("crm:1", 20, "opt_in", "*", **{**EXPLICIT, "explicit": explicit})

    assert story.consent(ANN)["sendable"] is sendable


def test_a_person_level_opt_out_reaches_contact_points_of_channels_that_are_neither_mail_nor_phone() -> None:
    story = Story("crm:1")
    token = "device-77"
    story.consents("crm:1", 0, "opt_in", token, channel="push", **EXPLICIT)

    story.consents("crm:1", 10, "opt_out", "*", channel="push", method="objection")

    assert story.consent(token, "push")["sendable"] is False


# C5


def test_an_opt_in_never_travels_to_another_contact_point() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", ANN, **EXPLICIT)

    story.say("crm:1", 10, email=LEE)

    assert (state(story, LEE), story.consent(LEE)["sendable"]) == ("unknown", False)


def test_an_opt_out_travels_to_a_new_contact_point_dated_to_its_appearance() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.consents("crm:1", 10, "opt_out", ANN, method="form")

    output = story.say("crm:1", 20, email=LEE)

    assert [(row.contact_point, row.method, format_time(row.at)) for row in output.ledger] == [
        (LEE, "carried", stamp(20))
    ]
    assert state(story, LEE) == "opted_out"


def test_an_old_opt_out_that_arrives_late_travels_too() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.say("crm:1", 20, email=LEE)

    story.consents("crm:1", 10, "opt_out", ANN, ingested=100, method="form")

    assert state(story, LEE) == "opted_out"


def test_an_opt_out_of_a_later_day_does_not_travel_to_a_contact_point_that_was_known() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.say("crm:1", 20, email=LEE)

    story.consents("crm:1", 30, "opt_out", ANN, method="form")

    assert state(story, LEE) == "unknown"


def test_a_carried_opt_out_ends_with_an_explicit_opt_in_and_with_no_other() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.consents("crm:1", 10, "opt_out", ANN, method="form")
    story.say("crm:1", 20, email=LEE)

    story.consents("crm:1", 30, "opt_in", LEE, method="form")
    between = state(story, LEE)
    story.consents("crm:1", 40, "opt_in", LEE, **EXPLICIT)

    assert (between, state(story, LEE)) == ("opted_out", "opted_in")


def test_at_equal_time_a_carried_opt_out_loses_to_an_opt_in() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.consents("crm:1", 10, "opt_out", ANN, method="form")

    story.consents("crm:1", 20, "opt_in", LEE, **EXPLICIT)

    assert state(story, LEE) == "opted_in"


def test_an_opt_in_without_a_time_does_not_keep_a_carried_opt_out_away() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.consents("crm:1", 10, "opt_out", ANN, method="form")

    story.hear("crm:1", 20, 20, consents=[consent(20, "opt_in", LEE, at=None, method="import")])

    assert state(story, LEE) == "opted_out"


def test_a_pinned_contact_point_gets_the_carried_opt_out_too() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.consents("crm:1", 10, "opt_out", ANN, method="form")

    story.ask(20, "pin", attribute="email", value=LEE)

    assert state(story, LEE) == "opted_out"


@pytest.mark.parametrize(("pinned_at", "expected"), [(20, "opted_out"), (60, "opted_in")])
def test_an_opt_out_that_a_steward_has_pinned_travels_to_a_contact_point_that_comes_later(
    pinned_at: int, expected: str
) -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, email=ANN)
    story.ask(pinned_at, "pin", contact_point=ANN, channel="email", purpose="marketing", value="opt_out")
    story.say("crm:1", 50, email=LEE)

    story.consents("esp:7", 100, "opt_in", LEE, method="checkbox")

    assert state(story, LEE) == expected


def test_what_a_pinned_opt_out_has_carried_ends_with_the_pin() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, email=ANN)
    story.ask(20, "pin", contact_point=ANN, channel="email", purpose="marketing", value="opt_out")
    story.say("crm:1", 50, email=LEE)
    carried = state(story, LEE)
    story.ask(200, "unpin", contact_point=ANN, channel="email", purpose="marketing")

    assert (carried, state(story, LEE)) == ("opted_out", "unknown")


def test_a_contact_point_that_a_pin_set_stays_opted_out_when_the_pin_is_taken_back() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.consents("crm:1", 10, "opt_out", ANN, method="form")
    story.ask(20, "pin", attribute="email", value=LEE)
    story.ask(30, "unpin", attribute="email")

    story.consents("crm:1", 40, "opt_in", LEE, method="form")

    assert state(story, LEE) == "opted_out"


# C6


def bounce(story: Story, record: str, at: float, active: bool = True) -> None:
    said = {"contact_point": ANN, "channel": "email", "active": active, "at": stamp(at)}
    story.hear(record, at, suppressions=[said])


def test_a_hard_bounce_suppresses_without_touching_consent_and_is_told_to_nobody() -> None:
    story = Story("crm:1")
    story.say("esp:7", 0, email=ANN)
    story.consents("esp:7", 5, "opt_in", **EXPLICIT)
    told = len(story.commands)

    bounce(story, "esp:7", 10)

    assert story.consent(ANN) == {
        "contact_point": ANN,
        "channel": "email",
        "purpose": "marketing",
        "state": "opted_in",
        "sendable": False,
        "reasons": ["hard_bounce"],
    }
    assert len(story.commands) == told


@pytest.mark.parametrize(("record", "sendable"), [("esp:7", True), ("crm:1", False)])
def test_a_bounce_ends_with_the_reporting_platforms_own_word_only(record: str, sendable: bool) -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", **EXPLICIT)
    bounce(story, "esp:7", 10)

    bounce(story, record, 20, active=False)

    assert story.consent(ANN)["sendable"] is sendable


@pytest.mark.parametrize(("at", "sendable"), [(5, False), (20, True)])
def test_a_bounce_ends_with_a_later_explicit_opt_in(at: int, sendable: bool) -> None:
    story = Story("crm:1")
    bounce(story, "esp:7", 10)

    story.consents("crm:1", at, "opt_in", ingested=30, **EXPLICIT)

    assert story.consent(ANN)["sendable"] is sendable


def test_the_end_of_a_bounce_is_seen_for_every_purpose_of_the_channel() -> None:
    story = Story("crm:1", rules=LENIENT)
    story.say("crm:1", 0, email=ANN)
    bounce(story, "esp:7", 10)
    before = story.consent(ANN, purpose="service")["sendable"]

    story.consents("crm:1", 20, "opt_in", ANN, **EXPLICIT)

    assert (before, story.consent(ANN, purpose="service")["sendable"]) == (False, True)


# C8


def test_an_opt_in_expires_at_its_time_and_every_record_that_holds_it_is_told_to_opt_out() -> None:
    story = Story("crm:1")
    story.say("esp:7", 0, email=ANN)
    story.consents("storefront:9", 5, "opt_in", expires_at=100, **EXPLICIT)

    at_the_time, after = story.wait(100), story.wait(100.001)

    assert orders(at_the_time) == []
    assert orders(after) == [
        ("crm:1", ANN, "opt_out"),
        ("esp:7", ANN, "opt_out"),
        ("storefront:9", ANN, "opt_out"),
    ]
    assert [(row.decision, format_time(row.at), format_time(row.names or 0)) for row in after.ledger] == [
        ("expire", stamp(100), stamp(5))
    ]
    assert state(story) == "unknown"


def test_any_input_of_the_customer_fires_an_expiry() -> None:
    story = Story("crm:1")
    story.consents("storefront:9", 5, "opt_in", expires_at=100, **EXPLICIT)

    story.say("crm:1", 200, first_name="Ann")

    assert state(story) == "unknown"


def test_a_renewed_opt_in_is_not_ended_by_the_expiry_of_the_first() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", expires_at=100, **EXPLICIT)
    story.consents("crm:1", 50, "opt_in", expires_at=500, **EXPLICIT)

    output = story.wait(200)

    assert (state(story), output.ledger) == ("opted_in", [])


def test_a_renewal_that_arrives_after_the_expiry_but_was_made_before_it_counts() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", expires_at=100, **EXPLICIT)
    story.wait(200)

    story.consents("crm:1", 50, "opt_in", ingested=300, expires_at=500, method="form")

    assert state(story) == "opted_in"


def test_after_an_expiry_only_an_explicit_opt_in_counts() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", expires_at=100, **EXPLICIT)

    story.consents("crm:1", 200, "opt_in", method="form")
    between = state(story)
    story.consents("crm:1", 300, "opt_in", **EXPLICIT)

    assert (between, state(story)) == ("unknown", "opted_in")


def test_a_weaker_opt_in_that_expires_does_not_end_an_explicit_one_that_does_not() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", **EXPLICIT)
    story.consents("crm:1", 50, "opt_in", expires_at=100, method="form")

    output = story.wait(500)

    assert (state(story), output.ledger) == ("opted_in", [])


def test_an_import_does_not_prolong_an_opt_in_that_expires() -> None:
    story = Story("crm:1")
    story.consents("crm:1", 0, "opt_in", expires_at=100, **EXPLICIT)
    story.consents("crm:1", 50, "opt_in", method="import")

    story.wait(200)

    assert state(story) == "unknown"


def test_a_confirmed_opt_in_still_expires_at_the_time_that_was_stated_with_it() -> None:
    story = Story("crm:1", rules=DOUBLE)
    story.consents("crm:1", 0, "opt_in", expires_at=100, **EXPLICIT)
    story.consents("crm:1", 10, "confirm", **EXPLICIT)

    story.wait(200)

    assert state(story) == "unknown"


def test_a_double_opt_in_is_pending_told_to_nobody_and_not_sendable() -> None:
    story = Story("crm:1", rules=DOUBLE)
    story.say("esp:7", 0, email=ANN)

    output = story.consents("storefront:9", 10, "opt_in", **EXPLICIT)

    assert (state(story), story.consent(ANN)["sendable"], orders(output)) == ("pending", False, [])


def test_a_double_opt_in_is_confirmed_by_an_explicit_act_of_that_method_while_it_is_pending() -> None:
    story = Story("crm:1", rules=DOUBLE)
    story.consents("crm:1", 10, "opt_in", **EXPLICIT)

    story.consents("crm:1", 20, "opt_in", explicit=True, method="double_opt_in", evidence={"link": "l1"})

    assert story.consent(ANN)["sendable"] is True


def test_a_confirmation_of_nothing_is_kept_as_rejected() -> None:
    story = Story("crm:1", rules=DOUBLE)

    output = story.consents("crm:1", 20, "opt_in", explicit=True, method="double_opt_in", evidence={"link": "l1"})

    assert [row.status for row in output.ledger] == ["rejected_not_pending"]


def test_a_pending_opt_in_ends_after_its_time_to_live_and_cannot_be_confirmed_then() -> None:
    story = Story("crm:1", rules=DOUBLE)
    story.consents("crm:1", 0, "opt_in", **EXPLICIT)
    ended = story.wait(604_801)

    output = story.consents("crm:1", 604_900, "confirm", **EXPLICIT)

    assert [row.decision for row in ended.ledger] == ["expire"]
    assert [row.status for row in output.ledger] == ["rejected_not_pending"]


def test_an_opt_out_while_pending_ends_it() -> None:
    story = Story("crm:1", rules=DOUBLE)
    story.consents("crm:1", 0, "opt_in", **EXPLICIT)
    story.consents("crm:1", 10, "opt_out", method="form")

    story.consents("crm:1", 20, "confirm", **EXPLICIT)

    assert state(story) == "opted_out"


# C9


def test_a_record_is_told_of_the_contact_points_that_it_holds() -> None:
    story = Story("crm:1", "loyalty:44")
    story.say("esp:7", 0, 1, phone=SMS)

    output = story.consents("storefront:9", 10, "opt_in", ANN, **EXPLICIT)

    assert orders(output) == []


def test_an_opt_out_reaches_a_record_that_held_the_contact_point_before() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, email=ANN)
    story.say("storefront:9", 10, email=LEE)

    output = story.consents("helpdesk:h3", 20, "opt_out", ANN, method="phone_call")

    assert orders(output) == [("crm:1", ANN, "opt_out"), ("storefront:9", ANN, "opt_out")]


def test_an_opt_in_does_not_reach_a_record_that_held_the_contact_point_before() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, email=ANN)
    story.say("storefront:9", 10, email=LEE)

    output = story.consents("helpdesk:h3", 20, "opt_in", ANN, **EXPLICIT)

    assert orders(output) == []


def test_an_opt_in_by_an_untrusted_method_is_told_to_nobody() -> None:
    story = Story("crm:1")
    story.say("esp:7", 0, email=ANN)

    output = story.consents("storefront:9", 10, "opt_in", method="import")

    assert (state(story), orders(output)) == ("opted_in", [])


def test_an_untrusted_repetition_does_not_silence_the_opt_in_that_was_told() -> None:
    for untrusted_first in (False, True):
        story = Story("crm:1")
        story.say("esp:7", 0, email=ANN)
        acts = [("storefront:9", 10, "form"), ("helpdesk:h3", 20, "import")]
        for record, at, method in reversed(acts) if untrusted_first else acts:
            story.consents(record, at, "opt_in", method=method)

        assert story.held_consent("crm:1") == "opt_in"


def test_a_record_that_is_given_the_contact_point_later_is_told_its_consent() -> None:
    story = Story("storefront:9")
    story.say("storefront:9", 0, email=ANN)
    story.consents("storefront:9", 10, "opt_in", **EXPLICIT)

    output = story.hear("crm:1", 20)

    assert orders(output) == [("crm:1", ANN, "opt_in")]


def test_consent_is_told_before_the_attributes_of_the_same_step_and_apart_from_them() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, email=ANN)

    output = story.hear(
        "storefront:9",
        10,
        attributes={"first_name": {"value": "Ann"}},
        consents=[consent(10, "opt_out", ANN, method="form")],
    )

    assert [(bool(one.consents), bool(one.attributes)) for one in output.commands] == [(True, False), (False, True)]


def test_a_consent_that_repeats_our_command_without_an_act_is_an_echo_and_one_with_an_act_is_an_entry() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, email=ANN)
    story.consents("storefront:9", 10, "opt_in", **EXPLICIT)

    echo = story.consents("crm:1", 20, "opt_in", method="sync")
    act = story.consents("crm:1", 30, "opt_in", **EXPLICIT)

    assert (kinds(echo), echo.ledger) == (["echo"], [])
    assert len(act.ledger) == 1


def unsubscribed_by_our_word() -> Story:
    """The storefront has applied our opt-out; it never says how somebody unsubscribes."""
    story = Story("esp:7")
    story.say("storefront:9", 0, email=ANN)
    story.consents("esp:7", 10, "opt_out", method="unsubscribe_link")
    return story


def test_an_opt_out_after_the_platforms_own_opt_in_is_no_echo_of_the_opt_out_that_we_wrote_before() -> None:
    story = unsubscribed_by_our_word()
    story.consents("storefront:9", 1000, "opt_in", **EXPLICIT)

    output = story.consents("storefront:9", 5000, "opt_out")

    assert state(story) == "opted_out"
    assert [(row.decision, row.status) for row in output.ledger] == [("opt_out", "accepted")]
    assert [decision for _, _, decision in orders(output)] == ["opt_out"]


def test_a_late_event_of_our_opt_out_stays_an_echo_after_the_platforms_own_opt_in() -> None:
    story = unsubscribed_by_our_word()
    story.consents("storefront:9", 1000, "opt_in", **EXPLICIT)

    output = story.consents("storefront:9", 12, "opt_out", ingested=1005)

    assert (kinds(output), output.ledger, output.commands) == (["echo"], [], [])
    assert state(story) == "opted_in"


def test_an_opt_out_from_before_our_own_is_no_echo_however_late_it_comes() -> None:
    story = Story("storefront:9", "crm:1")
    story.say("esp:7", 0, email=ANN)
    story.consents("storefront:9", 10, "opt_out", ingested=5000)
    story.consents("storefront:9", 20, "opt_in", ingested=5001, **EXPLICIT)

    output = story.consents("esp:7", 30, "opt_out", ingested=5002)

    assert [(row.decision, row.status) for row in output.ledger] == [("opt_out", "accepted")]
    assert state(story) == "opted_out"


# D1, D2


def told_in(record: str = "crm:1") -> Story:
    story = Story()
    story.say(record, 0, email=ANN)
    story.say("esp:7", 1, first_name="Ann")
    story.consents("storefront:9", 10, "opt_in", **EXPLICIT)
    return story


def test_an_export_that_says_unsubscribed_after_our_last_write_is_a_missed_opt_out() -> None:
    story = told_in()

    output = story.consents("crm:1", 100, "opt_out", ingested=500, kind="snapshot", at=None)

    assert [(row.method, row.decision, format_time(row.at)) for row in output.ledger] == [
        ("reconcile", "opt_out", stamp(100))
    ]
    assert orders(output) == [("esp:7", ANN, "opt_out"), ("storefront:9", ANN, "opt_out")]


def test_a_missed_opt_out_has_the_platforms_own_time_where_it_states_one() -> None:
    output = told_in().consents("crm:1", 100, "opt_out", kind="snapshot", at=50)

    assert [format_time(row.at) for row in output.ledger] == [stamp(50)]


def test_an_export_from_before_our_last_write_is_no_missed_opt_out() -> None:
    story = told_in()

    output = story.consents("crm:1", 5, "opt_out", ingested=500, kind="snapshot", at=None)

    assert (state(story), output.ledger) == ("opted_in", [])


def test_an_export_that_dates_the_opt_out_after_our_last_write_was_taken_after_it_whatever_its_own_time() -> None:
    story = told_in()

    output = story.consents("crm:1", 5, "opt_out", ingested=500, kind="snapshot", at=100)

    assert [(row.method, format_time(row.at)) for row in output.ledger] == [("reconcile", stamp(100))]
    assert state(story) == "opted_out"


def test_what_we_knew_the_platform_to_say_is_no_missed_opt_out() -> None:
    story = Story()
    story.consents("helpdesk:h3", 0, "opt_out", method="form")
    story.consents("storefront:9", 10, "opt_in", **EXPLICIT)

    output = story.consents("helpdesk:h3", 100, "opt_out", kind="snapshot", at=None)

    assert (state(story), output.ledger) == ("opted_in", [])


def test_a_second_missed_opt_out_counts_like_the_first() -> None:
    story = told_in()
    story.consents("crm:1", 100, "opt_out", kind="snapshot", at=None)
    story.consents("storefront:9", 200, "opt_in", **EXPLICIT)

    story.consents("crm:1", 300, "opt_out", kind="snapshot", at=None)

    assert state(story) == "opted_out"


def test_subscribed_there_and_opted_out_here_is_corrected_without_an_entry() -> None:
    story = told_in()
    story.consents("storefront:9", 100, "opt_out", method="form")

    output = story.consents("crm:1", 200, "opt_in", kind="snapshot", at=None)

    assert (orders(output), output.ledger) == ([("crm:1", ANN, "opt_out")], [])
    assert [one.reason for one in output.commands] == ["reconcile"]


def test_no_opt_in_is_commanded_because_of_an_export() -> None:
    story = told_in()

    output = story.hear(
        "loyalty:44",
        100,
        kind="snapshot",
        attributes={"email": {"value": ANN}},
        consents=[consent(100, "opt_out", LEE, at=None)],
    )

    assert [one for one in orders(output) if one[2] == "opt_in"] == []


def test_consent_can_be_pinned_to_opted_out_and_the_pin_ends_with_unpin() -> None:
    story = told_in()
    key = {"contact_point": ANN, "channel": "email", "purpose": "marketing"}

    pinned = story.ask(100, "pin", value="opt_out", **key)
    while_pinned = story.consent(ANN)
    story.ask(200, "unpin", **key)

    assert orders(pinned) == [
        ("crm:1", ANN, "opt_out"),
        ("esp:7", ANN, "opt_out"),
        ("storefront:9", ANN, "opt_out"),
    ]
    assert (while_pinned["state"], while_pinned["reasons"]) == ("opted_out", ["pinned"])
    assert state(story) == "opted_in"
    assert P0.consent.double_opt_in is False
