"""sisl Hamiltonians: how many electrons a band holds. Their bands: tests/physics/other_codes."""

from __future__ import annotations

import pytest

import ome_wannier as ome
from ome_wannier.errors import ModelError

sisl = pytest.importorskip("sisl", reason="sisl is not installed")


@pytest.mark.parametrize("spin", ["unpolarized", "polarized", "non-colinear", "spin-orbit"])
def test_electrons_per_band(spin):
    geometry = sisl.Geometry([[0.0, 0.0, 0.0]], sisl.Atom(6, R=1.5), lattice=[1.0, 9.0, 9.0])
    model = sisl.Hamiltonian(geometry, spin=sisl.Spin(spin))
    model[0, 0] = 0.0  # one number fills every spin component
    two = spin == "unpolarized"
    assert ome.load(model).spin_degeneracy == 1 + two
    assert ome.load(model, spin_degeneracy=1).spin_degeneracy == 1
    if two:
        assert ome.load(model, spin_degeneracy=2).spin_degeneracy == 2
    else:
        with pytest.raises(ModelError, match="this sisl Hamiltonian has spin, so each band holds one electron"):
            ome.load(model, spin_degeneracy=2)
