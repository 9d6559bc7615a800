"""What is seen of anything that takes longer than two seconds: a bar on a terminal, or else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: seconds before a bar appears, and between lines where there is no terminal
PATIENCE, BETWEEN = 2.0, 30.0


def track(items: Sequence[T], description: str, enabled: bool, began: float | None = None) -> Iterator[T]:
    """Iterate over `items`; a bar on standard error appears once two seconds have passed, or a line every half minute.

    began : of work that has other items before, its start (`time.monotonic`), from which half minutes count.
    """
    if not enabled:
        yield from items
    elif sys.stderr is not None and sys.stderr.isatty():
        yield from _with_bar(items, description)
    else:
        yield from _with_lines(items, description, time.monotonic() if began is None else began)


def _with_lines(items: Sequence[T], description: str, began: float) -> Iterator[T]:
    start = time.monotonic()
    said = (start - began) // BETWEEN
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if (now - began) // BETWEEN > said:
            said, left = (now - began) // BETWEEN, (now - start) / done * (len(items) - done)
            print(f"{description}: {100 * done / len(items):.0f} %, about {left:.0f} s left", file=sys.stderr, flush=True)


def _with_bar(items: Sequence[T], description: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    start, shown = time.monotonic(), False
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(description, total=len(items))
    try:
        for item in items:
            yield item
            bar.advance(task)
            if not shown and time.monotonic() - start > PATIENCE:
                bar.start()
                shown = True
    finally:
        bar.stop()
