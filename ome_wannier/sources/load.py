"""load(): one way in for everything that a model can be made of."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ..adapters.wannier90.seed import find
from ..adapters.wannierberri.spin import spin_matrices
from ..common.errors import ModelError
from ..common.limits import limited
from ..models.kdotp import KDotP
from ..models.plane_waves import PlaneWaves
from ..models.sparse_tight_binding import SparseTightBinding
from ..models.tight_binding import TightBinding, is_tight_binding
from . import library
from .completed import completed
from .library_entry import FILE, Entry

#: adapters of objects of other packages, under their name: each has `recognises(object)`, which does not import the package,
#: and `load(object, **options)`
ADAPTERS = {
    "pythtb": "PythTB model",
    "wannierberri": "WannierBerri System_R",
    "tbmodels": "TBmodels model",
    "sisl": "sisl Hamiltonian",
    "kwant": "kwant Builder",
    "ase": "set of ASE Wannier functions",
}

_HAMILTONIAN = ("_tb.dat", "_hr.dat")
_COMPRESSED = ("", ".gz", ".bz2", ".xz")
_HDF5 = (".hdf5", ".h5")
#: of the files in a folder that WannierBerri's `to_npz` writes
_NPZ = "_XX_R_Ham.npz"


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    seed : seed (or file, or folder) of Wannier90 files, or the file or folder that another adapter reads.
    entry : of the library, or None. adapter : name of the adapter of the files; None for an entry that is built, not read.
    """

    seed: Path
    entry: Entry | None = None
    adapter: str | None = "wannier90"

    def load(
        self,
        *,
        spn: bool = False,
        external: str = "auto",
        unpack_size: int | None = None,
        unpack_ratio: float | None = None,
        **options: Any,
    ) -> TightBinding | PlaneWaves | SparseTightBinding | KDotP:
        """The model; options as for `ome_wannier.load`."""
        if external not in ("auto", "off"):
            raise ModelError(f"external is {external!r}: give 'auto' or 'off'")
        with limited(unpack_size, unpack_ratio):
            return self._loaded(spn, external == "auto", options)

    def _loaded(
        self, spn: bool, external: bool, options: dict[str, Any]
    ) -> TightBinding | PlaneWaves | SparseTightBinding | KDotP:
        if self.adapter is not None:
            _check_options(adapter(self.adapter).load, options, str(self.seed))
        if spn and (self.adapter != "wannier90" or options.get("spin_order") is not None):
            why = "spin_order gives one too" if self.adapter == "wannier90" else f"{self.seed} is none"
            if self.adapter == "wannier90.archive":
                why = f"unpack {self.seed}, and name its seed"
            raise ModelError(f"spn=True takes the spin operator from a calculation of Wannier90: {why}")
        model: TightBinding | PlaneWaves | SparseTightBinding | KDotP
        if self.entry is not None:
            model = self.entry.load(**options)
        else:
            assert self.adapter is not None
            model = adapter(self.adapter).load(self.seed, **options)
        if self.adapter != "wannier90" or not (external or spn):
            return model
        assert is_tight_binding(model)
        seed = find(self.seed)[0]
        if external:
            model = completed(model, seed, options)
        return replace(model, spin=spin_matrices(seed, model)) if spn else model


def of_entry(found: Entry) -> Source:
    """Where the model of a library entry comes from."""
    return Source(found.folder / found.seed, found, "wannier90" if found.seed else None)


def load(
    source: str | os.PathLike[str] | TightBinding | PlaneWaves | SparseTightBinding | KDotP | Any, **options: Any
) -> TightBinding | PlaneWaves | SparseTightBinding | KDotP:
    """The model that `source` stands for.

    Parameters
    ----------
    source : what comes first is taken:

        1. a model of this package: returned as it is; an object of a package in `ADAPTERS`: converted;
        2. a path: a folder with `material.toml` (or that file), the seedname of Wannier90 files ("dir/Te"), one of these
           files, or a folder with one seedname; a TBmodels file (.hdf5, .h5); a folder written by WannierBerri's `to_npz`; a
           `.zip` with the files of one calculation of Wannier90;
        3. the name of a library entry ("vse2"), see `ome_wannier.materials.names`.
    options : passed to the adapter. For Wannier90 files: `centres` (n, 3) in Angstrom, `periodic` (three truth values),
        `spin_degeneracy` (1 or 2), `use_wsvec`, `spin_order`, `win`,
        `lattice`; see `adapters.wannier90.load`. Besides, `spn=True`: the spin
        operator from `.spn`, `.chk` and `.eig` beside them, exact where `spin_order` is approximate; see
        `adapters.wannierberri.spin`. `external="off"`: without the states outside the functions, which `.chk`, `.eig`, `.mmn`
        and `.uHu` beside them tell by default; see `sources.completed`. Of any files, `unpack_size` (bytes) and
        `unpack_ratio`: how much one may unpack to, see `common.limits`. Objects of other packages take `spin_degeneracy` too,
        electrons per band; by default it is 1 for PythTB, TBmodels, kwant and WannierBerri, and 2 for unpolarized sisl
        Hamiltonians and ASE's Wannier functions of calculations with one spin channel. PythTB's and sisl's models with spin
        allow only 1.

    Raises
    ------
    ModelError : nothing of that name, an object that cannot be loaded, an option that the adapter does not have, or data
        that make no model. FileFormatError : a damaged file.
    """
    if isinstance(source, TightBinding | PlaneWaves | SparseTightBinding | KDotP):
        if options:
            raise ModelError(f"options {', '.join(options)} apply to files, not to a model that exists already")
        return source
    if isinstance(source, str | os.PathLike):
        return locate(source).load(**options)
    for name, what in ADAPTERS.items():
        if adapter(name).recognises(source):
            read = adapter(name).load
            _check_options(read, options, f"a {what}")
            model: TightBinding = read(source, **options)
            return model
    kind = type(source)
    raise ModelError(
        f"cannot make a model of {kind.__module__}.{kind.__qualname__}: give a library name, the path of files, "
        f"a TightBinding, a KDotP, or a {', '.join(ADAPTERS.values())}"
    )


