"""Metals whose Fermi surfaces take more cells than there may be: a uniform mesh answers, with its error."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.constants import e, hbar
from toys import random_model

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning, ConvergenceWarning
from ome_wannier.integration.occupation.fermi import minus_fermi_derivative
from ome_wannier.presentation.content import sampling
from ome_wannier.units import KB

T, LEVEL, EDGES, HOPPINGS = 50.0, 0.3, np.array([3.0, 3.3, 3.6]), np.array([1.0, 0.8, 0.6])


def cubic() -> ome.TightBinding:
    """One orbital, e = -2 sum_i t_i cos k_i."""
    R = np.array([(0, 0, 0), *np.eye(3, dtype=int), *-np.eye(3, dtype=int)])
    return ome.TightBinding(
        lattice=np.diag(EDGES), R=R, hamiltonian=-np.array([0.0, *HOPPINGS, *HOPPINGS])[:, None, None], centres=np.zeros((1, 3))
    )


def drude(n: int) -> np.ndarray:
    """Conductivities in S/m at 10 fs of n^3 points of an eighth of the zone, (e^2 tau / hbar^2) of (de/dk_i)^2 (-df/de)."""
    angle = np.pi * (np.arange(n) + 0.5) / n
    bands = -2 * HOPPINGS[:, None] * np.cos(angle)
    slopes = (2 * HOPPINGS * EDGES)[:, None] ** 2 * np.sin(angle) ** 2
    out = np.zeros(3)
    for energy, vx in zip(bands[0], slopes[0], strict=True):
        weight = minus_fermi_derivative(energy + bands[1][:, None] + bands[2], LEVEL, KB * T)
        out += vx * weight.sum(), slopes[1] @ weight.sum(axis=1), slopes[2] @ weight.sum(axis=0)
    return out / n**3 / np.prod(EDGES) * 1e10 * e**3 / hbar**2 * 10e-15


def found(**settings):
    with pytest.warns(ConvergenceWarning, match="not converged"):
        return ome.compute(cubic(), calculators="ohmic", fermi=LEVEL, temperature=T, rtol=1e-3, **settings)


def test_mesh_takes_the_place_of_cells():
    """The conductivity is an independent sum within its errors, which are far below those of as many cells (over 100 %)."""
    result = found(max_points=40_000)
    assert result.attrs["kmesh"].startswith("KMesh(size=(")
    assert "as many cells as rtol takes" in result.attrs["kmesh"]
    assert "NOT reached for ohmic" in sampling(result)
    assert "mesh, as cells would be too many" in sampling(result)
    assert 20_000 < result.attrs["k_points"] <= 40_000
    value, error = (np.diagonal(result[name].values.reshape(3, 3)) for name in ("ohmic", "ohmic_error"))
    true, coarse = drude(400), drude(320)
    assert abs(true - coarse).max() < 1e-3 * true.max()
    assert (abs(value - true) <= error).all()
    assert (error < 0.6 * value).all()


def test_same_bits_for_any_number_of_workers():
    alone = found(max_points=30_000, executor=ome.executors.Alone())
    with ThreadPoolExecutor(3) as pool:
        shared = found(max_points=30_000, executor=pool)
    for name in ("ohmic", "ohmic_error"):
        assert (alone[name].values == shared[name].values).all()


def test_room_for_less_than_the_default_mesh_is_left_to_cells():
    assert found(max_points=2_000).attrs["kmesh"].startswith("adaptive")


def test_pockets_are_left_to_cells():
    """A small surface in few cells: there cells converge."""
    result = ome.compute(cubic(), calculators="ohmic", fermi=-2 * HOPPINGS.sum() + 0.05, temperature=T, rtol=1e-2)
    assert result.attrs["kmesh"].startswith("adaptive")
    assert result.attrs["converged"] == 1


def test_a_mesh_that_is_far_too_coarse_is_not_sent_to_rtol():
    """Which would take such a mesh."""
    with pytest.warns(AccuracyWarning, match=r"points would; take more, or a higher temperature \("):
        ome.compute(cubic(), (16, 16, 16), "ohmic", LEVEL, temperature=5.0)


def test_a_step_at_one_level_is_resolved_by_no_mesh():
    """Numbers of fourteen digits are no advice."""
    said = r"berry_curvature: none does that can be summed; take more, or a higher temperature \(levels move, at T = 0,"
    with pytest.warns(AccuracyWarning, match=said):
        ome.compute(random_model(4, dimension=3, n=4), (4, 4, 4), "berry_curvature", 0.1, temperature=0.0)


def test_what_has_not_converged_has_names_that_a_result_has():
    with pytest.warns(ConvergenceWarning):
        result = ome.compute(
            cubic(), calculators="ohmic,dos", by="site", fermi=LEVEL, temperature=T, rtol=1e-3, max_points=20_000
        )
    entries = result.attrs["not_converged"].split("; ")
    assert {entry.split(" at ")[0][:13].strip() for entry in entries} == {"ohmic xx", "dos", "shares of dos"}
