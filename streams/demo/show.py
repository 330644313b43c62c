"""What a person sees: progress while it works, and a table for each story."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streams.demo.stories.story import Row, Story, Told

PIPE_COLUMNS: Final = 150
NAMES: Final = {"storefront": "Shopify, storefront", "crm": "Salesforce, crm", "esp": "Klaviyo, esp"}

Progress = Callable[[str], None]


class Show:
    """Writes to stdout; a spinner where that is a terminal, plain lines where it is not."""

    def __init__(self, console: Console | None = None) -> None:
        width = None if sys.stdout.isatty() else PIPE_COLUMNS
        self._out = console or Console(width=width, highlight=False, markup=False)

    def say(self, text: str, style: str = "") -> None:
        """One line."""
        self._out.print(Text(text, style=style))

    def process(self, name: str, what: str) -> None:
        """What has become of a process; that one starts is shown only while it does."""
        if what != "starting":
            self._out.print(Text.assemble(("  ✓ ", "green"), (f"{name:<9}", "bold"), (what, "dim")))

    @contextmanager
    def busy(self, text: str) -> Iterator[Progress]:
        """While something is under way; call what is yielded to say how far it is."""
        if not self._out.is_terminal:
            self.say(f"   {text} …", "dim")
            yield lambda text: None
            return
        with self._out.status(Text(text)) as status:
            yield lambda text: status.update(Text(text))

    def story(self, number: int, story: Story) -> None:
        """The heading, before it is played."""
        self._out.print()
        self._out.print(Text(f"{number}  {story.title}", style="bold cyan"))
        self._indented(Text(story.plot))

    def told(self, told: Told) -> None:
        """What every platform held and holds, and how long it took."""
        table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1), header_style="dim", pad_edge=False)
        for column in ("", "", *told.headings, "took"):
            table.add_column(column, justify="right" if column == "took" else "left", overflow="fold")
        for row in told.rows:
            table.add_row(*_cells(row))
        self._indented(table)
        for remark in told.remarks:
            self._indented(Text(remark))
        times = [row.after_s for row in told.rows if row.after_s is not None]
        done = f"✓ {max(times):.2f} s from the webhook to the last platform" if times else "✓ nothing moved"
        self._indented(Text(done, style="green"))

    def _indented(self, what: RenderableType) -> None:
        self._out.print(Padding(what, (0, 0, 0, 3), expand=False))


def _cells(row: Row) -> list[Text]:
    moved = row.before != row.now
    return [
        Text(NAMES.get(row.platform, row.platform)),
        Text(row.what, style="dim"),
        Text(row.before, style="dim"),
        Text(row.now, style="bold" if moved else "dim"),
        Text("" if row.after_s is None else f"{row.after_s:.2f} s", style="green"),
    ]
