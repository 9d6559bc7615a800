"""The first screen as text, 80 columns wide."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from .content import Summary
    from .rows import Table

WIDTH = 80
#: a warning or a note is cut beyond so many lines
LINES = 2


def text(summary: Summary, plus_minus: str = "±") -> str:
    """A summary as text: facts, tables, notes, and a warning each."""
    from rich.console import Console
    from rich.table import Table as Grid

    out = io.StringIO()
    console = Console(file=out, width=WIDTH, highlight=False, markup=False, emoji=False, color_system=None)
    if summary.title:
        console.print(summary.title)
    facts = Grid(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for key, said in summary.facts:
        facts.add_row(key, said)
    console.print(facts)
    for table in summary.tables:
        console.print()
        console.print(f"{table.title}{f' ({table.unit})' if table.unit else ''}")
        if table.rows:
            console.print(_fitting(table))
    for note in summary.notes:
        console.print(_short(note))
    for warning in summary.warnings:
        console.print(_short(f"warning: {warning}"))
    lines = (line.rstrip() for line in out.getvalue().replace("±", plus_minus).splitlines())
    return "\n".join(lines)


def _fitting(table: Table) -> RichTable:
    """A table that is no wider than the screen: where its cells are, dots take the place of the columns between two."""
    columns, rows = table.columns, table.rows
    widths = [max(map(len, cells)) for cells in zip(*(cells for _, cells in rows), strict=True)]
    if len(columns) > 2 and max(len(label) for label, _ in rows) + sum(widths) + len(widths) > WIDTH:
        columns = [columns[0], "...", columns[-1]]
        rows = [(label, [cells[0], "", cells[-1]]) for label, cells in rows]
    return _grid(columns, rows)


def _grid(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> RichTable:
    from rich.table import Table as Grid

    grid = Grid(box=None, pad_edge=False)
    grid.add_column("", no_wrap=True)
    for column in columns:
        grid.add_column(column, justify="right")
    for label, cells in rows:
        grid.add_row(label, *cells)
    return grid


def _short(said: str) -> str:
    """A text of `LINES` lines at most."""
    import textwrap

    return "\n".join(textwrap.wrap(" ".join(said.split()), WIDTH, max_lines=LINES, placeholder=" ...", subsequent_indent="  "))
