"""Models and bands of WannierBerri's systems, kept between the k points of a run."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..adapters.wannierberri.folder import ELECTRONS
from ..adapters.wannierberri.system import load
from ..bands.bands import Bands
from ..bands.degeneracy import Degeneracy
from ..calculators.quantity import Observable
from ..integration.band_ranges import Look
from ..integration.memory import WORKING_SET, bytes_per_point
from ..models.operators import Operator, distinct
from ..models.tight_binding import TightBinding

Array = NDArray[np.float64]

#: matrices of a System that its model is made of: without states outside the Wannier functions, and those that add them
INSIDE, OUTSIDE = ("Ham", "AA", "SS"), ("BB", "CC", "FF", "GG", "OO")

_DEGENERACIES: WeakKeyDictionary[TightBinding, dict[Any, Degeneracy]] = WeakKeyDictionary()
_GAPS: WeakKeyDictionary[TightBinding, dict[bytes, NDArray[np.bool_]]] = WeakKeyDictionary()
_MODELS: WeakKeyDictionary[Any, dict[tuple[Any, ...], tuple[int, TightBinding]]] = WeakKeyDictionary()
#: bands of the k points that were last asked for, with what they were made for: tabulators of one TabulatorAll share them
_LAST: dict[str, Any] = {}


def model_of(
    system: Any, external_terms: bool, spin_degeneracy: int | None, operators: Sequence[Operator] = ()
) -> TightBinding:
    """The model of a System, kept as long as the system lives and its matrices do not change.

    spin_degeneracy : electrons per band; None: what the System says, or one, with a warning. operators : that it is given, on
        the R vectors of the System, or within a cell.
    """
    mark = _mark(system, (*INSIDE, *OUTSIDE) if external_terms else INSIDE)
    operators = distinct(operators)
    kept, key = _MODELS.setdefault(system, {}), (external_terms, spin_degeneracy, *operators)
    if key not in kept or kept[key][0] != mark:
        model = load(system, spin_degeneracy, external_terms)
        for o in operators:
            T, P = o.time_reversal, o.inversion
            model = model.with_operator(o.name, o.matrices, unit=o.unit, time_reversal=T, inversion=P)
        kept[key] = mark, model
    return kept[key][1]


def _mark(system: Any, names: Sequence[str]) -> int:
    """Checksum of what a model is made of."""
    matrices = getattr(system, "_XX_R", {})
    have = [name for name in names if name in matrices]
    mark = zlib.crc32(repr((have, getattr(system, "force_internal_terms_only", None))).encode())
    centres, R = getattr(system, "wannier_centers_cart", 0), getattr(getattr(system, "rvec", None), "iRvec", 0)
    lattice = getattr(system, "real_lattice", 0)
    more = getattr(system, "periodic", 0), getattr(system, ELECTRONS, 0)
    for part in (*(matrices[name] for name in have), centres, R, lattice, *more):
        mark = zlib.crc32(np.ascontiguousarray(part).data, mark)
    return mark


def degeneracy_of(model: TightBinding, temperature: ArrayLike, tol: float | None) -> Degeneracy:
    """What forms a group of levels, at temperatures in K; kept as long as the model lives."""
    lowest = float(np.min(temperature))
    kept = _DEGENERACIES.setdefault(model, {})
    if (lowest, tol) not in kept:
        kept[lowest, tol] = Degeneracy.of(model, lowest, tol)
    return kept[lowest, tol]


def gapped(model: TightBinding, levels: Array) -> NDArray[np.bool_]:
    """(nf,) which Fermi levels (eV) lie in a gap of a layer; kept as long as the model lives."""
    kept, key = _GAPS.setdefault(model, {}), levels.tobytes()
    if key not in kept:
        gaps = Look.at(model).gaps_among(levels) if len(model.axes) == 2 else []
        found = np.array([any(gap.holds(level) for gap in gaps) for level in levels.tolist()])
        kept[key] = found
    return kept[key]


def batches(
    data_K: Any, model: TightBinding, observables: Sequence[Observable], degeneracy: Degeneracy, window: tuple[float, float]
) -> Iterator[Bands]:
    """Bands at all points of `data_K`, as many at a time as stay in the cache."""
    k = np.asarray(data_K.kpoints_all, dtype=float)
    order, outside = max(o.order for o in observables), model.external is not None
    curvature = outside or any(o.curvature for o in observables)
    step = max(1, WORKING_SET // bytes_per_point(model.n_orbitals, order, outside))
    for start in range(0, len(k), step):
        points = k[start : start + step]
        made_for = (model.sha256, points.tobytes(), degeneracy, window)
        if _LAST.get("for") != made_for:
            made = Bands(model, points, order=order, curvature=curvature, degeneracy=degeneracy, window=window)
            _LAST.update({"for": made_for, "bands": made})
        yield _LAST["bands"]
