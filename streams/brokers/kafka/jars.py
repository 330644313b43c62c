"""The broker's class path: resolved once by Maven from the pinned `pom.xml`, then kept in a cache directory."""

import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

_POM = Path(__file__).with_name("pom.xml")
_JAVA_MIN = 17


class ResolveFailed(RuntimeError):
    """Maven could not resolve the class path; the text is Maven's."""


@cache
def version() -> str:
    """The Kafka release that `pom.xml` pins."""
    found = re.search(r"<kafka\.version>([^<]+)<", _POM.read_text())
    assert found, "pom.xml pins kafka.version"  # noqa: S101 - the file is part of the package
    return found.group(1)


def directory() -> Path:
    """Where the jars are kept: below `WRITEBACK_CACHE`, by default `~/.cache/writeback`."""
    root = os.environ.get("WRITEBACK_CACHE") or Path.home() / ".cache" / "writeback"
    return Path(root).absolute() / f"kafka-{version()}"


def java() -> str | None:
    """Path of a Java that is new enough, or None."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    return found if found and _java_major(found) >= _JAVA_MIN else None


@cache
def _java_major(path: str) -> int:
    told = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    found = re.search(r'version "(\d+)', told)
    return int(found.group(1)) if found else 0


def missing() -> str:
    """What this machine lacks to run Kafka, or an empty text."""
    if java() is None:
        return f"no Java {_JAVA_MIN} or newer on the path"
    if not directory().is_dir() and shutil.which("mvn") is None:
        return "the jars are not in the cache and there is no Maven (mvn) to resolve them"
    return ""


def class_path(timeout_s: float = 600.0) -> str:
    """The class path, resolving it first if the cache lacks it. Raises `ResolveFailed`."""
    home = directory()
    if not home.is_dir():
        _resolve(home, timeout_s)
    return f"{home}/*"


def _resolve(home: Path, timeout_s: float) -> None:
    """Fill a directory aside and rename it, so that a half-filled cache is never seen by anyone."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".resolving-") as aside:
        lib = Path(aside) / "lib"
        _maven(lib, timeout_s)
        try:
            lib.rename(home)
        except OSError:
            if not home.is_dir():  # else another process was quicker, with the same jars
                raise


def _maven(lib: Path, timeout_s: float) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={lib}", "-DincludeScope=runtime"]
    argv = ["mvn", "-q", "-B", "-f", str(_POM), *goal]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout_s)  # noqa: S603
    if run.returncode != 0:
        raise ResolveFailed(run.stdout[-2000:])
