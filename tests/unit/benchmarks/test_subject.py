"""The function that every contender runs writes what the engine writes, record for record."""

from __future__ import annotations

from pathlib import Path

from benchmarks.generate import changes
from benchmarks.subject import OUTPUTS, encode, fold
from streams.codec import PublicCodec
from streams.lane import Batch, Record, Rows
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.engine import Engine
from streams.runtime.erasing import Erasing
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings
from tests.unit.lane.fakes import open_store

AT = 1_768_000_000_000


async def test_the_subject_gives_what_the_engine_emits(tmp_path: Path) -> None:
    policy = load_policy()
    keyed = list(changes(300, 30))
    records = [
        Record(topics.CUSTOMER_CHANGES, 0, place, AT + place, one.customer_id.encode(), encode(one.change))
        for place, one in enumerate(keyed)
    ]
    letters = Letters("tests", Settings())
    engine = Engine(policy, PublicCodec(), letters, 1_000_000, 100, 1, Erasing(policy, b"k" * 32, 1))
    rows = Rows("customers", open_store(tmp_path / "rows"), (), 1_000_000)
    emits = (await engine.process(Batch(topics.CUSTOMER_CHANGES, 0, records, 1), rows)).emits

    states: dict[bytes, bytes] = {}
    written = []
    for record in records:
        assert record.key is not None and record.value is not None
        states[record.key], outputs = fold(states.get(record.key), record.value, record.timestamp_ms)
        written += outputs

    assert sorted(written) == sorted((one.topic, one.key or b"", one.value or b"") for one in emits)
    assert {topic for topic, _, _ in written} <= set(OUTPUTS)
    assert {topics.HISTORY, topics.LEDGER, topics.CONTACTS} <= {topic for topic, _, _ in written}
    assert {key: state for key, state in rows.written.items() if state is not None} == states
