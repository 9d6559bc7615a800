"""Slabs of topological insulators: surface cones, Chern numbers, and the response of two tilted, magnetic surfaces.

One cone in the gap has alpha_zy = -tilt / (12 pi |m|) in e^2/hbar (physics.md section 7: total = L'_d); the sign does not
depend on the surface: k -> -k turns the cone of the other surface into this one with the opposite tilt, and alpha_zy is odd
under it.
"""

from __future__ import annotations

import numpy as np
import pytest
from lattice_checks import assert_nonzero, assert_zero, chern_number

from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get
from ome_wannier.errors import ModelError
from ome_wannier.lattices.topological import BI2SE3, MNBI2TE4, bi2se3, mnbi2te4, slab

NONE = (0.0, 0.0, 0.0)
VALENCE = -0.15


def levels(model, k=(0, 0, 0)):
    """Energies at Cartesian k in 1/Angstrom."""
    return np.linalg.eigvalsh(model.matrices(np.atleast_2d(k) @ model.lattice.T / (2 * np.pi), 0).H)


def gap(model, k=(0, 0, 0)):
    e, half = levels(model, k), model.n_orbitals // 2
    return e[:, half] - e[:, half - 1]


def surface_share(model, depth=1):
    """Part of the two upper surface states at Gamma, without exchange, in the outermost `depth` layers of their surface."""
    half = model.n_orbitals // 2
    u = np.linalg.eigh(model.matrices(np.zeros((1, 3)), 0).H)[1][0, :, half - 2 : half + 2]
    return (np.abs(u.reshape(-1, 4, 4)) ** 2).sum(axis=(1, 2))[-depth:].sum() / 2


@pytest.mark.parametrize("bulk", [BI2SE3, MNBI2TE4], ids=["Bi2Se3", "MnBi2Te4"])
def test_surface_cone(bulk):
    """Gapless, velocity A2 sqrt(1 - (D1/B1)^2): Shan, Lu, Shen, New J. Phys. 12, 043048 (2010); A2 where D1 = 0."""
    for D1 in (bulk.D1, 0.0):
        model = slab(bulk._replace(D1=D1), np.zeros((14, 3)), np.zeros(14))
        assert gap(model) < 1e-4
        k = 2e-3
        expected = bulk.A2 * np.sqrt(1 - (D1 / bulk.B1) ** 2)
        for direction in ([k, 0, 0], [0, k, 0]):
            assert gap(model, direction)[0] / (2 * k) == pytest.approx(expected, rel=1e-3)


def test_thin_films_hybridise():
    """The gaps of the docstring, in meV; each layer divides them by 2.8."""
    gaps = np.array([1e3 * gap(slab(BI2SE3, np.zeros((n, 3)), np.zeros(n)))[0] for n in range(1, 7)])
    np.testing.assert_allclose(gaps, [121, 42, 14, 5.0, 1.8, 0.6], rtol=0.04)
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 2.85, rtol=0.05)


@pytest.mark.parametrize("bulk", [BI2SE3, MNBI2TE4], ids=["Bi2Se3", "MnBi2Te4"])
def test_trivial_bulk_has_no_surface_states(bulk):
    """The opposite sign of M: no inversion of bands, and the gap of the slab stays that of the bulk, 2 |M| or more."""
    model = slab(bulk._replace(M=-bulk.M), np.zeros((8, 3)), np.zeros(8))
    assert gap(model)[0] > 2 * abs(bulk.M)


def test_bulk_levels():
    """Layers without coupling: e = C + D2 q^2 +- |(M - B2 q^2, A2 sin(k a) / a)|, q^2 = 2 (2 - cos - cos) / a^2."""
    b = BI2SE3._replace(A1=0.0, B1=0.0, D1=0.0)
    x, y = 0.13, -0.27
    q2 = 2 * (2 - np.cos(x * b.spacing) - np.cos(y * b.spacing)) / b.spacing**2
    off = b.A2 / b.spacing * np.hypot(np.sin(x * b.spacing), np.sin(y * b.spacing))
    e = b.C + b.D2 * q2 + np.array([-1, -1, 1, 1]) * np.hypot(b.M - b.B2 * q2, off)
    found = levels(slab(b, np.zeros((3, 3)), np.zeros(3)), (x, y, 0))[0]
    np.testing.assert_allclose(found, np.sort(np.repeat(e, 3)), atol=1e-13)


