"""Builders of lattice models: their bands in closed form, Chern numbers, and what their symmetries forbid and allow.

Chern numbers come with their sign from products of overlaps around plaquettes (Fukui, Hatsugai, Suzuki), where
<u_k|u_k'> = exp(-i A.dk) with A = i <u|du>, so that the flux is minus the phase of the product.

What is forbidden is compared with the natural size of its terms, the norms of the matrices it is a trace of.
"""

from __future__ import annotations

import numpy as np
import pytest
from toys import occupied_sum

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import Observable, needs_spin
from ome_wannier.errors import ModelError
from ome_wannier.lattices.antiferromagnet import cumnas_minimal
from ome_wannier.lattices.chiral import stacked_honeycomb
from ome_wannier.lattices.honeycomb import bond_directions, haldane, kane_mele

STRAINED = (1.0, 0.8, 1.3)
KT = 0.05
ZERO = 1e-12


def chern_number(model, occupied, n=24, k3=0.0):
    """Chern number of the lowest bands in the plane at k3, and the gap above them on the mesh."""
    axis = np.arange(n) / n
    k = np.stack(np.meshgrid(axis, axis, [k3], indexing="ij"), axis=-1).reshape(-1, 3)
    e, u = np.linalg.eigh(model.matrices(k, 0).H)
    u = u[:, :, :occupied].reshape(n, n, -1, occupied)

    def link(a, b):
        return np.linalg.det(np.conj(np.swapaxes(a, 2, 3)) @ b)

    right, up = np.roll(u, -1, axis=0), np.roll(u, -1, axis=1)
    corner = np.roll(right, -1, axis=1)
    flux = -np.angle(link(u, right) * link(right, corner) * link(corner, up) * link(up, u))
    number = flux.sum() / (2 * np.pi)
    assert number == pytest.approx(round(number), abs=1e-9)
    return round(number), float((e[:, occupied] - e[:, occupied - 1]).min())


def integrated_curvature(model, mesh, fermi=0.0):
    """2 pi times the Berry curvature of the occupied bands per area: the Chern number."""
    result = ome.compute(model, mesh, ["berry_curvature"], fermi, temperature=0.0)
    return 2 * np.pi * result.berry_curvature.values.item()


def spin_block(model, spin):
    """The model of one spin, for a Hamiltonian that conserves s_z."""
    here, other = slice(spin, None, 2), slice(1 - spin, None, 2)
    assert np.abs(model.hamiltonian[:, here, other]).max() == 0
    return ome.TightBinding(model.lattice, model.R, model.hamiltonian[:, here, here], centres=model.centres[here])


def responses(kinds, spinful):
    """Built-in responses of the magnetization of these kinds: "alpha" odd, "extrinsic" even under time reversal."""
    found = [ome.calculators.get(name) for name in ome.calculators.names()]
    found = [c for c in found if isinstance(c, Observable) and c.kind in kinds and c.dims[-1:] == ("field",)]
    return [c for c in found if len(c.dims) == 2 and (spinful or not needs_spin(c))]


def sums(model, kind, mu, size=12):
    """(value, natural size) of every response of a kind on a small mesh, by name."""
    mesh = ome.KMesh(tuple(size if p else 1 for p in model.periodic))
    bands = Bands(model, mesh.points(), order=2)
    return {o.name: occupied_sum(o, bands, mu, KT) for o in responses([kind], model.has_spin)}


def assert_zero(model, kind, mu):
    found = sums(model, kind, mu)
    assert found
    for name, (value, size) in found.items():
        assert np.abs(value).max() < ZERO * size, name


def assert_nonzero(model, kind, mu, names):
    found = sums(model, kind, mu)
    for name in names:
        value, size = found[name]
        assert np.abs(value).max() > 1e-5 * size, name


# ---- Haldane -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", [0.4, np.pi / 2, -1.1])
def test_haldane_at_the_corners_of_the_zone(phi):
    """At K and K' the sites decouple: energies -3 t2 cos(phi) +- (mass -+ 3 sqrt(3) t2 sin(phi))."""
    model = haldane(phi=phi, mass=0.2, t2=0.15)
    for sign in (1, -1):
        k = sign * np.array([[1 / 3, -1 / 3, 0.0]])
        H = model.matrices(k, 0).H[0]
        even, odd = -3 * 0.15 * np.cos(phi), 3 * np.sqrt(3) * 0.15 * np.sin(phi)
        assert abs(H[0, 1]) < 1e-14
        expected = sorted([even + abs(0.2 + odd), even - abs(0.2 + odd), even + abs(0.2 - odd), even - abs(0.2 - odd)])
        energies = np.linalg.eigvalsh(H)
        assert min(abs(energies[0] - e) for e in expected) < 1e-13
        assert energies.sum() == pytest.approx(2 * even, abs=1e-13)
    both = [np.linalg.eigvalsh(model.matrices(s * np.array([[1 / 3, -1 / 3, 0.0]]), 0).H[0]) for s in (1, -1)]
    np.testing.assert_allclose(np.sort(np.ravel(both)), expected, atol=1e-13)


