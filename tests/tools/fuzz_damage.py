"""Damages to the bytes of a file: each takes the bytes and a random generator, and says what it may change.

A damage of NUMBERS leaves every part where it is and may change what some of them say: another answer is honest. One of
STRUCTURE takes away, adds, or moves: the answer is that of the whole file, or a refusal.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

NUMBERS, STRUCTURE = "numbers", "structure"


@dataclass(frozen=True)
class Damaged:
    """The damaged bytes, what was done, and the class of the damage."""

    data: bytes
    what: str
    kind: str


Damage = Callable[[bytes, np.random.Generator], Damaged]

#: what may stand in the place of a number
ODD = (
    "nan", "inf", "-inf", "1e300", "-1e300", "1e30", "0", "-1", "1", "2", "3", "999999999", "2147483648", "4294967297",
    "1000000000000000000", "1e999", "0.5", "1.0.0", "abc", "****", "-0", "1d5", "0x10", "1_0", "\u0661", "2*0.0", "", "1e-300",
)  # fmt: skip


def _cut(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Where a piece of the bytes begins and ends."""
    start = int(rng.integers(0, len(data)))
    return start, min(len(data), start + int(rng.choice([1, 2, 4, 8, 64, 1000])))


def truncated(data: bytes, rng: np.random.Generator) -> Damaged:
    """The first part of the bytes, or none."""
    size = int(rng.choice([0, rng.integers(0, len(data)), max(len(data) - int(rng.integers(1, 40)), 0)]))
    return Damaged(data[:size], f"cut after {size} of {len(data)} bytes", STRUCTURE)


def flipped(data: bytes, rng: np.random.Generator) -> Damaged:
    """Some bits turned, half of the time near the beginning, where counts are."""
    out, near = bytearray(data), min(len(data), 200)
    places = [int(rng.integers(0, rng.choice([near, len(data)]))) for _ in range(int(rng.integers(1, 9)))]
    for place in places:
        out[place] ^= 1 << int(rng.integers(0, 8))
    return Damaged(bytes(out), f"bits turned at {places}", NUMBERS)


def overwritten(data: bytes, rng: np.random.Generator) -> Damaged:
    """A piece of zeros, ones or noise."""
    start, stop = _cut(data, rng)
    fill = [bytes(stop - start), b"\xff" * (stop - start), rng.bytes(stop - start)][int(rng.integers(0, 3))]
    return Damaged(data[:start] + fill + data[stop:], f"bytes {start} to {stop} overwritten", NUMBERS)


def removed(data: bytes, rng: np.random.Generator) -> Damaged:
    """Without a piece."""
    start, stop = _cut(data, rng)
    return Damaged(data[:start] + data[stop:], f"bytes {start} to {stop} removed", STRUCTURE)


def repeated(data: bytes, rng: np.random.Generator) -> Damaged:
    """With a piece twice."""
    start, stop = _cut(data, rng)
    return Damaged(data[:stop] + data[start:], f"bytes {start} to {stop} twice", STRUCTURE)


def longer(data: bytes, rng: np.random.Generator) -> Damaged:
    """With bytes at the end, or in between."""
    place = int(rng.choice([len(data), rng.integers(0, len(data))]))
    more = [b"\n\n\n", b"x" * 3, rng.bytes(30), b"0 " * 50][int(rng.integers(0, 4))]
    return Damaged(data[:place] + more + data[place:], f"{more[:10]!r} ... put in at {place}", STRUCTURE)


BYTES: tuple[Damage, ...] = (truncated, flipped, overwritten, removed, repeated, longer)


def other_number(data: bytes, rng: np.random.Generator) -> Damaged:
    """A number replaced, half of the time one of the first, which count."""
    found = [m for m in re.finditer(rb"(?<![\w.])[-+]?[0-9][0-9.eEdD+-]*", data)]
    if not found:
        return longer(data, rng)
    match = found[int(rng.integers(0, min(len(found), int(rng.choice([12, len(found)])))))]
    new = str(rng.choice(ODD)) if rng.random() < 0.8 else repr(float(rng.normal()))
    text = new.encode()
    return Damaged(
        data[: match.start()] + text + data[match.end() :], f"{match[0][:20]!r} at {match.start()} made {new}", NUMBERS
    )


def lines_moved(data: bytes, rng: np.random.Generator) -> Damaged:
    """Two lines exchanged, one lost, doubled, emptied, or joined with the next."""
    lines = data.split(b"\n")
    a, b = (int(rng.integers(0, min(len(lines), int(rng.choice([10, len(lines)]))))) for _ in range(2))
    way = str(rng.choice(["swap", "lose", "double", "empty", "join"]))
    if way == "swap":
        lines[a], lines[b] = lines[b], lines[a]
    elif way == "lose":
        del lines[a]
    elif way == "double":
        lines.insert(b, lines[a])
    elif way == "empty":
        lines[a] = b""
    else:
        lines[a : a + 2] = [b"".join(lines[a : a + 2])]
    return Damaged(b"\n".join(lines), f"lines {a + 1}, {b + 1}: {way}", STRUCTURE)


