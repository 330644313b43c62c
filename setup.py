"""What pyproject.toml cannot say: the schemas' place in a wheel, and the compiled core.

`WRITEBACK_COMPILE=1` compiles the pure core with mypyc (it needs a C compiler and mypy in the environment of the
build): the same source, about twice as fast. Without it everything runs as plain Python. Compile for deployment and
benchmarks, not in an editable checkout, where the compiled modules would hide later edits.
"""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HOT = {
    "core": (
        "answers",
        "canonical",
        "claims",
        "commanding",
        "commands",
        "consent",
        "contact_points",
        "decide",
        "echoes",
        "effective",
        "fold",
        "history",
        "in_flight",
        "ledger_fold",
        "orders",
        "pruning",
        "registers",
        "rules",
        "standing",
        "steward",
        "survivorship",
        "verdicts",
    ),
    "codec": ("change_writer", "command_writer", "internal", "ledger_writer", "primitives", "public", "state"),
    "lane": ("murmur",),
}


class WithSchemas(build_py):
    """The package and a copy of `schemas/`; an editable install reads the checkout itself."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "streams", "schemas")
            shutil.copytree(Path(__file__).parent / "schemas", target, dirs_exist_ok=True)


def compiled() -> list:
    """The extension modules, none unless asked for."""
    if os.environ.get("WRITEBACK_COMPILE") != "1":
        return []
    from mypyc.build import mypycify

    paths = [f"streams/{package}/{name}.py" for package, names in HOT.items() for name in names]
    checks = ["--config-file=", "--ignore-missing-imports", "--disable-error-code=misc"]
    return mypycify([*checks, *paths], opt_level="3", debug_level="0")


setup(cmdclass={"build_py": WithSchemas}, ext_modules=compiled())
