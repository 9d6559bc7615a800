"""Band-resolved weights are what compute sums."""

from __future__ import annotations

import numpy as np
import pytest
from toys import METAL, random_model, run, split

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.calculators import first_observable, get
from ome_wannier.calculators.reported_units import unit_of
from ome_wannier.errors import SettingsError
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.response.tabulate import integrand

SPINFUL = random_model(2, 2, 3, hopping=1.0, spin="matrix", position="matrix")


def test_tabulate_is_the_integrand_of_compute():
    """Weights at the points of a mesh, summed with the Fermi function, are what compute() gives."""
    mesh, mu, T = KMesh((6, 6, 1)), 0.1, 500.0
    table = ome.tabulate(METAL, mesh.points(), ["interband", "extrinsic", "berry_curvature"])
    result = run(calculators=["interband", "extrinsic", "berry_curvature"], fermi=mu, temperature=T)
    x = (table.energy - mu) / (units.KB * T)
    f = 1 / (1 + np.exp(x))
    norm = METAL.spin_degeneracy / (36 * METAL.cell)
    for name, factor in (
        ("interband", units.alpha_to_si(2)),
        ("extrinsic", units.extrinsic_to_si(2, 10.0)),
        ("berry_curvature", 1.0),
    ):
        occupation = f if table[name].attrs["occupation"] == "sea" else f * (1 - f) / (units.KB * T)
        weights = split(METAL, table[name])
        got = (weights * occupation).sum(("k", "band")).values * norm * factor
        size = np.abs(weights * occupation).sum(("k", "band")).max().item() * norm * factor
        np.testing.assert_allclose(split(METAL, result[name])[0], got, rtol=0, atol=1e-6 * size)


def test_tabulate_refuses():
    """A combination of sea and surface terms has no integrand; points need three coordinates."""
    with pytest.raises(SettingsError, match="mixes terms that are occupied"):
        ome.tabulate(METAL, np.zeros((1, 3)), ["total"])
    with pytest.raises(SettingsError, match="k has shape"):
        ome.tabulate(METAL, np.zeros((1, 2)))
    everything = ome.tabulate(METAL, np.zeros(3))
    assert "total" not in everything
    assert everything.sizes["k"] == 1
    with pytest.raises(SettingsError, match=r"interband, metric_curl, lateral_response, .*moment_gate_surface"):
        ome.tabulate(METAL, np.zeros(3), ["total"])


def test_elements_of_layers():
    """Rows in the plane where their weights are occupied as the others; else nan, with the names of the terms."""
    k = KMesh((3, 2, 1)).points()
    table = ome.tabulate(SPINFUL, k, ["extrinsic", "spin", "dipole", "lateral_extrinsic"])
    assert np.isfinite(table.extrinsic.sel(field=["x", "y"])).all()
    np.testing.assert_array_equal(table.extrinsic.values[:, :, :2, :2], table.lateral_extrinsic.values[..., :2])
    for name, said in (("extrinsic", "no current"), ("spin", "spin_moment_spin_gate_surface"), ("dipole", "not split")):
        assert np.isnan(table[name].sel(field="z")).all()
        assert said in table[name].attrs["missing"]


@pytest.mark.parametrize("name", ["total", "total_with_spin", "magnetization"])
@pytest.mark.parametrize("tilt", [False, True])
def test_integrand_is_what_compute_averages(name, tilt):
    """All elements at a fixed level, of a layer in a Cartesian plane or in another."""
    model, mesh = SPINFUL, KMesh((6, 6, 1))
    if tilt:
        Q = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
        model = ome.TightBinding(model.lattice @ Q.T, model.R, model.hamiltonian, position=model.position @ Q.T,
                                 spin=model.spin @ Q.T, periodic=model.periodic)  # fmt: skip
    _, value, along = integrand(model, get(name), mesh.points(), 0.2, units.KB * 900)
    result = ome.compute(model, mesh, [name], 0.2, temperature=900.0, symmetry="off", gate="level")[name]
    assert {d: tuple(result[d].values) for d in result.dims[1:]} == along
    factor = unit_of(first_observable(get(name)), 2, 10.0)[0]
    got = value.mean(axis=0) / model.cell * factor
    scale = np.abs(value).mean(axis=0).max() / model.cell * factor
    np.testing.assert_allclose(got, result.values[0], rtol=0, atol=2e-6 * scale)  # interpolation of the histogram
