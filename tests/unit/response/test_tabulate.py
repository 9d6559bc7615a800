"""Band-resolved weights are what compute sums."""

from __future__ import annotations

import numpy as np
import pytest
from toys import (
    METAL,
    run,
    split,
)

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.errors import SettingsError
from ome_wannier.integration.kpoints.mesh import KMesh


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
        got = (table[name] * occupation).sum(("k", "band")).values * norm * factor
        size = np.abs(table[name] * occupation).sum(("k", "band")).max().item() * norm * factor
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
