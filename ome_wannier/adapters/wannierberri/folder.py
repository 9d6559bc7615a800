"""The folder that WannierBerri's `System_R.to_npz` writes, read without WannierBerri.

Its own reader unpickles, which runs code of whoever wrote the folder, and sets attributes named by files. Here every file of
the folder is judged by its name, those that are used by their header, and only plain arrays are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.errors import FileFormatError
from ...common.npz import read_npz
from ...models.real_space_checks import LARGEST_R

#: matrices begin like this
_MATRIX = "_XX_R_"
#: what has to be there, and what is used where it is
_NEEDED = ("real_lattice", "wannier_centers_cart", "iRvec", "num_wann")
#: electrons per band, under the name of the attribute that a System of ours has
ELECTRONS = "ome_electrons_per_band"
_USED = ("periodic", "is_phonon", "force_internal_terms_only", "positions", "atom_labels", "name", ELECTRONS)
#: what WannierBerri may write besides (newer and older versions): not needed, so not opened, for it may write
#: magnetic_moments as a pickled None
_KNOWN = (
    "pointgroup", "symgroup", "cell", "magnetic_moments", "spinor", "mp_grid", "NKFFT_recommended", "_NKFFT_recommended",
    "use_wcc_phase", "wannier_centers_red", "wannier_centers_reduced", "use_ws", "frozen_max", "cRvec", "npar", "silent",
)  # fmt: skip


@dataclass(frozen=True)
class RVectors:
    """R vectors (nR, 3), and the reduced centres (n, 3) that stand in the phases."""

    iRvec: NDArray[np.int64]  # noqa: N815  # WannierBerri's name
    shifts_left_red: NDArray[np.float64]

    @property
    def iR0(self) -> int:
        """Index of R = 0."""
        return int(np.flatnonzero(~self.iRvec.any(axis=1))[0])


@dataclass(frozen=True)
class FolderSystem:
    """What a folder holds, under the names that a `System_R` has."""

    real_lattice: NDArray[np.float64]
    wannier_centers_cart: NDArray[np.float64]
    num_wann: int
    rvec: RVectors
    matrices: Mapping[str, NDArray[np.complex128]]
    periodic: tuple[bool, bool, bool]
    is_phonon: bool
    force_internal_terms_only: bool
    positions: NDArray[np.float64]
    atom_labels: tuple[str, ...]
    name: str
    ome_electrons_per_band: int

    def has_R_mat(self, key: str) -> bool:
        """Whether there is a matrix of this name."""
        return key in self.matrices

    def get_R_mat(self, key: str) -> NDArray[np.complex128]:
        """The matrix (nR, n, n, ...) of this name."""
        return self.matrices[key]


def read_folder(folder: Path) -> FolderSystem:
    """The system in a folder written by `to_npz`.

    Raises
    ------
    FileFormatError : no folder; files of unknown names, with Python objects, damaged, or that do not fit together.
    """
    if not folder.is_dir():
        raise FileFormatError(folder, None, "a folder written by WannierBerri's to_npz", "no such folder")
    files = {path.name.removesuffix(".npz"): path for path in sorted(folder.glob("*.npz"))}
    for name, path in files.items():
        if name not in (*_NEEDED, *_USED, *_KNOWN) and not name.startswith(_MATRIX):
            raise FileFormatError(path, None, "a file as to_npz names them", f"the unknown name {name[:60]!r}: take it away")
    for name in _NEEDED:
        if name not in files:
            raise FileFormatError(folder, None, f"a file {name}.npz, as WannierBerri's to_npz writes it", "none")
    content = {name: read_npz(path) for name, path in files.items() if name not in _KNOWN}
    n = int(_array(files, content, "num_wann", "iu", ()))
    R, shifts = _vectors(files["iRvec"], content["iRvec"], n)
    centres = _array(files, content, "wannier_centers_cart", "f", (n, 3))
    lattice = _array(files, content, "real_lattice", "f", (3, 3))
    matrices = {}
    for name in content:
        if name.startswith(_MATRIX):
            found = _array(files, content, name, "fc", None)
            if found.shape[:3] != (len(R), n, n) or any(x != 3 for x in found.shape[3:]):
                expected = f"a matrix of shape {(len(R), n, n)}, times 3 for each axis"
                raise FileFormatError(files[name], None, expected, f"shape {found.shape}")
            matrices[name.removeprefix(_MATRIX)] = found.astype(complex)
    shifts = centres @ np.linalg.pinv(lattice) if shifts is None else shifts
    on, off = np.ones(3, dtype=bool), np.zeros((), dtype=bool)
    periodic = _array(files, content, "periodic", "b", (3,), on)
    return FolderSystem(
        lattice,
        centres,
        n,
        RVectors(R, shifts),
        matrices,
        tuple(bool(p) for p in periodic),  # type: ignore[arg-type]
        bool(_array(files, content, "is_phonon", "b", (), off)),
        bool(_array(files, content, "force_internal_terms_only", "b", (), off)),
        *_atoms(files, content),
        str(_array(files, content, "name", "U", (), np.array(""))),
        int(_array(files, content, ELECTRONS, "iu", (), np.zeros((), dtype=int))),
    )


def _array(
    files: Mapping[str, Path],
    content: Mapping[str, Mapping[str, NDArray[Any]]],
    name: str,
    kinds: str,
    shape: tuple[int, ...] | None,
    default: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """The one array of a file, of one of these kinds of dtype (integers pass for reals), finite, of this shape (None: any)."""
    if name not in content and default is not None:
        return default
    if list(content[name]) != ["arr_0"]:
        raise FileFormatError(files[name], None, "one array arr_0", ", ".join(content[name])[:100] or "nothing")
    found = content[name]["arr_0"]
    kinds = kinds + "iu" if "f" in kinds else kinds
    if found.dtype.kind not in kinds or (shape is not None and found.shape != shape):
        expected = f"an array of kind {kinds} and shape {'any' if shape is None else shape}"
        raise FileFormatError(files[name], None, expected, f"{found.dtype.name}, shape {found.shape}")
    if found.dtype.kind in "fc" and not np.isfinite(found).all():
        raise FileFormatError(files[name], None, "finite numbers", "some that are not")
    return found


def _vectors(path: Path, stored: Mapping[str, NDArray[Any]], n: int) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """R vectors, and the reduced centres in the phases where the file has them."""
    R = stored.get("iRvec", stored.get("arr_0"))
    if R is None or R.ndim != 2 or R.shape[1] != 3 or R.dtype.kind not in "iu" or not len(R):
        found = "none" if R is None else f"{R.dtype.name}, shape {R.shape}"
        raise FileFormatError(path, None, "iRvec, integers of shape (nR, 3)", found)
    if R.min() < -LARGEST_R or R.max() > LARGEST_R:
        worst = R.ravel()[int(np.argmax(np.abs(R.astype(float))))]
        raise FileFormatError(path, None, f"integers of R up to {LARGEST_R}", str(worst))
    if len(np.unique(R, axis=0)) < len(R) or R.any(axis=1).all():
        raise FileFormatError(path, None, "every R once, and R = 0", "one that stands twice, or no R = 0")
    if "shifts_left_red" not in stored:
        return R.astype(np.int64), None
    for side in ("shifts_left_red", "shifts_right_red"):
        shifts = stored.get(side, stored["shifts_left_red"])
        good = shifts.shape == (n, 3) and shifts.dtype.kind in "fiu" and bool(np.isfinite(shifts).all())
        if not good or np.abs(shifts - stored["shifts_left_red"]).max(initial=0.0) > 1e-9:
            raise FileFormatError(path, None, f"{side}, finite reals of shape {(n, 3)}, the same left and right", "others")
    return R.astype(np.int64), stored["shifts_left_red"].astype(float)


def _atoms(
    files: Mapping[str, Path], content: Mapping[str, Mapping[str, NDArray[Any]]]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Positions (atoms, 3) and labels of the atoms, of one length."""
    positions = _array(files, content, "positions", "f", None, np.zeros((0, 3)))
    labels = _array(files, content, "atom_labels", "US", None, np.zeros(0, dtype="U1"))
    if positions.shape != (len(np.atleast_1d(labels)), 3):
        expected = f"{np.size(labels)} positions of 3 reals, as there are labels"
        raise FileFormatError(
            files.get("positions", files.get("atom_labels", Path())), None, expected, f"shape {positions.shape}"
        )
    return positions, tuple(x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in np.atleast_1d(labels))