@pytest.mark.parametrize(("phi", "mass", "expected"), [(np.pi / 2, 0.2, -1), (-np.pi / 2, 0.2, 1), (np.pi / 2, 1.0, 0)])
def test_haldane_has_its_chern_number(phi, mass, expected):
    """-1 where electrons on A turn left with the phase +pi/2; opposite for the opposite phase; 0 for a large mass."""
    model = haldane(phi=phi, mass=mass)
    number, gap = chern_number(model, 1)
    assert gap > 0.3
    assert number == expected
    assert integrated_curvature(model, (120, 120, 1)) == pytest.approx(expected, abs=1e-10)


def test_haldane_where_symmetry_forbids():
    """Inversion (no mass): everything vanishes. Time reversal (phi = 0): the intrinsic part vanishes, the extrinsic does not.

    A threefold axis forbids M_z from a field in the plane.
    """
    inversion = haldane(mass=0.0, bonds=STRAINED)
    assert_zero(inversion, "alpha", -1.2)
    assert_zero(inversion, "extrinsic", -1.2)
    time_reversal = haldane(phi=0.0, mass=0.4, bonds=STRAINED)
    assert_zero(time_reversal, "alpha", -1.2)
    assert_nonzero(time_reversal, "extrinsic", -1.2, ["extrinsic"])
    assert_zero(haldane(), "alpha", -1.2)
    assert_zero(haldane(), "extrinsic", -1.2)


def test_haldane_under_strain_responds():
    """With mass, strain and a tilt (t2 cos(phi)) the intrinsic response is allowed; in the gap the extrinsic one is zero."""
    model = haldane(phi=0.7, bonds=STRAINED)
    assert_nonzero(model, "alpha", -1.2, ["dipole", "local_crossgap", "itinerant_crossgap", "metric_curl"])
    # two bands: three different ones are needed for local circulation
    value, size = sums(model, "alpha", -1.2)["local"]
    assert np.abs(value).max() < ZERO * size
    e = np.linalg.eigvalsh(model.matrices(ome.KMesh((24, 24, 1)).points(), 0).H)
    assert e[:, 0].max() + 0.1 < e[:, 1].min()
    middle = (e[:, 0].max() + e[:, 1].min()) / 2
    result = ome.compute(model, (24, 24, 1), ["total", "dipole", "extrinsic"], middle, temperature=1.0)
    result = result.sel(moment="z", field=["x", "y"])
    # in the gap of two bands total = 2 dipole (physics.md 6c)
    assert np.abs(result.total).max() > 0
    np.testing.assert_allclose(result.total, 2 * result.dipole, rtol=0, atol=1e-9 * np.abs(result.total).max())
    assert np.abs(result.extrinsic).max() == 0
    # at phi = pi/2 the bands are opposite, e_1(k) = -e_2(k): the mean velocity of the two, and the dipole part, vanish
    value, size = sums(haldane(bonds=STRAINED), "alpha", -1.2)["dipole"]
    assert np.abs(value).max() < ZERO * size


# ---- Kane-Mele ---------------------------------------------------------------------------------------------------------


