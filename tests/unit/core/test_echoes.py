"""Own writes are never claims; a shadow is a register (R11, R11a)."""

from __future__ import annotations

import pytest

from tests.property.vocabulary import receipt
from tests.unit.core.story import HOME, WORK, Story, kinds, policy, updates

P = "+1415555010"


def told_crm(acknowledge: bool = True) -> Story:
    """The storefront said phone 1 at 100; crm, which had stated nothing, was told so."""
    story = Story("crm:1", acknowledge=acknowledge)
    story.say("storefront:9", 100, phone=f"{P}1")
    return story


# R11 echoes


@pytest.mark.parametrize("notation", ["+14155550101", "(415) 555-0101", "415.555.0101", "1-415-555-0101"])
def test_our_value_in_any_notation_is_an_echo(notation: str) -> None:
    output = told_crm().say("crm:1", 105, phone=notation)

    assert (kinds(output), output.commands) == (["echo"], [])


def test_a_marked_echo_makes_no_claim_even_of_a_value_that_was_never_commanded() -> None:
    story = told_crm()

    output = story.hear("crm:1", 105, origin="writeback", attributes={"phone": {"value": f"{P}7"}})

    assert story.slot("crm:1", "phone").newest is None
    assert updates(output) == {"crm:1": {"phone": f"{P}1"}}


def test_our_value_is_no_echo_once_the_platform_has_stated_another() -> None:
    story = told_crm()
    story.say("crm:1", 150, phone=f"{P}2")

    output = story.say("crm:1", 200, phone=f"{P}1")

    assert "echo" not in kinds(output)
    assert story.detail("phone")["record"] == "crm:1"


def test_an_echo_that_arrives_late_but_happened_before_the_edit_is_still_an_echo() -> None:
    story = told_crm()
    story.say("crm:1", 150, phone=f"{P}2")

    output = story.say("crm:1", 110, 200, phone=f"{P}1")

    assert (kinds(output), output.commands) == (["echo"], [])
    assert story.golden("phone") == f"{P}2"


@pytest.mark.parametrize(("at", "echo"), [(4700, True), (4699, False)])
def test_what_the_platform_said_before_our_write_is_its_own_however_late_it_comes(at: int, echo: bool) -> None:
    story = Story("crm:1")
    story.say("storefront:9", 100, 5000, phone=f"{P}1")

    output = story.say("crm:1", at, 5001, phone=f"{P}1")
    story.say("storefront:9", 200, 5002, phone=f"{P}2")

    assert ("echo" in kinds(output)) is echo
    assert story.golden("phone") == (f"{P}2" if echo else f"{P}1")


@pytest.mark.parametrize(("at", "echo"), [(501, True), (502, False)])
def test_an_older_write_is_an_echo_until_the_tolerance_after_the_next_acknowledgement(at: int, echo: bool) -> None:
    story = told_crm()
    story.say("storefront:9", 200, phone=f"{P}2")

    output = story.say("crm:1", at, phone=f"{P}1")

    assert ("echo" in kinds(output)) is echo


def test_an_older_write_stays_an_echo_while_the_next_is_not_acknowledged() -> None:
    story = told_crm(acknowledge=False)
    story.say("storefront:9", 200, phone=f"{P}2")

    output = story.say("crm:1", 5000, phone=f"{P}1")

    assert kinds(output) == ["echo"]


def test_writes_that_wait_for_their_receipts_are_remembered_however_long_it_takes() -> None:
    story = Story("crm:1", acknowledge=False)
    for place in range(7):
        story.say("storefront:9", place * 4000, phone=f"{P}{place}")

    output = story.say("crm:1", 1, 40_000, phone=f"{P}0")

    assert kinds(output) == ["echo"]


def test_the_last_four_writes_are_remembered_for_exports_however_old_they_are() -> None:
    story = Story("crm:1")
    for place in range(5):
        story.say("storefront:9", place * 86_400, phone=f"{P}{place}")

    outputs = [story.export("crm:1", 900_000 + place, phone=f"{P}{place}") for place in range(5)]

    assert [kinds(one)[:1] for one in outputs] == [[], ["echo"], ["echo"], ["echo"], ["echo"]]


def test_an_export_of_an_older_write_is_an_echo_and_is_corrected() -> None:
    story = told_crm()
    story.say("storefront:9", 200, phone=f"{P}2")

    output = story.export("crm:1", 9000, phone=f"{P}1")

    assert kinds(output) == ["echo"]
    assert updates(output) == {"crm:1": {"phone": f"{P}2"}}


def test_a_clear_that_we_commanded_comes_back_as_an_echo() -> None:
    story = told_crm()
    story.say("storefront:9", 200, phone={"clear": True})

    output = story.say("crm:1", 205, phone={"clear": True})

    assert (kinds(output), output.commands) == (["echo"], [])


