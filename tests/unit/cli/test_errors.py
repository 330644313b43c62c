"""Errors as a person sees them: one sentence, a non-zero exit, and a traceback only for a bug."""

from __future__ import annotations

import socket

import click
import pytest
from click.testing import CliRunner, Result

from streams.cli.main import Commands
from streams.lane import EXIT_REFUSED, Refused
from streams.model import Invalid, Retry
from streams.policy import PolicyError
from streams.runtime.settings import SettingsError


def ending_with(error: Exception) -> Result:
    """A command that raises."""
    group = Commands("writeback")

    @group.command()
    def work() -> None:
        raise error

    return CliRunner().invoke(group, ["work"])


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (Invalid("bad_time", "observed_at"), "Error: bad_time: observed_at\n", 1),
        (Retry("the registry does not answer"), "Error: the registry does not answer; try again later\n", 1),
        (PolicyError(["a.toml: x: wrong", "a.toml: y: wrong"]), "a.toml: x: wrong\na.toml: y: wrong\n", 1),
        (SettingsError(["WRITEBACK_TLS: not a bool"]), "WRITEBACK_TLS: not a bool\n", EXIT_REFUSED),
        (Refused("Topics do not fit."), "Error: Topics do not fit.\n", EXIT_REFUSED),
        (FileNotFoundError(2, "No such file or directory", "in.ndjson"), "in.ndjson: No such file or directory", 1),
    ],
)
def test_what_is_not_a_bug_is_a_sentence(error: Exception, sentence: str, code: int) -> None:
    result = ending_with(error)

    assert result.exit_code == code
    assert sentence in result.output


def test_a_bug_keeps_its_traceback() -> None:
    bug = KeyError("bug")

    result = ending_with(bug)

    assert result.exception is bug
    assert result.output == ""


def test_a_usage_error_is_left_to_click() -> None:
    assert ending_with(click.UsageError("two of them")).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["tail", "changes"],
        ["dead-letters", "list"],
        ["dead-letters", "show", "0:0"],
        ["dead-letters", "replay", "0:0", "--yes"],
        ["topics", "create"],
    ],
)
def test_without_a_broker_its_address_is_named(arguments: list[str]) -> None:
    from streams.cli import main

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        bootstrap = f"127.0.0.1:{closed.getsockname()[1]}"
        result = CliRunner().invoke(main, arguments, env={"WRITEBACK_BOOTSTRAP": bootstrap})

    assert result.exit_code == 1
    assert f"no Kafka broker answers at {bootstrap}" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["engine", "sinks", "gateway"])
def test_a_process_names_every_setting_that_is_wrong(command: str) -> None:
    from streams.cli import main

    wrong = {"WRITEBACK_PARTITIONS": "many", "WRITEBACK_TICK_S": "often"}
    result = CliRunner().invoke(main, [command], env=wrong)

    assert result.exit_code == EXIT_REFUSED
    assert all(name in result.output for name in wrong)
