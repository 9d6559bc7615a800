"""Fermi levels of many fillings, for responses against the number of electrons."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import SettingsError
from .kmesh import KMesh
from .occupation import fermi_level
from .planewaves import PlaneWaves
from .sparse import SparseTightBinding
from .sums import Lattice, mesh_energies
from .units import KB


def fermi_levels(
    model: Lattice, kmesh: KMesh | tuple[int, int, int], fillings: ArrayLike, temperature: float = 0.0
) -> NDArray[np.float64]:
    """Fermi levels (n,) in eV at which the cell holds `fillings` electrons on this mesh, whose energies are computed once.

    `compute(model, kmesh, fermi=fermi_levels(model, kmesh, fillings, T), temperature=T)` is a response against the filling.

    Parameters
    ----------
    fillings : (n,) electrons per cell; of plane waves and windows of bands, those added to neutrality.
    temperature : K.

    Raises
    ------
    SettingsError : fillings that are no row of numbers, or that the bands do not hold.
    """
    wanted = np.asarray(fillings, dtype=float)
    if wanted.ndim != 1 or not np.isfinite(wanted).all():
        raise SettingsError(f"fillings {fillings!r}: give a row of numbers of electrons per cell")
    mesh = kmesh if isinstance(kmesh, KMesh) else KMesh(kmesh)
    full = model.spin_degeneracy * model.neutral if isinstance(model, PlaneWaves | SparseTightBinding) else 0
    energies = mesh_energies(model, mesh)
    weights = np.full(len(energies), model.spin_degeneracy / len(energies))
    return np.array([fermi_level(energies, weights, n + full, temperature * KB) for n in wanted])
