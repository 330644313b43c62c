"""Progress of long work on stderr: a bar for a person, a line now and then for a log; nothing for short work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SHOW_AFTER_S = 1.0
BAR_EVERY_S = 0.1
LINE_EVERY_S = 10.0

Tell = Callable[[int], None]


@contextmanager
def counted(what: str, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Tell]:
    """A function to be called with how many of `total` are done; it is cheap enough for each one."""
    if not sys.stderr.isatty():
        yield _throttled(lambda done: click.echo(f"{what}: {done} of {total}", err=True), LINE_EVERY_S, clock)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, visible=False)
        yield _throttled(lambda done: bar.update(task, completed=done, visible=True), BAR_EVERY_S, clock)


def _throttled(show: Tell, every_s: float, clock: Callable[[], float]) -> Tell:
    due_s = clock() + max(SHOW_AFTER_S, every_s)

    def tell(done: int) -> None:
        nonlocal due_s
        if clock() >= due_s:
            due_s = clock() + every_s
            show(done)

    return tell
