"""Signals that ask a program to end, so that it ends in order."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: asks to end, and the terminal is gone; Windows has no SIGHUP
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def soft_termination() -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave through the `finally` clauses, with exit code 128 + number, where nothing else handles
    them; nohup has SIGHUP ignored. A second one does not disturb what the first one set off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    mine = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]

    def leave(number: int, frame: FrameType | None) -> None:
        for other in mine:
            signal.signal(other, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in mine:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)