@pytest.mark.parametrize("bulk", [BI2SE3, MNBI2TE4], ids=["Bi2Se3", "MnBi2Te4"])
@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_slabs_are_truncated_bulks(bulk, layers):
    """The docstring's Hamiltonian of the bulk, Fourier transformed from k_z to layers and cut, has the levels of the slab."""
    a, c, (x, y) = bulk.spacing, bulk.layer, (0.09, -0.04)
    s, tau = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]]), np.kron
    fields, tilts = np.random.default_rng(2).normal(scale=0.05, size=(layers, 3)), np.linspace(0.3, -0.7, layers)

    def of_bulk(z):
        plane, along = 2 * (2 - np.cos(x * a) - np.cos(y * a)) / a**2, 2 * (1 - np.cos(z * c)) / c**2
        e = bulk.C + bulk.D1 * along + bulk.D2 * plane
        mass = bulk.M - bulk.B1 * along - bulk.B2 * plane
        turn = bulk.A2 / a * (np.sin(y * a) * s[0] - np.sin(x * a) * s[1])
        stacked = bulk.A1 * np.sin(z * c) / c * tau(s[1], np.eye(2))
        return e * np.eye(4) + mass * tau(s[2], np.eye(2)) + stacked + tau(s[0], turn)

    n = 8
    steps = {j: sum(of_bulk(2 * np.pi * i / n / c) * np.exp(-2j * np.pi * i * j / n) for i in range(n)) / n for j in (-1, 0, 1)}
    H = sum(np.kron(np.eye(layers, k=j), steps[j]) for j in steps)
    for i in range(layers):
        block = slice(4 * i, 4 * i + 4)
        H[block, block] += tau(np.eye(2), np.tensordot(fields[i], s, 1)) + tilts[i] * np.sin(x * a) / a * np.eye(4)
    np.testing.assert_allclose(levels(slab(bulk, fields, tilts), (x, y, 0))[0], np.linalg.eigvalsh(H), atol=1e-12)


def test_exchange_opens_the_gap():
    """2 m times the share of the surface state in the magnetic layers, to first order; twice m where the depth holds it all.

    The second order is m^2 over the distance to the bulk states, 0.15 eV.
    """
    share = surface_share(bi2se3(layers=12, top=NONE, bottom=NONE))
    assert 0.9 < share < 0.95
    for m in (0.002, 0.01):
        found = gap(bi2se3(layers=12, top=(0, 0, m), bottom=(0, 0, m)))[0]
        assert found == pytest.approx(2 * m * share, rel=m / 0.15 + 1e-4)
    deep = gap(bi2se3(layers=12, top=(0, 0, 0.01), bottom=(0, 0, -0.01), depth=4))[0]
    assert deep == pytest.approx(0.02, rel=2e-3)


def test_exchange_in_the_plane_moves_the_cones():
    """A2 (k_y s_x - k_x s_y) + m s_x: the cone of one surface at k_y = -m / A2, of the other at +m / A2, still gapless."""
    m = 0.02
    model = bi2se3(layers=14, top=(m, 0, 0), bottom=(m, 0, 0), depth=4)
    at = m / (BI2SE3.A2 * np.sqrt(1 - (BI2SE3.D1 / BI2SE3.B1) ** 2))
    assert gap(model)[0] == pytest.approx(2 * m, rel=5e-3)
    for sign in (1, -1):
        assert gap(model, (0, sign * at, 0))[0] < 0.02 * m


def test_tilt_adds_a_velocity():
    """A tilted upper surface: the levels of its cone move by tilt k_x, those of the other do not."""
    k, tilt = 1e-3, 0.5
    model = bi2se3(layers=14, top=NONE, bottom=NONE, tilt_top=tilt, depth=4)
    up = np.sort(levels(model, (k, 0, 0))[0][26:30]) - BI2SE3.C
    flat = np.sort(levels(bi2se3(layers=14, top=NONE, bottom=NONE), (k, 0, 0))[0][26:30]) - BI2SE3.C
    np.testing.assert_allclose(up - flat, [0, tilt * k, 0, tilt * k], atol=2e-2 * tilt * k)


def test_chern_numbers_of_magnetised_surfaces():
    """Half a quantum from each surface: parallel +-1, antiparallel 0."""
    for layers in (4, 6):
        for top, bottom, expected in ((1, 1, 1), (-1, -1, -1), (1, -1, 0)):
            model = bi2se3(layers=layers, top=(0, 0, 0.05 * top), bottom=(0, 0, 0.05 * bottom))
            number, smallest = chern_number(model, 2 * layers, window=0.9)
            assert smallest > 0.05
            assert number == expected


@pytest.mark.parametrize(("order", "layers", "expected"), [("afm", 4, 0), ("afm", 5, 1), ("afm", 6, 0), ("fm", 5, 1)])
def test_chern_numbers_of_mnbi2te4(order, layers, expected):
    """Odd antiferromagnetic films are Chern insulators, even ones axion insulators: Otrokov et al., PRL 122, 107202 (2019)."""
    number, smallest = chern_number(mnbi2te4(layers=layers, order=order), 2 * layers, window=0.9)
    assert smallest > 0.04
    assert number == expected


