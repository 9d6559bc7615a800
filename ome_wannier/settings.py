"""The settings of a run: what the command line's options and a TOML file both say, checked in one place.

A TOML file has the keys of `Settings`. Paths in it are relative to the folder of the file. The command line overrides it.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from .common.errors import FileFormatError, SettingsError
from .sources.library import Scan, Value

#: suffixes that a picture may have
PLOT_FORMATS = (".png", ".pdf", ".svg", ".jpg")
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
#: settings of which each excludes the others: where the command line gives one, the file's others are dropped
_EXCLUSIVE = (("seed", "material"), ("fermi", "filling"), ("spn", "spin_order"), ("workers", "dask", "mpi"), ("kmesh", "rtol"))
_PATHS = ("seed", "centres", "output", "plot", "csv", "checkpoint")


def _number(value: object) -> float:
    """A finite number, also as text; ValueError otherwise."""
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
    except ValueError:
        raise ValueError(f"expected a finite number, found {value!r}") from None
    return number


def _numbers(value: object) -> float | tuple[float, ...]:
    """One number, or several: a list, or text with commas."""
    if isinstance(value, str) and "," in value:
        value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)):
        if not value:
            raise ValueError("expected one or more numbers, found none")
        return tuple(_number(v) for v in value)
    return _number(value)


def _fermi(value: object) -> float | tuple[float, ...] | Scan:
    if isinstance(value, Scan):
        return value
    if isinstance(value, Mapping):
        try:
            return TypeAdapter(Scan).validate_python(dict(value))
        except ValidationError as error:
            raise ValueError("; ".join(_text(e, ("start", "stop", "number")) for e in error.errors())) from None
    if isinstance(value, str) and ":" in value:
        parts = value.split(":")
        if len(parts) != 3 or not parts[2].strip().isdigit():
            raise ValueError(f"expected start:stop:number, found {value!r}")
        return _fermi({"start": _number(parts[0]), "stop": _number(parts[1]), "number": int(parts[2])})
    try:
        return _numbers(value)
    except ValueError as error:
        raise ValueError(f"{error} (one or more energies in eV, or start:stop:number)") from None


def _kmesh(value: object) -> tuple[int, int, int]:
    if isinstance(value, str):
        value = [int(v) if v.isdigit() else v for v in re.split(r"[\s,x]+", value.strip())]
    good = isinstance(value, (list, tuple)) and len(value) == 3
    if not good or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in value):  # type: ignore[attr-defined]
        raise ValueError(f"expected three positive integers such as 48 48 1, found {value!r}")
    sizes: tuple[int, int, int] = tuple(value)  # type: ignore[arg-type, assignment]
    return sizes


def _memory(value: object) -> int:
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", str(value))
    if isinstance(value, bool) or not match or match[2].lower() not in _BYTES:
        raise ValueError(f"expected a size such as 1GiB, 500MB or a number of bytes, found {value!r}")
    size = int(_number(match[1]) * _BYTES[match[2].lower()])
    if size < 1:
        raise ValueError("expected a positive size")
    return size


def _calculators(value: object) -> tuple[str, ...]:
    from .calculators.registry import get

    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(p, str) for p in parts):
        raise ValueError(f"expected names of calculators, found {value!r}")
    names = tuple(dict.fromkeys(name.strip() for p in parts for name in p.split(",") if name.strip()))
    if not names:
        raise ValueError("expected one or more names of calculators, found none")
    for name in names:
        get(name)
    return names


def _positive(value: object) -> float:
    number = _number(value)
    if number < 0:
        raise ValueError(f"expected a number that is not negative, found {number:g}")
    return number


def _workers(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"0*[1-9][0-9]*", str(value)):
        raise ValueError(f"expected a positive number of processes, found {value!r}")
    return int(str(value))


def _count(value: object) -> int:
    number = _number(value)
    if number < 1 or number != int(number):
        raise ValueError(f"expected a positive number of k points, found {value!r}")
    return int(number)


def _spin_degeneracy(value: object) -> int:
    if isinstance(value, bool) or str(value) not in ("1", "2"):
        raise ValueError(f"expected 1 (spinors) or 2 (no spin), found {value!r}")
    return int(str(value))


def _periodic(value: object) -> tuple[bool, bool, bool]:
    parts = re.findall(r"[^\s,]", value) if isinstance(value, str) else value
    meant = {"1": True, "T": True, "TRUE": True, "0": False, "F": False, "FALSE": False}
    words = [str(v).upper() for v in parts] if isinstance(parts, (list, tuple)) else []
    if len(words) != 3 or not all(w in meant for w in words):
        raise ValueError(f"expected three truth values, one for each lattice vector, such as 1 1 0, found {value!r}")
    a, b, c = (meant[w] for w in words)
    return a, b, c


def _centres(value: object) -> tuple[tuple[float, float, float], ...]:
    """Rows of three numbers, or the path of a text file with one row in each line."""
    if isinstance(value, (str, Path)):
        try:
            lines = Path(value).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise FileFormatError(value, None, "three numbers in each line (Angstrom)", str(error)) from error
        rows = [(f"{value}, line {i}: ", line.split()) for i, line in enumerate(lines, 1) if line.split("#")[0].strip()]
    elif isinstance(value, (list, tuple)):
        rows = [(f"row {i}: ", row) for i, row in enumerate(value, 1)]
    else:
        raise ValueError(f"expected the path of a text file, or rows of three numbers (Angstrom), found {value!r}")
    found = []
    for where, row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 3:
            raise ValueError(f"{where}expected three numbers (Angstrom), found {row!r}")
        try:
            x, y, z = (_number(part) for part in row)
        except ValueError as error:
            raise ValueError(f"{where}{error}") from None
        found.append((x, y, z))
    if not found:
        raise ValueError(f"expected three numbers (Angstrom) for each orbital, found none in {value}")
    return tuple(found)


def _parameters(value: object) -> dict[str, Value]:
    """Values by name, or texts such as "theta=1.05" whose values are written as in TOML; what is none of these is a text."""
    if isinstance(value, Mapping):
        found = dict(value)
    elif isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        found = dict(_assignment(v) for v in value)
    else:
        raise ValueError(f"expected name=value, found {value!r}")
    return {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise ValueError(f"expected name=value, found {text!r}")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        try:  # rows of numbers, as Python or nothing brackets them
            row = value.strip("()").split(",")
            return name, tuple(map(float, row)) if len(row) > 1 else value
        except ValueError:
            return name, value


def _path(value: object) -> str:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError(f"expected a path, found {value!r}")
    return str(value)


Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[float, BeforeValidator(_positive)]
PathText = Annotated[str, BeforeValidator(_path)]


class Settings(BaseModel):
    """Everything that a run depends on; what is None is chosen by the run, which says what it chose.

    seed : path of Wannier90 files, or `material` : name of a library entry. On the command line SEED may be either.
    spin_degeneracy : electrons per band, 1 or 2, where the files do not say it. kmesh : three integers.
    fermi : eV; one energy, several, or start, stop and number. filling : electrons per cell.
    temperature : K, one or several. tau : fs. calculators : names; all by default. memory : bytes, or such as "1GiB".
    symmetry : "auto" or "off". degeneracy_tol : eV.
    include_chern_simons : whether totals contain the Chern-Simons part (3D insulators).
    spin_order : "block" or "interlaced", how spinor Wannier functions are sorted, for the spin part; or
    spn : take the spin operator from `.spn`, `.chk` and `.eig` beside the seed.
    parameters : values of the parameters of a library entry that is built.
    centres : Cartesian positions of the orbitals in Angstrom, instead of those in the files: rows of three numbers, or the
        path of a text file with one row in each line. periodic : three truth values, one for each lattice vector.
    use_wsvec : whether `_wsvec.dat` is applied; by default its header decides.
    output, plot, csv : files to write.
    workers : number of processes of this machine that share the k points; or dask : address of a scheduler, tcp://...; or
    mpi : whether the processes of an MPI job do. checkpoint : file that the sum is kept in; resume : go on from it.
    rtol : relative error to reach, instead of kmesh; max_points : k points, and max_time : seconds, that it may cost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: PathText | None = None
    material: PathText | None = None
    spin_degeneracy: Annotated[int, BeforeValidator(_spin_degeneracy)] | None = None
    kmesh: Annotated[tuple[int, int, int], BeforeValidator(_kmesh)] | None = None
    fermi: Annotated[float | tuple[float, ...] | Scan, BeforeValidator(_fermi)] | None = None
    filling: Number | None = None
    temperature: Annotated[float | tuple[float, ...], BeforeValidator(_numbers)] = 300.0
    tau: Positive = 10.0
    calculators: Annotated[tuple[str, ...], BeforeValidator(_calculators)] | None = None
    memory: Annotated[int, BeforeValidator(_memory)] = 2**30
    degeneracy_tol: Positive | None = None
    symmetry: Literal["auto", "off"] = "auto"
    include_chern_simons: bool = False
    spin_order: Literal["block", "interlaced"] | None = None
    spn: bool = False
    parameters: Annotated[dict[str, Value], BeforeValidator(_parameters)] | None = None
    centres: Annotated[tuple[tuple[float, float, float], ...], BeforeValidator(_centres)] | None = None
    periodic: Annotated[tuple[bool, bool, bool], BeforeValidator(_periodic)] | None = None
    use_wsvec: bool | None = None
    output: PathText | None = None
    plot: PathText | None = None
    csv: PathText | None = None
    workers: Annotated[int, BeforeValidator(_workers)] | None = None
    dask: str | None = None
    mpi: bool = False
    checkpoint: PathText | None = None
    resume: bool = False
    rtol: Positive | None = None
    max_points: Annotated[int, BeforeValidator(_count)] | None = None
    max_time: Positive | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.seed is not None and self.material is not None:
            raise ValueError("give either seed or material")
        if self.fermi is not None and self.filling is not None:
            raise ValueError("give either fermi (eV) or filling (electrons per cell)")
        if self.kmesh is not None and self.rtol is not None:
            raise ValueError("give either kmesh or rtol: with rtol the mesh converges by itself")
        if self.rtol is None and (self.max_points is not None or self.max_time is not None):
            raise ValueError("max_points and max_time bound the work that rtol asks for: give rtol")
        if self.spn and self.spin_order is not None:
            raise ValueError("give either spn or spin_order: each is a spin operator")
        if (self.workers is not None) + (self.dask is not None) + self.mpi > 1:
            raise ValueError("give one of workers, dask and mpi")
        return self

    def levels(self) -> float | NDArray[np.float64] | None:
        """The Fermi levels as `compute` takes them."""
        if isinstance(self.fermi, Scan):
            return self.fermi.levels()
        return np.array(self.fermi) if isinstance(self.fermi, tuple) else self.fermi

    def to_json(self) -> str:
        """The settings that are not None, as they are written into a result."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True))


def resolve(options: Mapping[str, Any], file: str | Path | None = None) -> Settings:
    """Settings of a TOML file, overridden by options (None counts as not given).

    Raises
    ------
    SettingsError : an unknown or unusable setting, with the file, its line and the key, or the option.
    FileFormatError : a file that is not TOML. OSError : a file that cannot be read.
    """
    given = {key: value for key, value in options.items() if value is not None}
    stored = {} if file is None else read(file)
    _check(stored, file)
    for group in _EXCLUSIVE:
        if any(key in given for key in group):
            stored = {key: value for key, value in stored.items() if key not in group}
    settings = _check(stored | given, None)
    if settings.seed is None and settings.material is None:
        raise SettingsError(f"{file or 'nothing to run'}: give seed (path of Wannier90 files) or material (library entry)")
    return settings


def read(file: str | Path) -> dict[str, Any]:
    """The contents of a TOML file, its paths made relative to the current folder.

    Raises
    ------
    FileFormatError : not TOML; the line is in the message. OSError : a file that cannot be read.
    """
    path = Path(file)
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r" \(at line (\d+), column \d+\)", str(error))
        message = str(error).replace(line[0], "") if line else str(error)
        raise FileFormatError(path, int(line[1]) if line else None, "TOML", message) from error
    joined = {key: str(path.parent / stored[key]) for key in _PATHS if isinstance(stored.get(key), str) and stored[key]}
    return stored | joined


def validate(values: Mapping[str, Any]) -> Settings:
    """Checked settings of these keys; SettingsError that names the key."""
    return _check(values, None)


def _check(values: Mapping[str, Any], file: str | Path | None) -> Settings:
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        known = tuple(Settings.model_fields)
        raise SettingsError("; ".join(_place(e, file) + _text(e, known) for e in error.errors())) from None


def _place(error: ErrorDetails, file: str | Path | None) -> str:
    """Where the setting stands: the file and its line, or the option."""
    key = str(error["loc"][0]) if error["loc"] else ""
    if file is None:
        return ""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    number = next((i for i, line in enumerate(lines, 1) if re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}\b", line)), None)
    return f"{file}: " if number is None or not key else f"{file}, line {number}: "


def _text(error: ErrorDetails, known: tuple[str, ...]) -> str:
    """One line for one of pydantic's errors, with the key; `known` are the keys there are."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = difflib.get_close_matches(key, known, 1)
        return f"unknown key {key!r}: " + (f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}")
    if error["type"] in ("missing", "missing_argument"):
        return f"{key} is missing"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
