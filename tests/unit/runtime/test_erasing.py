"""The parts of a live erasure: its key, its tombstones, its fences, and how topics are kept for it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from streams.codec.state import encode_row
from streams.core.identity import Row
from streams.lane import Batch, Done, Emit, Record, Rows
from streams.model import Invalid
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.erasing import FENCE, Erasing, erasure_key
from streams.runtime.fenced_rows import FencedRows
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings, SettingsError, read_settings
from streams.runtime.tombstones import HEADER, Living, follow, is_tombstone, tombstone
from tests.property.partitions import Store

KEY = b"k" * 32
LETTERS = Letters("test", Settings())


def record(value: bytes | None, key: bytes | None = b"C1", headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return Record("customer.changes", 1, 7, 1_000, key, value, headers)


def rows() -> Rows:
    return Rows("rows", Store(), (), 1_000_000)  # type: ignore[arg-type]


def test_without_a_key_the_engine_names_the_variable_and_does_not_start() -> None:
    with pytest.raises(SettingsError, match="WRITEBACK_ERASURE_KEY is missing"):
        erasure_key({})


def test_a_short_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="WRITEBACK_ERASURE_KEY: must have 32 bytes or more") as refused:
        erasure_key({"WRITEBACK_ERASURE_KEY": "too-short-a-key"})

    assert "too-short" not in str(refused.value)


def test_a_null_value_is_a_tombstone_only_with_the_header() -> None:
    assert is_tombstone(record(None, headers=((HEADER, b"1"),)))
    assert not is_tombstone(record(None))
    assert not is_tombstone(record(b"", headers=((HEADER, b"1"),)))


def test_what_is_dropped_is_followed_by_a_tombstone_in_its_own_partition() -> None:
    assert follow(record(b"x")) == [Emit("customer.changes", b"C1", None, 1, 1_000, ((HEADER, b"1"),))]
    assert follow(record(b"x", key=None)) == []


class Seen:
    """A processor that remembers what it was shown."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    def keys(self, batch: Batch) -> Iterable[bytes]:
        return ()

    async def process(self, batch: Batch, rows: Rows) -> Done:
        self.values += [one.value for one in batch.records]
        return Done()


async def test_a_processor_is_shown_no_tombstone_but_a_null_value_without_the_header() -> None:
    seen = Seen()
    ended = record(None, headers=tombstone("t", b"C1", 1_000).headers)

    await Living(seen).process(Batch("customer.changes", 1, [record(b"a"), ended, record(None)], 1), rows())
    only = await Living(seen).process(Batch("customer.changes", 1, [ended], 1), rows())

    assert seen.values == [b"a", None]
    assert only == Done()


def test_the_dead_letter_of_an_erased_customer_has_neither_value_nor_headers_of_its_own() -> None:
    refused = record(b'{"value": "Ann"}', headers=(("x-name", b"Ann"),))

    letter = LETTERS.refuse(refused, Invalid("erased_customer", "pin"), "TASK_PUT", __name__, keep=False)

    told = dict(letter.headers)
    assert letter.value == b""
    assert "x-name" not in told
    assert (told["writeback.reason"], told["writeback.value.bytes"]) == (b"erased_customer", b"16")


def fence(at: int) -> bytes:
    return b"\x03" + at.to_bytes(8, "big")


def test_the_latest_of_several_fences_holds_and_what_is_none_is_a_dead_letter() -> None:
    erasing, kept, key = Erasing(load_policy(), KEY, 2), rows(), FENCE + b"a" * 48
    told = [record(fence(5), key), record(fence(9), key), record(fence(7), key), record(b"\x01x", key)]

    emits, dead = erasing.keep(key, told, kept, LETTERS)

    assert kept.get(key) == fence(9)
    assert (len(emits), dead) == (1, 1)


def test_a_fenced_row_lies_under_a_hash_and_comes_back_under_its_name_when_it_ends() -> None:
    fenced, kept, name = FencedRows(KEY), rows(), b"crm:003"
    kept.put(name, encode_row(Row(customer="C1", joined=True)))

    fenced.store(kept, name, Row(erased_at=5, closed_at=9))
    assert kept.get(name) is None
    assert not any(b"003" in key for key, value in kept.written.items() if value is not None)
    assert fenced.load(kept, name) == Row(erased_at=5, closed_at=9)

    fenced.store(kept, name, Row(customer="C2", joined=True))
    assert fenced.load(kept, name) == Row(customer="C2", joined=True)
    assert [key for key, value in kept.written.items() if value is not None] == [name]


def test_a_row_that_says_nothing_any_more_is_removed() -> None:
    fenced, kept, name = FencedRows(KEY), rows(), b"@email:ann@example.com"
    kept.put(name, encode_row(Row(customer="C1")))

    fenced.store(kept, name, Row())

    assert kept.written == {name: None}


def test_topics_that_are_keyed_by_person_are_emptied_key_by_key_and_the_ledger_never() -> None:
    specs = {
        one.name: one.config for one in topics.topic_specs(load_policy(), 2, keeping=topics.Keeping(1, 2, 3, 4000))
    }
    policies = {name: config.get("cleanup.policy", "delete") for name, config in specs.items()}

    emptied = {"changes", "identity", "customer.changes", "receipts", "contacts", "dead-letters", "notes", "history"}
    assert {policies[name] for name in emptied | {"commands.crm", "reviews"}} == {"compact,delete"}
    assert {policies[name] for name in ("steward", "suppressions")} == {"compact"}
    assert (policies["consent.ledger"], specs["consent.ledger"]["retention.ms"]) == ("delete", "-1")
    assert specs["consent.ledger"]["segment.ms"] == "86400000"
    assert (policies["raw.crm"], specs["raw.crm"]["retention.ms"]) == ("delete", "4000")
    changes = specs["changes"]
    assert [changes[f"{one}.ms"] for one in ("min.compaction.lag", "max.compaction.lag", "delete.retention")] == list(
        "123"
    )


def test_a_compaction_that_must_come_before_it_may_is_refused() -> None:
    given = {"WRITEBACK_COMPACTION_MIN_LAG_S": "100", "WRITEBACK_COMPACTION_MAX_LAG_S": "99"}

    with pytest.raises(SettingsError, match="WRITEBACK_COMPACTION_MAX_LAG_S"):
        read_settings(given)
