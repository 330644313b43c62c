"""A case of the review queue: known by its evidence, counted, decided once."""

from __future__ import annotations

import pytest

from streams.core.reviewing import SETTLED_AFTER_MS, Review, counted, decided, opened, review_id, review_view
from streams.model import Invalid, Note, StewardRequest, parse_time

NOON = parse_time("2026-01-10T12:00:00Z")
MET = Note("review", "c1", "crm", "r1", None, "C1", "they met", "C2", "email", "not_automatic", ("c1",))
PONG = Note("ping_pong", "c9", "crm", "r1", "phone", "C1")


def case(note: Note = MET) -> Review:
    return opened(note, "crm:r1", NOON)


def asked(value: str, request_id: str = "Q1") -> StewardRequest:
    return StewardRequest("review", request_id, "C1", value=value, at=NOON + 5, by="Sam", why="looked", review="r-x")


def test_the_same_evidence_has_the_same_id_whoever_of_the_two_is_named_first() -> None:
    turned = Note("review", "c7", "crm", "r1", None, "C2", "said otherwise", "C1", "email", "not_automatic", ("c7",))

    assert review_id(MET) == review_id(turned)


@pytest.mark.parametrize(
    "other",
    [
        Note("review", "c1", "crm", "r2", None, "C1", "they met", "C2", "email", "not_automatic"),
        Note("review", "c1", "crm", "r1", None, "C1", "they met", "C3", "email", "not_automatic"),
        Note("review", "c1", "crm", "r1", None, "C1", "they met", "C2", "phone", "not_automatic"),
        Note("review", "c1", "crm", "r1", None, "C1", "they met", "C2", "email", "records_max"),
        PONG,
    ],
    ids=["record", "customer", "identifier", "rule", "kind"],
)
def test_other_evidence_is_another_case(other: Note) -> None:
    assert review_id(MET) != review_id(other)


def test_the_same_evidence_counts_up_and_a_note_that_is_delivered_again_does_not() -> None:
    review = case()

    assert not counted(review, MET, NOON)
    assert counted(review, MET, NOON + 1000)
    assert (review.count, review.first_at, review.last_at) == (2, NOON, NOON + 1000)


def test_only_the_newest_changes_are_kept() -> None:
    review = case()
    for number in range(20):
        counted(review, Note("review", f"n{number}", "crm", "r1", customer_id="C1"), NOON + number)

    assert review.change_ids == [f"n{number}" for number in range(12, 20)]


def test_an_approved_pair_is_merged_by_a_request_with_the_id_of_the_case() -> None:
    review = case()

    following = decided(review, asked("approve"), NOON + 9)

    assert following == StewardRequest("merge", review.review_id, "C1", with_="C2", at=NOON + 5, by="Sam", why="looked")
    assert (review.state, review.by, review.why, review.decided_at) == ("approved", "Sam", "looked", NOON + 5)


def test_an_approved_quarantine_is_released_and_anything_else_is_only_marked() -> None:
    release = decided(case(PONG), asked("approve"), NOON)
    nothing = decided(case(Note("validation_failed", "c2", "crm", "r1", customer_id="C1")), asked("approve"), NOON)

    assert release is not None and nothing is None
    assert (release.action, release.record, release.attribute) == ("release", "crm:r1", "phone")


def test_what_was_dismissed_stays_so_however_often_it_comes_and_can_still_be_approved() -> None:
    review = case()
    assert decided(review, asked("dismiss"), NOON) is None
    counted(review, MET, NOON + 10 * SETTLED_AFTER_MS)
    assert (review.state, review.count) == ("dismissed", 2)
    with pytest.raises(Invalid, match="already_dismissed"):
        decided(review, asked("dismiss", "Q2"), NOON)

    assert decided(review, asked("approve", "Q3"), NOON) is not None


def test_a_decision_that_is_delivered_again_says_the_same_and_another_one_comes_too_late() -> None:
    review = case()
    first = decided(review, asked("approve"), NOON)

    assert decided(review, asked("approve"), NOON) == first
    for value in ("approve", "dismiss"):
        with pytest.raises(Invalid, match="already_approved"):
            decided(review, asked(value, "Q2"), NOON)


def test_what_an_approval_has_not_settled_is_open_again_and_its_next_approval_is_another_request() -> None:
    review = case()
    first = decided(review, asked("approve"), NOON)
    counted(review, MET, NOON + 1000)
    assert review.state == "approved"
    counted(review, MET, NOON + 10 + SETTLED_AFTER_MS)
    assert review.state == "open"

    second = decided(review, asked("approve", "Q2"), NOON)

    assert first is not None and second is not None
    assert second.request_id == f"{first.request_id}-2"


def test_a_case_is_shown_with_its_evidence_and_with_what_approving_it_does() -> None:
    shown = review_view(case())

    assert shown == {
        "review_id": review_id(MET),
        "kind": "review",
        "first_at": "2026-01-10T12:00:00Z",
        "last_at": "2026-01-10T12:00:00Z",
        "customer_id": "C1",
        "other_id": "C2",
        "record": "crm:r1",
        "identifier": "email",
        "rule": "not_automatic",
        "detail": "they met",
        "platform": "crm",
        "change_ids": ["c1"],
        "count": 1,
        "state": "open",
        "approval": "merges C2 with C1",
    }
    assert review_view(case(PONG))["approval"] == "lets crm:r1 be told its phone again"
