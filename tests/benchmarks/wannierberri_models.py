"""Models as both codes can have them, and WannierBerri's numbers in our units.

WannierBerri's formulas need files that a model does not come with, so the models are taken with diagonal positions, where its
internal terms are the whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import wannierberri
from measure import Mesh

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.traces import velocity_weighted_product
from ome_wannier.calculators import Observable
from ome_wannier.calculators.weights import stack_tensor

TAU = 10.0
#: eV, levels closer than this are one in both codes: our default for models with diagonal positions
DEGENERATE = 1e-5
#: mesh, and 1 eV of Fermi levels; of Cr2O3 over all bands, as within 1 eV its response, which PT forbids, is rounding
CASES = {
    "te": ((16, 16, 16), (5.6, 6.6)),
    "vse2": ((60, 60, 1), (-0.8, 0.2)),
    "cumnas": ((10, 10, 8), (8.2, 9.2)),
    "cr2o3": ((8, 8, 6), (-20.0, 20.0)),
}


def tight_binding(name: str) -> ome.TightBinding:
    """The library's Hamiltonian with its Wannier centres for positions."""
    model = ome.load(name)
    return ome.TightBinding(
        model.lattice, model.R, model.hamiltonian, centres=model.wannier_centres, periodic=model.periodic, name=name
    )


def static(kind: Any, levels: np.ndarray, **settings: Any) -> Any:
    """One of its calculators of Fermi levels, with internal terms."""
    calculator = kind(Efermi=levels, kwargs_formula={"external_terms": False}, **settings)
    calculator.save_mode = "bin"  # text files would be left open
    return calculator


def one_grid(system: Any, mesh: Mesh, calculator: Any) -> np.ndarray:
    """Its numbers on one FFT grid, without symmetry."""
    grid = wannierberri.Grid(system, NKdiv=1, NKFFT=list(mesh), use_symmetry=False)
    settings = {"use_irred_kpt": False, "symmetrize": False, "parallel": False}
    data: np.ndarray = wannierberri.run(system, grid, {"it": calculator}, **settings).results["it"].data
    return data


def in_ours(model: ome.TightBinding, tensor: np.ndarray, *dims: str) -> np.ndarray:
    """Its tensor (levels, components), per volume, on our axes, and per area of a layer."""
    axes = {"moment": model.moments, "field": model.axes}
    for i, dim in enumerate(dims, 1):
        tensor = np.take(tensor, axes[dim], axis=i)
    height = abs(np.linalg.det(model.lattice)) / model.cell * units.ANGSTROM if model.dimension == 2 else 1.0
    return tensor * height


def kinetic(model: ome.TightBinding, K: np.ndarray) -> np.ndarray:
    """alpha_ib = -(e tau/hbar) K_bi."""
    return in_ours(model, -np.swapaxes(K, 1, 2) * TAU / units.HBAR_EV_FS, "moment", "field")


def moving_curvature(bands: Any) -> np.ndarray:
    """[v_b Omega_i]_nn."""
    R = bands.connection
    return stack_tensor(bands, lambda m, n, b: velocity_weighted_product(bands, b, 2j * R(m), R(n)))


def energy_times_moving_curvature(bands: Any) -> np.ndarray:
    """e_n [v_b Omega_i]_nn."""
    return bands.energies[:, :, None, None] * moving_curvature(bands)


#: its moment refers to the Fermi level instead of the level of the band, which adds the curvature times their distance inside
#: a box of Fermi levels
ADDED = [
    Observable(f.__name__, "", "extrinsic", "surface", 1, -1, "", "", f)
    for f in (moving_curvature, energy_times_moving_curvature)
]


def in_plane(model: ome.TightBinding, variable: Any) -> np.ndarray:
    """The elements of a layer that both codes have; of crystals all."""
    axes = {"moment": model.moments, "field": model.axes, "current": model.axes}
    values: np.ndarray = variable.sel({d: ["xyz"[i] for i in axes[d]] for d in axes if d in variable.dims}).values
    return values


def with_added(model: ome.TightBinding, result: Any, levels: np.ndarray) -> np.ndarray:
    """Our extrinsic response as its formula has it."""
    energy, plain = (in_plane(model, result[f.name]) for f in reversed(ADDED))
    added: np.ndarray = in_plane(model, result.extrinsic) + energy - levels[:, None, None] * plain
    return added


def clear(model: ome.TightBinding, mesh: Mesh, levels: np.ndarray) -> np.ndarray:
    """Levels in whose boxes no two bands are just farther apart than DEGENERATE, where rounding grows as its inverse powers.

    Of Cr2O3, whose pairs are split by some ten micro-eV, a tenth of the levels: 1e-7 there, 4e-11 on all others.
    """
    e = np.linalg.eigvalsh(model.matrices(ome.KMesh(mesh).points(), 0).H)
    spacing = np.diff(e, axis=1)
    at = ((e[:, 1:] + e[:, :-1]) / 2)[(spacing > DEGENERATE) & (spacing < 5 * DEGENERATE)]
    return np.array([(np.abs(at - level) > (levels[1] - levels[0]) / 2 + DEGENERATE * 5).all() for level in levels])
