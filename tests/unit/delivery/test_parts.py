"""The pure parts: rate, backoff, circuit, limit on dead letters, dead letters."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery import (
    Backoff,
    Circuit,
    DlqLimit,
    DlqLimitExceeded,
    DlqSettings,
    Origin,
    RateLimit,
    dead_letter,
)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def circuit_of(clock: Clock, base_s: float = 1.0) -> Circuit:
    return Circuit(Backoff(base_s, 60.0, random.Random(1)), clock)


def test_a_burst_passes_at_once_and_the_rest_at_the_rate(clock: Clock) -> None:
    rate = RateLimit(2.0, 3, clock)

    assert [rate.take() for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]


def test_tokens_come_back_with_time_up_to_the_burst(clock: Clock) -> None:
    rate = RateLimit(2.0, 3, clock)
    for _ in range(3):
        rate.take()
    clock.s += 3600.0

    assert [rate.take() for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_place_that_was_given_back_is_free_again(clock: Clock) -> None:
    rate = RateLimit(1.0, 1, clock)
    rate.take()
    waited = rate.take()
    rate.give_back()

    assert (waited, rate.take()) == (1.0, 1.0)


@pytest.mark.parametrize(("per_s", "burst"), [(0.0, 1), (1.0, 0)])
def test_a_rate_that_lets_nothing_through_is_refused(per_s: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate limit"):
        RateLimit(per_s, burst)


@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=200), st.integers(1, 5))
def test_no_more_requests_pass_than_rate_and_burst_allow(gaps: list[float], burst: int) -> None:
    clock, granted = Clock(), []
    rate = RateLimit(2.0, burst, clock)
    for gap in gaps:
        clock.s += gap
        granted.append(clock.s + rate.take())

    for first in range(len(granted)):
        for last in range(first, len(granted)):
            assert last - first + 1 <= burst + 2.0 * (granted[last] - granted[first]) + 1e-6


@given(st.integers(1, 10_000), st.integers())
def test_a_wait_is_never_longer_than_the_doubled_base_or_the_cap(failures: int, seed: int) -> None:
    wait_s = Backoff(0.5, 30.0, random.Random(seed)).wait_s(failures)

    assert 0.0 <= wait_s <= min(30.0, 0.5 * 2.0 ** min(failures - 1, 10))


@given(st.floats(0.0, 3600.0), st.integers())
def test_what_the_platform_asks_for_is_kept_with_jitter_on_top(after_s: float, seed: int) -> None:
    assert after_s <= Backoff(0.5, 30.0, random.Random(seed)).wait_s(9, after_s) <= after_s + 0.5


def test_the_same_seed_waits_the_same() -> None:
    first, second = (Backoff(0.5, 30.0, random.Random(3)) for _ in range(2))

    assert [first.wait_s(n) for n in range(1, 9)] == [second.wait_s(n) for n in range(1, 9)]


def test_a_failure_opens_the_circuit_until_the_platform_wants_to_be_asked_again(clock: Clock) -> None:
    circuit = circuit_of(clock)
    circuit.failed("http_429", 7.0)

    assert (circuit.state, circuit.reason, circuit.admits()) == ("open", "http_429", False)
    assert 7.0 <= circuit.pause_s <= 8.0


def test_after_the_pause_one_call_tries_and_its_answer_decides(clock: Clock) -> None:
    circuit = circuit_of(clock)
    circuit.failed("down", 1.0)
    clock.s += 2.0

    assert [circuit.admits(), circuit.admits(), circuit.state] == [True, False, "half_open"]
    circuit.answered()
    assert [circuit.admits(), circuit.admits(), circuit.state, circuit.reason] == [True, True, "closed", None]


def test_an_answer_to_a_call_that_was_out_already_does_not_shorten_what_the_platform_asked_for(clock: Clock) -> None:
    circuit = circuit_of(clock)
    circuit.failed("throttled", 60.0)
    circuit.answered()

    assert (circuit.admits(), circuit.answers) == (False, 1)
    assert circuit.pause_s >= 60.0
    clock.s += 61.0
    assert circuit.admits()
    circuit.answered()
    assert circuit.state == "closed"


def test_each_failed_try_lengthens_the_pause(clock: Clock) -> None:
    circuit, longest = circuit_of(clock), []
    for _ in range(8):
        circuit.failed("down")
        longest.append(circuit.pause_s)
        clock.s += circuit.pause_s
        assert circuit.admits()

    assert max(longest[4:]) > max(longest[:2]) * 4


def test_calls_that_fail_together_count_as_one_failure_and_the_longest_pause_holds(clock: Clock) -> None:
    circuit = circuit_of(clock)
    circuit.failed("down", 9.0)
    pause_s = circuit.pause_s
    circuit.failed("down", 2.0)
    circuit.failed("down")

    assert circuit.pause_s == pause_s


def test_a_try_that_was_cancelled_leaves_the_try_to_another(clock: Clock) -> None:
    circuit = circuit_of(clock)
    circuit.failed("down", 1.0)
    clock.s += 2.0
    assert circuit.admits()
    circuit.abandoned()

    assert circuit.admits()


def test_dead_letters_beyond_the_ratio_stop_the_process_with_a_sentence(clock: Clock) -> None:
    limit = DlqLimit(DlqSettings(window_s=60.0, ratio_max=0.5, messages_min=100), clock)
    limit.count(99, 99)

    with pytest.raises(DlqLimitExceeded, match=r"101 of 102 messages in 60 s were dead letters \(limits: 50% of 100"):
        limit.count(3, 2)


def test_dead_letters_beyond_the_count_stop_the_process_whatever_the_ratio(clock: Clock) -> None:
    limit = DlqLimit(DlqSettings(count_max=10), clock)

    with pytest.raises(DlqLimitExceeded):
        limit.count(1_000_000, 11)


def test_old_dead_letters_leave_the_window(clock: Clock) -> None:
    limit = DlqLimit(DlqSettings(window_s=60.0, ratio_max=0.1, messages_min=10), clock)
    limit.count(9, 9)
    clock.s += 61.0
    limit.count(1000, 100)

    with pytest.raises(DlqLimitExceeded):
        limit.count(0, 1)


ORIGIN = Origin("raw.crm", 3, 41, b"003a1", b"\xff\x00", (("x-shop", b"a"), ("__connect.errors.offset", b"7")))


def letter(origin: Origin = ORIGIN, detail: str = "kind", **more: int) -> dict[str, bytes]:
    made = dead_letter(
        origin,
        reason="unknown_enum",
        detail=detail,
        stage="VALUE_CONVERTER",
        process="writeback-engine",
        task_id=3,
        class_name="streams.codec",
        **more,
    )
    assert made.key == origin.key
    return {"": made.value or b"", **dict(made.headers)}


def test_a_dead_letter_is_the_message_whole_with_connects_headers() -> None:
    assert letter() == {
        "": b"\xff\x00",
        "x-shop": b"a",
        "__connect.errors.topic": b"raw.crm",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"41",
        "__connect.errors.connector.name": b"writeback-engine",
        "__connect.errors.task.id": b"3",
        "__connect.errors.stage": b"VALUE_CONVERTER",
        "__connect.errors.class.name": b"streams.codec",
        "__connect.errors.exception.class.name": b"streams.model.errors.Invalid",
        "__connect.errors.exception.message": b"unknown_enum: kind",
        "writeback.reason": b"unknown_enum",
        "writeback.detail": b"kind",
    }


def test_a_dead_letter_without_detail_says_its_reason_alone() -> None:
    assert letter(detail="")["__connect.errors.exception.message"] == b"unknown_enum"


def test_a_message_without_a_key_lies_under_its_place_and_says_so() -> None:
    made = dead_letter(
        Origin("raw.crm", 3, 41, None, b"x"),
        reason="bad_json",
        detail="",
        stage="VALUE_CONVERTER",
        process="writeback-engine",
        task_id=3,
        class_name="streams.codec",
    )

    assert made.key == b"raw.crm[3]@41"
    assert dict(made.headers)["writeback.key.none"] == b"true"


def test_a_value_over_the_limit_is_cut_and_its_length_is_kept() -> None:
    told = letter(Origin("raw.crm", 0, 0, b"003a1", b"x" * 50), value_bytes_max=10)

    assert (told[""], told["writeback.value.bytes"]) == (b"x" * 10, b"50")
