"""Erasure by example (K3): the certificate, what comes late, what comes again, and who else holds a contact point."""

import msgspec
import pytest

from streams.core.digest import digest
from streams.core.erasure import erased_view
from streams.core.golden import golden_view
from streams.core.identity import minted
from streams.model import Invalid
from tests.property.vocabulary import CUSTOMER, Json, change, policy, receipt
from tests.unit.core.story import ANN, EXPLICIT, LEE, Story, consent

NO_IDP = policy({"platforms": {"wms": {"connector": "smarty"}}})


def erased(*records: str, acknowledge: bool = True) -> Story:
    story = Story(*records, rules=NO_IDP, acknowledge=acknowledge)
    story.say(records[0], -100, email=ANN, first_name="Ann")
    story.ask(0, "erase", request_id="forget me")
    return story


def certificate(story: Story) -> dict[str, str]:
    shown: list[Json] = erased_view(story.state())["certificate"]
    return {one["platform"]: one["outcome"] for one in shown}


def test_each_platform_is_in_the_certificate_with_what_it_answered() -> None:
    story = erased("storefront:9", "crm:1", "esp:7", acknowledge=False)
    asked = {one.platform: one for one in story.commands if one.op == "erase"}
    assert certificate(story) == {"storefront": "waiting", "crm": "waiting", "esp": "waiting"}

    story.take(receipt(asked["crm"], "applied", 10))
    story.take(receipt(asked["esp"], "refused", 10))
    story.take(receipt(asked["storefront"], "refused", 10, detail="unsupported: no such call"))

    assert certificate(story) == {"storefront": "unsupported", "crm": "acked", "esp": "refused"}


def test_the_worst_of_several_records_counts_for_their_platform() -> None:
    story = erased("crm:1", "crm:2", acknowledge=False)
    first = next(one for one in story.commands if one.op == "erase")

    story.take(receipt(first, "applied", 10))

    assert erased_view(story.state())["certificate"] == [{"platform": "crm", "outcome": "waiting", "records": 2}]


def test_an_answer_that_comes_twice_takes_no_acknowledgement_back() -> None:
    story = erased("crm:1", acknowledge=False)
    asked = next(one for one in story.commands if one.op == "erase")

    story.take(receipt(asked, "applied", 10), receipt(asked, "failed", 20))

    assert certificate(story) == {"crm": "acked"}


def test_a_platform_whose_connector_cannot_erase_is_told_nothing_and_named_as_such() -> None:
    story = erased("crm:1", "wms:5")

    assert [one.platform for one in story.commands if one.op == "erase"] == ["crm"]
    assert certificate(story) == {"crm": "acked", "wms": "unsupported"}


def test_an_order_goes_with_the_record_of_its_customer() -> None:
    story = erased("storefront:9", "storefront:order-3")

    assert [one.record_id for one in story.commands if one.op == "erase"] == ["9"]
    assert certificate(story) == {"storefront": "acked"}


def test_the_golden_view_of_an_erased_customer_says_that_and_nothing_else() -> None:
    story = erased("crm:1")

    assert golden_view(story.state(), story.policy) == {"customer_id": CUSTOMER, "erased": True}


def test_an_erasure_asked_for_again_under_the_same_request_changes_nothing() -> None:
    story = erased("crm:1")
    before = digest(story.pipeline.customers())

    again = story.ask(50, "erase", request_id="forget me")

    assert (again.commands, digest(story.pipeline.customers())) == ([], before)


@pytest.mark.parametrize("action", ["erase", "pin", "merge", "unlink", "release"])
def test_a_later_request_about_an_erased_customer_is_refused_by_name(action: str) -> None:
    story = erased("crm:1")

    with pytest.raises(Invalid) as refused:
        story.ask(50, action, attribute="first_name", value="Anne", record="crm:1", **{"with": CUSTOMER})

    assert refused.value.reason == "erased_customer"


def test_what_a_record_said_before_the_erasure_is_dropped_however_late_it_comes() -> None:
    story = erased("crm:1")

    late = [story.say("crm:1", -50, ingested, phone="+14155550101") for ingested in (10, 9_000_000, 99_000_000)]

    assert [[note.kind for note in one.notes] for one in late] == [["erased_drop"]] * 3
    assert all(note.record_id is None and note.change_id is None for one in late for note in one.notes)
    assert [one.customer_id for one in story.pipeline.customers()] == [CUSTOMER]


def test_a_new_record_that_names_the_erased_customer_becomes_another_one() -> None:
    story = erased("crm:1")

    early = story.say("esp:7", -50, 10, first_name="Ann")
    story.say("idp:u1", 60, first_name="Ann")
    story.say("loyalty:44", 70, last_name="Lee")

    following = minted(CUSTOMER, str(story.state().erased_at))
    state = story.state(following)
    assert [note.kind for note in early.notes] == ["erased_drop"]
    assert set(state.records) == {"idp:u1", "loyalty:44"}
    assert story.state().erased_at is not None


def test_a_record_may_come_back_as_a_new_customer_when_its_fence_is_over() -> None:
    story = erased("crm:1")
    over = story.policy.erasure_fence_ms // 1000

    inside = story.say("crm:1", over - 1, first_name="Ann")
    outside = story.say("crm:1", over + 1, first_name="Anna")

    assert [note.kind for note in inside.notes] == ["erased_drop"]
    assert outside.customers != [CUSTOMER]
    assert story.state(outside.customers[0]).golden["first_name"].value == "Anna"
    assert story.state().erased_at is not None


