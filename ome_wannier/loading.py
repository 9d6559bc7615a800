"""load(): one way in for everything that a model can be made of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import materials
from .errors import ModelError
from .kdotp import KDotP
from .model import TightBinding

_HAMILTONIAN = ("_tb.dat", "_hr.dat")
_COMPRESSED = ("", ".gz", ".bz2", ".xz")


@dataclass(frozen=True)
class Source:
    """Where a model comes from: an entry of the library, or the seed (or file, or folder) of Wannier90 files."""

    seed: Path
    entry: materials.Entry | None = None

    def load(self, **options: Any) -> TightBinding:
        """The model; options as for `ome_wannier.load`."""
        from .adapters import wannier90

        return wannier90.load(self.seed, **options) if self.entry is None else self.entry.load(**options)


def load(source: str | os.PathLike[str] | TightBinding | KDotP, **options: Any) -> TightBinding | KDotP:
    """The model that `source` stands for.

    Parameters
    ----------
    source : what comes first is taken:

        1. a `TightBinding` or `KDotP`: returned as it is; a PythTB model (1.8 or 2): converted;
        2. a path: a folder with `material.toml` (or that file), the seedname of Wannier90 files ("dir/Te"), one of these
           files, or a folder with one seedname;
        3. the name of a library entry ("vse2"), see `ome_wannier.materials.names`.
    options : for files, passed to the Wannier90 adapter: `centres` (n, 3) in Angstrom, `periodic` (three truth values),
        `spin_degeneracy` (1 or 2), `use_wsvec`.

    Raises
    ------
    ModelError : nothing of that name, a type that cannot be loaded, or data that make no model.
    FileFormatError : a damaged file. TypeError : an option that does not exist.
    """
    if isinstance(source, TightBinding | KDotP):
        if options:
            raise ModelError(f"options {', '.join(options)} apply to files, not to a model that exists already")
        return source
    if not isinstance(source, str | os.PathLike):
        from .adapters import pythtb

        if pythtb.recognises(source) and not options:
            return pythtb.load(source)
        kind = type(source)
        raise ModelError(
            f"cannot make a model of {kind.__module__}.{kind.__qualname__}: give a library name, the path of Wannier90 files, "
            "a PythTB model, a TightBinding or a KDotP"
        )
    return locate(source).load(**options)


def locate(source: str | os.PathLike[str]) -> Source:
    """Find files or a library entry, in the order of `load`, without reading more than `material.toml`.

    Raises
    ------
    ModelError : nothing of that name; the message says what was looked for.
    """
    text = os.fspath(source)
    path = Path(text).expanduser()
    if not text:
        raise ModelError("cannot load '': give a library name or the path of Wannier90 files")
    if path.name == materials.FILE and path.is_file():
        path = path.parent
    if (path / materials.FILE).is_file():
        found = materials.read(path)
        return Source(found.folder / found.seed, found)
    if path.is_file() or _has_hamiltonian(path, inside=False) or (path.is_dir() and _has_hamiltonian(path, inside=True)):
        return Source(path)
    if text in materials.names():
        found = materials.entry(text)
        return Source(found.folder / found.seed, found)
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
        tried = f"the folder {path} holds neither {materials.FILE} nor a _tb.dat or _hr.dat"
    else:
        place = f"in {path.parent.absolute()}" if path.parent.is_dir() else f"(there is no folder {path.parent})"
        tried = f"no file {path.name}, {path.name}_tb.dat or {path.name}_hr.dat (plain, .gz, .bz2, .xz) {place}"
    return f"cannot load {text!r}: {tried}, and the library has {', '.join(materials.names())}"
