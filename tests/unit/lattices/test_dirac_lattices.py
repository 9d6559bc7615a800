"""Tilted cones: on a lattice against the continuum, anisotropic against the closed form; graphene under strain."""

from __future__ import annotations

import numpy as np
import pytest
from lattice_checks import assert_nonzero, assert_zero, chern_number

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.errors import ModelError
from ome_wannier.lattices.dirac import HBAR_1E6, anisotropic_dirac, lattice_dirac, tilted_dirac
from ome_wannier.lattices.honeycomb import NEIGHBOURS, bond_directions, graphene
from ome_wannier.lattices.hopping import uniaxial_strain

ALPHA, MASS, TILT = 4.0, 0.1, 0.8
KT = 0.05
VELOCITIES = {"v_x": 0.86, "v_y": 0.69, "v_t": 0.32}


def cone(**options):
    return anisotropic_dirac(**VELOCITIES | options)


def levels(model, k):
    return np.linalg.eigvalsh(model.matrices(np.atleast_2d(k), 0).H)


# ---- the cone on a lattice ---------------------------------------------------------------------------------------------


def test_lattice_levels_in_closed_form():
    """e = tilt sin(x) / a +- |d|, with d of the docstring."""
    a, r = 1.7, 0.9
    k = np.random.default_rng(5).uniform(-0.5, 0.5, (20, 3)) * [1, 1, 0]
    x, y = 2 * np.pi * k.T[:2]
    mass = MASS + r * (2 - np.cos(x) - np.cos(y))
    d = np.sqrt(mass**2 + (ALPHA / a) ** 2 * (np.sin(x) ** 2 + np.sin(y) ** 2))
    expected = (TILT / a * np.sin(x) + d * np.array([[-1], [1]])).T
    np.testing.assert_allclose(levels(lattice_dirac(spacing=a, wilson=r), k), expected, atol=1e-13)


@pytest.mark.parametrize("mass", [0.3, -0.6, -2.6, -4.6])
def test_lattice_chern_numbers(mass):
    """Half a quantum sgn(mass) of every cone of the lower band, the same handedness at Gamma and (pi, pi), the opposite one at
    (pi, 0) and (0, pi): 0, -1, +1, 0. Gaps close at mass = 0, -2 wilson and -4 wilson.
    """
    number, _ = chern_number(lattice_dirac(mass=mass, wilson=1.0, tilt=0.0), 1)
    assert number == (np.sign(mass) - 2 * np.sign(mass + 2) + np.sign(mass + 4)) / 2


@pytest.mark.parametrize("level", [0.0, 0.15])
def test_lattice_tends_to_the_continuum(level):
    """Error of first order in mass spacing / alpha = 1/20 and 1/40: halved with the spacing, and of second order once
    extrapolated; in the gap and in the band, warm, total (field along y) and extrinsic (along x).
    """
    names, settings = ["total", "dipole", "extrinsic"], {"temperature": KT / units.KB}
    exact = ome.compute(tilted_dirac(alpha=ALPHA, mass=MASS, tilt=TILT), ome.PolarMesh(), names, level, **settings)
    found = {}
    for spacing, n in ((2.0, 240), (1.0, 480)):
        found[spacing] = ome.compute(lattice_dirac(spacing=spacing), (n, n, 1), names, level, **settings)
    for name in names:
        field = "x" if name == "extrinsic" else "y"
        a, b, c = (r[name].sel(moment="z", field=field).item() for r in (exact, found[2.0], found[1.0]))
        assert (b - a) / (c - a) == pytest.approx(2, abs=0.15)
        assert 2 * c - b == pytest.approx(a, rel=0.01)


def test_lattice_gap_value():
    """-tilt / (12 pi mass) in e^2/hbar, the closed form of the cone; total is interband there. First order of the spacing."""
    result = ome.compute(lattice_dirac(spacing=1.0), (300, 300, 1), ["interband"], 0.0, temperature=0.0)
    value = result.interband.sel(moment="z", field="y").item() / units.alpha_to_si(2)
    assert value == pytest.approx(-TILT / (12 * np.pi * MASS), rel=4 * MASS / ALPHA)


# ---- an anisotropic cone------------------------------------------------------------------------------------------------


def test_anisotropic_velocities_and_gap():
    """Slopes v_x, v_y +- v_t of the upper band far out; the tilt lowers its minimum to (gap / 2) sqrt(1 - v_t^2 / v_y^2)."""
    model, far = cone(), 10.0
    e = np.linalg.eigvalsh(model.hamiltonian(np.array([[far, 0], [0, far], [0, -far]])))[:, 1]
    np.testing.assert_allclose(e / far / HBAR_1E6, [0.86, 0.69 + 0.32, 0.69 - 0.32], rtol=1e-5)
    k = np.stack([np.zeros(4001), np.linspace(-0.02, 0.02, 4001)], axis=1)
    bottom = np.linalg.eigvalsh(model.hamiltonian(k))[:, 1].min()
    assert bottom == pytest.approx(0.01 * np.sqrt(1 - (0.32 / 0.69) ** 2), rel=1e-6)
    assert abs(HBAR_1E6 - 6.582119569) < 1e-8


