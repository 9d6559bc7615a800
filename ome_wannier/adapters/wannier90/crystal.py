"""The cell and the atoms of a bare `_hr.dat`: given as vectors, or in a POSCAR or CIF, named or found beside it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...common.errors import FileFormatError, ModelError, warn
from ...common.fortran_text import LARGEST_REAL, Array
from ...common.packed import read_bytes
from ...models.base import Structure
from .seed import is_resource_fork

#: structures by their whole name, or by how it ends
NAMES = ("POSCAR", "CONTCAR", "POSCAR.vasp")
ENDINGS = (".cif", ".vasp", ".poscar")


class Crystal(NamedTuple):
    """lattice : (3, 3) rows in Angstrom. structure : the atoms, or None. path : the file that says it, or None."""

    lattice: Array
    structure: Structure | None
    path: Path | None


def crystal(given: ArrayLike | str | Path | None, seed: Path) -> Crystal | None:
    """What is given: three vectors or a file; else the POSCAR or CIF beside the seed; None if there is none.

    Raises
    ------
    FileFormatError : a file that ASE does not read. ModelError : no three vectors; several files beside the seed.
    """
    if isinstance(given, str | Path):
        return _read(Path(given))
    if given is not None:
        vectors = np.asarray(given, dtype=float)
        if vectors.shape != (3, 3) or not np.isfinite(vectors).all() or abs(np.linalg.det(vectors)) < 1e-6:
            raise ModelError("lattice: expected three independent vectors (Angstrom), one in each row")
        return Crystal(vectors, None, None)
    found = _beside(seed)
    if len(found) > 1:
        raise ModelError(f"{seed}: which of {', '.join(p.name for p in found)} is its structure? name it with lattice=")
    return _read(found[0]) if found else None


def on_atoms(known: Crystal, n_wann: int, spin_degeneracy: int | None, spin_order: str | None) -> Array:
    """(n_wann, 3) positions in Angstrom of functions shared among the atoms of a crystal, where only one way is possible.

    That is one atom; or atoms of one element, each with as many functions, and spins that `spin_degeneracy` = 2 excludes or
    `spin_order` sorts.

    Raises
    ------
    ModelError : several ways.

    Warns
    -----
    AccuracyWarning : the functions are taken to sit on the atoms.
    """
    assert known.structure is not None
    positions = np.array(known.structure.positions) @ known.lattice
    spins = 2 if spin_order else 1
    share, rest = divmod(n_wann, spins * len(positions))
    alike = len(set(known.structure.numbers)) == 1 and (spin_order is not None or spin_degeneracy == 2)
    if rest or not (len(positions) == 1 or alike):
        raise ModelError(
            f"{known.path} does not tell on which of its {len(positions)} atoms each of the {n_wann} functions sits: "
            "give centres (n, 3) in Angstrom"
        )
    name = known.path.name if known.path else "the structure"
    warn(
        f"the Wannier functions are taken to sit on the atoms of {name}: orbital magnetization changes with their true "
        "centres, and lacks the matrix elements of the position; write_tb gives both"
    )
    if spin_order == "interlaced":
        return np.repeat(positions, 2 * share, axis=0)
    return np.tile(np.repeat(positions, share, axis=0), (spins, 1))


def _beside(seed: Path) -> list[Path]:
    """The structure of this name beside a seed, else all that lie there."""
    own = [path for ending in ENDINGS if (path := seed.with_name(seed.name + ending)).is_file()]
    if own:
        return own
    try:
        names = sorted(seed.parent.iterdir())
    except OSError:
        return []
    names = [p for p in names if not is_resource_fork(p.name)]
    return [p for p in names if (p.name in NAMES or p.suffix.lower() in ENDINGS) and p.is_file()]


def _check_counts(path: Path, lines: list[str]) -> None:
    """Refuse a POSCAR that announces more atoms than it has lines, for which ASE would make room."""
    for number, line in enumerate(lines[5:7], 6):
        words = line.split()
        if words and all(word.isdecimal() for word in words) and sum(int(word[:20]) for word in words) > len(lines):
            raise FileFormatError(path, number, f"at most {len(lines)} atoms, as there are lines", line.strip()[:60])


def _read(path: Path) -> Crystal:
    import ase.io

    kind = "cif" if ".cif" in path.name.lower() else "vasp"
    text = read_bytes(path).decode("utf-8", "replace")
    if kind == "vasp":
        _check_counts(path, text.splitlines())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms: Any = ase.io.read(io.StringIO(text), format=kind, index=-1)
        cell, scaled = np.array(atoms.cell), atoms.get_scaled_positions(wrap=False)
    except Exception as error:  # the parsers of ASE raise whatever a damaged file leads to
        raise FileFormatError(
            path, None, "a POSCAR or CIF that ASE reads", f"{type(error).__name__}: {str(error)[:200]}"
        ) from error
    good = np.isfinite(cell).all() and np.isfinite(scaled).all() and np.abs(cell).max() < LARGEST_REAL
    if not good or abs(np.linalg.det(cell)) < 1e-6 or not len(atoms):
        raise FileFormatError(path, None, "three independent lattice vectors and atoms", "others")
    if kind == "cif":
        warn(f"{path.name}: a CIF has no directions: vector 1 is taken along x, vector 2 in the xy plane; a POSCAR has them")
    positions = tuple((float(x), float(y), float(z)) for x, y, z in scaled)
    return Crystal(cell, Structure(tuple(int(z) for z in atoms.numbers), positions), path)