def odd_text(data: bytes, rng: np.random.Generator) -> Damaged:
    """A piece of text that no program writes put in somewhere."""
    texts = [
        b"\0",
        b"\xff\xfe",
        "é".encode(),
        b"x" * 50000,
        b"9" * 5000,
        b" 1" * 30000,
        b"[" * 3000,
        b"\r",
        b"&",
        b"1 2 3\n" * 99,
    ]
    text = texts[int(rng.integers(0, len(texts)))]
    place = int(rng.integers(0, len(data)))
    return Damaged(data[:place] + text + data[place:], f"{text[:8]!r} ({len(text)}) put in at {place}", STRUCTURE)


def other_ends(data: bytes, rng: np.random.Generator) -> Damaged:
    """Line ends of other systems, tabulators, no space at all."""
    old, new = [(b"\n", b"\r\n"), (b"\n", b"\r"), (b" ", b"\t"), (b"  ", b" "), (b"  ", b""), (b".", b",")][
        int(rng.integers(0, 6))
    ]
    return Damaged(data.replace(old, new), f"{old!r} made {new!r}", STRUCTURE)


TEXT: tuple[Damage, ...] = (*BYTES, other_number, other_number, other_number, lines_moved, lines_moved, odd_text, other_ends)


def same_tokens(before: bytes, after: bytes) -> bool:
    """Whether two texts differ in words that stand in the same places."""
    a, b = ([line.split() for line in x.splitlines()] for x in (before, after))
    return [len(line) for line in a] == [len(line) for line in b]


def of_arrays(data: bytes, rng: np.random.Generator) -> Damaged:
    """An npz file with an array of another dtype, shape or content, one missing, or a header that says more than there is."""
    with np.load(io.BytesIO(data), allow_pickle=True) as file:
        arrays: dict[str, Any] = {name: file[name] for name in file.files}
    name = str(rng.choice(list(arrays)))
    arrays[name], what, kind = other_array(arrays[name], rng)
    if what == "lost":
        del arrays[name]
    out = io.BytesIO()
    np.savez(out, **arrays)
    if rng.random() < 0.1:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10 ** int(rng.integers(1, 20))},), }}"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode())
        what, kind = "a header without data", STRUCTURE
    return Damaged(out.getvalue(), f"{name}: {what}", kind)


def other_array(old: Any, rng: np.random.Generator) -> tuple[Any, str, str]:
    """Another array in the place of one: what was done, and the class of the damage."""
    ways: dict[str, Callable[[], Any]] = {
        "one nan": lambda: _with(old, np.nan, rng),
        "one inf": lambda: _with(old, np.inf, rng),
        "one 1e300": lambda: _with(old, 1e300, rng),
        "one -1": lambda: _with(old, -1, rng),
        "one 10**9": lambda: _with(old, 10**9, rng),
        "one 2**62": lambda: _with(old, 2**62, rng),
        "zeros": lambda: np.zeros_like(old),
        "float32": lambda: old.astype(np.float32),
        "complex": lambda: old.astype(complex),
        "text": lambda: old.astype(str),
        "int8": lambda: old.astype(np.int8),
        "bool": lambda: old.astype(bool),
        "turned": lambda: old.T.copy() if old.ndim > 1 else old[::-1].copy() if old.ndim else old[None],
        "one row less": lambda: old[:-1],
        "one row more": lambda: np.concatenate([old, old[-1:]]),
        "flat": lambda: old.reshape(-1),
        "an axis more": lambda: old[..., None],
        "no row": lambda: old[:0],
        "empty": lambda: np.zeros((0, 0, 3)),
        "a number": lambda: np.array(7),
        "big-endian": lambda: old.astype(old.dtype.newbyteorder(">")),
        "lost": lambda: old,
    }
    what = str(rng.choice(list(ways)))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # complex numbers made real
            new = ways[what]()
    except (TypeError, ValueError, IndexError, OverflowError):
        new, what = np.array("x"), "text x"
    same = np.shape(new) == np.shape(old) and what not in ("text", "text x", "lost")
    return new, what, NUMBERS if same else STRUCTURE


def _with(old: Any, value: Any, rng: np.random.Generator) -> Any:
    """An array with one element changed."""
    new = np.array(old)
    new.reshape(-1)[int(rng.integers(0, new.size))] = value
    return new