def test_a_clear_stated_twice_is_a_reassertion() -> None:
    story = told_crm()
    story.say("storefront:9", 200, phone={"clear": True})

    output = story.say("storefront:9", 300, phone={"clear": True})

    assert kinds(output) == ["reassertion"]


def test_a_value_cut_by_a_declared_quirk_is_an_echo() -> None:
    quirks = {"platforms": {"crm": {"quirks": {"first_name": {"max_length": 4, "case": "ignore"}}}}}
    story = Story("crm:1", rules=policy(quirks))
    story.say("storefront:9", 100, first_name="Annabel")

    output = story.say("crm:1", 105, first_name="ANNA")

    assert (kinds(output), output.commands) == (["echo"], [])


def test_what_a_record_was_created_with_comes_back_as_an_echo() -> None:
    story = Story("storefront:9", rules=policy({"platforms": {"esp": {"create": True}}}), acknowledge=False)
    created = story.say("storefront:9", 100, email="ann@example.com", first_name="Ann").commands[0]
    story.take(receipt(created, "applied", 110, record_id="77"))

    output = story.say("esp:77", 111, email="Ann@Example.com", first_name="Ann")

    assert (kinds(output), output.commands) == (["echo", "echo"], [])
    assert story.detail("email")["record"] == "storefront:9"


# R11a shadows


def test_a_late_event_does_not_drag_the_shadow_back() -> None:
    story = told_crm()

    output = story.say("crm:1", 50, 300, phone=f"{P}5")

    assert story.shadow("crm:1", "phone") == f"{P}1"
    assert output.commands == []


def test_an_export_is_as_new_as_its_kafka_timestamp() -> None:
    story = told_crm()

    output = story.export("crm:1", 50, 300, phone=f"{P}5")

    assert updates(output) == {"crm:1": {"phone": f"{P}1"}}


def test_at_equal_time_the_acknowledgement_is_the_shadow() -> None:
    story = told_crm(acknowledge=False)
    command = story.commands[-1]
    story.say("crm:1", 90, 120, phone=f"{P}5")

    story.take(receipt(command, "applied", 90))

    assert story.shadow("crm:1", "phone") == f"{P}1"


def test_acknowledgements_are_ordered_by_version_and_not_by_clock() -> None:
    story = told_crm(acknowledge=False)
    story.say("storefront:9", 200, phone=f"{P}2")
    first, second = story.commands
    story.take(receipt(second, "applied", 210))

    output = story.take(receipt(first, "applied", 900))

    assert story.shadow("crm:1", "phone") == f"{P}2"
    assert output.commands == []


def test_an_acknowledgement_is_no_earlier_than_the_shadow_it_was_compared_with() -> None:
    story = Story("crm:1", acknowledge=False)
    story.say("crm:1", 250, phone=f"{P}5")
    story.say("storefront:9", 300, phone=f"{P}1")

    output = story.answer_last("applied", 100)

    assert story.shadow("crm:1", "phone") == f"{P}1"
    assert output.commands == []


def test_a_statement_from_before_a_command_that_was_issued_late_does_not_contradict_it() -> None:
    story = Story("crm:1")
    story.say("crm:1", 150, phone=f"{P}5")
    story.say("storefront:9", 200, 101, phone=f"{P}1")

    story.say("crm:1", 150, phone=f"{P}5")
    output = story.say("crm:1", 160, phone=f"{P}1")

    assert kinds(output) == ["echo"]


def test_a_deleted_record_holds_nothing_whenever_its_last_command_was_acknowledged() -> None:
    story = told_crm()

    story.hear("crm:1", 100, 102, op="delete")

    assert story.shadow("crm:1", "phone") == "unknown"


def test_a_receipt_that_comes_after_the_deletion_brings_no_shadow_back() -> None:
    story = told_crm(acknowledge=False)
    command = story.commands[-1]
    story.hear("crm:1", 110, op="delete")

    story.take(receipt(command, "applied", 120))

    assert story.shadow("crm:1", "phone") == "unknown"


def test_a_record_that_comes_back_after_its_deletion_is_told_everything() -> None:
    story = told_crm()
    story.hear("crm:1", 110, op="delete")

    output = story.say("crm:1", 200, first_name="Ann")

    assert updates(output)["crm:1"] == {"phone": f"{P}1"}


def test_a_late_deletion_from_before_the_record_spoke_again_lets_it_be_told_what_it_lost() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 10, phone=f"{P}1")
    story.say("crm:1", 300, first_name="Ann")

    output = story.hear("crm:1", 200, 301, op="delete")

    assert updates(output) == {"crm:1": {"phone": f"{P}1"}}


def test_a_whole_address_is_an_echo_when_only_its_zip_has_four_more_digits() -> None:
    story = Story("crm:1")
    story.say("storefront:9", 100, shipping_address=(HOME, 0.9))

    output = story.say("crm:1", 105, shipping_address={**HOME, "postal_code": "60606-4637", "country": "United States"})

    assert (kinds(output), output.commands) == (["echo"], [])
    assert story.golden("shipping_address") != WORK
