"""A site for one test: `async with visit(rows) as visitor`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.web.site import Rows, Visitor, visiting

Visit = Callable[..., AbstractAsyncContextManager[Visitor]]


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """The views over some rows (none: empty ones), with settings."""

    def made(rows: Rows | None = None, **settings: Any) -> AbstractAsyncContextManager[Visitor]:
        return visiting(tmp_path, rows if rows is not None else Rows(), **settings)

    return made
