"""The script that makes .venv, where it must refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("python", ["/nowhere/python", "false"])
def test_a_python_that_is_missing_or_too_old_is_named_and_nothing_is_made(python: str, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/venv", tmp_path / "scripts")

    run = subprocess.run(
        [tmp_path / "scripts/venv"],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert f"{python} is missing or older than Python 3.11" in run.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_says_what_can_be_made() -> None:
    told = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout

    assert all(f"make {target} " in told for target in ("demo", "dev", "test", "bench", "check"))
