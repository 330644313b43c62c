"""The walk-through of the README, run as it is written."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streams.brokers import Embedded
from streams.demo.settings import DemoSettings
from streams.demo.stack import Stack
from tests.brokers import require

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0
RECORDS = 3


def blocks(title: str = "Try it with curl") -> list[str]:
    """The commands of a section."""
    section = (ROOT / "README.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def stack() -> Iterator[Stack]:
    """What `make dev` starts, with the secrets of the first block."""
    require(Embedded())
    secret = dict(re.findall(r"^export (\w+)=(\S+)$", blocks()[0], re.MULTILINE))
    running = Stack(DemoSettings(), trickle_s=3600, environment={**_path(), **secret})
    try:
        asyncio.run(running.start())
        yield running
    finally:
        running.stop()
        running.clean()


def _path() -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin"}


class Reader:
    """Someone who types what the README says, with the addresses that were printed."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder
        self.admin = stack.sandbox["admin"]
        self._environment = {**_path(), "WRITEBACK_BOOTSTRAP": stack.broker.bootstrap, "WRITEBACK_PROFILE": "embedded"}
        self._environment["WRITEBACK_URL"] = stack.urls["engine"]
        self._said = {
            "http://127.0.0.1:8100": self.admin,
            "http://127.0.0.1:8080": stack.urls["gateway"],
            "http://127.0.0.1:6066": stack.urls["engine"],
            ".venv/bin/writeback": f"{sys.executable} -c 'from streams.cli import main; main()'",
        }

    def types(self, block: str) -> str:
        """Run a block; what it printed."""
        for said, printed in self._said.items():
            block = block.replace(said, printed)
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def until_known(self) -> None:
        """Return when the engine knows everybody whom the walk-through names."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and not all(map(self._is_known, ("ann", "ben"))):
            time.sleep(0.1)

    def _is_known(self, key: str) -> bool:
        """Whether all records of a person are one customer's."""
        url = self._said["http://127.0.0.1:6066"]
        with (
            suppress(urllib.error.HTTPError),
            urllib.request.urlopen(f"{url}/customers/by/email/{key}@example.com") as answer,
        ):
            return len(json.loads(answer.read())["records"]) >= RECORDS
        return False

    def streets(self) -> set[str]:
        """The first lines that the platforms hold of Ann's address."""
        with urllib.request.urlopen(f"{self.admin}/admin/people/ann") as answer:
            held = json.loads(answer.read())
        return {one["attributes"]["shipping_address"]["line1"] for one in held.values()}


def test_the_walk_through_works_as_written(stack: Stack, tmp_path: Path) -> None:
    reader = Reader(stack, tmp_path)
    order, look = blocks()[1:3]

    assert " 202 " in reader.types(order).splitlines()[0]

    deadline = time.monotonic() + WAIT_S
    while reader.streets() != {"19 Quay Ct"} and time.monotonic() < deadline:
        time.sleep(0.1)
    assert reader.streets() == {"19 Quay Ct"}
    told = reader.types(look)
    assert "settled:" in told
    assert "commands.crm[" in told
    assert "no dead letters" in told


def test_a_steward_unlinks_merges_and_erases_as_written(stack: Stack, tmp_path: Path) -> None:
    reader = Reader(stack, tmp_path)
    acts, erasure = blocks("One customer out of many records")
    reader.until_known()

    told = reader.types(acts)
    assert "accepted: unlink of " in told
    assert "accepted: merge of " in told
    assert "Sam asked for it" in told or "merge by Sam" in told

    told = reader.types(erasure)
    assert "accepted: erase of " in told
    assert "was erased at" in told
    assert {line.split(":")[0].strip() for line in told.splitlines()[-3:]} == {"storefront", "crm", "esp"}
