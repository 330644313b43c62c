"""The demo's settings."""

import pytest

from streams.demo import run_demo
from streams.demo.settings import BadSetting, read_demo_settings


def test_every_limit_can_be_set_in_the_environment() -> None:
    found = read_demo_settings({"WRITEBACK_DEMO_STORY_TIMEOUT_S": "2.5", "WRITEBACK_DEMO_WORKDIR": "/x"}, partitions=3)

    assert (found.story_timeout_s, found.workdir, found.partitions) == (2.5, "/x", 3)


def test_a_setting_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadSetting, match="WRITEBACK_DEMO_"):
        read_demo_settings({"WRITEBACK_DEMO_QUIET_S": "soon"})


def test_the_demo_says_so_in_one_sentence_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WRITEBACK_DEMO_QUIET_S", "soon")

    assert run_demo() == 1
    assert capsys.readouterr().out.count("WRITEBACK_DEMO_") == 1
