"""Settings come from the environment, and all that is wrong with them is said at once."""

from __future__ import annotations

import pytest

from streams.runtime.settings import SettingsError, read_settings

LANE = {
    "WRITEBACK_BATCH_MAX_RECORDS": "300",
    "WRITEBACK_BATCH_MAX_BYTES": "400000",
    "WRITEBACK_TABLE_BLOCK_CACHE_BYTES": "5000000",
    "WRITEBACK_TABLE_WRITE_BUFFERS_BYTES": "6000000",
}


def test_limits_of_batches_and_memory_reach_the_lane() -> None:
    lane = read_settings(LANE).lane("app")

    limits = (
        lane.batch_max_records,
        lane.batch_max_bytes,
        lane.table_block_cache_bytes,
        lane.table_write_buffers_bytes,
    )
    assert limits == (300, 400_000, 5_000_000, 6_000_000)


SIGN_IN = (
    "WRITEBACK_SESSION_S",
    "WRITEBACK_STEWARD_NAME_CHARS_MAX",
    "WRITEBACK_SIGN_IN_WINDOW_S",
    "WRITEBACK_SIGN_IN_PEERS_MAX",
    "WRITEBACK_FORM_MAX_BYTES",
    "WRITEBACK_FORM_FIELDS_MAX",
)


def test_any_number_of_wrong_tokens_is_a_limit_and_less_than_none_is_not() -> None:
    assert read_settings({"WRITEBACK_SIGN_IN_ATTEMPTS_MAX": "0"}).sign_in_attempts_max == 0
    with pytest.raises(SettingsError, match="WRITEBACK_SIGN_IN_ATTEMPTS_MAX: must be 0 or more"):
        read_settings({"WRITEBACK_SIGN_IN_ATTEMPTS_MAX": "-1"})


@pytest.mark.parametrize("name", [*LANE, *SIGN_IN])
def test_a_limit_of_nothing_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: must be 1 or more"):
        read_settings({name: "0"})


def test_every_problem_is_named_at_once() -> None:
    wrong = {"WRITEBACK_TICK_S": "soon", "WRITEBACK_TLS": "perhaps", "WRITEBACK_PARTITIONS": "8"}

    with pytest.raises(SettingsError) as refused:
        read_settings(wrong)

    assert refused.value.problems == ["WRITEBACK_TICK_S: not a float", "WRITEBACK_TLS: not a bool"]
