"""What is told, when, under which id, and when not (R9, R12-R15)."""

from __future__ import annotations

import pytest

from tests.property.vocabulary import receipt
from tests.unit.core.story import ANN, EXPLICIT, HOME, WORK, Story, kinds, orders, policy, updates

P = "+1415555010"
CREATES = policy({"platforms": {"esp": {"create": True}}})


# R9 validation


def test_a_claim_below_its_threshold_is_validated_once_per_record_and_input() -> None:
    story = Story("crm:1")
    first = story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    story.say("crm:1", 10, shipping_address=(WORK, 0.5))
    again = story.say("crm:1", 20, shipping_address=({**HOME, "line1": "233 s wacker dr."}, 0.5))
    other = story.say("esp:7", 30, shipping_address=(HOME, 0.5))

    assert [len(one.commands) for one in (first, again, other)] == [1, 0, 1]
    assert [one.record_id for one in (first.commands[0], other.commands[0])] == ["crm:1", "esp:7"]
    assert first.commands[0].platform == "validator"


def test_a_losing_claim_is_validated_too() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, shipping_address=(HOME, 0.9))

    output = story.say("crm:1", 10, shipping_address=(WORK, 0.5))

    assert updates(output) == {"validate": {"shipping_address": WORK["line1"]}}


def test_a_provisional_value_is_golden_and_told_to_nobody() -> None:
    story = Story("crm:1", "esp:7")

    output = story.say("crm:1", 0, shipping_address=(HOME, 0.5))

    assert story.detail("shipping_address")["status"] == "provisional"
    assert [one.op for one in output.commands] == ["validate"]


def test_a_verdict_that_came_before_its_claim_annotates_it_and_nothing_is_asked() -> None:
    story = Story("crm:1", "esp:7")
    unmatched = story.judge("crm:1", 0, HOME, 0.95)

    output = story.say("crm:1", 10, shipping_address=(HOME, 0.5))

    assert kinds(unmatched) == ["verdict_unmatched"]
    assert updates(output) == {"esp:7": {"shipping_address": HOME["line1"]}}


def test_of_two_verdicts_on_one_input_the_later_holds_whatever_the_order() -> None:
    for verdicts in ([(100, 0.9), (200, 0.1)], [(200, 0.1), (100, 0.9)]):
        story = Story("crm:1")
        story.say("crm:1", 0, shipping_address=(HOME, 0.5))
        for at, confidence in verdicts:
            story.judge("crm:1", at, HOME, confidence)

        assert story.claim("crm:1", "shipping_address").confidence == 0.1


def test_a_verdict_on_another_records_claim_changes_nothing_there() -> None:
    story = Story("crm:1", "esp:7")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    story.say("esp:7", 10, shipping_address=(HOME, 0.5))

    story.judge("esp:7", 20, HOME, 0.95)

    assert story.claim("crm:1", "shipping_address").confidence == 0.5
    assert story.detail("shipping_address")["record"] == "esp:7"


def test_an_undeliverable_claim_is_never_golden_though_its_confidence_would_do() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, shipping_address=(HOME, 0.9))
    story.say("crm:1", 10, shipping_address=(WORK, 0.9))

    story.judge("crm:1", 20, WORK, 0.99, deliverable=False)

    assert story.golden("shipping_address") == HOME
    assert story.losers("shipping_address") == {"crm:1": "undeliverable"}


# R12 waiting


def test_while_a_claim_waits_for_its_verdict_its_own_record_is_told_nothing_else() -> None:
    story = Story("crm:1", "esp:7")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))

    output = story.say("storefront:9", 10, shipping_address=(WORK, 0.9))

    assert updates(output) == {"esp:7": {"shipping_address": WORK["line1"]}}


def test_when_the_verdict_does_not_come_in_time_the_record_is_told() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    story.say("storefront:9", 10, shipping_address=(WORK, 0.9))

    early, late = story.wait(86_400), story.wait(86_401)

    assert early.commands == []
    assert updates(late) == {"crm:1": {"shipping_address": WORK["line1"]}}


