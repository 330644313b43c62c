"""The separate environment for Quix Streams, made once and kept beside the broker's jars."""

import hashlib
import os
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

_REQUIREMENTS = Path(__file__).with_name("quix") / "requirements.txt"

# What the core and the codec spend their time in must be the same in both environments.
_SHARED = ("aiohttp", "fastavro", "idna", "msgspec", "phonenumberslite", "pycountry", "rocksdict")


def quix_python() -> str:
    """Path of an interpreter that has what `quix/requirements.txt` names; made now if there is none."""
    constraints = "".join(f"{name}=={version(name)}\n" for name in _SHARED)
    home = _cache() / f"quix-{_identity(constraints)}"
    python, complete = home / "bin" / "python", home / "complete"
    if not complete.exists():
        venv.create(home, with_pip=True, clear=True)
        _install(python, home / "constraints.txt", constraints)
        complete.touch()
    return str(python)


def _cache() -> Path:
    return Path(os.environ.get("WRITEBACK_CACHE") or Path.home() / ".cache" / "writeback").absolute()


def _identity(constraints: str) -> str:
    content = (_REQUIREMENTS.read_text(), constraints, sys.version)
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:12]


def _install(python: Path, path: Path, constraints: str) -> None:
    path.write_text(constraints)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(_REQUIREMENTS), "--constraint", str(path)], check=True)
