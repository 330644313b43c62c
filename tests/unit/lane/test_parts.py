"""The small parts: partitions of keys, batches cut to size, sizes of records, versions, directories, agents."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2 as reference
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.lane import Batch, BatchTable, Emit, LaneSettings, Record, Refused, app, lane_agent, make_app, partition_of
from streams.lane.murmur import murmur2
from streams.lane.producer import Filling, size_bytes
from streams.lane.topics import TopicSpec, _require_equal
from streams.lane.transport import split
from tests.unit.lane.fakes import Echo, batch, record


def test_murmur2_is_the_one_of_java() -> None:
    """Against aiokafka's translation, over all tails and lengths."""
    dice = random.Random(1)
    keys = [dice.randbytes(length) for length in range(70) for _ in range(10)]

    assert [reference(key) for key in keys] == [murmur2(key) for key in keys]


def test_the_partition_of_a_key_is_the_one_that_java_chooses() -> None:
    """Hashes from Kafka's own test of murmur2, signed as Java has them."""
    java = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}

    assert {key: (signed & 0x7FFFFFFF) % 10 for key, signed in java.items()} == {
        key: partition_of(key, 10) for key in java
    }


def test_batches_are_cut_by_bytes_and_never_empty() -> None:
    """A record over the limit is a batch of its own."""
    records = [record(n, b"", b"x" * size) for n, size in enumerate([4, 4, 4, 30, 1])]

    assert [[each.offset for each in part] for part in split(records, 8)] == [[0, 1], [2], [3], [4]]


def test_the_rest_of_a_batch_is_behind_an_offset() -> None:
    """Offsets may have gaps."""
    rest = batch(3, 7, 9).after(4)

    assert rest is not None
    assert (rest.first_offset, rest.last_offset) == (7, 9)
    assert batch(3).after(3) is None


def test_the_size_of_a_record_counts_headers() -> None:
    """Key, value, header names and header values."""
    assert size_bytes(Emit("t", b"key", b"value", headers=(("ab", b"cdef"),))) == 3 + 5 + 2 + 4
    assert size_bytes(Emit("t", None, None)) == 0


class FakeClient:
    """Makes batches of a small size, as a producer would."""

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(300, 0)


@pytest.mark.parametrize(("single", "counts"), [(False, [4, 4, 2]), (True, [1] * 10)])
def test_produced_batches_are_full_and_in_order(single: bool, counts: list[int]) -> None:
    """Read back through the library's own reader, with timestamps and headers."""
    lines = [(b"k%02d" % n, b"v" * 40, 1_000 + n, [("h", b"%d" % n)]) for n in range(10)]
    filling = Filling(cast(AIOKafkaProducer, FakeClient()), single)
    for key, value, timestamp_ms, headers in lines:
        filling.add(timestamp_ms, key, value, headers)
    batches = filling.closed()
    stored = [list(MemoryRecords(bytes(each._build())).next_batch()) for each in batches]

    assert counts == [each.record_count() for each in batches]
    assert [(key, stamp, list(headers)) for key, _, stamp, headers in lines] == [
        (each.key, each.timestamp, list(each.headers)) for part in stored for each in part
    ]


def test_a_line_larger_than_a_batch_is_a_batch_of_its_own() -> None:
    """The broker's limit is above the batch size, so it can be written."""
    filling = Filling(cast(AIOKafkaProducer, FakeClient()), False)
    filling.add(None, b"k", b"v" * 1000, [])
    filling.add(None, b"k", b"v", [])

    assert [each.record_count() for each in filling.closed()] == [1, 1]


def test_other_versions_than_the_pinned_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence with the names of all of them."""
    monkeypatch.setitem(app.PINNED, "aiokafka", "9.9.9")
    with pytest.raises(Refused, match=r"aiokafka .* \(need 9\.9\.9\)"):
        app.check_versions()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("batches_max", 0), ("batch_max_records", -1), ("heartbeat_s", 15.0), ("record_max_bytes", 0)],
)
def test_limits_that_cannot_work_are_refused(setting: str, value: float) -> None:
    """By name, before anything starts."""
    with pytest.raises(Refused, match=setting):
        LaneSettings(bootstrap="b", app_id="a", datadir="d", **{setting: value})


def test_a_data_directory_is_held_by_one(tmp_path: Path) -> None:
    """Until it is let go."""
    held = app.lock_directory(tmp_path)
    with pytest.raises(Refused, match="in use by another worker"):
        app.lock_directory(tmp_path)
    held.close()

    app.lock_directory(tmp_path).close()


def test_unequal_partition_counts_are_listed_together() -> None:
    """So that they can be mended together."""
    present: Mapping[str, int] = {"a": 3, "b": 4}
    with pytest.raises(Refused, match=r"a has 3 partitions, not 4; b has 4 partitions, not 5"):
        _require_equal([TopicSpec("a", 4), TopicSpec("b", 5), TopicSpec("c", 1)], present)


class Names:
    """One app with agents declared on it."""

    def __init__(self, directory: Path) -> None:
        self.app = make_app(LaneSettings(bootstrap="127.0.0.1:1", app_id="app", datadir=str(directory)))
        self.table = BatchTable(self.app, "rows", 4)

    def agent(self, topic: str, partitions: int = 4, table: Any = None) -> None:
        lane_agent(self.app, [topic], partitions, table, Echo(), f"on-{topic}")


def test_agents_that_cannot_be_right_are_refused_when_declared(tmp_path: Path) -> None:
    """Two on one topic, two on one table, and unequal partition counts."""
    names = Names(tmp_path)
    names.agent("one", table=names.table)

    for wrong, text in [
        (lambda: names.agent("one"), "Topic one already has an agent"),
        (lambda: names.agent("two", table=names.table), "a table has one writer"),
        (lambda: names.agent("three", 3, BatchTable(names.app, "other", 4)), "must be equal"),
    ]:
        with pytest.raises(Refused, match=text):
            wrong()


def test_a_table_cannot_be_written_like_a_dictionary(tmp_path: Path) -> None:
    """That would bypass the checkpoint."""
    table = Names(tmp_path).table
    with pytest.raises(TypeError):
        table[b"key"] = b"value"
    with pytest.raises(TypeError):
        del table[b"key"]

    assert TopicSpec("app-rows-changelog", 4, {"cleanup.policy": "compact"}) == table.spec


def test_brokers_may_be_a_list(tmp_path: Path) -> None:
    """Several addresses, separated by commas."""
    made = make_app(LaneSettings(bootstrap="one:1, two:2", app_id="app", datadir=str(tmp_path)))

    assert [url.host for url in made.conf.broker] == ["one", "two"]


def test_batches_know_their_coordinates() -> None:
    """For processors that log where they are."""
    made = Batch("t", 2, [Record("t", 2, 5, 0, None, None)], 1)

    assert (made.topic, made.partition, made.first_offset, made.last_offset) == ("t", 2, 5, 5)
