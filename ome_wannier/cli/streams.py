"""Standard output and error that may be closed, full, or no longer read: losing them does not stop the work."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO

#: numbers of standard input, output and error
STANDARD = 3


class Patient:
    """A stream that forgets what it cannot write; `lost` says why."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write the text, unless some was lost before."""
        if self.lost is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Write what waits."""
        if self.lost is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def _lose(self, error: OSError) -> None:
        """What waits still goes to the null device, or Python would try to write it when it ends."""
        self.lost = error
        with suppress(OSError, ValueError):  # a stream without a number
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def in_one_place() -> bool:
    """Whether standard output and error go to the same terminal, file or pipe."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):  # streams without numbers
        return False


@contextmanager
def patient() -> Iterator[tuple[Patient, Patient]]:
    """Standard output and error for the time of a command.

    Streams that were closed are the null device: a file that is opened would have their numbers, and messages would go there.
    """
    if sys.stdout is None or sys.stderr is None or sys.stdin is None:
        while (number := os.open(os.devnull, os.O_RDWR)) < STANDARD:
            os.set_inheritable(number, True)
        os.close(number)
    null = open(os.devnull, "w") if sys.stdout is None or sys.stderr is None else None  # noqa: SIM115
    out, err = Patient(sys.stdout or null), Patient(sys.stderr or null)  # type: ignore[arg-type]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield out, err
    finally:
        if null is not None:
            null.close()