def test_anisotropic_in_the_gap():
    """alpha_zx = (v_x / v_y) hbar v_t / (12 pi gap / 2) e^2/hbar per cone, exactly; opposite in the other valley.

    From the isotropic cone, turned by a quarter (alpha_zy -> -alpha_zx) and stretched by v_x / v, v_y / v: the factors of the
    moment and of the area in k space cancel, the field along x leaves v_x / v, the tilt v / v_y.
    """
    expected = 0.86 / 0.69 * 0.32 * HBAR_1E6 / (12 * np.pi * 0.01)
    for valley in (1, -1):
        model = cone(valley=valley, spin_degeneracy=1)
        result = ome.compute(model, ome.PolarMesh(), ["total", "dipole"], 0.0, temperature=0.0)
        total = result.total.values.ravel() / units.alpha_to_si(2)
        np.testing.assert_allclose(total, [valley * expected, 0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(2 * result.dipole.values, result.total.values, rtol=1e-9, atol=1e-12 * units.alpha_to_si(2))


def test_anisotropic_valleys_are_time_reversed():
    """Extrinsic alike, intrinsic opposite, at a level in the band."""
    one, other = (ome.compute(cone(valley=v), ome.PolarMesh(), ["total", "extrinsic"], 0.02, temperature=30.0) for v in (1, -1))
    scale = np.abs(one.extrinsic.values).max()
    assert scale > 0
    np.testing.assert_allclose(other.extrinsic.values, one.extrinsic.values, atol=1e-9 * scale)
    np.testing.assert_allclose(other.total.values, -one.total.values, atol=1e-9 * np.abs(one.total.values).max())


# ---- graphene ----------------------------------------------------------------------------------------------------------


def dirac_point(hops):
    """Fractional k at which t_1 + t_2 e^(i p) + t_3 e^(i q) = 0: the triangle of three sides, by the law of cosines."""
    a, b, c = np.abs(hops)
    p = np.arccos((c**2 - a**2 - b**2) / (2 * a * b))
    q = -np.arccos((b**2 - a**2 - c**2) / (2 * a * c))
    return np.array([-p, -q, 0]) / (2 * np.pi)


@pytest.mark.parametrize("angle", [0.0, 90.0, 17.0])
def test_graphene_cones_move_with_strain(angle):
    """Where the three hoppings close a triangle, and to first order by the gauge field sqrt(3) beta / (2 a) (e_xx - e_yy,
    -2 e_xy) (Suzuura, Ando, Phys. Rev. B 65, 235412 (2002)) from the corner of the strained zone.
    """
    strain = 0.004
    tensor = uniaxial_strain(strain, angle, 0.165)
    bonds = bond_directions()
    lengths = np.linalg.norm(bonds @ (np.eye(2) + tensor), axis=1)
    k = dirac_point(np.exp(-3.37 * (lengths - 1)))
    model = graphene(strain=strain, strain_angle=angle, mass=0.1)
    for sign in (1, -1):
        np.testing.assert_allclose(levels(model, sign * k)[0], [-0.1, 0.1], atol=1e-12)
    corner = np.array([-1 / 3, 1 / 3, 0.0])
    shift = ((k - corner) @ (2 * np.pi * np.linalg.inv(model.lattice).T))[:2]
    gauge = np.sqrt(3) * 3.37 / (2 * 2.46) * np.array([tensor[0, 0] - tensor[1, 1], -2 * tensor[0, 1]])
    np.testing.assert_allclose(np.abs(shift @ gauge), gauge @ gauge, rtol=0.03)
    np.testing.assert_allclose(np.linalg.norm(shift), np.linalg.norm(gauge), rtol=0.03)


def test_graphene_without_strain():
    """Gap 2 mass at K, slope sqrt(3) a t / 2, bands from -3 t to 3 t."""
    K = np.array([1 / 3, -1 / 3, 0])
    np.testing.assert_allclose(levels(graphene(mass=0.3), K)[0], [-0.3, 0.3], atol=1e-12)
    np.testing.assert_allclose(levels(graphene(mass=0.0), [0, 0, 0])[0], [-8.1, 8.1], atol=1e-12)
    model, q = graphene(mass=0.0), 1e-4
    for direction in (0.0, 1.0):
        step = q * np.array([np.cos(direction), np.sin(direction), 0]) @ model.lattice.T / (2 * np.pi)
        assert levels(model, K + step)[0, 1] == pytest.approx(np.sqrt(3) / 2 * 2.46 * 2.7 * q, rel=1e-3)


def test_graphene_atoms_move():
    """Bonds of the strained model are those of the unstrained one times 1 + e; the stiffest bond is the least stretched."""
    tensor = uniaxial_strain(0.05, 90.0, 0.165)
    model = graphene(strain=0.05, strain_angle=90.0)
    bonds = model.centres[1] - model.centres[0] + np.array(NEIGHBOURS) @ model.lattice
    np.testing.assert_allclose(bonds[:, :2], 2.46 / np.sqrt(3) * bond_directions() @ (np.eye(2) + tensor), atol=1e-13)
    at = [int(np.flatnonzero((model.R == R).all(axis=1))[0]) for R in NEIGHBOURS]
    hops = np.abs(model.hamiltonian[at, 0, 1])
    assert np.argmin(hops) == np.argmax(np.abs(bonds[:, 1]))


def test_graphene_symmetries():
    """Time reversal, inversion (no mass), threefold axis (no strain), mirror x -> -x (strain along x or y)."""
    assert_zero(graphene(strain=0.05, strain_angle=20.0), "alpha", 0.8)
    assert_zero(graphene(mass=0.0, strain=0.05, strain_angle=20.0), "extrinsic", 0.8)
    assert_zero(graphene(), "extrinsic", 0.8)
    for angle in (0.0, 90.0):
        assert_zero(graphene(strain=0.05, strain_angle=angle), "extrinsic", 0.8, fields=1)
        assert_nonzero(graphene(strain=0.05, strain_angle=angle), "extrinsic", 0.8, ["extrinsic"], fields=0)


@pytest.mark.parametrize("build", [lambda: lattice_dirac(spacing=0.0), lambda: cone(valley=0), lambda: graphene(strain=np.inf)])
def test_refuses(build):
    with pytest.raises(ModelError):
        build()