def adapter(name: str) -> ModuleType:
    """The module under `adapters` of this name; the package that it is for is not imported.

    Raises
    ------
    ModelError : no such adapter.
    """
    if importlib.util.find_spec(f"ome_wannier.adapters.{name}") is None:
        raise ModelError(f"files of {name} cannot be read")
    return importlib.import_module(f"ome_wannier.adapters.{name}")


def _check_options(read: Callable[..., Any], options: Mapping[str, Any], what: str) -> None:
    """Refuse options that a loader does not have; the ones that it has are listed."""
    known = [p.name for p in list(inspect.signature(read).parameters.values())[1:]]
    wrong = [name for name in options if name not in known]
    if wrong:
        there = f"one of {', '.join(known)}" if known else "it has none"
        raise ModelError(f"no option {', '.join(wrong)} for {what}: {there}")


def locate(source: str | os.PathLike[str]) -> Source:
    """Find files or a library entry, in the order of `load`, without reading more than `material.toml`.

    Raises
    ------
    ModelError : nothing of that name; the message says what was looked for.
    """
    text = os.fspath(source)
    if not text:
        raise ModelError("cannot load '': give a library name or the path of Wannier90 files")
    try:
        return _located(text, Path(text).expanduser())
    except OSError as error:
        shown = text if len(text) < 200 else f"{text[:60]}..."
        raise ModelError(f"cannot load {shown!r}: {error.strerror or error}") from error


def _located(text: str, path: Path) -> Source:
    """What a name stands for, in the order of `load`."""
    if path.name == FILE and path.is_file():
        path = path.parent
    if (path / FILE).is_file():
        return of_entry(library.read(path))
    if path.is_file() and path.suffix.lower() in _HDF5:
        return Source(path, adapter="tbmodels")
    if path.is_file() and path.suffix.lower() == ".zip":
        return Source(path, adapter="wannier90.archive")
    if (path / _NPZ).is_file():
        return Source(path, adapter="wannierberri")
    if path.is_file() or _has_hamiltonian(path, inside=False) or (path.is_dir() and _has_hamiltonian(path, inside=True)):
        return Source(path)
    if text in library.names():
        return of_entry(library.entry(text))
    raise ModelError(_nothing(text, path))


def _has_hamiltonian(path: Path, inside: bool) -> bool:
    """Whether a folder holds a Hamiltonian, or (not inside) whether one begins with this path."""
    folder, stem = (path, "") if inside else (path.parent, path.name)
    endings = tuple(stem + h + c for h in _HAMILTONIAN for c in _COMPRESSED)
    if not inside:
        return any((folder / name).is_file() for name in endings)
    return any(file.name.endswith(endings) for file in folder.iterdir())


def _nothing(text: str, path: Path) -> str:
    """What was looked for, in one line."""
    if path.is_dir():
        tried = f"the folder {path} holds neither {FILE} nor a _tb.dat or _hr.dat"
    else:
        place = f"in {path.parent.absolute()}" if path.parent.is_dir() else f"(there is no folder {path.parent})"
        tried = f"no file {path.name}, {path.name}_tb.dat or {path.name}_hr.dat (plain, .gz, .bz2, .xz) {place}"
    near = difflib.get_close_matches(text.lower(), library.names(), 1)
    entries = f"no such entry: did you mean {near[0]}?" if near else ", ".join(library.names())
    return f"cannot load {text!r}: {tried}, and the library has {entries}"