def test_what_symmetry_forbids():
    """Inversion: parallel fields with opposite tilts. Inversion times time reversal: antiparallel ones with equal tilts.
    Twofold axis along y: antiparallel ones with opposite tilts, where a field along y makes no M_z.
    """
    even = {"layers": 4, "tilt_top": 0.5}
    inversion = bi2se3(tilt_bottom=-0.5, **even)
    assert_zero(inversion, "alpha", VALENCE)
    assert_zero(inversion, "extrinsic", VALENCE)
    both = bi2se3(bottom=(0, 0, -0.05), tilt_bottom=0.5, **even)
    assert_zero(both, "extrinsic", VALENCE)
    assert_nonzero(both, "alpha", VALENCE, ["dipole", "local_crossgap", "metric_curl"], fields=1)
    axis = bi2se3(bottom=(0, 0, -0.05), tilt_bottom=-0.5, **even)
    assert_zero(axis, "alpha", VALENCE, fields=1)
    assert_nonzero(axis, "extrinsic", VALENCE, ["extrinsic"], fields=0)
    film = mnbi2te4(layers=4, tilt_top=0.5, tilt_bottom=0.5)
    assert_zero(film, "extrinsic", VALENCE)
    assert_nonzero(film, "alpha", VALENCE, ["dipole", "metric_curl"], fields=1)
    # no tilt: the fourfold axis of the square lattice
    assert_zero(mnbi2te4(layers=5), "alpha", VALENCE)
    assert_zero(bi2se3(layers=4, bottom=(0, 0, 0.1)), "extrinsic", VALENCE)


def response_in_gap(model, scale, reach=0.7, n_radial=36, n_angle=12):
    """alpha_zx, alpha_zy in e^2/hbar Angstrom of an insulating film, from a disc about Gamma in 1/Angstrom.

    Gauss-Legendre nodes in arcsinh(k / scale). With the level in the gap the Fermi-surface part is zero, and total is the
    cross-gap form.
    """
    x, w = np.polynomial.legendre.leggauss(n_radial)
    top = np.arcsinh(reach / scale)
    t = (x + 1) / 2 * top
    radius = scale * np.sinh(t)
    measure = w / 2 * top * scale * np.cosh(t) * radius * 2 * np.pi / n_angle
    angle = 2 * np.pi * (np.arange(n_angle) + 0.5) / n_angle
    k = np.stack([np.outer(radius, np.cos(angle)), np.outer(radius, np.sin(angle)), np.zeros((n_radial, n_angle))], axis=-1)
    bands = Bands(model, k.reshape(-1, 3) @ model.lattice.T / (2 * np.pi), order=1)
    full = sum(get(name)(bands)[:, : model.n_orbitals // 2].sum(axis=1) for name in ("local_crossgap", "itinerant_crossgap"))
    return np.einsum("k,kb->b", np.repeat(measure, n_angle), full[:, 0]) / (2 * np.pi) ** 2


def two_cones(m_top, m_bottom, tilt_top, tilt_bottom):
    """The sum of the closed forms."""
    return -(tilt_top / abs(m_top) + tilt_bottom / abs(m_bottom)) / (12 * np.pi)


CASES = [(1, 1, 1, 1), (1, -1, 1, 1), (1, -1, 1, 0), (-1, 1, 0, 1), (1, -2, 1, -1)]


@pytest.mark.parametrize("case", CASES)
def test_response_is_that_of_two_cones(case):
    """alpha_zy of a thick slab grows as 1 / m exactly as the closed forms do. Both exchange and tilt act on the same layers, so
    that their share of the surface state drops out. Bulk and curvature add what stays finite as m -> 0 (0.02 Angstrom
    e^2/hbar for a tilt of 0.1 eV Angstrom), which the difference of two m removes up to m log(m): measured 0.7 %.
    """
    tilt = 0.1
    found, expected = [], []
    for m in (0.02, 0.01):
        a, b, c, d = case[0] * m, case[1] * m, case[2] * tilt, case[3] * tilt
        model = bi2se3(layers=8, top=(0, 0, a), bottom=(0, 0, b), tilt_top=c, tilt_bottom=d)
        x, y = response_in_gap(model, m / 4)
        assert abs(x) < 1e-8
        found.append(y)
        expected.append(two_cones(a, b, c, d))
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], rel=0.015)
    assert found[0] == pytest.approx(expected[0], abs=0.04)


def test_opposite_tilts_cancel():
    """Equal gaps and opposite tilts: the two cones cancel in the gap, whether magnetised in parallel or not."""
    one = response_in_gap(bi2se3(layers=6, tilt_top=0.1), 0.01)[1]
    for bottom in (0.05, -0.05):
        model = bi2se3(layers=6, bottom=(0, 0, bottom), tilt_top=0.1, tilt_bottom=-0.1)
        assert np.abs(response_in_gap(model, 0.01)).max() < 1e-8 * abs(one)


@pytest.mark.parametrize(
    "build",
    [
        lambda: bi2se3(layers=1),
        lambda: bi2se3(layers=4, depth=3),
        lambda: bi2se3(top=(0, 1)),
        lambda: mnbi2te4(order="ferri"),
        lambda: mnbi2te4(direction=(0, 0, 0)),
        lambda: mnbi2te4(layers=0),
        lambda: slab(BI2SE3, np.zeros((3, 3)), np.zeros(4)),
    ],
)
def test_refuses(build):
    with pytest.raises(ModelError):
        build()
