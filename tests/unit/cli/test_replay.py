"""`writeback replay` and `writeback policy`, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.cli.progress import counted

ANN = {
    "change_id": "evt-1",
    "platform": "crm",
    "record_id": "003xx",
    "observed_at": "2026-01-10T12:00:00Z",
    "customer_id": "C1",
    "attributes": {"phone": {"value": "+14155550100"}},
}


def run(*arguments: object) -> Result:
    """One call of the command."""
    return CliRunner().invoke(main, [str(each) for each in arguments])


def recorded(path: Path, *values: Any) -> Path:
    """An input file of changes, one a line."""
    lines = [
        {"topic": "changes", "key": None, "timestamp": "2026-01-10T12:00:01Z", "headers": {}, "value": value}
        for value in values
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_replay_writes_every_file_of_the_contract(tmp_path: Path) -> None:
    source = recorded(tmp_path / "in.ndjson", ANN)

    result = run("replay", source, "--out", tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "golden.ndjson",
        "commands.ndjson",
        "ledger.ndjson",
        "dead_letters.ndjson",
        "notes.ndjson",
        "digest.txt",
    }
    golden = json.loads((tmp_path / "out" / "golden.ndjson").read_text())
    assert golden["attributes"]["phone"]["value"] == "+14155550100"


def test_replay_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    source = recorded(tmp_path / "in.ndjson", ANN, {**ANN, "change_id": "evt-2", "platform": "storefront"})

    for out in ("one", "two"):
        assert run("replay", source, "--out", tmp_path / out).exit_code == 0

    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_replay_without_receipts_leaves_commands_unanswered(tmp_path: Path) -> None:
    other = {**ANN, "change_id": "evt-2", "platform": "esp", "record_id": "01H", "attributes": {}}
    other["attributes"] = {"phone": {"value": "+14155550101"}}
    other["observed_at"] = "2026-01-10T12:00:05Z"
    source = recorded(tmp_path / "in.ndjson", ANN, other)

    for receipts in ("auto", "none"):
        assert run("replay", source, "--out", tmp_path / receipts, "--receipts", receipts).exit_code == 0

    shadows = [
        json.loads((tmp_path / receipts / "golden.ndjson").read_text())["shadows"]["crm:003xx"]["phone"]
        for receipts in ("auto", "none")
    ]
    assert shadows == ["+14155550101", "+14155550100"]


def test_replay_puts_a_line_that_is_not_json_in_the_dead_letters_and_goes_on(tmp_path: Path) -> None:
    source = recorded(tmp_path / "in.ndjson", ANN)
    source.write_text("\nnot json\n" + source.read_text())

    result = run("replay", source, "--out", tmp_path / "out")

    assert result.exit_code == 0
    letter = json.loads((tmp_path / "out" / "dead_letters.ndjson").read_text())
    assert (letter["offset"], letter["reason"]) == (1, "bad_line")
    assert (tmp_path / "out" / "golden.ndjson").read_text()


def test_a_missing_input_is_one_sentence_and_a_failure(tmp_path: Path) -> None:
    result = run("replay", tmp_path / "none.ndjson", "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert "does not exist" in result.output
    assert "Traceback" not in result.output


def test_a_policy_with_three_errors_is_refused_with_all_three(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('version = "x"\nwrong = 1\nping_pong_limit = 0\n[platforms.crm]\n[attributes]\n', encoding="utf-8")

    result = run("policy", "check", path)

    assert result.exit_code == 1
    assert all(part in result.output for part in ("wrong", "ping_pong_limit", "platforms.crm.connector"))
    assert "Traceback" not in result.output


def test_the_shipped_policy_is_printed_whole_and_passes_its_own_check(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(run("policy", "default").output, encoding="utf-8")

    result = run("policy", "check", path)

    assert result.exit_code == 0, result.output
    assert "default-1 is valid" in result.output


def test_a_policy_that_names_an_unknown_connector_is_valid_for_a_replay_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('version = "x"\n[platforms.till]\nconnector = "abacus"\n[attributes]\n', encoding="utf-8")

    result = run("policy", "check", path)

    assert result.exit_code == 0
    assert "no connector abacus here, so till can only be replayed" in result.output


def test_progress_is_told_now_and_then_and_not_for_short_work(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0

    with counted("replaying", 100, clock=lambda: now) as tell:
        for done in range(1, 101):
            now += 0.25
            tell(done)

    assert capsys.readouterr().err.splitlines() == ["replaying: 40 of 100", "replaying: 80 of 100"]


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert "Example" in result.output