def test_directions_of_the_bonds():
    """Unit vectors that add up to zero."""
    d = bond_directions()
    np.testing.assert_allclose(np.linalg.norm(d, axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(d.sum(axis=0), 0, atol=1e-14)


def test_kane_mele_at_the_corner_of_the_zone():
    """Kane, Mele: the gap at K closes at rashba = 2 sqrt(3) spin_orbit, without Rashba at stagger = 3 sqrt(3) spin_orbit."""
    k = np.array([[1 / 3, -1 / 3, 0.0]])

    def energies(**settings):
        return np.linalg.eigvalsh(kane_mele(t=1.0, exchange=0.0, **settings).matrices(k, 0).H[0])

    so = 0.06
    e = energies(spin_orbit=so, rashba=2 * np.sqrt(3) * so)
    assert e[2] - e[1] == pytest.approx(0, abs=1e-13)
    e = energies(spin_orbit=so, rashba=0.1)
    spin_orbit = 3 * np.sqrt(3) * so
    np.testing.assert_allclose(e, sorted([-spin_orbit, -spin_orbit, spin_orbit + 0.3, spin_orbit - 0.3]), atol=1e-13)
    e = energies(spin_orbit=so, rashba=0.0, stagger=0.1)
    assert e[2] - e[1] == pytest.approx(abs(6 * np.sqrt(3) * so - 0.2), abs=1e-13)


def test_kane_mele_has_its_spin_chern_number():
    """Without Rashba coupling each spin is a Haldane model: -1 for spin up, +1 for spin down, 0 together."""
    model = kane_mele(t=1.0, spin_orbit=0.1, rashba=0.0, exchange=0.0)
    assert [chern_number(spin_block(model, s), 1)[0] for s in (0, 1)] == [-1, 1]
    assert integrated_curvature(spin_block(model, 0), (60, 60, 1)) == pytest.approx(-1, abs=1e-8)
    assert abs(integrated_curvature(model, (24, 24, 1))) < 1e-10
    # beyond 3 sqrt(3) spin_orbit the staggered potential wins
    trivial = kane_mele(t=1.0, spin_orbit=0.1, rashba=0.0, exchange=0.0, stagger=1.0)
    assert [chern_number(spin_block(trivial, s), 1)[0] for s in (0, 1)] == [0, 0]


def test_kane_mele_with_exchange_is_a_chern_insulator():
    """Rashba coupling and an exchange field: Chern number +2, -2 for the opposite field (Qiao et al. 2010)."""
    for sign in (1, -1):
        model = kane_mele(t=1.0, spin_orbit=0.0, rashba=0.4, exchange=0.3 * sign)
        number, gap = chern_number(model, 2, 60)
        assert gap > 0.3
        assert number == 2 * sign
        assert integrated_curvature(model, (96, 96, 1)) == pytest.approx(2 * sign, abs=1e-6)


def test_kane_mele_where_symmetry_forbids():
    """Time reversal (no exchange): intrinsic zero. Inversion (no Rashba, no stagger): all zero. Twofold axis: M_z zero."""
    settings = {"t": 1.0, "spin_orbit": 0.1, "bonds": STRAINED}
    time_reversal = kane_mele(rashba=0.2, exchange=0.0, stagger=0.3, **settings)
    assert_zero(time_reversal, "alpha", -1.0)
    assert_nonzero(time_reversal, "extrinsic", -1.0, ["extrinsic", "spin_extrinsic"])
    inversion = kane_mele(rashba=0.0, exchange=0.3, **settings)
    assert_zero(inversion, "alpha", -1.0)
    assert_zero(inversion, "extrinsic", -1.0)
    twofold = kane_mele(rashba=0.2, exchange=0.3, **settings)
    for kind in ("alpha", "extrinsic"):
        for name, (value, size) in sums(twofold, kind, -1.0).items():
            row = value[2:] if name in ("spin", "spin_extrinsic") else value
            assert np.abs(row).max() < ZERO * size, name
    # spins in the plane are free
    assert_nonzero(twofold, "alpha", -1.0, ["spin"])
    assert_nonzero(twofold, "extrinsic", -1.0, ["spin_extrinsic"])
    nothing_left = kane_mele(rashba=0.2, exchange=0.3, stagger=0.3, **settings)
    assert_nonzero(nothing_left, "alpha", -1.0, ["dipole", "itinerant_sea", "local", "metric_curl", "spin"])
    assert_nonzero(nothing_left, "extrinsic", -1.0, ["extrinsic", "spin_extrinsic"])


def test_rashba_edelstein_effect_of_equal_bonds():
    """With the sixfold axis and its mirrors spins lie in the plane across the field: alpha_xy = -alpha_yx, the rest zero."""
    model = kane_mele(t=1.0, spin_orbit=0.0, rashba=0.2, exchange=0.0)
    value, size = sums(model, "extrinsic", -2.0)["spin_extrinsic"]
    assert abs(value[0, 1]) > 1e-5 * size
    np.testing.assert_allclose(value, value[0, 1] * np.array([[0, 1], [-1, 0], [0, 0]]), rtol=0, atol=ZERO * size)


# ---- CuMnAs ------------------------------------------------------------------------------------------------------------


def test_cumnas_bands_in_closed_form():
    """e = -t' (cos x + cos y) +- |(2 t cos(x/2) cos(y/2), J n_x - l sin y, J n_y + l sin x, J n_z)|, each twice."""
    t, same, so, J, n = 0.7, 0.05, 0.5, 0.4, np.array([1.0, 2.0, -2.0]) / 3
    model = cumnas_minimal(t=t, t_same=same, spin_orbit=so, exchange=J, neel=tuple(5 * n))
    k = np.random.default_rng(3).uniform(-0.5, 0.5, (20, 3)) * [1, 1, 0]
    x, y = 2 * np.pi * k.T[:2]
    d = np.array(
        [2 * t * np.cos(x / 2) * np.cos(y / 2), J * n[0] - so * np.sin(y), J * n[1] + so * np.sin(x), J * n[2] + 0 * x]
    )
    even, root = -same * (np.cos(x) + np.cos(y)), np.linalg.norm(d, axis=0)
    expected = np.stack([even - root, even - root, even + root, even + root], axis=1)
    np.testing.assert_allclose(np.linalg.eigvalsh(model.matrices(k, 0).H), expected, atol=1e-13)


@pytest.mark.parametrize("neel", [(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (1, 0, 1), (1, 2, 3)])
def test_cumnas_extrinsic_is_zero(neel):
    """Inversion and time reversal together forbid the extrinsic response, orbital and spin, for every Neel vector."""
    assert_zero(cumnas_minimal(neel=neel, buckling=0.7), "extrinsic", -0.7)


@pytest.mark.parametrize(
    ("neel", "along"),
    [
        ((1, 0, 0), (1, 0)),
        ((0, 1, 0), (0, 1)),
        ((1, 1, 0), (1, 1)),
        ((1, -1, 0), (1, -1)),
        ((1, 0, 1), (1, 0)),
        ((0, 0, 1), (0, 0)),
    ],
)
def test_cumnas_magnetization_belongs_to_the_field_along_the_neel_vector(neel, along):
    """alpha_z. is parallel to the part of the Neel vector in the plane: mirrors normal to it keep it, the others do not.

    For n along x the mirror x -> -x keeps n (axial): alpha_zx -> det P_zz P_xx alpha_zx = +alpha_zx, alpha_zy -> -alpha_zy.
    For n along z the fourfold axis with its twofold rotation forbids both.
    """
    found = sums(cumnas_minimal(neel=neel), "alpha", -0.7)
    across = np.array([-along[1], along[0]])
    for name, (value, size) in found.items():
        if name != "spin":
            assert np.abs(value @ across).max() < ZERO * size, name
            if along == (0, 0):
                assert np.abs(value).max() < ZERO * size, name
    if along != (0, 0):
        # local circulation needs three different levels, there are two
        assert np.abs(found["local"][0]).max() < ZERO * found["local"][1]
        for name in ("dipole", "itinerant_sea", "local_crossgap", "itinerant_crossgap", "metric_curl"):
            assert np.abs(found[name][0]).max() > 1e-5 * found[name][1], name


def test_cumnas_turns_with_its_neel_vector():
    """A quarter turn of n turns the tensor, and reversing n reverses it."""
    x, y, back = (sums(cumnas_minimal(neel=n), "alpha", -0.7) for n in ((1, 0, 0), (0, 1, 0), (-1, 0, 0)))
    for name in ("dipole", "metric_curl", "local_crossgap"):
        size = x[name][1]
        assert y[name][0][0, 1] == pytest.approx(x[name][0][0, 0], abs=ZERO * size)
        np.testing.assert_allclose(back[name][0], -x[name][0], rtol=0, atol=ZERO * size)


def test_cumnas_without_exchange():
    """Inversion and time reversal each: everything vanishes."""
    model = cumnas_minimal(exchange=0.0)
    assert_zero(model, "alpha", -0.7)
    assert_zero(model, "extrinsic", -0.7)


def test_cumnas_does_not_depend_on_the_buckling():
    """M_z from a field in the plane knows nothing of the height of the sites."""
    flat, buckled = (sums(cumnas_minimal(buckling=h), "alpha", -0.7) for h in (0.0, 1.5))
    for name, (value, size) in flat.items():
        np.testing.assert_allclose(buckled[name][0], value, rtol=0, atol=ZERO * size)


@pytest.mark.parametrize("neel", [(0, 0, 0), (1, 0), (np.nan, 0, 1)])
def test_cumnas_refuses_what_is_no_direction(neel):
    with pytest.raises(ModelError, match="neel"):
        cumnas_minimal(neel=neel)


# ---- a chiral crystal --------------------------------------------------------------------------------------------------


def test_stacked_honeycomb_is_haldane_at_fixed_k_z():
    """The right-handed crystal at k3 is Haldane's model with phi = -2 pi k3: Chern number +1 about k3 = 1/4, -1 about -1/4."""
    k = np.random.default_rng(4).uniform(-0.5, 0.5, (10, 3))
    for k3 in (0.13, 0.25, -0.4):
        k[:, 2] = k3
        flat = haldane(t=1.0, t2=0.3, phi=-2 * np.pi * k3, mass=0.5)
        stacked = stacked_honeycomb(t=1.0, t_right=0.3, mass=0.5)
        flat_k = k * [1, 1, 0]
        np.testing.assert_allclose(stacked.matrices(k, 0).H, flat.matrices(flat_k, 0).H, atol=1e-14)
    numbers = [chern_number(stacked_honeycomb(), 1, k3=k3)[0] for k3 in (0.25, -0.25)]
    assert numbers == [1, -1]


def test_enantiomers_respond_oppositely():
    """The left-handed crystal is the mirror image z -> -z: alpha -> det(P) P alpha P^T = -P alpha P^T."""
    right, left = (
        sums(stacked_honeycomb(**hand), "extrinsic", -0.8)["extrinsic"]
        for hand in ({"t_right": 0.3, "t_left": 0.0}, {"t_right": 0.0, "t_left": 0.3})
    )
    P = np.diag([1.0, 1.0, -1.0])
    np.testing.assert_allclose(left[0], -P @ right[0] @ P, rtol=0, atol=1e-14 * right[1])
    np.testing.assert_allclose(np.diag(left[0]), -np.diag(right[0]), rtol=1e-12)
    # the threefold axis leaves alpha_zz, alpha_xx = alpha_yy and alpha_xy = -alpha_yx
    a = right[0]
    assert abs(a[2, 2]) > 1e-4 * right[1]
    expected = np.array([[a[0, 0], a[0, 1], 0], [-a[0, 1], a[0, 0], 0], [0, 0, a[2, 2]]])
    np.testing.assert_allclose(a, expected, rtol=0, atol=ZERO * right[1])


def test_enantiomers_through_compute():
    """The same for the whole calculation, in SI units, at several Fermi levels."""
    right, left = (
        ome.compute(stacked_honeycomb(t_right=r, t_left=l), (12, 12, 8), ["extrinsic"], [-2.0, -0.8, 0.9]).extrinsic.values
        for r, l in ((0.3, 0.0), (0.0, 0.3))
    )
    diagonal = np.einsum("eii->ei", right)
    assert (np.abs(diagonal).max(axis=1) > 0).all()
    np.testing.assert_allclose(np.einsum("eii->ei", left), -diagonal, rtol=0, atol=1e-13 * np.abs(right).max())


def test_chiral_crystal_has_no_intrinsic_response():
    """Time reversal holds in either hand."""
    assert_zero(stacked_honeycomb(), "alpha", -0.8)
    assert_zero(stacked_honeycomb(t_right=0.0, t_left=0.3), "alpha", -0.8)


def test_achiral_crystal_has_no_response():
    """Equal bonds of either hand restore the mirror z -> -z, and the threefold axis forbids what the mirror leaves."""
    achiral = stacked_honeycomb(t_right=0.15, t_left=0.15)
    assert_zero(achiral, "extrinsic", -0.8)
    assert_zero(achiral, "alpha", -0.8)
    assert_nonzero(stacked_honeycomb(t_right=0.16, t_left=0.14), "extrinsic", -0.8, ["extrinsic"])


def test_antiferromagnet_is_not_taken_for_time_reversal_symmetric():
    """The Neel vector along z reverses under time reversal, and its spin response alpha_xx = alpha_yy is no error.

    Every level is twofold degenerate, so that curvatures vanish, and energies are even in k: the spin response of single k
    points tells.
    """
    model = cumnas_minimal(neel=(0, 0, 1))
    value, size = sums(model, "alpha", -0.7)["spin"]
    assert abs(value[0, 0]) > 1e-3 * size
    result = ome.compute(model, (24, 24, 1), ["spin"], -0.7, temperature=600.0)
    assert "time reversal" not in result.attrs["symmetry_operations"]
    assert result.spin_error.values[0, 0, 0] < 0.1 * abs(result.spin.values[0, 0, 0])
