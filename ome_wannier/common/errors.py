"""Errors and warnings: what is wrong, where, and what to do about it."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

#: characters of a message, at most: a damaged file may have lines, and a list names, of any length
LONGEST = 2000


def shortened(text: str, most: int = LONGEST) -> str:
    """The text, or its beginning and its end where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    head, tail = most * 3 // 4 - 10, most // 4
    return f"{text[:head]} ... {text[-tail:]}"


class OMEError(Exception):
    """Base of every error that this package raises for a user's mistake; none says more than `LONGEST` characters."""

    def __str__(self) -> str:
        return shortened(super().__str__())


class ModelError(OMEError, ValueError):
    """A Hamiltonian that is inconsistent, or that cannot give what was asked of it."""


class SettingsError(OMEError, ValueError):
    """A setting (mesh, Fermi level, calculator name ...) that cannot be used."""


class WorkerError(OMEError, RuntimeError):
    """Workers that are not there, that died, or that cannot be given what they should compute."""


class StoreError(OMEError, RuntimeError):
    """A database that cannot be reached, read or written."""


class FileFormatError(OMEError, ValueError):
    """A file that is damaged, truncated, inconsistent or of another kind.

    Parameters
    ----------
    path : the file.
    line : 1-based line number, or None where the whole file is meant.
    expected, found : what should have stood there, and what does.
    """

    def __init__(self, path: str | Path, line: int | None, expected: str, found: str) -> None:
        self.path, self.line, self.expected, self.found = Path(path), line, expected, found
        super().__init__(str(path), line, expected, found)

    def __str__(self) -> str:
        where = str(self.path) if self.line is None else f"{self.path}, line {self.line}"
        return shortened(f"{where}: expected {self.expected}, found {self.found}")


class AccuracyWarning(UserWarning):
    """A result whose error may exceed what its error estimate says."""


class ConvergenceWarning(AccuracyWarning):
    """An integral that did not reach the requested accuracy."""


def warn(text: str, category: type[Warning] = AccuracyWarning) -> None:
    """Warn, naming the line of the first caller outside the package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "ome_wannier":
        level, frame = level + 1, frame.f_back
    warnings.warn(shortened(text), category, stacklevel=level)
