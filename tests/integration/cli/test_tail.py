"""`writeback tail` on topics of every encoding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.codec import PublicCodec
from streams.codec.internal import encode
from streams.lane import Emit
from streams.model import Change, Receipt, Statement
from tests.integration.cli.conftest import Command

pytestmark = pytest.mark.embedded

T0 = 1_768_046_400_000
PHONE = {"phone": Statement(value="+14155550100")}


def changes(count: int) -> list[Emit]:
    """Canonical changes of as many records, a second apart."""
    codec = PublicCodec()
    found = []
    for number in range(count):
        change = Change(change_id=f"evt-{number}", platform="crm", record_id=f"r{number}", attributes=PHONE)
        value = codec.encode_change(change)
        key = f"crm:r{number}".encode()
        found.append(Emit("changes", key, value, timestamp_ms=T0 + number * 1000, headers=(("trace", b"abc"),)))
    return found


def test_avro_is_shown_as_the_contract_has_it_with_key_and_headers(with_topics: Command) -> None:
    with_topics.write(changes(1))

    output = with_topics("tail", "changes", "--from-beginning").output

    assert "key crm:r0" in output
    assert "trace: abc" in output
    assert '"record_id": "r0"' in output


def test_only_the_last_few_are_shown_in_the_order_of_time(with_topics: Command) -> None:
    with_topics.write(changes(5))

    lines = with_topics("tail", "changes", "--limit", "3", "--json").output.splitlines()

    assert [json.loads(line)["key"] for line in lines] == ["crm:r2", "crm:r3", "crm:r4"]


def test_from_the_beginning_a_limit_ends_it(with_topics: Command) -> None:
    with_topics.write(changes(5))

    lines = with_topics("tail", "changes", "--from-beginning", "--limit", "2", "--json").output.splitlines()

    assert len(lines) == 2


def test_following_shows_what_comes_until_the_limit(with_topics: Command) -> None:
    with_topics.write(changes(2))

    lines = with_topics("tail", "changes", "--follow", "--limit", "2", "--json").output.splitlines()

    assert [json.loads(line)["key"] for line in lines] == ["crm:r0", "crm:r1"]


def test_msgpack_and_json_and_bytes_that_are_neither_are_shown(with_topics: Command) -> None:
    receipt = Receipt(outcome="applied", command_id="c1", customer_id="C1", platform="crm", record_id="r1", at=T0)
    with_topics.write(
        [
            Emit("receipts", b"C1", encode(receipt)),
            Emit("raw.crm", b"r1", b'{"id": 9223372036854775808}'),
            Emit("commands.crm", b"C1", b"\xff\xfe\xfd"),
        ]
    )

    shown = {
        topic: json.loads(with_topics("tail", topic, "--json").output)["value"]
        for topic in ("receipts", "raw.crm", "commands.crm")
    }

    assert shown["receipts"]["outcome"] == "applied"
    assert shown["raw.crm"] == {"id": 9223372036854775808}
    assert shown["commands.crm"]["undecodable"].startswith("wrong_magic")
    assert shown["commands.crm"]["hex"] == "fffefd"


def test_what_an_erasure_says_in_the_ledger_is_shown_without_a_value(with_topics: Command) -> None:
    with_topics.write([Emit("consent.ledger", b"customer:C1", None, headers=(("writeback-erased", b"1"),))])

    shown = json.loads(with_topics("tail", "consent.ledger", "--json").output)

    assert (shown["key"], shown["value"]) == ("customer:C1", None)
    assert "null" in with_topics("tail", "consent.ledger").output


def test_what_is_recorded_with_tail_can_be_replayed(with_topics: Command, tmp_path: Path) -> None:
    with_topics.write(changes(3))
    recorded = tmp_path / "changes.ndjson"

    recorded.write_text(with_topics("tail", "changes", "--from-beginning", "--json").output)
    with_topics("replay", str(recorded), "--out", str(tmp_path / "out"))

    assert len((tmp_path / "out" / "golden.ndjson").read_text().splitlines()) == 3
    assert (tmp_path / "out" / "dead_letters.ndjson").read_text() == ""


def test_a_topic_that_is_not_there_is_one_sentence(with_topics: Command) -> None:
    assert "there is no topic nothing" in with_topics("tail", "nothing", fails=True).output
