"""`writeback topics create` on a broker."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Command

pytestmark = pytest.mark.embedded


def test_all_topics_are_created_once_with_the_changelogs(command: Command) -> None:
    first = command("topics", "create", "--partitions", "2").output
    second = command("topics", "create", "--partitions", "2").output

    assert "was there" not in first
    assert "created" not in second
    for name in ("raw.crm", "commands.esp", "consent.ledger", "dead-letters", "writeback-engine-customers-changelog"):
        assert name in first


def test_an_unequal_partition_count_is_refused_and_named(with_topics: Command) -> None:
    result = with_topics("topics", "create", "--partitions", "3", fails=True)

    assert "changes has 2 partitions, not 3" in result.output


def test_a_dry_run_creates_nothing(command: Command) -> None:
    assert "would be there" in command("topics", "create", "--dry-run").output

    assert "there is no topic changes" in command("tail", "changes", fails=True).output