def test_a_claim_that_is_replaced_waits_no_longer() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    story.say("storefront:9", 10, shipping_address=(WORK, 0.9))

    output = story.say("crm:1", 20, shipping_address={"retract": True})

    assert updates(output) == {"crm:1": {"shipping_address": WORK["line1"]}}


def test_a_pin_is_told_also_to_a_record_whose_claim_waits() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))

    output = story.ask(10, "pin", attribute="shipping_address", value=WORK)

    assert updates(output) == {"crm:1": {"shipping_address": WORK["line1"]}}


# R12 in flight, refused, failed


def test_a_value_in_flight_is_not_commanded_again() -> None:
    story = Story("crm:1", acknowledge=False)
    story.say("storefront:9", 0, phone=f"{P}1")

    output = story.say("storefront:9", 10, first_name="Ann")

    assert updates(output) == {"crm:1": {"first_name": "Ann"}}


def test_a_command_in_flight_is_emitted_again_with_its_id_when_its_cause_is_read_again() -> None:
    story = Story("crm:1", acknowledge=False)
    first = story.hear("storefront:9", 0, attributes={"phone": {"value": f"{P}1"}}, change_id="cause")

    again = story.hear("storefront:9", 0, attributes={"phone": {"value": f"{P}1"}}, change_id="cause")

    assert again.commands == first.commands


def test_a_command_in_flight_is_emitted_again_after_the_interval_and_not_before() -> None:
    story = Story("crm:1", acknowledge=False)
    first = story.say("storefront:9", 0, phone=f"{P}1")

    early, due, soon = story.wait(300), story.wait(301), story.wait(400)

    assert (early.commands, due.commands, soon.commands) == ([], first.commands, [])


def test_an_answered_command_is_not_emitted_again() -> None:
    story = Story("crm:1", acknowledge=False)
    first = story.say("storefront:9", 0, phone=f"{P}1")
    story.answer(first, "applied", 5)

    assert story.wait(900).commands == []


def test_another_statement_of_the_platform_ends_the_flight() -> None:
    story = Story("crm:1", acknowledge=False)
    story.say("storefront:9", 100, phone=f"{P}1")

    output = story.say("crm:1", 50, 101, phone=f"{P}5")
    repeated = story.say("crm:1", 105, 106, phone=f"{P}5")

    assert (updates(output), updates(repeated)) == ({"crm:1": {"phone": f"{P}1"}}, {})


@pytest.mark.parametrize("outcome", ["refused", "failed"])
def test_a_refused_or_failed_value_is_not_sent_again_until_golden_differs(outcome: str) -> None:
    story = Story("crm:1", acknowledge=False)
    story.answer(story.say("storefront:9", 0, phone=f"{P}1"), outcome, 5)

    quiet = story.say("storefront:9", 10, first_name="Ann")
    changed = story.say("storefront:9", 20, phone=f"{P}2")
    back = story.say("storefront:9", 30, phone=f"{P}1")

    assert [updates(one)["crm:1"] for one in (quiet, changed, back)] == [
        {"first_name": "Ann"},
        {"phone": f"{P}2"},
        {"phone": f"{P}1"},
    ]


def test_a_refused_value_is_sent_again_when_the_platform_states_another() -> None:
    story = Story("crm:1", acknowledge=False)
    story.answer(story.ask(0, "pin", attribute="phone", value=f"{P}1"), "refused", 5)

    output = story.say("crm:1", 10, phone=f"{P}5")

    assert updates(output) == {"crm:1": {"phone": f"{P}1"}}


def test_a_refused_value_is_sent_again_when_a_steward_releases_it() -> None:
    story = Story("crm:1", acknowledge=False)
    first = story.say("storefront:9", 0, phone=f"{P}1")
    story.answer(first, "refused", 5)

    output = story.ask(10, "release", record="crm:1", attribute="phone")

    assert updates(output) == {"crm:1": {"phone": f"{P}1"}}
    assert output.commands[0].command_id != first.commands[0].command_id


