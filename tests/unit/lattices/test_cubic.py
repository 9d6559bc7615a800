"""The cubic model of eight sites: hoppings and units. Its response: test_axion, test_cubes and test_flakes."""

from __future__ import annotations

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.lattices.cubic import eight_site_cube


def test_hamiltonian_of_one_cell():
    """At Gamma every pair of neighbours is joined twice, by the hopping inside the cell and, backwards, by that out of it."""
    H = eight_site_cube(phi=0.3).matrices(np.zeros((1, 3)), 0).H[0]
    assert H.diagonal().real == pytest.approx([-6.5, 0.9, 1.4, 1.2, -6.0, 1.5, 0.8, 1.2])
    assert H[0, 1] == pytest.approx(np.exp(0.3j) + np.exp(-1.3j * np.pi))  # 000 -> 100, and the conjugate of 100 -> 000
    assert H[0, 4] == pytest.approx(np.exp(1.7j * np.pi) + np.exp(-0.3j * np.pi))  # along z
    assert (np.abs(H) > 1e-9).sum() == 8 + 8 * 3


def test_units_drop_out():
    """In units of e^2/hbar the response depends neither on t nor on the edge of the cell."""
    values = []
    for t, a in ((1.0, 1.0), (0.4, 3.1)):
        model = eight_site_cube(t=t, lattice_constant=a)
        result = ome.compute(model, (4, 4, 4), ["total"], fermi=-3.0 * t, temperature=1.0 * t)
        values.append(result.total.values)
    assert abs(values[0]).max() > 0
    assert values[1] == pytest.approx(values[0], rel=1e-6, abs=1e-9 * abs(values[0]).max())
