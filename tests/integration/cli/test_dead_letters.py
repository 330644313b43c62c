"""`writeback dead-letters` on a broker."""

from __future__ import annotations

import json
import time

import pytest

from streams.delivery import Origin, dead_letter
from streams.lane import Emit
from streams.runtime.tombstones import tombstone
from tests.integration.cli.conftest import Command

pytestmark = pytest.mark.embedded

NOW = time.time_ns() // 1_000_000
HOUR_MS = 3_600_000
SECRET = b'{"email": "ann@example.com"}'


def letter(topic: str, reason: str, value: bytes = SECRET, *, hours_ago: int = 0, value_bytes_max: int = 1000) -> Emit:
    """A dead letter as the engine writes it."""
    made = dead_letter(
        Origin(topic, 1, 7, b"r1", value, (("x-topic", b"customers/update"),)),
        reason=reason,
        detail="a field",
        stage="VALUE_CONVERTER",
        process="writeback-engine",
        task_id=1,
        class_name="streams.runtime.intake",
        value_bytes_max=value_bytes_max,
    )
    return Emit("dead-letters", made.key, made.value, 0, NOW - hours_ago * HOUR_MS, made.headers)


def test_the_list_tells_place_origin_and_reason_and_no_value(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "bad_json")])

    output = with_topics("dead-letters", "list").output

    assert all(part in output for part in ("0:0", "raw.crm[1]@7", "bad_json", "a field", "writeback-engine"))
    assert "ann@example.com" not in output


def test_without_dead_letters_the_list_says_so(with_topics: Command) -> None:
    assert with_topics("dead-letters", "list").output == "no dead letters\n"


def test_the_list_can_be_narrowed_by_topic_reason_and_time(with_topics: Command) -> None:
    with_topics.write(
        [
            letter("raw.crm", "bad_json", hours_ago=5),
            letter("raw.crm", "unknown_enum"),
            letter("raw.esp", "bad_json"),
        ]
    )

    def places(*options: str) -> list[str]:
        lines = with_topics("dead-letters", "list", "--json", *options).output.splitlines()
        return [json.loads(line)["place"] for line in lines]

    assert places() == ["0:0", "0:1", "0:2"]
    assert places("--topic", "raw.crm") == ["0:0", "0:1"]
    assert places("--reason", "bad_json") == ["0:0", "0:2"]
    assert places("--since", "2h") == ["0:1", "0:2"]
    assert places("--limit", "1", "--topic", "raw.crm") == ["0:1"]


def test_one_is_shown_without_its_value_until_it_is_revealed(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "bad_json"), letter("raw.crm", "bad_json", b"\x00\xff")])

    hidden = with_topics("dead-letters", "show", "0:0").output
    shown = with_topics("dead-letters", "show", "0:0", "--reveal").output
    dumped = with_topics("dead-letters", "show", "0:1", "--reveal").output

    assert "ann@example.com" not in hidden
    assert "r1" not in hidden
    assert '"email": "ann@example.com"' in shown
    assert "x-topic: customers/update" in shown
    assert "00000000  00 ff" in dumped


def test_a_place_without_a_dead_letter_is_one_sentence(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "bad_json")])

    assert "no dead letter at 0:9" in with_topics("dead-letters", "show", "0:9", fails=True).output
    assert "is not a place" in with_topics("dead-letters", "show", "first", fails=True).output


def test_a_replay_gives_the_original_topic_key_headers_and_value_back(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "bad_json"), letter("raw.esp", "unknown_enum")])

    output = with_topics("dead-letters", "replay", "--reason", "bad_json", "--yes").output

    assert "1 dead letter sent back to raw.crm" in output
    (again,) = with_topics.read("raw.crm", 1, 1)
    assert (again.key, again.value, again.headers) == (b"r1", SECRET, (("x-topic", b"customers/update"),))


def test_a_replay_is_bounded_and_takes_the_oldest(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "bad_json", str(number).encode()) for number in range(4)])

    with_topics("dead-letters", "replay", "--topic", "raw.crm", "--limit", "2", "--yes")

    assert [one.value for one in with_topics.read("raw.crm", 1, 2)] == [b"0", b"1"]
    assert len(with_topics("tail", "raw.crm", "--json").output.splitlines()) == 2


def test_a_value_that_was_cut_is_not_sent_back(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "too_large", value_bytes_max=5)])

    result = with_topics("dead-letters", "replay", "0:0", "--yes", fails=True)

    assert "only a part of its value was kept" in result.output


def test_without_yes_nothing_is_sent_unless_a_person_agrees(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "bad_json")])

    with_topics("dead-letters", "replay", "0:0", fails=True)

    assert with_topics("tail", "raw.crm", "--json").output == ""


def test_a_replay_of_everything_by_accident_is_refused(with_topics: Command) -> None:
    assert "name places" in with_topics("dead-letters", "replay", "--yes", fails=True).output


def test_what_an_erasure_left_is_no_dead_letter(with_topics: Command) -> None:
    with_topics.write([letter("raw.crm", "bad_json"), tombstone("dead-letters", b"r1", NOW, 0)])

    listed = with_topics("dead-letters", "list", "--json").output.splitlines()
    shown = with_topics("dead-letters", "show", "0:1", fails=True)

    assert [json.loads(line)["place"] for line in listed] == ["0:0"]
    assert "belonged to an erased customer" in shown.output
