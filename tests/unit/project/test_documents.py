"""The documents say what is so: settings, commands, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from streams.cli import main
from streams.connectors import connector
from streams.gateway.settings import GatewaySettings
from streams.policy import load_policy
from streams.runtime.settings import Settings

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ELSEWHERE = {"WRITEBACK_URL", "WRITEBACK_CACHE", "WRITEBACK_REQUIRE_ALL"}
ROW = re.compile(r"^\| `(WRITEBACK_[A-Z0-9_]+)` \| (.*?) \| (.+) \|$", re.MULTILINE)


def shown(default: Any) -> str:
    """A default as the tables have it."""
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if text else ""


def settings() -> Iterator[tuple[str, str]]:
    """Every setting that a process reads, with its default."""
    names = {field.name for field in msgspec.structs.fields(Settings)}
    for field in msgspec.structs.fields(Settings):
        yield f"WRITEBACK_{field.name.upper()}", shown(field.default)
    yield "WRITEBACK_ERASURE_KEY", "required"
    for field in msgspec.structs.fields(GatewaySettings):
        if field.name not in names:
            yield f"WRITEBACK_GATEWAY_{field.name.upper()}", shown(field.default)
    for platform, rule in load_policy().platforms.items():
        for one in connector(rule.connector).settings:
            default = "required" if one.default is None else shown(one.default)
            yield f"WRITEBACK_{platform.upper()}_{one.name}", default


def test_the_settings_page_lists_every_setting_with_its_default_and_no_other() -> None:
    rows = {name: default for name, default, _ in ROW.findall((ROOT / "docs/settings.md").read_text())}

    assert {name: default for name, default in rows.items() if name not in ELSEWHERE} == dict(settings())


def test_the_readme_names_every_credential_and_no_setting_that_is_none() -> None:
    text = (ROOT / "README.md").read_text()
    known = dict(settings())
    required = {name for name, default in known.items() if default == "required"}
    named = set(re.findall(r"WRITEBACK_[A-Z0-9_]*[A-Z0-9]", text))

    assert required - named == set()
    assert named - set(known) - {"WRITEBACK_SASL"} == set()


def commands() -> Iterator[str]:
    """Each call of `writeback` in a code block of the documents and the help texts."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            yield from re.findall(r"^(?:\.venv/bin/)?writeback ([^#\n]+)", block, re.MULTILINE)
    for help_text in helps(main):
        yield from re.findall(r"^  writeback ([a-z][^#\n]*)", help_text, re.MULTILINE)


def helps(command: click.Command) -> Iterator[str]:
    """The help of a command and of those below it."""
    yield command.help or ""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from helps(one)


@pytest.mark.parametrize("line", sorted({line.strip() for line in commands()}))
def test_every_command_that_the_documents_show_is_one(line: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(re.split(r"\s{2,}| > ", line)[0])
    for word in words:
        if word.endswith((".toml", ".ndjson")):
            (tmp_path / word).touch()
    command: click.Command = main
    with click.Context(main, info_name="writeback") as context:
        while isinstance(command, click.Group) and words:
            name = words.pop(0)
            assert name in command.commands, f"there is no command {name}"
            command = command.commands[name]
        command.make_context("writeback", words, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []
