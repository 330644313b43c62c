"""The review queue's processor over real rows: cases, decisions, answers, bounds, erasure, recovery."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.codec.contract import note_to_json
from streams.codec.internal import decode_steward
from streams.codec.moves import decode_move
from streams.core.moves import Inquire
from streams.core.reviewing import Review, review_id
from streams.core.state import OpenCase
from streams.lane import Batch, Emit, Record, Rows
from streams.lane.store import PartitionStore
from streams.model import Note, StewardRequest
from streams.runtime import topics
from streams.runtime.asked import Decide, Outcome, Settle, decode_message, encode_message, outcome_emit, request_key
from streams.runtime.letters import Letters, alerts, note_key
from streams.runtime.reviews import CASE, Reviews, case_end, case_start, decode_outcome, decode_review, derive
from streams.runtime.settings import Settings
from tests.unit.lane.fakes import open_store

ROW_BYTES_MAX = 100_000
NOW = 1_768_046_400_000


class Queue:
    """One partition of the queue."""

    def __init__(self, store: PartitionStore, reviews_max: int = 100, outcomes_max: int = 100) -> None:
        self.store = store
        self.reviews = Reviews(Letters("test", Settings()), reviews_max, outcomes_max)
        self.offset = 0

    def take(self, *emits: Emit) -> list[Emit]:
        """Records of one batch, written as a checkpoint would."""
        records = [self._record(one) for one in emits]
        batch = Batch(records[0].topic, 0, records, 1)
        rows = Rows("reviews", self.store, self.reviews.keys(batch), ROW_BYTES_MAX)
        done = asyncio.run(self.reviews.process(batch, rows))
        self.store.write(rows.written, rows.local, None)
        return list(done.emits)

    def note(self, note: Note, at: int = NOW) -> list[Emit]:
        """A note as the engine tells it."""
        return self.take(*alerts([note], at))

    def decide(self, review: str, value: str, request_id: str = "Q1") -> list[Emit]:
        """A steward's decision."""
        request = StewardRequest(
            "review", request_id, "C1", value=value, record="crm:r1", at=NOW + 5, by="Sam", why="w", review=review
        )
        return self.take(Emit(topics.REVIEWS, b"crm:r1", encode_message(Decide(request)), timestamp_ms=NOW + 6))

    def case(self, review: str) -> Review | None:
        stored = self.store.read(review.encode())
        return decode_review(stored) if stored is not None else None

    def listed(self, state: str) -> list[bytes]:
        """Local rows of a state, in order."""
        return [local for local, _ in self.store.scan_local(case_start(state), case_end(state), 1000)]

    def _record(self, one: Emit) -> Record:
        self.offset += 1
        return Record(one.topic, 0, self.offset, one.timestamp_ms or 0, one.key, one.value)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PartitionStore]:
    opened = open_store(tmp_path / "reviews")
    yield opened
    opened.close()


def met(record_id: str = "r1", change_id: str = "c1") -> Note:
    return Note("review", change_id, "crm", record_id, None, "C1", "they met", "C2", "email", "bound", (change_id,))


def answers(emits: list[Emit]) -> list[Outcome]:
    found = [decode_message(one.value) for one in emits if one.topic == topics.REVIEWS]
    return [one for one in found if isinstance(one, Outcome)]


