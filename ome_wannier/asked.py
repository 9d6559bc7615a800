"""What compute() is asked for: settings that cannot be used are refused here, and meshes chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bands import SPIN_REMEDY
from .calculators import Calculator, GapTerm, needs_spin, resolve
from .errors import SettingsError
from .kdotp import KDotP
from .kmesh import KMesh, PolarMesh
from .occupation import Occupation
from .planewaves import PlaneWaves
from .result import first_observable
from .sparse import AVAILABLE, SparseTightBinding
from .sums import Lattice

Array = NDArray[np.float64]


def numbers(name: str, value: ArrayLike, unit: str) -> Array:
    """A number or a row of numbers; SettingsError for anything else."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{name} is {value!r}: give a number or a list of numbers, in {unit}") from error
    if array.ndim > 1 or array.size == 0:
        raise SettingsError(f"{name} has shape {array.shape}: give a number or a list of numbers, in {unit}")
    return array


def validate(
    model: Lattice | KDotP,
    wanted: Sequence[Calculator],
    temperatures: Array,
    tau: float,
    degeneracy_tol: float | None,
    memory: float,
) -> None:
    """Refuse settings that make no sense, and calculators that this model cannot give (SettingsError)."""
    limits = (("tau", tau, "fs"), *([] if degeneracy_tol is None else [("degeneracy_tol", degeneracy_tol, "eV")]))
    for name, number, unit in limits:
        if isinstance(number, str) or not (np.ndim(number) == 0 and np.isfinite(number) and number >= 0):
            raise SettingsError(f"{name} is {number!r}: give a number >= 0, in {unit}")
    if not isinstance(memory, (int, float, np.number)) or not 0 < memory < np.inf:
        raise SettingsError(f"memory is {memory!r}: give a number of bytes")
    Occupation(np.zeros(1), temperatures, surface=False)  # refuses temperatures that are none
    if not model.axes:
        raise SettingsError("this model has no periodic direction: responses are those of crystals, layers and chains")
    for calculator in wanted:
        observable = first_observable(calculator)
        if any(isinstance(t, GapTerm) for t in resolve([calculator])[1]) and (len(model.axes) < 3 or isinstance(model, KDotP)):
            raise SettingsError(f"{calculator.name} has a Chern-Simons part, which needs a three-dimensional lattice")
        if {"moment", "axis"} & set(observable.dims) and not model.moments:
            raise SettingsError(
                f"{calculator.name} needs two periodic directions perpendicular to an orbital moment: this model has "
                f"{len(model.axes)}; ask for dipole_polarizability or quantum_metric alone"
            )
        if isinstance(model, SparseTightBinding) and observable.kind != "own" and calculator.name not in AVAILABLE:
            raise SettingsError(
                f"{calculator.name} needs bands far from the Fermi level, which a window does not have: "
                f"one of {', '.join(AVAILABLE)}"
            )
        if needs_spin(calculator) and not model.has_spin:
            raise SettingsError(f"{calculator.name} needs the spin operator, which this model does not have: {SPIN_REMEDY}")


def refuse_with_rtol(kmesh: object, checkpoint: object, chern_simons: bool) -> None:
    """Refuse what needs a mesh that is given (SettingsError)."""
    if kmesh is not None:
        raise SettingsError("give either kmesh or rtol: with rtol the mesh converges by itself")
    if checkpoint is not None:
        raise SettingsError("checkpoint: with rtol no sum over fixed points is made that could be gone on with: leave it out")
    if chern_simons:
        raise SettingsError("rtol: the Chern-Simons part is computed on a mesh: give kmesh, or leave this part out")


def electrons(filling: object) -> float:
    """Electrons per cell; SettingsError for anything but one number."""
    found = numbers("filling", filling, "electrons per cell")  # type: ignore[arg-type]
    if found.ndim:
        raise SettingsError(f"filling is {filling!r}: give one number of electrons per cell")
    return float(found)


def one_temperature(temperatures: Array) -> float:
    """The temperature (K) at which a filling has its Fermi level; SettingsError for several, each of which has its own."""
    if len(temperatures) > 1:
        raise SettingsError(
            f"filling: the {len(temperatures)} temperatures have a Fermi level each: compute one by one, or give fermi (eV)"
        )
    return float(temperatures[0])


def ray_levels(fermi: ArrayLike | None) -> Array:
    """Fermi levels (nf,) in eV of a k.p model, which has no filling."""
    if fermi is None:
        raise SettingsError("a k.p model holds infinitely many electrons: give fermi (eV) instead of filling")
    return np.atleast_1d(numbers("fermi", fermi, "eV"))


def default_mesh(model: Lattice) -> KMesh:
    """A mesh by spacing; for superlattices, whose bands vary on the scale of their small zone, by number."""
    if isinstance(model, PlaneWaves | SparseTightBinding):
        a, b, c = (24 if p else 1 for p in model.periodic)
        return KMesh((a, b, c))
    return KMesh.default(model.lattice, model.periodic)


def uniform(kmesh: KMesh | PolarMesh | Sequence[int], model: Lattice) -> KMesh:
    """The mesh that was asked for; SettingsError where it does not fit the directions of the model."""
    if isinstance(kmesh, PolarMesh):
        raise SettingsError("PolarMesh is for k.p models: give KMesh or (N1, N2, N3) for a lattice")
    mesh = kmesh if isinstance(kmesh, KMesh) else KMesh(kmesh)  # type: ignore[arg-type]
    for d in range(3):
        if mesh.size[d] > 1 and not model.periodic[d]:
            raise SettingsError(f"kmesh {mesh.size}: direction {d + 1} is not periodic in this model, use 1 point along it")
    return mesh
