"""What settings may be: each function takes a value of a TOML file or of an option, and returns it as `Settings` holds it.

Each raises ValueError with what was expected; `reading` adds the setting and its place.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.checked_input import regular
from ..common.errors import FileFormatError, shortened
from ..common.units import ALIASES, alpha_units
from ..sources.library_entry import Scan, Value

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_TRUTH = {"1": True, "T": True, "TRUE": True, "0": False, "F": False, "FALSE": False}


def number(value: object) -> float:
    """A finite number, also as text."""
    try:
        found = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"expected a finite number, found {value!r}")
    return found


def positive(value: object) -> float:
    """A number that is not negative."""
    found = number(value)
    if found < 0:
        raise ValueError(f"expected a number that is not negative, found {found:g}")
    return found


def count(value: object, what: str = "k points") -> int:
    """A positive whole number, also as 1e6."""
    found = number(value)
    if found < 1 or found != int(found):
        raise ValueError(f"expected a positive number of {what}, found {value!r}")
    return int(found)


def units(value: object) -> str:
    """A unit of responses, of whatever dimension."""
    known = [*dict.fromkeys(name for d in (3, 2, 1, 0) for name in alpha_units(d))]
    name = ALIASES.get(str(value).strip(), str(value).strip())
    if name not in known:
        raise ValueError(f"expected one of {', '.join(known)}, found {value!r}")
    return name


def numbers(value: object) -> float | tuple[float, ...]:
    """One number, or several: a list, or text with commas."""
    if isinstance(value, str) and "," in value:
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)):
        return number(value)
    if not value:
        raise ValueError("expected one or more numbers, found none")
    return tuple(map(number, value))


def origin(value: object) -> float | tuple[float, ...]:
    """Angstrom along a normal, or a point of three numbers, also as text with commas."""
    found = numbers(value)
    if isinstance(found, tuple) and len(found) != 3:
        raise ValueError(f"expected one number or three (Angstrom), found {len(found)}")
    return found


def fermi(value: object) -> float | tuple[float, ...] | Scan:
    """Energies in eV; or their start, stop and number, also as start:stop:number."""
    if isinstance(value, Scan):
        return value
    if isinstance(value, str) and ":" in value:
        parts = value.split(":")
        if len(parts) != 3 or not parts[2].strip().isdigit():
            raise ValueError(f"expected start:stop:number, found {value!r}")
        value = {"start": number(parts[0]), "stop": number(parts[1]), "number": int(parts[2])}
    if isinstance(value, Mapping):
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(Scan).validate_python(dict(value))
        except ValidationError as error:
            raise ValueError("; ".join(text(e, ("start", "stop", "number")) for e in error.errors())) from None
    try:
        return numbers(value)
    except ValueError as error:
        raise ValueError(f"{error} (one or more energies in eV, or start:stop:number)") from None


def kmesh(value: object) -> tuple[int, ...]:
    """Three positive integers, also as text."""
    sizes = [int(v) if v.isdigit() else v for v in re.split(r"[\s,x]+", value.strip())] if isinstance(value, str) else value
    good = isinstance(sizes, (list, tuple)) and len(sizes) == 3 and all(type(n) is int and n > 0 for n in sizes)
    if not good:
        raise ValueError(f"expected three positive integers such as 48 48 1, found {sizes!r}")
    return tuple(sizes)  # type: ignore[arg-type]


def memory(value: object) -> int:
    """Bytes, also as text with a unit."""
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", str(value))
    if isinstance(value, bool) or not match or match[2].lower() not in _BYTES:
        raise ValueError(f"expected a size such as 1GiB, 500MB or a number of bytes, found {value!r}")
    size = int(number(match[1]) * _BYTES[match[2].lower()])
    if size < 1:
        raise ValueError("expected a positive size")
    return size


def calculators(value: object) -> tuple[str, ...]:
    """Names that there are, or that an operator of the model may have, each once; text may hold several with commas. Nothing is
    imported for them."""
    from ..calculators.operators import ENDINGS
    from ..calculators.registry import get, is_known

    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(p, str) for p in parts):
        raise ValueError(f"expected names of calculators, found {value!r}")
    names = tuple(dict.fromkeys(name.strip() for p in parts for name in p.split(",") if name.strip()))
    if not names:
        raise ValueError("expected one or more names of calculators, found none")
    for name in names:
        if not is_known(name) and name.rpartition("_")[2] not in ENDINGS:
            get(name)  # which says what there is
    return names


def spin_degeneracy(value: object) -> int:
    """1 or 2."""
    if isinstance(value, bool) or str(value) not in ("1", "2"):
        raise ValueError(f"expected 1 (spinors) or 2 (no spin), found {value!r}")
    return int(str(value))


def periodic(value: object) -> tuple[bool, ...]:
    """Three truth values, also as 1 1 0 or TTF."""
    parts = re.findall(r"[^\s,]", value) if isinstance(value, str) else value
    words = [str(v).upper() for v in parts] if isinstance(parts, (list, tuple)) else []
    if len(words) != 3 or not all(w in _TRUTH for w in words):
        raise ValueError(f"expected three truth values, one for each lattice vector, such as 1 1 0, found {value!r}")
    return tuple(_TRUTH[w] for w in words)


def centres(value: object) -> tuple[tuple[float, ...], ...]:
    """Rows of three numbers, or the path of a text file with one row in each line."""
    if isinstance(value, (str, Path)):
        try:
            lines = regular(value).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise FileFormatError(value, None, "three numbers in each line (Angstrom)", str(error)) from error
        rows = [(f"{value}, line {i}: ", line.split()) for i, line in enumerate(lines, 1) if line.split("#")[0].strip()]
    elif isinstance(value, (list, tuple)):
        rows = [(f"row {i}: ", row) for i, row in enumerate(value, 1)]
    else:
        raise ValueError(f"expected the path of a text file, or rows of three numbers (Angstrom), found {value!r}")
    if not rows:
        raise ValueError(f"expected three numbers (Angstrom) for each orbital, found none in {value}")
    return tuple(_row(row, where) for where, row in rows)


def lattice(value: object) -> str | tuple[tuple[float, ...], ...]:
    """The path of a POSCAR or CIF, or three rows of three numbers."""
    if isinstance(value, (str, Path)):
        return path(value)
    rows = centres(value)
    if len(rows) != 3:
        raise ValueError(f"expected three lattice vectors (Angstrom), found {len(rows)}")
    return rows


def _row(row: object, where: str) -> tuple[float, ...]:
    if not isinstance(row, (list, tuple)) or len(row) != 3:
        raise ValueError(f"{where}expected three numbers (Angstrom), found {row!r}")
    try:
        return tuple(map(number, row))
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None


def parameters(value: object) -> dict[str, Value]:
    """Values by name, or texts such as "theta=1.05" whose values are written as in TOML; what is none of these is a text."""
    if isinstance(value, Mapping):
        found = dict(value)
    elif isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        found = dict(map(_assignment, value))
    else:
        raise ValueError(f"expected name=value, found {value!r}")
    return {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise ValueError(f"expected name=value, found {text!r}")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # no TOML, numbers of thousands of digits, brackets without end
        try:  # rows of numbers, as Python or nothing brackets them
            row = value.strip("()").split(",")
            return name, tuple(map(float, row)) if len(row) > 1 else value
        except ValueError:
            return name, value


def path(value: object) -> str:
    """A path that is not empty."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError(f"expected a path, found {value!r}")
    return str(value)


def unknown(key: str, known: Iterable[str]) -> str:
    """What to say of a key that there is not."""
    near = difflib.get_close_matches(key, known := list(known), 1)
    return f"unknown key {shortened(key, 60)!r}: " + (f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}")


def text(error: ErrorDetails, known: Iterable[str]) -> str:
    """One line for one of pydantic's errors, with the key; `known` are the keys there are."""
    key = ".".join(map(str, error["loc"]))
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return unknown(key, known)
    if error["type"] in ("missing", "missing_argument"):
        return f"{key} is missing"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}".removeprefix(": ")


workers = partial(count, what="processes")
