"""What a run shows while it runs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import race


class Terminal:
    """Progress and results on standard output."""

    def __init__(self) -> None:
        self._console = Console()
        self._begin_s = time.monotonic()

    def say(self, text: str) -> None:
        """One line, with the seconds since the run began."""
        self._console.print(f"[dim]{time.monotonic() - self._begin_s:6.1f} s[/dim]  {text}", highlight=False)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[race.Progress]:
        """A bar over `total` records."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda consumed, elapsed_s: bar.update(task, completed=consumed)

    def table(self, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """The first column is text, the others are figures."""
        table = Table(*header)
        table.columns[0].no_wrap = True
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows:
            table.add_row(*row)
        self._console.print(table)
