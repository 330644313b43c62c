"""Prints the exact versions of everything that pyproject.toml asks for, as this environment holds them.

Run in an environment that `make` has set up; `make constraints` does. Packages that came in another way are left out.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
NONE = frozenset[str]()


def asked() -> list[str]:
    """The requirements of the project and of all its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return [*project["dependencies"], *(line for extra in extras for line in extra)]


def applying(lines: list[str], extras: frozenset[str]) -> Iterator[Requirement]:
    """Those that this environment and these extras call for."""
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            yield requirement


def versions() -> dict[str, str]:
    """Package -> version, direct and indirect."""
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(applying(asked(), NONE))
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed here: run `make constraints`")
        found[name] = installed.version
        waiting.extend(applying(installed.requires or [], extras))
    return found


def main() -> None:
    """Write the file to stdout."""
    lines = ["# Exact versions of every dependency, direct and indirect; `make constraints` writes this file."]
    lines += [f"{name}=={version}" for name, version in sorted(versions().items())]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
