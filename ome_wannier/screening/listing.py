"""What a screening computes: a list in TOML, folders and names, expanded into one item for each material.

A list has the keys of a run (`ome_wannier.runs.settings`) at the top, which hold for all, and tables `[[model]]`, each
with keys of its own and one of `material` (library entry), `seed` (files), `folder` (all models in it) and `python`
("file.py:function", called with the parameters).
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..adapters.wannier90.seed import is_resource_fork
from ..common.errors import OMEError, SettingsError
from ..common.toml import read_toml
from ..runs.reading import PATHS, joined, place_of, refuse_code, validate
from ..runs.settings import TABLE, Settings, named, outweighed
from ..runs.values import fermi, unknown
from ..sources import library
from ..sources.library_entry import FILE, Scan

#: of a run, not of a screening
_NOT_HERE = named("files", "workers")
#: of a screening alone
_OWN = ("around", "kmap")
_SOURCES = ("material", "seed", "folder", "python")
#: of a table `[[model]]` alone
_EXPANDED = ("folder", "python", "combine", "name")
_HAMILTONIAN = re.compile(r"(.+)_(tb|hr)\.dat(\.gz|\.bz2|\.xz)?", re.DOTALL)
_WIN = re.compile(r"(.+)\.win", re.DOTALL)
#: files that are a model each: of TBmodels, and archives of one calculation
_WHOLE = (".hdf5", ".h5", ".zip")
#: what is wrong with a .win that has no Hamiltonian beside it
NO_HAMILTONIAN = "there is a .win, but no _tb.dat or _hr.dat of that name: restart = plot and write_tb = true make one"
_NPZ = "_XX_R_Ham.npz"
#: where neither kmesh nor rtol is given: the relative error to reach, and the seconds that each material may take
DEFAULT = {"rtol": 0.01, "max_time": 300.0}
#: names of parameters are keys of the database too
_KEY = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
#: a list that expands to more is a slip of the pen
MOST = 1_000_000
#: points along each side of a k-map, at most
MOST_KMAP = 200


@dataclass(frozen=True)
class Item:
    """One material to compute.

    name : how it is called in the table. settings : as for a run, which say where the model comes from; or
    python : "file.py:function", called with the parameters; or model : anything that `ome_wannier.load` takes.
    around : eV, Fermi levels relative to the level in question. kmap : points along each side of a map of k space, 0 for none.
    fault : what is wrong with it, where that is known already.
    """

    name: str
    settings: Settings
    python: str = ""
    model: Any = None
    around: Scan | None = None
    kmap: int = 0
    fault: str = ""

    @property
    def source(self) -> str:
        """Where the model comes from, in one line."""
        where = self.settings.material or self.settings.seed or self.python or self.name
        values = ", ".join(f"{k}={v!r}" for k, v in (self.settings.parameters or {}).items())
        return f"{where} ({values})" if values else where


def items(what: str | Path | Sequence[Any], settings: Mapping[str, Any] | None = None) -> list[Item]:
    """Everything that is to be computed.

    Parameters
    ----------
    what : one or several of: a list (`.toml`), a folder, a seedname or file, a library name, a model.
    settings : keys of a run, `around` and `kmap`, which override those of lists.

    Raises
    ------
    SettingsError : a list that makes no sense, with its line; a folder without models. FileFormatError : not TOML.
    """
    several: Sequence[Any] = [what] if isinstance(what, str | Path) or not isinstance(what, Sequence) else what
    given = {key: value for key, value in (settings or {}).items() if value is not None}
    found = list(itertools.islice(_all(several, given), MOST + 1))
    if len(found) > MOST:
        raise SettingsError(f"more than {MOST} materials: a range is too fine")
    if not found:
        raise SettingsError("nothing to screen: give a list (.toml), folders, seednames or library names")
    return found


def _all(what: Iterable[Any], settings: dict[str, Any]) -> Iterator[Item]:
    for one in what:
        if not isinstance(one, str | Path):
            name = str(getattr(one, "name", "") or type(one).__name__)
            yield _item(name, settings, model=one)
        elif str(one).endswith(".toml") and Path(one).name != FILE:
            yield from _listed(Path(one), settings)
        elif str(one) in library.names() and not Path(one).exists():
            yield _item(str(one), settings | {"material": str(one)})
        elif Path(one).is_dir():
            yield from (_of_file(seed, settings, fault=fault) for seed, fault in _in_folder(Path(one)))
        else:
            yield _item(str(one), settings | {"seed": str(one)})


def _item(name: str, keys: Mapping[str, Any], place: str = "", **more: Any) -> Item:
    """An item with checked settings; `place` is what an error begins with."""
    for key in keys:
        if key in _NOT_HERE:
            raise SettingsError(f"{place}{key} belongs to a run, not to a screening")
    default = {} if {"kmesh", "rtol"} & set(keys) else DEFAULT
    try:
        checked = validate(default | {k: v for k, v in keys.items() if k not in _OWN})
        around = _scan("around", keys["around"]) if "around" in keys else None
        return Item(name, checked, around=around, kmap=_kmap(keys.get("kmap", 0)), **more)
    except OMEError as error:
        raise SettingsError(f"{place}{error}") from error


def _of_file(seed: str, keys: Mapping[str, Any], place: str = "", fault: str = "") -> Item:
    """The item of a file that was found; one at fault, or whose name is no text, fails in its turn, not the whole list."""
    try:
        seed.encode("utf-8")
    except UnicodeEncodeError:
        return _item(seed, keys, place, fault="the name of this file is no Unicode: rename it")
    return _item(seed, {**keys, "seed": seed}, place, fault=fault)


def _scan(key: str, value: Any) -> Scan:
    """Start, stop and number of energies or of other values, as the Fermi levels of a run; `key` begins an error."""
    try:
        found = fermi(value)
    except ValueError as error:
        raise SettingsError(f"{key}: {error}") from error
    if not isinstance(found, Scan):
        raise SettingsError(f"{key}: expected start, stop and number, found {value!r}")
    return found


def _kmap(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not (value == 0 or 2 <= value <= MOST_KMAP):
        raise SettingsError(f"kmap: expected a number of points from 2 to {MOST_KMAP}, or 0 for none, found {value!r}")
    return value


def _listed(path: Path, given: dict[str, Any]) -> Iterator[Item]:
    """The items of a list."""
    stored = read_toml(path)
    tables = stored.pop("model", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise SettingsError(f"{path}: a list for screening has tables [[model]], one or more")
    refuse_code(stored, path, 0)
    for key in stored:
        if key in (*_SOURCES, "combine", "name", "parameters"):
            raise SettingsError(f"{place_of(path, key, 0)}{key} belongs into a table [[model]]")
    _item("", {k: v for k, v in stored.items() if k != "centres"}, f"{path}: ")
    for number, table in enumerate(tables, 1):
        yield from _expanded(path, number, stored, table, given)


def _expanded(path: Path, number: int, common: dict[str, Any], table: dict[str, Any], given: dict[str, Any]) -> Iterator[Item]:
    """The items of one table `[[model]]`."""
    place = f"{path}, [[model]] number {number}: "
    known = {*TABLE, *_OWN, *_EXPANDED} - {*_NOT_HERE}
    refuse_code(table, path, number)
    for key in table:
        if key not in known:
            raise SettingsError(place_of(path, key, number) + unknown(key, sorted(known)))
    if sum(key in table for key in _SOURCES) != 1:
        raise SettingsError(f"{place}give one of {', '.join(_SOURCES)}")
    written = next(str(table[key]) for key in _SOURCES if key in table)
    table = joined(table, path.parent, (*PATHS, "folder", "python"))
    keys = {k: v for k, v in table.items() if k not in _EXPANDED}
    # what a table says outweighs what holds for all, and the caller both
    common, keys = outweighed(outweighed(common, keys), given), outweighed(keys, given)
    called = table.get("name")
    if called is not None and not isinstance(called, str):
        raise SettingsError(f"{place_of(path, 'name', number)}name: expected a text, found {called!r}")
    if "folder" in table:
        if "parameters" in keys or "combine" in table:
            raise SettingsError(f"{place}parameters are those of material and python, not of folder")
        folder = Path(str(table["folder"]))
        if not folder.is_dir():
            raise SettingsError(f"{place_of(path, 'folder', number)}folder: there is no folder {folder}")
        keys.pop("folder", None)
        yield from (_of_file(seed, common | keys | given, place, fault) for seed, fault in _in_folder(folder))
        return
    base = called or written
    for values in _combinations(table, place):
        changed = ", ".join(f"{k}={_shown(v)}" for k, v in values.items())
        more = {"parameters": values} if values else {}
        name = f"{base} ({changed})" if changed else base
        yield _item(name, common | keys | more | given, place, python=str(table.get("python", "")))


def _combinations(table: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    """Values of the parameters, one after the other: every combination of a grid, or the k-th of each in a sweep."""
    given = table.get("parameters", {})
    combine = table.get("combine", "grid")
    if combine not in ("grid", "sweep"):
        raise SettingsError(f"{place}combine: expected grid (every combination) or sweep (one by one), found {combine!r}")
    if not isinstance(given, Mapping):
        raise SettingsError(f"{place}parameters: expected name = value, found {given!r}")
    for key in given:
        if not _KEY.fullmatch(key):
            raise SettingsError(f"{place}parameters: {key!r} is no name of a parameter: letters, digits and _")
    ranges = {key: _range(key, value, place) for key, value in given.items()}
    if combine == "grid":
        if math.prod(map(len, ranges.values())) > MOST:
            raise SettingsError(f"{place}more than {MOST} combinations of parameters: a range is too fine")
        yield from (dict(zip(ranges, values, strict=True)) for values in itertools.product(*ranges.values()))
        return
    lengths = {len(r) for r in ranges.values() if len(r) > 1}
    if len(lengths) > 1:
        said = ", ".join(f"{k} {len(r)}" for k, r in ranges.items())
        raise SettingsError(f"{place}a sweep needs as many values of each parameter: {said}")
    steps = max(lengths, default=1)
    for i in range(steps):
        yield {key: r[i] if len(r) > 1 else r[0] for key, r in ranges.items()}


def _range(key: str, value: Any, place: str) -> list[Any]:
    """The values that a parameter takes: those of a list, those of start, stop and number, or one."""
    if isinstance(value, Mapping):
        return [float(f"{x:.12g}") for x in _scan(f"{place}parameters.{key}", value).levels()]
    if isinstance(value, list):
        if not value:
            raise SettingsError(f"{place}parameters.{key}: an empty list")
        return [tuple(v) if isinstance(v, list) else v for v in value]
    return [value]


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _in_folder(top: Path) -> list[tuple[str, str]]:
    """Paths of all models under a folder, in alphabetical order, and what is wrong with them; links are not followed.

    Raises
    ------
    SettingsError : there are none.
    """
    found: list[tuple[str, str]] = []
    for folder, folders, files in os.walk(top):
        folders.sort()
        here = Path(folder)
        files = [name for name in files if not is_resource_fork(name)]
        if FILE in files or _NPZ in files:
            found.append((folder, ""))
            folders.clear()
            continue
        stems = {match[1] for name in files if (match := _HAMILTONIAN.fullmatch(name))}
        found += [(str(here / stem), "") for stem in sorted(stems)]
        found += [(str(here / name), "") for name in sorted(files) if name.lower().endswith(_WHOLE)]
        lone = {match[1] for name in files if (match := _WIN.fullmatch(name))} - stems
        found += [(str(here / stem), NO_HAMILTONIAN) for stem in sorted(lone)]
    if all(fault for _, fault in found):
        raise SettingsError(f"{top}: no models in this folder: no {FILE}, _tb.dat, _hr.dat, .hdf5 or .zip")
    return found