def test_a_note_that_asks_for_a_decision_becomes_a_case_and_other_notes_do_not(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.note(met())
    queue.note(Note("rebind_refused", "c1", "crm", "r1", customer_id="C1"))
    queue.note(Note("receipt_unmatched", "c1", customer_id="C1"))

    review = queue.case(review_id(met()))
    assert review is not None
    assert (review.state, review.record, review.key) == ("open", "crm:r1", "crm:r1")
    assert len(store.scan_local(CASE, CASE + b"\xff", 10)) == 1


def test_a_case_that_comes_again_moves_in_the_order_and_is_one_case(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.note(met("r1"))
    queue.note(met("r2"), NOW + 1)
    queue.note(met("r1", "c2"), NOW + 2)

    assert [local.rpartition(b"r-")[2].decode() for local in queue.listed("open")] == [
        review_id(met("r2")).removeprefix("r-"),
        review_id(met("r1")).removeprefix("r-"),
    ]


def test_an_approval_asks_the_engine_for_the_merge_and_is_answered_with_the_request_that_follows(
    store: PartitionStore,
) -> None:
    queue = Queue(store)
    queue.note(met())
    case = review_id(met())

    emits = queue.decide(case, "approve")

    [merge] = [decode_steward(one.value) for one in emits if one.topic == topics.STEWARD]
    assert [one.key for one in emits if one.topic == topics.STEWARD] == [b"C1"]
    assert (merge.action, merge.request_id, merge.with_, merge.by, merge.why) == ("merge", case, "C2", "Sam", "w")
    assert answers(emits) == [Outcome("Q1", NOW + 6, "accepted", "C1", None, case)]
    assert (queue.listed("open"), len(queue.listed("approved"))) == ([], 1)


def test_a_decision_that_is_delivered_again_asks_the_same_again(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.note(met())
    first = queue.decide(review_id(met()), "approve")

    assert [one.value for one in queue.decide(review_id(met()), "approve")] == [one.value for one in first]


def test_what_was_dismissed_stays_dismissed(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.note(met())
    assert [one.state for one in answers(queue.decide(review_id(met()), "dismiss"))] == ["accepted"]
    queue.note(met("r1", "c2"), NOW + 10_000_000)

    review = queue.case(review_id(met()))
    assert review is not None
    assert (review.state, review.count, review.by, review.why) == ("dismissed", 2, "Sam", "w")


@pytest.mark.parametrize(("review", "reason"), [("r-none", "unknown_review"), ("request:Q0", "unknown_review")])
def test_a_decision_on_nothing_is_refused_by_name(store: PartitionStore, review: str, reason: str) -> None:
    queue = Queue(store)
    queue.take(outcome_emit(Outcome("Q0", NOW, "accepted")))

    assert [(one.state, one.reason) for one in answers(queue.decide(review, "approve"))] == [("refused", reason)]


def test_a_decision_that_comes_too_late_is_refused_by_name(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.note(met())
    queue.decide(review_id(met()), "approve")

    late = answers(queue.decide(review_id(met()), "dismiss", "Q2"))

    assert [(one.state, one.reason) for one in late] == [("refused", "already_approved")]


def test_an_answer_lies_under_its_request_and_the_newest_holds(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.take(outcome_emit(Outcome("Q1", NOW, "accepted", "C1")))
    queue.take(outcome_emit(Outcome("Q1", NOW + 1, "refused", "C1", "records_max")))

    stored = store.read(request_key("Q1"))
    assert stored is not None
    assert decode_outcome(stored).reason == "records_max"


def test_the_queue_is_bounded_and_drops_what_was_dismissed_first_then_what_was_approved(store: PartitionStore) -> None:
    queue = Queue(store, reviews_max=4)
    for number in range(4):
        queue.note(met(f"r{number}"), NOW + number)
    queue.decide(review_id(met("r2")), "dismiss", "Q1")
    queue.decide(review_id(met("r3")), "approve", "Q2")

    kept = []
    for number in range(4, 7):
        queue.note(met(f"r{number}"), NOW + number)
        kept.append({one for one in range(8) if queue.case(review_id(met(f"r{one}"))) is not None})

    assert kept == [{0, 1, 3, 4}, {0, 1, 4, 5}, {1, 4, 5, 6}]
    assert len(store.scan_local(CASE, CASE + b"\xff", 100)) == 4


def test_answers_are_bounded_and_the_oldest_go(store: PartitionStore) -> None:
    queue = Queue(store, outcomes_max=2)
    queue.take(*(outcome_emit(Outcome(f"Q{number}", NOW + number, "accepted")) for number in range(5)))

    assert [number for number in range(5) if store.read(request_key(f"Q{number}")) is not None] == [3, 4]


@pytest.mark.parametrize("topic", [topics.NOTES, topics.REVIEWS])
def test_an_erasure_takes_the_cases_of_its_record_and_no_other(store: PartitionStore, topic: str) -> None:
    queue = Queue(store)
    queue.note(met("r1"))
    queue.note(met("r11"))
    queue.note(Note("ping_pong", "c3", "crm", "r1", "phone", "C1"))

    queue.take(Emit(topic, b"crm:r1", None, timestamp_ms=NOW))

    assert queue.case(review_id(met("r1"))) is None
    assert queue.case(review_id(met("r11"))) is not None
    assert len(queue.listed("open")) == 1


def settle(queue: Queue, became: str | None) -> list[Emit]:
    message = encode_message(Settle(review_id(met()), became))
    return queue.take(Emit(topics.REVIEWS, b"crm:r1", message, timestamp_ms=NOW + 9))


def test_a_case_asks_its_customers_once_whether_there_is_still_something_to_decide(store: PartitionStore) -> None:
    queue = Queue(store)
    asked = queue.note(met())
    again = queue.note(met(change_id="c2"), NOW + 1)

    case = OpenCase(review_id(met()), "crm:r1", ("C1", "C2"))
    assert [(one.topic, one.key) for one in asked] == [
        (topics.CUSTOMER_CHANGES, b"C1"),
        (topics.CUSTOMER_CHANGES, b"C2"),
    ]
    assert [decode_move(one.value) for one in asked] == [Inquire(case), Inquire(case)]
    assert again == []


def test_a_settled_case_is_no_longer_open_and_says_why(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.note(met())
    emits = settle(queue, "C1")
    case = queue.case(review_id(met()))

    assert emits == []
    assert case is not None
    assert (case.state, case.became, case.decided_at) == ("settled", "C1", NOW + 9)
    assert (len(queue.listed("open")), len(queue.listed("settled"))) == (0, 1)


@pytest.mark.parametrize("value", ["approve", "dismiss"])
def test_a_settled_case_is_decided_by_nobody(store: PartitionStore, value: str) -> None:
    queue = Queue(store)
    queue.note(met())
    settle(queue, "C1")
    [answer] = queue.decide(review_id(met()), value)

    outcome = decode_message(answer.value)
    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.reason) == ("refused", "already_settled")


@pytest.mark.parametrize("decision", ["approve", "dismiss"])
def test_what_a_steward_has_decided_stays_so_when_its_customers_become_one(
    store: PartitionStore, decision: str
) -> None:
    queue = Queue(store)
    queue.note(met())
    queue.decide(review_id(met()), decision)
    settle(queue, "C1")
    case = queue.case(review_id(met()))

    assert case is not None
    assert (case.state[:7], case.by, case.became) == (decision[:7], "Sam", None)


def test_a_case_on_an_erased_customer_is_taken_out_whatever_was_decided(store: PartitionStore) -> None:
    queue = Queue(store)
    queue.note(met())
    queue.decide(review_id(met()), "dismiss")
    settle(queue, None)
    settle(queue, "C1")

    assert queue.case(review_id(met())) is None
    assert [queue.listed(state) for state in ("open", "dismissed", "settled")] == [[], [], []]


def test_a_note_lies_under_the_record_that_it_is_about_so_that_its_erasure_finds_it() -> None:
    assert note_key(met()) == "crm:r1"
    assert note_key(Note("receipt_unmatched", customer_id="C1")) == "C1"


@pytest.mark.parametrize(
    ("topic", "value"),
    [(topics.NOTES, b"{"), (topics.NOTES, b"[]"), (topics.REVIEWS, b"\x09"), (topics.REVIEWS, b"")],
)
def test_what_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(
    store: PartitionStore, topic: str, value: bytes
) -> None:
    queue = Queue(store)
    good = Emit(topic, b"crm:r1", json.dumps(note_to_json(met())).encode(), timestamp_ms=NOW)
    if topic == topics.REVIEWS:
        good = outcome_emit(Outcome("Q1", NOW, "accepted"))

    emits = queue.take(Emit(topic, b"crm:r1", value, timestamp_ms=NOW), good)

    assert [one.topic for one in emits if one.topic != topics.CUSTOMER_CHANGES] == [topics.DEAD_LETTERS]
    assert queue.case(review_id(met())) is not None or store.read(request_key("Q1")) is not None


def test_recovery_rebuilds_the_local_rows_from_the_rows_alone(store: PartitionStore, tmp_path: Path) -> None:
    queue = Queue(store)
    queue.note(met("r1"))
    queue.note(met("r2"), NOW + 1)
    queue.decide(review_id(met("r2")), "dismiss")
    queue.take(outcome_emit(Outcome("Q1", NOW, "accepted")))
    rows = dict(store.scan(None, 100))

    derived = sorted(local for key, value in rows.items() for local, _ in derive(key, value))

    assert derived == sorted(local for local, _ in store.scan_local(b"", b"\xff", 100))
