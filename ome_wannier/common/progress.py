"""A progress bar on anything that takes longer than two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 2.0


def track(items: Sequence[T], description: str, enabled: bool) -> Iterator[T]:
    """Iterate over `items`; a bar on standard error appears once two seconds have passed."""
    if not enabled:
        yield from items
        return
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
