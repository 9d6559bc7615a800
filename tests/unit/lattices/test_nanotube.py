"""Carbon nanotubes: geometry, bands, and the moment of a current against graphene on a cylinder in a field along it."""

from __future__ import annotations

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.errors import ModelError
from ome_wannier.lattices.nanotube import carbon_nanotube

T, BOND = -2.7, 1.42


def subbands(n, m, k, field=0.0):
    """(nk, cells, 2) energies |h| of graphene at the wave vectors that fit around the tube, with a Peierls field along it.

    By steps around (rad) and along (Angstrom) of the three bonds, straight lines enclosing rho^2 sin(step) / 2 with the axis.
    """
    around = np.sqrt(3) * BOND * np.sqrt(n * n + n * m + m * m)
    a1, a2 = np.sqrt(3) * BOND * np.array([[np.sqrt(0.75), 0.5], [np.sqrt(0.75), -0.5]])
    c = (n * a1 + m * a2) / around
    along = np.array([-c[1], c[0]])
    common = np.gcd(2 * n + m, 2 * m + n)
    cells = 2 * (n * n + n * m + m * m) // common
    bonds = np.array([(a1 + a2) / 3, (a1 + a2) / 3 - a1, (a1 + a2) / 3 - a2])
    rho = around / (2 * np.pi)
    turn, rise = bonds @ c / rho, bonds @ along
    # e(k) repeats in steps of 2 pi / length with the angular momentum shifted: all of them at k and its images
    number, length = np.arange(cells), np.sqrt(3) * around / common
    image = np.stack([number, np.zeros(cells)], axis=1)
    phase = image[:, 0, None] * turn + k[:, None, None] * rise + field * rho**2 / 2 * np.sin(turn)
    h = abs((T * np.exp(1j * phase)).sum(axis=2))
    return np.stack([-h, h], axis=2), length


@pytest.mark.parametrize(("n", "m"), [(4, 2), (4, 1), (3, 3), (5, 0)])
def test_bands_are_those_of_graphene(n, m):
    """All energies at some k, and where the atoms are: three neighbours at the chord of a bond."""
    model = carbon_nanotube(n=n, m=m)
    length = model.lattice[2, 2]
    k = np.array([0.0, 0.13, 0.37])
    e = np.linalg.eigvalsh(model.matrices(np.array([[0, 0, x] for x in k]), 0).H)
    expected, period = subbands(n, m, 2 * np.pi * k / length)
    assert period == pytest.approx(length)
    np.testing.assert_allclose(e, np.sort(expected.reshape(3, -1), axis=1), rtol=0, atol=1e-10)
    assert ((model.hamiltonian != 0).sum(axis=(0, 2)) == 3).all()


@pytest.mark.parametrize(("n", "m"), [(4, 2), (2, 4), (4, 1)])
def test_moment_of_a_current(n, m):
    """alpha_zz = -tau sum (-f') v (de/dB), energies differentiated numerically: no operator of the package enters."""
    model, kT, tau = carbon_nanotube(n=n, m=m), 0.1, 10.0
    levels, size = np.array([-1.4, 0.9, 1.3, 2.2]), 240
    found = ome.compute(model, (1, 1, size), ["extrinsic"], levels, temperature=kT / units.KB, tau=tau).extrinsic
    k, h = 2 * np.pi * np.arange(size) / size / model.lattice[2, 2], 1e-3
    e, _ = subbands(n, m, k)
    v = (subbands(n, m, k + h)[0] - subbands(n, m, k - h)[0]) / (2 * h)
    by_field = (subbands(n, m, k, h)[0] - subbands(n, m, k, -h)[0]) / (2 * h)
    x = (e - levels[:, None, None, None]) / (2 * kT)
    moment = (v * by_field / (4 * kT * np.cosh(x) ** 2)).sum(axis=(1, 2, 3)) / size / model.lattice[2, 2]
    expected = 2 * moment * units.extrinsic_to_si(1, tau)  # M = -de/dB, and the distribution shifts by -tau E
    # differences err by (h rho)^2
    np.testing.assert_allclose(found.sel(moment="z", field="z"), expected, rtol=0, atol=1e-4 * abs(expected).max())
    assert abs(expected).max() > 1e-24


def test_enantiomers_and_tubes_without_a_handedness():
    """Opposite; nothing by symmetry, which is found although bands at half filling tell next to nothing of the handedness."""
    ask = {"kmesh": (1, 1, 48), "calculators": ["extrinsic"], "fermi": 1.2}
    right, left, chair, zigzag = (
        ome.compute(ome.load("carbon-nanotube", n=n, m=m), **ask).extrinsic for n, m in ((4, 2), (2, 4), (3, 3), (5, 0))
    )
    size = abs(right.sel(moment="z", field="z").item())
    assert size > 1e-24
    assert "zz" not in right.attrs["forbidden"]
    np.testing.assert_allclose(left.sel(field="z"), -right.sel(field="z"), rtol=0, atol=1e-9 * size)
    for tube in (chair, zigzag):
        assert "zz" in tube.attrs["forbidden"]


@pytest.mark.parametrize("wrong", [{"n": 1, "m": 0}, {"n": -4}, {"n": 2.5}, {"bond": 0.0}, {"n": 30, "m": 29}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ModelError, match="give"):
        carbon_nanotube(**wrong)