def test_a_failed_command_that_is_applied_from_the_dead_letters_after_all_moves_the_shadow() -> None:
    story = Story("crm:1", acknowledge=False)
    first = story.say("storefront:9", 0, phone=f"{P}1")
    story.answer(first, "failed", 5)

    story.answer(first, "applied", 500)

    assert story.shadow("crm:1", "phone") == f"{P}1"


def test_a_refused_opt_out_is_told_again_after_the_customer_changed_their_mind_twice() -> None:
    story = Story("storefront:9", acknowledge=False)
    story.say("crm:1", 0, email=ANN)
    story.answer(story.consents("storefront:9", 10, "opt_out", method="form"), "refused", 15)
    story.answer(story.consents("storefront:9", 20, "opt_in", **EXPLICIT), "applied", 25)

    output = story.consents("storefront:9", 30, "opt_out", method="form")

    assert orders(output) == [("crm:1", ANN, "opt_out")]


def test_an_answer_that_comes_twice_is_told_from_one_that_fits_nothing() -> None:
    story = Story("crm:1", acknowledge=False)
    first = story.say("storefront:9", 0, phone=f"{P}1")
    story.answer(first, "applied", 5)

    output = story.answer(first, "applied", 6)

    assert kinds(output) == ["receipt_repeated"]


@pytest.mark.parametrize(("most", "told"), [(1, True), (9, False)])
def test_a_command_that_is_too_many_to_keep_is_no_longer_in_flight(most: int, told: bool) -> None:
    story = Story("crm:1", "esp:7", rules=policy({"limits": {"unanswered_max": most}}), acknowledge=False)
    story.say("crm:1", -10, phone=f"{P}5")
    story.ask(0, "pin", attribute="phone", value=f"{P}1")

    output = story.say("crm:1", 10, phone=f"{P}5")

    assert ("crm:1" in updates(output)) is told


# R12 create


def test_a_platform_that_creates_gets_a_record_once_golden_has_a_contact_point() -> None:
    story = Story(rules=CREATES)
    nothing = story.say("storefront:9", 0, first_name="Ann")

    output = story.say("storefront:9", 10, email=ANN)

    assert nothing.commands == []
    assert updates(output) == {"create": {"email": ANN, "first_name": "Ann"}}


def test_a_create_in_flight_is_not_repeated_and_the_new_record_is_told_what_came_meanwhile() -> None:
    story = Story(rules=CREATES, acknowledge=False)
    created = story.say("storefront:9", 0, email=ANN).commands[0]
    meanwhile = story.say("storefront:9", 10, first_name="Ann")

    output = story.take(receipt(created, "applied", 20, record_id="77"))

    assert meanwhile.commands == []
    assert updates(output) == {"esp:77": {"first_name": "Ann"}}


def test_a_refused_create_is_tried_again_when_golden_differs() -> None:
    story = Story(rules=CREATES, acknowledge=False)
    story.answer(story.say("storefront:9", 0, email=ANN), "refused", 5)

    output = story.say("storefront:9", 10, email="lee@example.com")

    assert updates(output) == {"create": {"email": "lee@example.com"}}


def test_a_create_that_was_applied_without_naming_its_record_is_not_repeated() -> None:
    story = Story(rules=CREATES, acknowledge=False)
    created = story.say("storefront:9", 0, email=ANN).commands[0]
    story.take(receipt(created, "applied", 5, record_id=None))

    output = story.say("storefront:9", 10, email="lee@example.com")

    assert output.commands == []


# R13 version and id


def test_the_version_grows_by_one_for_each_input_that_changes_golden_and_by_none_for_others() -> None:
    story = Story("crm:1")
    versions = []
    for at, said in ((0, {"phone": f"{P}1", "first_name": "Ann"}), (10, {"phone": f"{P}1"}), (20, {"phone": f"{P}2"})):
        story.say("storefront:9", at, **said)
        versions.append(story.state().version)
    story.consents("storefront:9", 30, "opt_out", method="form")
    versions.append(story.state().version)

    assert versions == [1, 1, 2, 3]


