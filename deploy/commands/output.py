"""How commands speak: results on standard output, remarks on standard error."""

import sys
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def show(text: str) -> None:
    """Print a result."""
    Console(highlight=False, soft_wrap=True).print(text, markup=False)


def note(text: str) -> None:
    """Print a remark that does not belong to the result."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, style="dim", markup=False)


_UNBOUNDED = 10_000


def show_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: folded to the terminal's width, and as wide as it is where a pipe or a file takes it."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED).print(table)
