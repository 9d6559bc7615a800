"""TBmodels: live `tbmodels.Model` objects, and its HDF5 files of both layouts, read with h5py; written in the current layout.

`hop` holds one of R and -R, and half of the matrix of R = 0: the Hermitian conjugate is added. Lengths are taken as Angstrom.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common.errors import FileFormatError, ModelError, warn
from ..common.hdf5 import stored_bytes
from ..common.limits import current
from ..common.safe_write import whole
from ..models.real_space_checks import checked, local_spin
from ..models.tight_binding import TightBinding

Matrix = NDArray[np.complex128]


def recognises(model: object) -> bool:
    """Whether an object is a `tbmodels.Model`."""
    return type(model).__module__.split(".")[0] == "tbmodels" and hasattr(model, "hop") and hasattr(model, "uc")


def load(
    source: Any,
    centres: ArrayLike | None = None,
    periodic: tuple[bool, bool, bool] | None = None,
    spin_degeneracy: int = 1,
    spin_order: str | None = None,
) -> TightBinding:
    """The model of a `tbmodels.Model` or of the HDF5 file that one was saved to (also of versions before `type_tag`).

    Parameters
    ----------
    source : the object, or the path of the file.
    centres : (n, 3) Cartesian in Angstrom, instead of the positions in the model. TBmodels puts orbitals whose positions it was
        not given at the origin: a model of several orbitals with all of them there is taken with a warning.
    periodic : which directions are periodic; default: those in which some hopping has a component.
    spin_degeneracy : electrons per band; TBmodels does not know it.
    spin_order : "block" or "interlaced" where the orbitals are spin-pure, for the spin operator.

    Raises
    ------
    ModelError : no lattice vectors, no positions. FileFormatError : a file that is no HDF5 file or holds no model.
    """
    if isinstance(source, str | os.PathLike):
        name, uc, pos, hop = str(source), *_read(Path(source))
    else:
        name, uc, pos = "TBmodels model", source.uc, source.pos
        hop = [(tuple(R), np.asarray(m.toarray() if hasattr(m, "toarray") else m)) for R, m in source.hop.items()]
    if uc is None:
        raise ModelError(f"{name} has no lattice vectors (uc): give them to tbmodels.Model, in Angstrom")
    if not hop:
        raise ModelError(f"{name} has no hoppings")
    uc = checked(uc, "uc", float, (None, None))
    d, n = len(uc), len(hop[0][1])
    lattice = np.eye(3)
    if uc.shape != (d, d) or not 1 <= d <= 3:
        raise ModelError(f"uc of {name} has shape {uc.shape}: one to three lattice vectors, square, are understood")
    lattice[:d, :d] = uc
    if centres is None:
        centres = _centres(pos, lattice, n, d, name)
    R, H = _both_halves(hop, n, d, name)
    spin = None if spin_order is None else local_spin(n, spin_order)
    return TightBinding(
        lattice,
        R,
        H,
        centres=np.asarray(centres),
        periodic=periodic,  # type: ignore[arg-type]
        spin_degeneracy=spin_degeneracy,
        spin=spin,
        name=name,
    )


def write(model: TightBinding, path: str | Path) -> None:
    """Write a model as `tbmodels.Model.to_hdf5_file` does; see `export` for what is lost, with a warning."""
    import h5py

    arguments = _arguments(model)

    memory = io.BytesIO()  # on a disk that is full the HDF5 library ends the process
    with h5py.File(memory, "w") as file:
        file["type_tag"] = "tbmodels.model"
        for key in ("uc", "size", "dim", "pos"):
            file[key] = arguments[key]
        file["sparse"] = False
        for i, (R, X) in enumerate(arguments["hop"].items()):
            group = file.create_group(f"hop/{i}")
            group["R"], group["mat"] = R, X
    whole(path, lambda file: file.write(memory.getbuffer()))


def export(model: TightBinding) -> Any:
    """A `tbmodels.Model` of the same Hamiltonian and centres.

    Lost, with a warning: position matrix elements between orbitals. Lost silently, since bands and positions do not depend on
    them: spin operator, spin degeneracy, atoms.

    Raises
    ------
    ModelError : tbmodels is not installed; an orbital outside the cell along an open direction, which TBmodels would fold back.
    """
    try:
        import tbmodels
    except ImportError as error:
        raise ModelError("tbmodels is not installed: install it, or write a file (adapters.tbmodels.write)") from error
    return tbmodels.Model(**_arguments(model), contains_cc=False)


def _arguments(model: TightBinding) -> dict[str, Any]:
    """Arguments of tbmodels.Model: one of each pair of R vectors, half of R = 0."""
    if model.position is not None:
        warn(
            "TBmodels holds no position matrix elements between orbitals: centres alone are kept, bands are the same, "
            "magnetoelectric responses are not"
        )
    pos = model.wannier_centres @ np.linalg.inv(model.lattice)
    for axis in np.flatnonzero(~np.array(model.periodic)):
        if outside := [i for i in range(len(pos)) if not 0 <= pos[i, axis] < 1]:
            raise ModelError(
                f"orbital {outside[0]} lies outside the cell along the open direction {axis + 1}, where TBmodels would fold it "
                "back and couple it to the next cell: shift the centres, or lengthen that lattice vector"
            )
    hop = {}
    for R, X in zip(map(tuple, model.R.tolist()), model.hamiltonian, strict=True):
        if R >= (0, 0, 0):
            hop[R] = np.array(X) if any(R) else X / 2
    return {"hop": hop, "size": model.n_orbitals, "dim": 3, "pos": pos, "uc": np.array(model.lattice)}


def _read(path: Path) -> tuple[Any, Any, list[tuple[tuple[int, ...], Matrix]]]:
    """Lattice vectors, reduced positions (or None) and hoppings of a file."""
    import h5py

    if not path.is_file():
        raise ModelError(f"no file {path}")
    try:
        with h5py.File(path, "r") as file:
            _check_sizes(path, file)
            top = file.get("tb_model", file)  # a development version nested it
            if "hop" not in top:
                raise FileFormatError(path, None, "a TBmodels model (a group hop)", f"{', '.join(file) or 'nothing'}")
            uc, pos = (top[key][()] if key in top else None for key in ("uc", "pos"))
            _check_numbers(path, list(top["hop"]))
            hop = [_term(path, group, None if uc is None else len(uc)) for group in top["hop"].values()]
            _check_stated(path, top, {"size": {len(X) for _, X in hop}, "dim": {len(R) for R, _ in hop}})
            return uc, pos, hop
    except FileFormatError:
        raise
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        RuntimeError,
        MemoryError,
        OverflowError,
    ) as error:
        raise FileFormatError(path, None, "an HDF5 file of TBmodels", f"{type(error).__name__}: {str(error)[:300]}") from error


def _check_numbers(path: Path, names: list[str]) -> None:
    """Refuse hoppings of which one is missing: TBmodels numbers them from 0."""
    missing = {str(i) for i in range(len(names))} - set(names)
    if missing and all(name.isdecimal() for name in names):
        raise FileFormatError(path, None, f"hoppings 0 to {len(names) - 1}", f"no hop/{min(missing)}")


def _check_stated(path: Path, top: Any, counts: dict[str, set[int]]) -> None:
    """Refuse numbers of orbitals and of directions that are not those of the hoppings."""
    for key, found in counts.items():
        stated = np.ravel(top[key][()]).tolist() if key in top else []
        if len(found) == 1 and stated and stated != list(found):
            raise FileFormatError(path, None, f"{key} to be {found.pop()}, as the hoppings have it", str(stated)[1:-1][:60])


def _check_sizes(path: Path, file: Any) -> None:
    """Refuse arrays that are larger than a file of this size may hold: shapes are read, not data."""
    sizes = stored_bytes(path, file)
    sparse = [file[name] for name in sizes if name.endswith("/shape")]  # of matrices that are filled
    filled = [16 * math.prod(abs(int(x)) for x in np.ravel(n[()])) for n in sparse if n.size in (1, 2) and n.dtype.kind in "iu"]
    current().check(path, sum(sizes.values()) + sum(filled), "arrays")


def _term(path: Path, group: Any, d: int | None) -> tuple[tuple[int, ...], Matrix]:
    """R (d integers) and the matrix of one hopping, stored densely or by compressed rows."""
    found = np.asarray(group["R"][()])
    whole_numbers = found.dtype.kind in "iuf" and bool(np.all(found == np.round(found)) and np.all(np.abs(found * 1.0) < 2**53))
    if not whole_numbers or found.ndim != 1 or (d is not None and len(found) != d):
        count = "integers" if d is None else f"{d} integers, as many as there are lattice vectors"
        text = " ".join(str(found.ravel()[:9].tolist()).split())[:200]
        raise FileFormatError(path, None, f"R of {group.name} to be {count}", text)
    R = tuple(int(x) for x in found)
    if "mat" in group:
        return R, np.asarray(group["mat"][()], dtype=complex)
    from scipy.sparse import csr_matrix

    parts = (group["data"][()], group["indices"][()], group["indptr"][()])
    return R, np.asarray(csr_matrix(parts, shape=tuple(group["shape"][()])).toarray(), dtype=complex)


def _centres(pos: Any, lattice: NDArray[np.float64], n: int, d: int, name: str) -> NDArray[np.float64]:
    """Cartesian centres of reduced positions."""
    if pos is None:
        raise ModelError(
            f"{name} has no orbital positions (pos), on which orbital magnetization depends: give centres= (n, 3) in Angstrom"
        )
    reduced = checked(pos, "pos", float, (n, d))
    if n > 1 and not reduced.any():
        warn(f"{name}: all orbitals are at the origin, where TBmodels puts them if it is not told: give centres= otherwise")
    return np.pad(reduced, ((0, 0), (0, 3 - d))) @ lattice


def _both_halves(hop: Iterable[tuple[tuple[int, ...], Matrix]], n: int, d: int, name: str) -> tuple[NDArray[np.int64], Matrix]:
    """R vectors (nR, 3) and matrices with the Hermitian conjugates added."""
    terms: dict[tuple[int, ...], Matrix] = {(0, 0, 0): np.zeros((n, n), dtype=complex)}
    for short, X in hop:
        if X.shape != (n, n):
            raise ModelError(f"the hopping of {name} at R = {short} has shape {X.shape}, another one {(n, n)}")
        if len(short) != d or any(x != int(x) for x in short):
            raise ModelError(f"a hopping of {name} is at R = {short}: {d} integers are needed, one for each lattice vector")
        R = (*(int(x) for x in short), 0, 0)[:3]
        for r, x in ((R, X), (tuple(-c for c in R), X.conj().T)):
            terms[r] = terms.get(r, 0) + x
    return np.array(list(terms)), np.array(list(terms.values()))
