"""Numbers out of Fortran text: vectorised where the text is regular, precise about the line where it is not.

`Table` reads a file from top to bottom as rows of integers and reals, told beforehand what each line should
hold. A stretch that agrees is converted in one call. In any other the lines are read one by one, which
understands what Fortran writes and `float` does not (`1.0D-05`, `0.12345678-100`, merged integer columns
`-10-10`), and which ends in a `FileFormatError` naming the first line at fault.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]

#: no integer of a file may exceed its five columns, no energy (eV) or length (Angstrom) is as large as this
LARGEST_INTEGER, LARGEST_REAL = 99_999, 1e6


# an exponent without its letter is written with three digits; the decimal point tells it from merged integers
_NUMBER = re.compile(
    rb"([-+]?(?:\d+\.?\d*|\.\d+))(?:[eEdD]([-+]?\d+))?|([-+]?(?:\d+\.\d*|\.\d+))([-+]\d{3})",
)


class Row(NamedTuple):
    """What one line should hold: so many integers, then so many reals, and the words for it in a message."""

    ints: int
    reals: int
    what: str


def number(token: bytes) -> float | None:
    """Value of one number as Fortran writes it, or None if it is none or too large to be meant."""
    match = _NUMBER.fullmatch(token)
    if match is None:
        return None
    mantissa, exponent, bare, bare_exponent = match.groups()
    value = float((mantissa or bare) + b"e" + (exponent or bare_exponent or b"0"))
    return value if abs(value) < LARGEST_REAL else None


def snippet(text: bytes) -> str:
    """A line as it is shown in a message."""
    shown = repr(text.strip()[:60].decode("utf-8", "replace"))
    return shown if len(text.strip()) <= 60 else shown + " ..."


class Table:
    """The lines of a file below its first, blank ones left out, taken from top to bottom.

    Parameters
    ----------
    path : the file, for messages.
    raw : its content.
    integers_only : whether a minus sign after a digit begins a new number.

    Attributes
    ----------
    width : (lines,) number of tokens of each line.
    line : (lines,) 1-based line number of each in the file.
    cursor : index of the next line to be taken.
    """

    def __init__(self, path: Path, raw: bytes, integers_only: bool = False) -> None:
        if integers_only:
            header, newline, body = raw.partition(b"\n")
            text = np.frombuffer(body, np.uint8)
            before = text[np.flatnonzero(text[1:] == 45)]
            if ((before >= 48) & (before <= 57)).any():
                raw = header + newline + re.sub(rb"(?<=\d)-", b" -", body)
        text = np.frombuffer(raw, np.uint8)
        space = (text == 32) | ((text >= 9) & (text <= 13))
        first = ~space
        first[1:] &= space[:-1]
        ends = np.append(np.flatnonzero(text == 10), text.size)
        width = np.diff(np.searchsorted(np.flatnonzero(first), ends), prepend=0)
        kept = 1 + np.flatnonzero(width[1:])
        self.path, self.raw = path, raw
        self.width, self.line = width[kept], kept + 1
        self._start, self._stop = ends[kept - 1] + 1, ends[kept]
        self._last = len(ends) if raw[-1:] != b"\n" else len(ends) - 1
        self.cursor = 0

    def __len__(self) -> int:
        return len(self.width)

    def fail(self, index: int, expected: str) -> NoReturn:
        """Raise FileFormatError: line `index` (or the end of the file) is not what was expected."""
        if index >= len(self):
            raise FileFormatError(self.path, self._last, expected, "the end of the file")
        raise FileFormatError(self.path, int(self.line[index]), expected, snippet(self.text(index)))

    def text(self, index: int) -> bytes:
        """The text of one line."""
        return self.raw[self._start[index] : self._stop[index]]

    def integer(self, what: str) -> int:
        """The positive integer that stands alone on the next line; it counts something, so no width of a column bounds it."""
        text = self.text(self.cursor).strip() if self.cursor < len(self) else b""
        if not re.fullmatch(rb"\+?\d{1,9}", text) or int(text) < 1:
            self.fail(self.cursor, f"{what}, a positive integer")
        self.cursor += 1
        return int(text)

    def take(self, times: int, pattern: list[tuple[Row, int]], labels: IntArray | None = None) -> Array:
        """All numbers of the next lines, which repeat a pattern.

        Parameters
        ----------
        times : how often the whole pattern occurs.
        pattern : each kind of line and its number of repetitions in one period.
        labels : (lines in a period, 2) what the last two integers of each line have to be; 0 for anything.

        Returns
        -------
        flat array of `times` periods.

        Raises
        ------
        FileFormatError : names the first line that is wrong, or the end of the file.
        """
        rows = [row for row, _ in pattern]
        period = np.repeat(np.arange(len(rows)), [count for _, count in pattern])
        need = times * len(period)
        kind = np.resize(period, min(need, len(self) - self.cursor))
        begin, end = self.cursor, self.cursor + len(kind)
        wanted = None if labels is None else np.resize(labels, (len(kind), 2))
        values = self._convert(begin, rows, kind, wanted)
        if len(kind) < need:
            self.fail(len(self), rows[period[len(kind) % len(period)]].what)
        self.cursor = end
        return values

    def rest(self, rows: list[Row], kind: IntArray) -> Array:
        """All numbers of the remaining lines, each of which is of the given kind; errors as in `take`."""
        begin, self.cursor = self.cursor, len(self)
        return self._convert(begin, rows, kind)

    def integers(self, n: int, what: str) -> IntArray:
        """`n` integers, on as many lines as it takes."""
        total = np.cumsum(self.width[self.cursor :])
        lines = int(np.searchsorted(total, n)) + 1
        found: list[float] = []
        for index in range(self.cursor, min(self.cursor + lines, len(self))):
            found += self.parse(index, Row(int(self.width[index]), 0, what))
            if len(found) > n:
                self.fail(index, f"{what}, {n} in all")
        if len(found) < n:
            self.fail(len(self), f"{what}, {n} in all")
        self.cursor += lines
        return np.array(found, dtype=np.int64)

    def end(self) -> None:
        """Raise FileFormatError unless every line has been taken, and the last one is whole.

        A file cut inside its last number still has the right number of numbers. Columns are of fixed width:
        a last line without its newline must not be shorter than the line before.
        """
        if self.cursor < len(self):
            self.fail(self.cursor, "the end of the file")
        last = len(self) - 1
        cut = last > 0 and self._stop[last] == len(self.raw) and self.width[last] == self.width[last - 1]
        if cut and len(self.text(last).rstrip()) < len(self.text(last - 1).rstrip()):
            self.fail(last, "a last line as long as the one before (the file is cut here)")

    def _convert(self, begin: int, rows: list[Row], kind: IntArray, labels: IntArray | None = None) -> Array:
        """Numbers of the lines from `begin`, each of the given kind: in one call, or else line by line."""
        if not len(kind):
            return np.zeros(0)
        ints = np.array([row.ints for row in rows])[kind]
        width = ints + np.array([row.reals for row in rows])[kind]
        end = begin + len(kind)
        if np.array_equal(self.width[begin:end], width):
            values = _fast(self.raw[self._start[begin] : self._stop[end - 1]], int(width.sum()), np.array_equal(ints, width))
            if values is not None and _good(values, ints, width, labels):
                return values
        out: list[float] = []
        for i, k in enumerate(kind.tolist()):
            out += self.parse(begin + i, rows[k], None if labels is None else labels[i].tolist())
        return np.array(out)

    def parse(self, index: int, row: Row, labels: list[int] | None = None) -> list[float]:
        """Numbers of one line, read the careful way; errors as in `take`."""
        tokens = self.text(index).split() if index < len(self) else []
        if len(tokens) < row.ints + row.reals:
            head = len(tokens) - row.reals
            tokens = b" ".join(tokens[:head]).replace(b"-", b" -").split() + tokens[head:] if head > 0 else []
        if len(tokens) != row.ints + row.reals:
            self.fail(index, row.what)
        values = [number(token) for token in tokens]
        for i, value in enumerate(values):
            if value is None or (i < row.ints and (value != int(value) or abs(value) > LARGEST_INTEGER)):
                kind = f"an integer up to {LARGEST_INTEGER}" if i < row.ints else f"a finite real below {LARGEST_REAL:.0f}"
                self.fail(index, f"{row.what}, with {kind} in column {i + 1}")
        if labels and labels[0] and values[row.ints - 2 : row.ints] != labels:
            self.fail(index, f"{row.what} with m = {labels[0]}, n = {labels[1]}")
        return [value for value in values if value is not None]


def _good(values: Array, ints: IntArray, width: IntArray, labels: IntArray | None) -> bool:
    """Whether no number is too large, the first `ints` of every line are integers, the last two of these its labels."""
    start = np.cumsum(width) - width
    integers = values[np.arange(len(values)) - np.repeat(start, width) < np.repeat(ints, width)]
    small = (np.abs(values) < LARGEST_REAL).all() and (np.abs(integers) <= LARGEST_INTEGER).all()
    if not small or (integers != np.trunc(integers)).any():
        return False
    if labels is None:
        return True
    last = start + ints - 1
    return bool(((values[last - 1] == labels[:, 0]) & (values[last] == labels[:, 1]) | (labels[:, 0] == 0)).all())


def _fast(text: bytes, n: int, integers: bool) -> Array | None:
    """All numbers of a text, or None if they are not exactly `n`, or if some token is no number, or no integer."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(
                text, np.int64 if integers else np.float64, sep=" "
            )  # integers are read in a third of the time
        except (ValueError, DeprecationWarning):
            return None
    return values.astype(float, copy=False) if len(values) == n else None
