"""Pins, deletions and links: what a person decides, and what a platform takes away (K1, K2, I1)."""

from __future__ import annotations

import pytest

from streams.model import Invalid
from tests.property.vocabulary import change
from tests.unit.core.story import ANN, EXPLICIT, HOME, LEE, Story, kinds, orders, policy, updates

P = "+1415555010"


# K1


def test_pins_are_ordered_by_their_time_and_not_by_their_arrival() -> None:
    story = Story("crm:1")
    story.ask(100, "pin", attribute="phone", value=f"{P}1")

    story.ask(50, "pin", attribute="phone", value=f"{P}2")

    assert story.golden("phone") == f"{P}1"


@pytest.mark.parametrize("first", ["a", "b"])
def test_at_equal_time_the_larger_request_id_holds(first: str) -> None:
    story = Story("crm:1")
    asked = {"a": f"{P}1", "b": f"{P}2"}
    for request_id in (first, "ab".replace(first, "")):
        story.ask(100, "pin", attribute="phone", value=asked[request_id], request_id=request_id)

    assert story.golden("phone") == f"{P}2"


def test_an_unpin_older_than_the_pin_does_nothing() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, phone=f"{P}5")
    story.ask(100, "pin", attribute="phone", value=f"{P}1")

    story.ask(50, "unpin", attribute="phone")

    assert story.golden("phone") == f"{P}1"


def test_a_request_that_was_seen_is_ignored() -> None:
    story = Story("crm:1")
    story.ask(0, "pin", attribute="phone", value=f"{P}1", request_id="R1")
    story.ask(10, "unpin", attribute="phone", request_id="R2")

    output = story.ask(20, "pin", attribute="phone", value=f"{P}1", request_id="R1")

    assert (story.golden("phone"), output.commands) == (None, [])


def test_a_pin_in_another_notation_is_golden_in_its_canonical_form() -> None:
    story = Story("crm:1")

    story.ask(0, "pin", attribute="phone", value="(415) 555-0101")

    assert story.golden("phone") == f"{P}1"


def test_a_pin_to_nothing_empties_what_is_known_to_be_held() -> None:
    story = Story("crm:1", "esp:7")
    story.say("crm:1", 0, phone=f"{P}5")

    output = story.ask(10, "pin", attribute="phone", value=None)

    assert updates(output) == {"crm:1": {"phone": None}, "esp:7": {"phone": None}}


def test_half_an_address_cannot_be_pinned_since_every_platform_would_be_told_it() -> None:
    story = Story("crm:1")

    with pytest.raises(Invalid) as raised:
        story.ask(10, "pin", attribute="shipping_address", value={**HOME, "city": ""})

    assert raised.value.reason == "bad_value"


def test_every_claim_loses_to_a_pin_and_wins_again_after_it() -> None:
    story = Story("crm:1")
    story.say("crm:1", 0, shipping_address=(HOME, 0.5))
    story.ask(10, "pin", attribute="shipping_address", value={**HOME, "line1": "1 Pin St"})
    pinned = story.losers("shipping_address")
    story.ask(20, "unpin", attribute="shipping_address")

    assert pinned == {"crm:1": "pinned_over"}
    assert story.detail("shipping_address")["status"] == "provisional"


@pytest.mark.parametrize(
    "asked",
    [
        {"action": "pin"},
        {"action": "pin", "attribute": "shoe_size", "value": "9"},
        {"action": "pin", "contact_point": ANN, "channel": "email", "value": "opt_out"},
        {"action": "pin", "contact_point": ANN, "channel": "email", "purpose": "marketing", "value": "opt_in"},
        {"action": "pin", "attribute": "shipping_address", "value": "1 Main St"},
        {"action": "pin", "attribute": "phone", "value": HOME},
        {"action": "release", "attribute": "phone"},
        {"action": "dance"},
    ],
    ids=str,
)
def test_a_request_that_makes_no_sense_is_refused_and_changes_nothing(asked: dict) -> None:
    story = Story("crm:1")
    before = story.state()

    with pytest.raises(Invalid):
        story.ask(0, **asked)

    assert story.state() == before


