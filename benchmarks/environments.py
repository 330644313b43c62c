"""What the contenders run in: the product as it is deployed, and an environment apart for Quix Streams.

Both are made once and kept in the cache directory, beside the broker's jars.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_REQUIREMENTS = Path(__file__).with_name("quix") / "requirements.txt"
_SOURCES = ("streams", "schemas", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")

_BUILDS_MAX = 3

# What the core and the codec spend their time in must be the same in both environments.
_SHARED = ("aiohttp", "fastavro", "idna", "msgspec", "phonenumberslite", "pycountry", "rocksdict")


def can_compile() -> bool:
    """Whether the core can be built as it is built for deployment: with mypyc, a C compiler and Python's headers."""
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    return find_spec("mypyc") is not None and shutil.which("cc") is not None and headers.exists()


def product(compiled: bool) -> Path:
    """A folder with the built product and these benchmarks, for `PYTHONPATH`; built now if there is none."""
    home = _cache() / f"product-{_identity(_contents(), str(compiled), sys.version, version('setuptools'))}"
    if not home.is_dir():
        _build(home, compiled)
    link = home / "benchmarks"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(__file__).parent)
    return home


def quix_python() -> str:
    """Path of an interpreter that has what `quix/requirements.txt` names; made now if there is none."""
    constraints = "".join(f"{name}=={version(name)}\n" for name in _SHARED)
    home = _cache() / f"quix-{_identity(_REQUIREMENTS.read_text(), constraints, sys.version)}"
    python, complete = home / "bin" / "python", home / "complete"
    if not complete.exists():
        venv.create(home, with_pip=True, clear=True)
        (home / "constraints.txt").write_text(constraints)
        wanted = ["--requirement", str(_REQUIREMENTS), "--constraint", str(home / "constraints.txt")]
        _pip(str(python), *wanted)
        complete.touch()
    return str(python)


def _build(home: Path, compiled: bool) -> None:
    """Build from a copy, so that nothing is left in the checkout, and move the result into place when it is whole."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".building-") as aside:
        source, built = Path(aside, "source"), Path(aside, "built")
        source.mkdir()
        for name in _SOURCES:
            _copy(_ROOT / name, source / name)
        options = ["--no-deps", "--no-build-isolation", "--target", str(built)]
        _pip(sys.executable, *options, str(source), environment={"WRITEBACK_COMPILE": "1" if compiled else ""})
        built.rename(home)
    _forget(home.parent.glob("product-*"))


def _forget(homes: Iterable[Path]) -> None:
    """Keep the newest few builds."""
    for old in sorted(homes, key=lambda home: home.stat().st_mtime, reverse=True)[_BUILDS_MAX:]:
        shutil.rmtree(old)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _pip(python: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *arguments], check=True, env={**os.environ, **(environment or {})})


def _cache() -> Path:
    return Path(os.environ.get("WRITEBACK_CACHE") or Path.home() / ".cache" / "writeback").absolute()


def _contents() -> str:
    digest = hashlib.sha256()
    for path in _files():
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for name in _SOURCES:
        path = _ROOT / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in found if one.is_file() and "__pycache__" not in one.parts)


def _identity(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
