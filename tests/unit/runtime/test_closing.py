"""Cases of the review queue that end by themselves: their customers have become one, or were erased."""

from __future__ import annotations

import pytest

from streams.core.reviewing import Review
from streams.model import Note
from streams.runtime.letters import alert
from streams.runtime.reviews import decode_review
from tests.unit.runtime.test_moving import Scene, two


def met(one: str = "C1", other: str = "C2", record: str = "crm:1", change: str = "e9") -> Note:
    """Two customers met at a record."""
    platform, _, record_id = record.partition(":")
    return Note("review", change, platform, record_id, None, one, "they met", other, "email", "given_up", (change,))


def told(scene: Scene, note: Note) -> None:
    scene.second += 1
    scene.stack.send(alert(note, scene.at))
    scene.stack.drain()


def cases(scene: Scene) -> list[Review]:
    """All that the queue holds, by when they came up."""
    stores = [store for (table, _), store in scene.stack.stores.items() if table == "reviews"]
    stored = [row for store in stores for row in store.rows.items()]
    found = [decode_review(row) for key, row in stored if not key.startswith(b"request:")]
    return sorted(found, key=lambda one: (one.first_at, one.review_id))


@pytest.mark.parametrize("record", ["crm:1", "storefront:9", "esp:of-nobody"])
@pytest.mark.parametrize(("one", "other"), [("C1", "C2"), ("C2", "C1")])
def test_a_case_between_two_customers_ends_when_they_have_become_one(record: str, one: str, other: str) -> None:
    scene = two()
    told(scene, met(one, other, record))
    scene.ask("merge", "C1", with_="C2")

    [case] = cases(scene)
    assert (case.state, case.became, case.why) == ("settled", "C1", "the two are one customer already")
    assert (case.by, case.decided_at) == (None, scene.at)


def test_a_case_that_comes_up_after_the_merge_ends_at_once() -> None:
    scene = two()
    scene.ask("merge", "C1", with_="C2")
    told(scene, met())

    assert [(one.state, one.became) for one in cases(scene)] == [("settled", "C1")]


def test_a_case_follows_its_customer_through_other_merges() -> None:
    scene = two()
    scene.say("esp:7", "C3", first_name="Cy")
    told(scene, met("C2", "C3"))
    scene.ask("merge", "C1", with_="C2")
    before = [one.state for one in cases(scene)]
    scene.ask("merge", "C1", with_="C3")

    assert before == ["open"]
    assert [(one.state, one.became) for one in cases(scene)] == [("settled", "C1")]


def test_the_same_evidence_does_not_open_a_settled_case_again() -> None:
    scene = two()
    told(scene, met())
    scene.ask("merge", "C1", with_="C2")
    scene.second += 3600
    told(scene, met(change="e10"))

    assert [(one.state, one.count) for one in cases(scene)] == [("settled", 2)]


def test_a_merge_with_somebody_else_leaves_a_case_open() -> None:
    scene = two()
    scene.say("esp:7", "C3", first_name="Cy")
    told(scene, met("C1", "C2"))
    scene.ask("merge", "C1", with_="C3")

    assert [one.state for one in cases(scene)] == ["open"]


def test_an_approved_case_stays_as_it_was_decided() -> None:
    scene = two()
    told(scene, met())
    [case] = cases(scene)
    scene.ask("review", "C1", review=case.review_id, value="approve", record="crm:1")

    assert scene.survivor("C2") == "C1"
    assert [(one.state, one.by) for one in cases(scene)] == [("approved", "sam")]


@pytest.mark.parametrize("erased", ["C1", "C2"])
@pytest.mark.parametrize("record", ["crm:1", "storefront:9", "esp:of-nobody"])
def test_a_case_whose_customer_is_erased_is_gone(erased: str, record: str) -> None:
    scene = two()
    told(scene, met(record=record))
    scene.ask("erase", erased)

    assert cases(scene) == []


def test_a_case_that_comes_up_after_an_erasure_is_gone_too() -> None:
    scene = two()
    scene.say("esp:7", "C3", first_name="Cy")
    scene.ask("merge", "C1", with_="C2")
    scene.ask("erase", "C1")
    told(scene, met("C3", "C2", "esp:7"))
    told(scene, Note("ping_pong", "e8", "esp", "gone", "phone", "C1", "again"))

    assert cases(scene) == []


def test_the_case_of_a_customer_that_was_merged_before_the_erasure_is_gone() -> None:
    scene = two()
    scene.say("esp:7", "C3", first_name="Cy")
    told(scene, met("C3", "C2", "esp:7"))
    scene.ask("merge", "C1", with_="C2")
    scene.ask("erase", "C1")

    assert cases(scene) == []


@pytest.mark.parametrize("late", [False, True])
def test_a_settled_case_under_a_strangers_key_goes_with_its_customer(late: bool) -> None:
    scene = two()
    if not late:
        told(scene, met(record="esp:of-nobody"))
    scene.ask("merge", "C1", with_="C2")
    if late:
        told(scene, met(record="esp:of-nobody"))
    before = [one.state for one in cases(scene)]
    scene.ask("erase", "C1")

    assert before == ["settled"]
    assert cases(scene) == []


@pytest.mark.parametrize("seed", range(20))
def test_cases_end_however_workers_die_meanwhile(seed: int) -> None:
    scene = Scene(seed=seed, deaths=0.1)
    for record, customer in (("crm:1", "C1"), ("storefront:9", "C2"), ("esp:7", "C3")):
        scene.say(record, customer, first_name=customer)
    scene.stack.send(alert(met("C1", "C2"), scene.at))
    scene.stack.send(alert(met("C2", "C3", "esp:7"), scene.at))
    scene.ask("merge", "C1", drain=False, with_="C2")
    scene.ask("merge", "C3", drain=False, with_="C2")
    scene.stack.drain()

    assert {one.state for one in cases(scene)} == {"settled"}