def test_another_notation_of_the_golden_value_is_no_new_version() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 0, billing_address=HOME)
    version = story.state().version

    story.say("crm:1", 10, billing_address={**HOME, "line1": "233 S. WACKER DR".replace(".", "")})

    assert story.state().version == version


def test_a_second_repair_of_the_same_value_is_a_command_of_its_own() -> None:
    story = Story("crm:1")
    story.ask(0, "pin", attribute="phone", value=f"{P}1")
    story.say("crm:1", 10, phone=f"{P}5")
    story.say("crm:1", 20, phone=f"{P}6")

    ids = [one.command_id for one in story.commands if one.platform == "crm"]
    assert len(ids) == len(set(ids)) == 2 + (story.slot("crm:1", "phone").quarantined is None)


def test_a_replay_from_the_start_yields_the_same_ids() -> None:
    stories = [Story("crm:1", "esp:7") for _ in range(2)]
    for story in stories:
        for at, phone in ((0, f"{P}1"), (10, f"{P}2"), (20, f"{P}1")):
            story.hear("storefront:9", at, attributes={"phone": {"value": phone}}, change_id=f"E{at}")

    one, other = ([command.command_id for command in story.commands] for story in stories)
    assert one == other
    assert len(set(one)) == 6


# R15 breaker


def contradict(story: Story, times: int, start: float = 10, every: float = 10) -> list[bool]:
    """Say another phone each time; whether each was corrected."""
    return [
        story.say("crm:1", start + place * every, phone=f"+1415555011{place}").commands != [] for place in range(times)
    ]


def pinned() -> Story:
    story = Story("crm:1")
    story.ask(0, "pin", attribute="phone", value=f"{P}1")
    return story


def test_a_value_contradicted_twice_within_the_window_is_quarantined_with_an_alert() -> None:
    story = pinned()

    assert contradict(story, 4) == [True, False, False, False]
    assert [note.kind for note in story.notes].count("ping_pong") == 1


def test_commands_outside_the_window_do_not_count() -> None:
    assert contradict(pinned(), 4, start=10, every=3700) == [True, True, True, True]


def test_a_quarantined_value_is_free_again_when_golden_has_another() -> None:
    story = pinned()
    contradict(story, 3)

    output = story.ask(100, "pin", attribute="phone", value=f"{P}2")

    assert updates(output) == {"crm:1": {"phone": f"{P}2"}}


def test_a_steward_releases_a_quarantined_value_and_the_count_starts_anew() -> None:
    story = pinned()
    contradict(story, 3)

    output = story.ask(100, "release", record="crm:1", attribute="phone")

    assert updates(output) == {"crm:1": {"phone": f"{P}1"}}
    assert contradict(story, 2, start=200) == [True, False]


def test_the_breaker_of_one_record_holds_no_other_back() -> None:
    story = Story("crm:1", "esp:7")
    story.ask(0, "pin", attribute="phone", value=f"{P}1")
    contradict(story, 3)

    output = story.say("esp:7", 100, phone=f"{P}8")

    assert updates(output) == {"esp:7": {"phone": f"{P}1"}}


def test_an_opt_out_is_never_quarantined_but_repeated_once_per_interval_and_alerted() -> None:
    story = Story("crm:1")
    story.consents("storefront:9", 0, "opt_out", method="form")
    told = [orders(story.consents("crm:1", at, "opt_in", method="import")) != [] for at in range(10, 70, 10)]
    waited = [orders(story.wait(at)) != [] for at in (200, 320, 321)]

    assert told == [True, True, False, False, False, False]
    assert waited == [False, False, True]
    assert "ping_pong" in kinds_of(story)


def kinds_of(story: Story) -> set[str]:
    return {note.kind for note in story.notes}