def said(record: str, at: float, change_id: str, **more: object) -> object:
    """A change that names no customer, with Ann's verified address."""
    given = change(
        record, at, at + 1, change_id, identifiers={"email": [ANN]}, attributes={"email": {"value": ANN}}, **more
    )
    return given._replace(value={**given.value, "customer_id": None})


def test_a_sign_up_with_the_address_that_the_erased_id_was_minted_from_gets_another_id() -> None:
    story = Story(rules=NO_IDP)
    story.take(said("storefront:9", -100, "first"))
    gone = story.pipeline.customers()[0].customer_id
    story.ask(0, "erase", customer_id=gone)

    story.take(said("idp:u1", 60, "again"), said("helpdesk:h1", 70, "and again"))

    alive = [one for one in story.pipeline.customers() if one.erased_at is None]
    assert [set(one.records) for one in alive] == [{"idp:u1", "helpdesk:h1"}]
    assert story.state(gone).erased_at is not None


def test_a_late_word_of_a_new_record_with_that_address_is_dropped_and_leaves_its_record_free() -> None:
    story = Story(rules=NO_IDP)
    story.take(said("storefront:9", -100, "first"))
    story.ask(0, "erase", customer_id=story.pipeline.customers()[0].customer_id)

    late = story.take(said("idp:u1", -50, "late"))

    assert [note.kind for note in late.notes] == ["erased_drop"]
    assert len(story.pipeline.customers()) == 1


def shared() -> Story:
    """C1 and C2 have the same address; C2 opted in."""
    story = Story("crm:1", rules=NO_IDP)
    story.say("crm:1", -100, email=ANN)
    story.hear("crm:2", -90, customer_id="C2", attributes={"email": {"value": ANN}})
    story.hear("crm:2", -80, customer_id="C2", consents=[consent(-80, "opt_in", **EXPLICIT)])
    return story


def test_somebody_else_with_the_same_address_is_suppressed_until_they_opt_in_again() -> None:
    story = shared()
    key = story.state("C2").consents
    assert [one.sendable for one in key.values()] == [True]

    story.ask(0, "erase")
    assert [one.sendable for one in story.state("C2").consents.values()] == [False]
    story.hear("crm:2", 60, customer_id="C2", consents=[consent(60, "opt_in", **EXPLICIT)])

    assert [one.sendable for one in story.state("C2").consents.values()] == [True]


def test_an_opt_in_from_before_the_erasure_does_not_lift_the_suppression() -> None:
    story = erased("crm:1")

    story.hear("idp:u9", 60, customer_id="C9", attributes={"email": {"value": ANN}})
    story.hear("idp:u9", -10, 70, customer_id="C9", consents=[consent(-10, "opt_in", **EXPLICIT)])
    shown = golden_view(story.state("C9"), story.policy)["consents"]

    assert [(one["sendable"], one["reasons"]) for one in shown] == [(False, ["erased"])]


def test_nobody_else_is_shown_an_address_that_was_erased() -> None:
    """K3: no erased value in any later output, and the tombstone keeps none either."""
    story = Story()
    story.hear("storefront:9", 0, customer_id="C8", attributes={"email": {"value": LEE}})
    story.hear("crm:003", 0, customer_id=CUSTOMER, attributes={"email": {"value": ANN}})
    story.consents("crm:003", 5, "opt_in", ANN, **EXPLICIT)
    story.ask(10, "erase")

    kept = [msgspec.json.encode(msgspec.to_builtins(one)).decode() for one in story.pipeline.customers()]
    assert [ANN in one for one in kept] == [False, False]
    assert LEE in "".join(kept)


def test_other_addresses_are_not_suppressed() -> None:
    story = erased("crm:1")

    story.hear("idp:u9", 60, customer_id="C9", attributes={"email": {"value": LEE}})
    story.hear("idp:u9", 70, customer_id="C9", consents=[consent(70, "opt_in", LEE, **EXPLICIT)])

    assert [one.sendable for one in story.state("C9").consents.values()] == [True]


def test_a_record_that_a_create_under_way_makes_after_the_erasure_is_erased_too() -> None:
    rules = policy({"platforms": {"esp": {"create": True}}})
    story = Story(rules=rules, acknowledge=False)
    story.say("storefront:9", -100, email=ANN)
    made = next(one for one in story.commands if one.op == "create")
    story.ask(0, "erase")
    assert certificate(story)["esp"] == "waiting"

    after = story.take(receipt(made, "applied", 10, record_id="p1"))
    again = story.take(receipt(made, "applied", 10, record_id="p1"))

    assert [(one.op, one.record_id) for one in after.commands] == [("erase", "p1")]
    assert again.commands == []
    assert [note.kind for note in story.say("esp:p1", 20, email=ANN).notes] == ["erased_drop"]


def test_a_merged_customer_is_erased_with_its_aliases() -> None:
    story = Story("crm:1", rules=NO_IDP)
    story.hear("esp:7", -90, customer_id="C2", attributes={"email": {"value": ANN}})
    story.ask(-50, "merge", **{"with": "C2"})

    story.ask(0, "erase", customer_id="C2")

    assert story.state().erased_at is not None
    assert certificate(story) == {"crm": "acked", "esp": "acked"}
    assert [note.kind for note in story.hear("esp:7", 20, customer_id="C2").notes] == ["erased_drop"]
