"""Prints the exact versions of everything that the project and its extras need, as this environment holds them.

Run in an environment that `make` has set up; `make constraints` does. Packages that came in another way are left out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

EXTRAS = ("embedded", "test", "dev")
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?(?P<rest>.*)$")


def canonical(name: str) -> str:
    """The name as the index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(name: str, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What one installed package requires here: (name, extras)."""
    for line in distribution(name).requires or ():
        requirement, _, marker = line.partition(";")
        if marker and not _applies(marker.strip(), extras):
            continue
        found = _REQUIREMENT.match(requirement.strip())
        if found:
            wanted = tuple(part.strip() for part in (found["extras"] or "").split(",") if part.strip())
            yield canonical(found["name"]), wanted


def _applies(marker: str, extras: tuple[str, ...]) -> bool:
    from packaging.markers import Marker

    return any(Marker(marker).evaluate({"extra": extra}) for extra in (*extras, ""))


def closure() -> dict[str, str]:
    """Package -> version, for all that `writeback` with its extras rests on."""
    found: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [("writeback", EXTRAS)]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = distribution(name).version
        except PackageNotFoundError:
            continue  # an extra's package that this platform has no use for
        waiting.extend(needed(name, extras))
    del found["writeback"]
    return found


def main() -> None:
    """Write the file to stdout."""
    lines = ["# Exact versions of every dependency, direct and indirect; `make constraints` writes this file."]
    lines += [f"{name}=={version}" for name, version in sorted(closure().items())]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
