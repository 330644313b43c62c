"""The review queue under redelivery: what is told twice is one case, counted once, and decided once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.reviewing import CHANGES_MAX, Review, counted, decided, opened, review_id
from streams.model import Invalid, Note, StewardRequest

NOTES = st.builds(
    lambda number, record, other: Note(
        "review", f"c{number}", "crm", record, None, "C1", None, other, "email", "bound", (f"c{number}",)
    ),
    st.integers(0, CHANGES_MAX - 1),
    st.sampled_from(("r1", "r2")),
    st.sampled_from(("C2", "C3")),
)
DECISIONS = st.builds(
    lambda number, value: StewardRequest("review", f"Q{number}", "C1", value=value, by="Sam", at=number),
    st.integers(0, 3),
    st.sampled_from(("approve", "dismiss")),
)
# Each change is told with one note, whatever it says, at a time of its own.
STORIES = st.lists(NOTES, min_size=1, max_size=CHANGES_MAX, unique_by=lambda note: note.change_id)


def told(cases: dict[str, Review], notes: list[Note]) -> dict[str, Review]:
    for note in notes:
        name, at = review_id(note), int((note.change_id or "c0")[1:])
        if name in cases:
            counted(cases[name], note, at)
        else:
            cases[name] = opened(note, "crm:r1", at)
    return cases


def counts(cases: dict[str, Review]) -> dict[str, int]:
    return {name: case.count for name, case in cases.items()}


@given(STORIES, st.data())
def test_a_stretch_of_notes_that_is_told_again_counts_nothing_twice(notes: list[Note], data: st.DataObject) -> None:
    in_time = sorted(notes, key=lambda note: note.change_id or "")
    once = counts(told({}, in_time))
    end = data.draw(st.integers(1, len(in_time)))
    start = data.draw(st.integers(0, end - 1))

    again = told({}, [*in_time[:end], *in_time[start:end], *in_time[end:]])

    assert counts(again) == once
    assert sum(once.values()) == len(in_time)


@given(st.lists(DECISIONS, max_size=6))
def test_whatever_is_decided_in_whatever_order_a_case_is_carried_out_at_most_once(
    requests: list[StewardRequest],
) -> None:
    note = Note("review", "c1", "crm", "r1", None, "C1", None, "C2", "email", "bound", ("c1",))
    [case] = told({}, [note]).values()
    carried_out = set()
    for request in requests:
        try:
            following = decided(case, request, 0)
        except Invalid as refused:
            assert refused.reason in ("already_approved", "already_dismissed")
            continue
        if following is not None:
            carried_out.add((following.request_id, following.with_))

    approved = any(request.value == "approve" for request in requests)
    assert len(carried_out) <= 1
    assert not carried_out or (approved and case.state == "approved")
