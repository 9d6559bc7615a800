"""Matrix elements with states outside the Wannier subspace, from WannierBerri's systems and from `.chk`, `.mmn`, `.uHu`.

    model = ome.load("Te")
    model = with_external_terms(model, "Te")
    result = ome.compute(model, ...)

WannierBerri's phases hold the centres t of the functions, and its matrices the positions from there, <0i|H (r - R - t_j)_b|Rj>.
Ours are absolute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.errors import ModelError
from ...models.outside_states import External, displaced_metric, displaced_moments
from ...models.real_space import RealSpace, moved_by, turned
from ...models.tight_binding import TightBinding
from .calculation import foreign, read_calculation
from .differences import corrections
from .packed import companion
from .spin import NEAREST, SAME_GAUGE

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: endings of what is read
FILES = (".chk", ".eig", ".mmn", ".uHu")


def external_of(system: Any, R: NDArray[np.int64], added: Mapping[str, Any] = MappingProxyType({})) -> External:
    """The matrices BB and CC, FF (or OO and GG) of a `System_R`, positions absolute, on these R vectors.

    R : (nR, 3) all those of the system and their negatives. added : to BB, CC and FF, as the system holds them (`differences`).

    Raises
    ------
    ModelError : a system with none of them.
    """
    have = system.has_R_mat
    if not (have("BB") and have("CC")) and not have("FF") and not (have("OO") and have("GG")):
        raise ModelError(
            "external terms need the matrices BB and CC (from .uHu), or FF, or OO and GG (from .uIu): this system has none of "
            "these pairs; make it with morb=True or qmetric=True"
        )
    row = {tuple(r): i for i, r in enumerate(R.tolist())}
    place = [row[tuple(r)] for r in system.rvec.iRvec.tolist()]

    def placed(name: str) -> ComplexArray:
        """A matrix of the system, and what is added to it, on all of these R vectors."""
        X = np.asarray(_overlaps(system) if name == "FF" else system.get_R_mat(name)) + added.get(name, 0)
        full = np.zeros((len(R), *X.shape[1:]), dtype=complex)
        np.add.at(full, place, X)
        return full

    t = np.asarray(system.wannier_centers_cart, dtype=float)
    BB = CC = FF = None
    if have("BB") and have("CC"):
        BB, CC = displaced_moments(R, t, *map(placed, ("Ham", "BB", "CC")))
    if have("FF") or (have("OO") and have("GG")):
        FF = displaced_metric(R, t, placed("AA"), placed("FF"))
    return External(BB, CC, FF)


def matrices_of(model: TightBinding) -> dict[str, ComplexArray]:
    """BB and CC, FF of a model as a System_R with the same R vectors holds them, counted from the centres; {} without."""
    if model.external is None:
        return {}
    assert model.position is not None
    R, back, (BB, CC, FF) = model.R, -model.wannier_centres, model.external.arrays
    found = {}
    if BB is not None and CC is not None:
        found["BB"], found["CC"] = displaced_moments(R, back, model.hamiltonian, BB, CC)
    if FF is not None:
        found["FF"] = displaced_metric(R, back, model.position, FF)
    return found


def _overlaps(system: Any) -> ComplexArray:
    """<d_a u|d_b u>, from its symmetric and antisymmetric parts where the system holds these."""
    if system.has_R_mat("FF"):
        return np.asarray(system.get_R_mat("FF"))
    F, O = np.array(system.get_R_mat("GG"), dtype=complex), np.asarray(system.get_R_mat("OO"))
    for c, (a, b) in enumerate(((1, 2), (2, 0), (0, 1))):
        F[..., a, b] -= 0.5j * O[..., c]
        F[..., b, a] += 0.5j * O[..., c]
    return F


def with_external_terms(model: TightBinding, seed: str | Path, nearest: tuple[float, ...] = NEAREST) -> TightBinding:
    """The same Wannier functions with all matrices from `.chk`, `.eig`, `.mmn`, `.uHu` (and `.uIu`), external ones included.

    Position and external matrices must come from the same finite differences, so the model's own position is replaced.
    Without `.uIu` the metric stays that of the basis.

    Parameters
    ----------
    model : the model made from the other files of that calculation.
    seed : path that the names of these files begin with, plain or compressed.
    nearest : Angstrom, see `spin`.

    Raises
    ------
    ModelError : a missing file or package; other functions, or another gauge, than the model's (the Hamiltonians differ).
    FileFormatError : files that are damaged, or of different calculations.
    """
    overlaps = companion(seed, ".uIu") is not None
    endings = (*FILES, *([".uIu"] if overlaps else []))
    data = read_calculation(seed, endings, "external terms need", model)
    from wannierberri.system.system_R import System_R

    want = {"symmetrize": False, "silent": True}
    ours = dict(zip(map(tuple, model.R.tolist()), model.hamiltonian, strict=True))

    def distance(tolerance: float) -> float:
        """How far the hoppings that WannierBerri makes with a tolerance are from the model's, in eV."""
        with foreign(seed, endings):
            bare = System_R.from_wannierdata(data, ws_dist_tol=tolerance, force_internal_terms_only=True, **want)
        theirs = _laid_out_as(model, bare, None)
        pairs = zip(map(tuple, theirs.R.tolist()), theirs.hamiltonian, strict=True)
        return max(float(np.abs(X - ours.get(r, 0)).max()) for r, X in pairs)

    tolerance = min(nearest, key=distance)
    with foreign(seed, endings):
        system = System_R.from_wannierdata(data, ws_dist_tol=tolerance, morb=True, qmetric=overlaps, **want)
        added = corrections(system, data)
    found = _laid_out_as(model, system, external_of(system, np.asarray(system.rvec.iRvec), added))
    k = np.asarray(data.kpt_red, dtype=float)
    gap = np.abs(np.tensordot(np.exp(2j * np.pi * k @ found.R.T), found.hamiltonian, 1) - model.matrices(k, 0).H).max()
    if gap > SAME_GAUGE:
        raise ModelError(f"{seed}.chk and the model differ by {gap:.2g} eV at its k points: not the same Wannier functions")
    return replace(
        model,
        R=found.R,
        hamiltonian=found.hamiltonian,
        position=found.position,
        centres=None,
        spin=_placed(model, found.R),
        external=found.external,
    )