# K2


def test_a_deletion_deletes_nothing_elsewhere_and_keeps_the_ledger() -> None:
    story = Story("crm:1", "esp:7")
    story.say("crm:1", 0, phone=f"{P}1")
    story.consents("crm:1", 5, "opt_out", method="form")

    output = story.hear("crm:1", 10, op="delete")

    assert output.commands == []
    assert story.shadow("esp:7", "phone") == f"{P}1"
    assert story.consent(ANN)["state"] == "opted_out"


def test_what_was_observed_before_the_deletion_is_dropped_and_what_came_after_is_a_new_link() -> None:
    story = Story("crm:1")
    story.hear("crm:1", 100, op="delete")

    dropped = story.say("crm:1", 100, 200, phone=f"{P}1")
    linked = story.say("crm:1", 101, 201, phone=f"{P}2")

    assert (kinds(dropped), kinds(linked)) == (["deleted_drop"], [])
    assert story.golden("phone") == f"{P}2"


def test_a_deleted_record_is_told_nothing() -> None:
    story = Story("crm:1", "esp:7")
    story.hear("crm:1", 100, op="delete")

    output = story.say("esp:7", 200, phone=f"{P}1", email=ANN)
    consented = story.consents("esp:7", 210, "opt_out", method="form")

    assert (output.commands, orders(consented)) == ([], [])


def test_a_deletion_makes_no_claim_where_the_record_had_none() -> None:
    story = Story("crm:1")
    story.say("esp:7", 0, phone=f"{P}1")

    story.hear("crm:1", 100, op="delete")

    assert story.losers("phone") == {}


def unbound(story: Story, record: str, at: float, name: str, **said: object) -> None:
    """A change that names no customer."""
    given = change(record, at, at + 1, name, **said)
    story.take(given._replace(value={**given.value, "customer_id": None}))


def test_a_record_whose_history_is_read_again_stays_with_the_customer_of_its_last_link() -> None:
    story = Story()

    def read() -> list[str]:
        phone = {"attributes": {"phone": {"value": f"{P}1"}}}
        unbound(story, "crm:1", 10, "born", attributes={"phone": {"value": f"{P}2"}})
        unbound(story, "crm:1", 50, "gone", op="delete")
        unbound(story, "crm:1", 60, "back", **phone)
        return sorted(one.customer_id for one in story.pipeline.customers())

    once = read()
    digest = story.digest()
    again = read()

    assert len(once) == 2
    assert (again, story.digest()) == (once, digest)


def test_a_change_that_names_another_customer_is_refused_and_goes_to_review() -> None:
    story = Story("crm:1")
    given = change("crm:1", 10, 11, "other", attributes={"phone": {"value": f"{P}1"}})

    output = story.take(given._replace(value={**given.value, "customer_id": "C2"}))

    assert [one for one in kinds(output) if one != "review"] == ["rebind_refused"]
    assert "review" in kinds(output)
    assert (output.customers, story.golden("phone")) == (["C1"], f"{P}1")


# Policy


def test_a_policy_that_drops_an_attribute_leaves_the_customer_readable() -> None:
    more = policy(
        {"attributes": {"nickname": {"kind": "phone"}}, "platforms": {"crm": {"routes": ["phone", "nickname"]}}}
    )
    story = Story("crm:1", rules=more, acknowledge=False)
    told = story.say("storefront:9", 0, nickname=f"{P}3")
    story.say("crm:1", 5, nickname=f"{P}4")
    story.policy = story.pipeline.policy = policy({"version": "p1"})

    story.answer(told, "applied", 10)
    story.say("crm:1", 20, nickname=f"{P}5", phone=f"{P}1")
    story.consents("crm:1", 25, "opt_in", LEE, **EXPLICIT)
    story.hear("crm:1", 30, op="restate", attributes={})
    story.wait(90_000)
    story.hear("crm:1", 100_000, op="delete")

    assert "nickname" not in story.view()["attributes"]
    assert story.digest()
