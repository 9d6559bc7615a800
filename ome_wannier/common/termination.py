"""Signals that ask a program to end, so that it ends in order."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

#: Ctrl-C, asks to end, and the terminal is gone; Windows has no SIGHUP
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
#: packages try whether others are there, and take whatever an import raises for a no: it ends first
IMPORTING = "<frozen importlib._bootstrap>"
#: seconds after which a signal comes again that came in an import, or was lost
AGAIN = 0.05


@contextmanager
def soft_termination() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP leave through the `finally` clauses, the last two with exit code 128 + number, where
    nothing else handles them; nohup has SIGHUP ignored. A second one of these does not disturb what the first one set off.

    What is raised while C calls Python, as in compilers and when objects go, is lost. Then it is raised again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    mine = {number: was for number, was in before.items() if was in (signal.SIG_DFL, signal.default_int_handler)}
    hook, leaving = sys.unraisablehook, [0]

    def again(number: int) -> None:
        """Have the signal come once more, soon."""
        leaving[0] = 0
        timer = threading.Timer(AGAIN, _interrupt, [number])
        timer.daemon = True
        timer.start()

    def leave(number: int, frame: FrameType | None) -> None:
        """Answer a signal."""
        if _imports(frame):
            again(number)
            return
        second, leaving[0] = leaving[0], number
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if not second:
            sys.exit(128 + number)

    def lost(what: Any) -> None:
        """What Python does with an exception that it cannot raise: with that of an answer, answer again."""
        if leaving[0] and issubclass(what.exc_type, KeyboardInterrupt | SystemExit):
            again(leaving[0])
        else:
            hook(what)

    for number in mine:
        signal.signal(number, leave)
    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, was in mine.items():
            signal.signal(number, was)


def _interrupt(number: int) -> None:
    """From another thread: give the main one a signal, which ends what it waits for."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(cast(int, threading.main_thread().ident), number)
    else:
        _thread.interrupt_main(signal.Signals(number))


def _imports(frame: FrameType | None) -> bool:
    """Whether this is part of an import."""
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False
