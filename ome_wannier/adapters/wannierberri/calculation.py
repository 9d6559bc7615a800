"""`.chk`, `.eig`, `.spn`, `.mmn`, `.uHu` and `.uIu` of anybody: judged here, record by record, then read by WannierBerri.

Its readers make arrays of the sizes that a file announces and take any numbers. Here every count, length and number is compared
with what the `.chk` says, so that they meet whole files of one calculation.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.checked_input import LARGEST, fault, regular
from ...common.errors import FileFormatError, ModelError, OMEError
from ...common.fortran_text import snippet
from ...models.tight_binding import TightBinding
from .formatted import formatted, in_records
from .packed import unpacked
from .records import Records
from .sizes import Sizes, check_sizes

Array = NDArray[np.float64]

#: relative difference of lattices (their scalar products) that were written with some digits
SAME_LATTICE = 1e-4
#: units of the mesh by which a k point may be off it
ON_MESH = 1e-4


def read_calculation(seed: str | Path, endings: Sequence[str], what: str, model: TightBinding) -> Any:
    """WannierBerri's `WannierData` from the files with these endings, of which `.chk` is the first.

    Parameters
    ----------
    seed : path that the names begin with, plain or compressed. what : what needs them, for the message.
    model : made from other files of that calculation.

    Raises
    ------
    ModelError : a missing file or package; another number of functions, or another lattice, than the model's.
    FileFormatError : files that are damaged, or of different calculations.
    """
    for package in ("wannierberri", "fortio"):  # WannierBerri reads Fortran records with the second
        if find_spec(package) is None:
            raise ModelError(f"{what} the package {package}: pip install 'ome_wannier[spn]'")
    with foreign(seed, endings):  # it complains of optional packages as well
        from wannierberri.w90files.wandata import WannierData
    with unpacked(seed, endings, what) as plain:
        sizes, lattice = _check_chk(Path(f"{plain}.chk"))
        for ending in endings[1:]:
            if not formatted(plain, ending):
                _CHECKS[ending](Path(f"{plain}{ending}"), sizes)
        if sizes.functions != model.n_orbitals:
            raise ModelError(f"{seed}.chk has {sizes.functions} Wannier functions, the model {model.n_orbitals}")
        ours = model.lattice @ model.lattice.T
        if np.abs(lattice @ lattice.T - ours).max() > SAME_LATTICE * np.abs(ours).max():
            raise ModelError(f"{seed}.chk has other lattice vectors than the model: not the same calculation")
        with in_records(plain, endings, sizes) as records, foreign(seed, endings):
            files = [ending[1:].lower() for ending in endings]
            return WannierData.from_w90_files(str(records), files=files, readnnkp=False)


@contextmanager
def foreign(seed: str | Path, endings: Sequence[str]) -> Iterator[None]:
    """Whatever WannierBerri raises of these files becomes a FileFormatError; what it prints, logs and warns of is dropped."""
    logger = logging.getLogger("wannierberri")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except OMEError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise FileFormatError(seed, None, f"{', '.join(endings)} of one calculation", said) from error
    finally:
        logger.setLevel(level)


def _check_chk(path: Path) -> tuple[Sizes, Array]:
    """Sizes and lattice vectors (rows, Angstrom) of a whole `.chk`."""
    file = Records(path)
    file.text()
    bands = file.count("the number of bands")
    excluded = file.count("the number of excluded bands", 0)
    file.take("i4", excluded, "excluded bands")
    lattice = file.take("f8", 9, "lattice vectors").reshape(3, 3, order="F")
    file.take("f8", 9, "reciprocal lattice vectors")
    points = file.count("the number of k points")
    mesh = file.take("i4", 3, "mp_grid").astype(int)
    k = file.take("f8", 3 * points, "k points").reshape(points, 3)
    near, n = file.count("the number of b vectors", 1, 100), file.count("the number of Wannier functions", 1, bands)
    file.text()
    if file.count("whether it is disentangled", -1, 1):
        file.take("f8", 1, "Omega_I")
        file.take("i4", points * bands, "bands in the window")
        file.take("i4", points, "their numbers")
        file.take("c16", points * bands * n, "u_matrix_opt")
    file.take("c16", points * n * n, "u_matrix")
    file.take("c16", points * n * n * near, "m_matrix")
    file.take("f8", 3 * n, "centres")
    file.take("f8", n, "spreads")
    file.end()
    whole = np.round(k * mesh)
    places = {tuple(row) for row in (whole % np.maximum(mesh, 1)).tolist()}
    if mesh.min() < 1 or points != np.prod(mesh) or np.abs(k * mesh - whole).max() > ON_MESH or len(places) != points:
        expected = f"every point of the mesh {' x '.join(map(str, mesh))} once"
        raise FileFormatError(path, None, expected, f"{points} k points that are not these")
    if abs(np.linalg.det(lattice)) < 1e-9:
        raise FileFormatError(path, None, "three lattice vectors", "vectors in a plane, or none")
    return Sizes(n, bands, points, near), np.asarray(lattice)


def _check_spn(path: Path, sizes: Sizes) -> None:
    """As many Hermitian matrices as k points, of three components, by their lower halves."""
    file = Records(path)
    file.text()
    found = tuple(file.take("i4", 2, "bands and k points").tolist())
    check_sizes(path, "bands and k points", found, (sizes.bands, sizes.points))
    for k in range(sizes.points):
        file.take("c16", 3 * sizes.bands * (sizes.bands + 1) // 2, f"spin at k point {k + 1}")
    file.end()


def _check_uxu(path: Path, sizes: Sizes) -> None:
    """A matrix for each k point and pair of neighbours."""
    file = Records(path)
    file.text()
    found = tuple(file.take("i4", 3, "bands, k points and b vectors").tolist())
    check_sizes(path, "bands, k points and b vectors", found, (sizes.bands, sizes.points, sizes.neighbours))
    for k in range(sizes.points):
        for _ in range(sizes.neighbours**2):
            file.take("c16", sizes.bands**2, f"a matrix of k point {k + 1}")
    file.end()


def _check_header(path: Path, lines: list[bytes], what: str, expected: tuple[int, ...]) -> None:
    """A line of text, and one of sizes."""
    if len(lines) < 2:
        raise FileFormatError(path, None, f"a line of text, and one of {what}", "no second line")
    header = _rows(path, lines[1:2], len(expected), what, 2)
    check_sizes(path, what, tuple(int(x) if x == int(x) else float(x) for x in header.ravel()), expected)


def _check_eig(path: Path, sizes: Sizes) -> None:
    """Band, k point and energy (eV) in each line, bands first."""
    rows = _rows(path, _lines(path), 3, "a band, a k point and an energy")
    n, nk = sizes.bands, sizes.points
    labels = np.stack([np.tile(np.arange(1, n + 1), nk), np.repeat(np.arange(1, nk + 1), n)], axis=1)
    if len(rows) != n * nk:
        raise FileFormatError(path, None, f"{n} bands at each of {nk} k points, as in the .chk", f"{len(rows)} lines")
    wrong = np.flatnonzero((rows[:, :2] != labels).any(axis=1))
    if len(wrong):
        i = int(wrong[0])
        raise FileFormatError(
            path, i + 1, f"band {labels[i, 0]} of k point {labels[i, 1]}", f"{rows[i, 0]:g} of {rows[i, 1]:g}"
        )


def _check_mmn(path: Path, sizes: Sizes) -> None:
    """A matrix for each k point and neighbour, below a line with both and the reciprocal lattice vector between."""
    lines = _lines(path)
    _check_header(path, lines, "bands, k points and b vectors", (sizes.bands, sizes.points, sizes.neighbours))
    block, blocks = 1 + sizes.bands**2, sizes.points * sizes.neighbours
    if len(lines) != 2 + block * blocks:
        expected = f"{2 + block * blocks} lines, for {blocks} matrices of {sizes.bands} x {sizes.bands}"
        raise FileFormatError(path, None, expected, f"{len(lines)}")
    rows = lines[2:]
    heads = _rows(path, rows[::block], 5, "two k points and a reciprocal lattice vector", 3, block)
    wrong = np.flatnonzero((heads[:, 1] < 1) | (heads[:, 1] > sizes.points) | (heads != np.round(heads)).any(axis=1))
    if len(wrong):
        raise FileFormatError(path, 3 + block * int(wrong[0]), "numbers of two k points, and three integers", "others")
    for first in range(0, len(rows), block):
        _rows(path, rows[first + 1 : first + block], 2, "Re and Im of an overlap", first + 4)


def _lines(path: Path) -> list[bytes]:
    """The lines of a text, without blank ones at the end; FileFormatError where it is cut in its last number."""
    try:
        text = regular(path).read_bytes()
    except OSError as error:
        raise FileFormatError(path, None, "a readable file", error.strerror or str(error)) from error
    lines = text.rstrip().split(b"\n")
    if not text.endswith(b"\n") and len(lines) > 1 and len(lines[-1].rstrip()) < len(lines[-2].rstrip()):
        raise FileFormatError(
            path, len(lines), "a last line as long as the one before (the file is cut here)", snippet(lines[-1])
        )
    return lines


def _rows(path: Path, lines: list[bytes], width: int, what: str, first: int = 1, step: int = 1) -> Array:
    """Numbers (lines, width); FileFormatError with the line of what is none, the first being number `first`."""
    found = _numbers(b"\n".join(lines))
    widths = [len(line.split()) for line in lines]
    if set(widths) <= {width} and len(found) == width * len(lines) and np.isfinite(found).all() and not fault(found):
        return found.reshape(len(lines), width)
    wrong = next((i for i, line in enumerate(lines) if widths[i] != width or not all(map(_usual, line.split()))), 0)
    shown = snippet(lines[wrong]) if lines else "nothing"
    raise FileFormatError(path, first + step * wrong, f"{what} ({width} finite numbers)", shown)


def _numbers(text: bytes) -> Array:
    """The numbers of a text up to the first word that is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.fromstring(text, sep=" ")
        except ValueError:  # of later versions of NumPy, where there is such a word
            return np.empty(0)


def _usual(word: bytes) -> bool:
    """Whether this is a number of physical size, as programs write it."""
    try:
        return b"_" not in word and abs(float(word)) <= LARGEST
    except ValueError:
        return False


_CHECKS = {".spn": _check_spn, ".uHu": _check_uxu, ".uIu": _check_uxu, ".eig": _check_eig, ".mmn": _check_mmn}