def _laid_out_as(model: TightBinding, system: Any, external: External | None) -> RealSpace:
    """The matrices of a `System_R`, and external ones with the positions, in the home cells and on the axes of a model."""
    R = np.asarray(system.rvec.iRvec)
    H = np.asarray(system.get_R_mat("Ham"), dtype=complex)
    centres, position = np.asarray(system.wannier_centers_cart), None
    if external is not None:
        position = np.asarray(system.get_R_mat("AA")) + _home(R, len(H[0]))[..., None] * centres
    axes = np.eye(3) if model.frame is None else model.frame
    where = centres if position is None else None
    terms = RealSpace(model.lattice @ axes, R, H, position, where, None, external, model.periodic)
    across = ~np.array(model.periodic)
    homes = np.zeros((len(centres), 3), dtype=np.int64) if model.homes is None else model.homes
    if homes.any() or R[:, across].any():
        terms = moved_by(terms, homes, across)
    return terms if model.frame is None else turned(terms, model.frame)


def _home(R: NDArray[np.int64], n: int) -> Array:
    """The unit operator (nR, n, n): the unit matrix at R = 0, zero elsewhere."""
    one = np.zeros((len(R), n, n))
    one[~R.any(axis=1)] = np.eye(n)
    return one


def _placed(model: TightBinding, R: NDArray[np.int64]) -> ComplexArray | None:
    """The model's spin operator on other R vectors, zero where the model has none; ModelError if one of its own is lost."""
    if model.spin is None:
        return None
    ours = dict(zip(map(tuple, model.R.tolist()), model.spin, strict=True))
    lost = [r for r, X in ours.items() if X.any() and r not in set(map(tuple, R.tolist()))]
    if lost:
        raise ModelError(f"the model's spin has elements at R = {lost[0]}, which the .chk lacks: add the spin afterwards")
    zero = np.zeros_like(model.spin[0])
    return np.array([ours.get(tuple(r), zero) for r in R.tolist()])
