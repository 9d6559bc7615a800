"""Films of an axion insulator: per layer added, alpha tends to -theta/(2 pi) e^2/h with theta = pi (arXiv:1912.07786)."""

from __future__ import annotations

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.lattices.topological import BI2SE3, MNBI2TE4, bi2se3, mnbi2te4

E2_H = units.E2_OVER_HBAR / (2 * np.pi)


def per_quantum(model, spacing):
    """The diagonal of alpha in the gap, times the area that it is per, in units of e^2/h times the distance of layers."""
    total = ome.compute(model, (64, 64, 1), ["total"], 0.0, temperature=30.0).total.values[0]
    assert np.abs(total - np.diag(np.diagonal(total))).max() < 1e-9 * np.abs(total).max()
    return np.diagonal(total) / (E2_H * spacing * units.ANGSTROM)


FILMS = {
    # how far four to six layers are from thick films: surface states reach across them, by 3 times less for each layer (bi2se3)
    "mnbi2te4": (lambda n: mnbi2te4(layers=n, exchange=0.2), MNBI2TE4.layer, 1e-5),
    "bi2se3": (lambda n: bi2se3(layers=n, top=(0, 0, 0.2), bottom=(0, 0, -0.2)), BI2SE3.layer, 2e-3),
}


@pytest.mark.parametrize("name", FILMS)
def test_two_layers_more_are_a_quantum(name):
    """xx, yy and zz grow by half of e^2/h per layer, whatever the surfaces; in a film xx and zz differ by a constant."""
    build, spacing, thin_film = FILMS[name]
    thin, thick = (per_quantum(build(n), spacing) for n in (4, 6))
    np.testing.assert_allclose(np.abs(thick - thin) / 2, 0.5, rtol=0, atol=thin_film)
    assert np.sign(thin[0]) == np.sign(thin[2])
    assert thick[0] - thick[2] == pytest.approx(thin[0] - thin[2], abs=2 * thin_film)


@pytest.mark.long
def test_ten_layers():
    """MnBi2Te4 as in the library but without tilts, exchange 0.03 eV, at T = 0: ten layers over nine spacings, and the growth.

    At 0.03 eV surface states reach further than at 0.2: the growth is 1.6e-2 (six layers), 1.5e-3, 1.1e-4 (ten), 7.6e-6
    (twelve) and 5e-7 from a half. Both surfaces' gaps need a fine mesh: cells, rtol 1e-6, which leaves 5.5e-6 of the growth.
    """
    ask = {"calculators": ["total"], "fermi": 0.0, "temperature": 0.0, "rtol": 1e-6}
    found = {}
    for n in (10, 12, 14):
        model = ome.load("mnbi2te4-slab", layers=n, tilt_top=0.0, tilt_bottom=0.0)
        total = ome.compute(model, **ask).total.values[0]
        found[n] = np.diagonal(total) / (E2_H * MNBI2TE4.layer * units.ANGSTROM)
    np.testing.assert_allclose(found[10] / 9, [-0.49964, -0.49964, -0.49928], rtol=0, atol=5e-5)
    np.testing.assert_allclose((found[12] - found[10]) / 2, -0.5, rtol=0, atol=1.4e-5)
    np.testing.assert_allclose((found[14] - found[12]) / 2, -0.5, rtol=0, atol=7e-6)
