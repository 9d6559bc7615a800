"""The same numbers by routes that share no formula with the package: finite samples, brute force, differentiated projectors."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from toys import TOYS, malashevich, minus_derivative, random_model, split, weights_of
from toys import fermi as fermi_function

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get, spin
from ome_wannier.integration.kpoints.mesh import KMesh

SPIN = {c.name: c for c in spin.CALCULATORS}
EPSILON = np.zeros((3, 3, 3))
for _i in range(3):
    EPSILON[_i, (_i + 1) % 3, (_i + 2) % 3], EPSILON[_i, (_i + 2) % 3, (_i + 1) % 3] = 1, -1


# ---- finite samples with open boundaries ----------------------------------------------------------------------------


def sample(model, sizes):
    """Hamiltonian (N, N) and positions (N, 3) of sizes[0] x sizes[1] x sizes[2] cells with open boundaries."""
    cells = np.array(list(product(*(range(s) for s in sizes))))
    number = {tuple(c): i for i, c in enumerate(cells.tolist())}
    n = model.n_orbitals
    H = np.zeros((len(cells), n, len(cells), n), dtype=complex)
    for R, X in zip(model.R, model.hamiltonian, strict=True):
        for i, cell in enumerate(cells):
            j = number.get(tuple(cell + R))
            if j is not None:
                H[i, :, j] = X
    x = ((cells @ model.lattice)[:, None] + model.centres).reshape(-1, 3)
    return H.reshape(len(x), len(x)), x - x.mean(axis=0)


def sample_response(model, sizes, occupied):
    """(dM_i/dE_b, d<r_a>/dE_b) of a sample: first-order perturbation theory in H_E = E.r with all its states (hbar = e = 1).

    M = -(1/2) sum_occ <r x v>, v = i [H, r]; positions of tight-binding orbitals commute, so v does not depend on E.
    """
    H, x = sample(model, sizes)
    e, U = np.linalg.eigh(H)
    p = occupied * int(np.prod(sizes))
    assert e[p] - e[p - 1] > 1, "the sample has states in the gap"
    o, u = U[:, :p], U[:, p:]
    mix = [(np.conj(o).T @ (x[:, b, None] * u)) / (e[:p, None] - e[None, p:]) for b in range(3)]
    r = [np.conj(o).T @ (x[:, a, None] * u) for a in range(3)]
    v = [1j * (H * x[None, :, a] - x[:, a, None] * H) for a in range(3)]
    magnetization, dipole = np.zeros((3, 3)), np.zeros((3, 3))
    for i in range(3):
        m, n = (i + 1) % 3, (i + 2) % 3
        moment = np.conj(o).T @ (-0.5 * (x[:, m, None] * v[n] - x[:, n, None] * v[m])) @ u
        for b in range(3):
            magnetization[i, b] = 2 * np.vdot(mix[b], moment).real
            dipole[i, b] = 2 * np.vdot(mix[b], r[i]).real
    return magnetization, dipole


def sample_spin_response(model, sizes, occupied):
    """d<sigma_i>/dE_b of a sample in the same way; the model's spin operator is local."""
    H, x = sample(model, sizes)
    e, U = np.linalg.eigh(H)
    p = occupied * int(np.prod(sizes))
    o, u = U[:, :p], U[:, p:]
    local = model.spin[np.flatnonzero(~model.R.any(axis=1))[0]]
    assert np.abs(model.spin).sum() == np.abs(local).sum()
    out = np.zeros((3, 3))
    for i in range(3):
        sigma = np.conj(o).T @ np.kron(np.eye(int(np.prod(sizes))), local[..., i]) @ u
        for b in range(3):
            out[i, b] = 2 * np.vdot((np.conj(o).T @ (x[:, b, None] * u)) / (e[:p, None] - e[None, p:]), sigma).real
    return (out,)


def bulk_response(model, size, occupied, response=sample_response):
    """Response per cell: the coefficient of L^d, from samples with `size` or size + 1 cells along each periodic direction.

    The mixed difference over all directions removes faces, edges and corners exactly; what is left is the interaction of
    opposite faces, which decays exponentially with `size` in an insulator.
    """
    totals = [np.zeros((3, 3)) for _ in range(2 if response is sample_response else 1)]
    directions = np.flatnonzero(model.periodic)
    for step in product((0, 1), repeat=len(directions)):
        sizes = np.ones(3, dtype=int)
        sizes[directions] = size + np.array(step)
        sign = (-1) ** (len(directions) - sum(step))
        for total, part in zip(totals, response(model, tuple(sizes), occupied), strict=True):
            total += sign * part
    return [total / model.cell for total in totals]


def lattice_response(model, mesh, name):
    result = ome.compute(model, mesh, [name], 0.0, temperature=0.0)
    factor = 1.0 if name == "dipole_polarizability" else units.alpha_to_si(sum(model.periodic))
    return result[name].values[0] / factor


#: random models with a clear gap: samples of 7 to 11 cells are converged to 1e-6, and a 48 x 48 mesh to rounding
LAYERS = {
    "insulator_2d": (TOYS["insulator_2d"].model, 2, 8),
    "slab": (TOYS["slab"].model, 2, 7),
    "one of three": (random_model(21, 2, 3, energies=[-4, 2.5, 4], hopping=0.6), 1, 8),
    "three of four": (random_model(22, 2, 4, energies=[-5, -4, -3, 3], hopping=0.6), 3, 10),
    "two bands": (random_model(23, 2, 2, energies=[-3, 3], hopping=0.8), 1, 8),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_against_finite_samples(name):
    """dM_z/dE and the polarizability of flakes, extrapolated to infinite size; every element to 1e-6 of the largest.

    The sign is tested as well: M = -(e/2) <r x v>, the electron's charge being -e. The dipole's response is also (physics.md
    6g) the second derivative of the energy -sum |E.R|^2/(e_m - e_n): see test_second_order_energy.
    """
    model, occupied, size = LAYERS[name]
    magnetization, dipole = bulk_response(model, size, occupied)
    total = lattice_response(model, (48, 48, 1), "interband")  # the metric curl vanishes in an insulator
    chi = lattice_response(model, (48, 48, 1), "dipole_polarizability")
    assert np.abs(total).min() > 1e-5
    np.testing.assert_allclose(magnetization[2, :2], total[0], rtol=0, atol=1e-6 * np.abs(total).max())
    np.testing.assert_allclose(dipole[:2, :2], chi, rtol=0, atol=1e-6 * np.abs(chi).max())


def test_spin_response_against_finite_samples():
    """d<sigma>/dE of flakes times the moment -(g/2) mu_B of a spin: sign and size of the intrinsic spin response."""
    model, occupied, size = LAYERS["insulator_2d"]
    (sigma,) = bulk_response(model, size, occupied, sample_spin_response)
    bands = Bands(model, KMesh((48, 48, 1)).points())
    f = fermi_function(bands.energies, 0.0, 0.0)
    intrinsic = SPIN["spin"]
    got = np.einsum("kn,knij->ij", f, weights_of(intrinsic, bands)) / len(f) / model.cell
    expected = -units.SPIN_MOMENT * sigma[:, :2]
    assert np.abs(expected).min() > 1e-4
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["insulator_2d", "insulator_3d", "matrix_insulator_2d"])
def test_extrinsic_spin_response_by_brute_force(name):
    """(d_b f) m with m = -(g/2) mu_B <n|sigma|n>, and d_b e_n by differentiating the levels.

    Fourth-order differences of the levels with h = 1e-3/Angstrom: error h^4 |R|^4 v x (v/gap)^4 = 1e-8 relative.
    """
    model = TOYS[name].model
    k = np.random.default_rng(5).uniform(-0.5, 0.5, (20, 3)) * np.array(model.periodic)
    bands = Bands(model, k)
    extrinsic = SPIN["spin_extrinsic"]
    got = weights_of(extrinsic, bands)
    _, U = np.linalg.eigh(model.matrices(k, 0).H)
    S = np.einsum("kr,rija->kija", np.exp(2j * np.pi * k @ model.R.T), model.spin)
    moment = -units.SPIN_MOMENT * np.einsum("kin,kija,kjn->kna", np.conj(U), S, U).real
    h = 1e-3
    for b, axis in enumerate(model.axes):
        step = h * model.lattice[:, axis] / (2 * np.pi)
        level = [np.linalg.eigvalsh(model.matrices(k + m * step, 0).H) for m in (-2, -1, 1, 2)]
        slope = (level[0] - 8 * level[1] + 8 * level[2] - level[3]) / (12 * h)
        # d_b f = -(-df/de) d_b e, and the weight multiplies -df/de
        expected = -slope[:, :, None] * moment
        np.testing.assert_allclose(got[..., b], expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_total_of_an_insulator_is_its_interband_part():
    """`total` at a temperature far below the gap, with the split of the density matrix adding up to it and to the flake."""
    model, occupied, size = LAYERS["one of three"]
    parts = ["total", "dipole", "itinerant", "local", "local_intraband", "total_published", "commutator_residual"]
    result = ome.compute(model, (48, 48, 1), parts, 0.0, temperature=300.0)
    value = {p: split(model, result[p]).values[0, 0] / units.alpha_to_si(2) for p in parts}
    flake = bulk_response(model, size, occupied)[0][2, :2]
    np.testing.assert_allclose(value["total"], flake, rtol=0, atol=1e-6 * np.abs(flake).max())
    added = sum(value[p] for p in ("dipole", "itinerant", "local", "local_intraband"))
    np.testing.assert_allclose(added, value["total"], rtol=1e-10)
    np.testing.assert_allclose(value["total_published"], added - value["dipole"], rtol=1e-10)
    np.testing.assert_allclose(value["commutator_residual"], 0, atol=1e-12)
    # what the published sum misses is not small
    assert np.abs(value["dipole"]).max() > 0.01 * np.abs(value["total"]).max()


SOLIDS = {
    "two of three": (random_model(32, 3, 3, energies=[-5, -4, 4], hopping=0.5, decay=0.3), 2, 4),
    "one of three": (random_model(33, 3, 3, energies=[-5, 3, 5], hopping=0.5, decay=0.3), 1, 4),
}


def traceless(tensor):
    return tensor - np.trace(tensor) / 3 * np.eye(3)


@pytest.mark.parametrize("name", SOLIDS)
def test_solid_against_finite_samples(name):
    """Three dimensions: the traceless part of dM/dE of finite blocks. What remains is isotropic, the Chern-Simons term."""
    model, occupied, size = SOLIDS[name]
    magnetization, dipole = bulk_response(model, size, occupied)
    total = lattice_response(model, (16, 16, 16), "interband")
    chi = lattice_response(model, (16, 16, 16), "dipole_polarizability")
    np.testing.assert_allclose(traceless(magnetization), traceless(total), rtol=0, atol=2e-6 * np.abs(total).max())
    np.testing.assert_allclose(dipole, chi, rtol=0, atol=1e-6 * np.abs(chi).max())


@pytest.mark.long
@pytest.mark.parametrize("name", SOLIDS)
def test_solid_against_larger_samples(name):
    """The same with two more cells along each edge, ten times closer."""
    model, occupied, size = SOLIDS[name]
    magnetization, _ = bulk_response(model, size + 2, occupied)
    total = lattice_response(model, (20, 20, 20), "interband")
    np.testing.assert_allclose(traceless(magnetization), traceless(total), rtol=0, atol=1e-7 * np.abs(total).max())


def test_second_order_energy():
    """physics.md 6g: the energy in a field is -sum |E.R|^2/(e_m - e_n) = 1/2 E chi E, against diagonalisation in the field.

    Five-point second difference of the sum of occupied levels: error O(h^4) = 1e-8 relative for h |r| / gap = 0.01, beside
    eps x energy / (chi h^2) = 1e-8 from rounding.
    """
    model, occupied, size = LAYERS["two bands"]
    field = np.array([0.8, 0.6, 0.0])
    h = 2e-3

    def energy(sizes, strength):
        H, x = sample(model, sizes)
        e = np.linalg.eigvalsh(H + np.diag(strength * x @ field))
        return e[: occupied * int(np.prod(sizes))].sum()

    def second_difference(sizes):
        u = [energy(sizes, s * h) for s in (-2, -1, 0, 1, 2)]
        return (-u[0] + 16 * u[1] - 30 * u[2] + 16 * u[3] - u[4]) / (12 * h**2)

    s = size
    bulk = second_difference((s + 1, s + 1, 1)) - 2 * second_difference((s, s + 1, 1)) + second_difference((s, s, 1))
    # (s, s+1) twice stands for (s+1, s) only if the two agree; use both
    bulk += second_difference((s, s + 1, 1)) - second_difference((s + 1, s, 1))
    chi = lattice_response(model, (48, 48, 1), "dipole_polarizability")
    expected = field[:2] @ chi @ field[:2] * model.cell
    assert expected < 0
    assert bulk == pytest.approx(expected, rel=1e-4)


# ---- the 8-site model of the literature -----------------------------------------------------------------------------


def test_malashevich():
    """LC and IC of Malashevich et al. at phi = pi, all printed digits (units 1e-5 e^2/hbar), and their sum.

    Their alpha_ij is dM_j/dE_i; for zz the order does not matter. The remaining -0.77123 of their total -5.79169 is the
    Chern-Simons term, which is isotropic and not part of these.
    """
    result = ome.compute(
        malashevich(), (18, 18, 18), ["local_crossgap", "itinerant_crossgap", "interband"], -3.0, temperature=0.0
    )
    value = {
        name: 1e5 * result[name].values[0, 2, 2] / units.alpha_to_si(3) for name in ("local_crossgap", "itinerant_crossgap")
    }
    assert value["local_crossgap"] == pytest.approx(-8.30338, abs=5.1e-6)
    assert value["itinerant_crossgap"] == pytest.approx(3.28291, abs=5.1e-6)
    assert sum(value.values()) - 0.77123 == pytest.approx(-5.79169, abs=1.6e-5)


# ---- brute force ----------------------------------------------------------------------------------------------------


def eigensystem(model, k):
    """Energies, velocities and connections (3, n, n) at one fractional k: a loop over R, positions in the phase."""
    kc = 2 * np.pi * np.linalg.inv(model.lattice) @ k
    t = model.centres
    n = model.n_orbitals
    H, dH = np.zeros((n, n), dtype=complex), np.zeros((3, n, n), dtype=complex)
    for R, X in zip(model.R, model.hamiltonian, strict=True):
        d = R @ model.lattice + t[None, :, :] - t[:, None, :]
        term = X * np.exp(1j * d @ kc)
        H += term
        dH += 1j * np.moveaxis(d, 2, 0) * term
    return spectrum(H, dH)


def spectrum(H, V):
    e, U = np.linalg.eigh(H)
    v = np.conj(U).T @ V @ U
    gap = e[:, None] - e[None, :] + np.eye(len(e))
    R = -1j * v / gap * (1 - np.eye(len(e)))
    return e, v, R, R / gap


def cross_gap(v, R, B, p, i, b):
    """The two sums of physics.md section 4 for bands partitioned at p, element by element."""
    n = v.shape[1]
    o, u = range(p), range(p, n)
    local = itinerant = 0.0
    for m in range(3):
        for q in range(3):
            if EPSILON[i, m, q]:
                s = EPSILON[i, m, q]
                local += s * sum(B[b, x, y] * v[m, y, z] * R[q, z, x] for x in o for y in u for z in u).real
                itinerant += s * sum(B[b, x, y] * R[q, y, z] * v[m, z, x] for x in o for y in u for z in o).real
    return local, itinerant


@pytest.mark.parametrize("name", ["insulator_2d", "slab", "insulator_3d", "metal_2d", "metal_3d", "matrix_insulator_2d"])
def test_cross_gap_form_at_every_partition(name):
    """Sums over the lowest p bands of the cross-gap weights equal the double sums over occupied and empty bands."""
    model = TOYS[name].model
    k = np.random.default_rng(2).uniform(-0.5, 0.5, (5, 3)) * np.array(model.periodic)
    bands = Bands(model, k)
    weights = [np.cumsum(get(n)(bands), axis=1) for n in ("local_crossgap", "itinerant_crossgap", "interband")]
    for x in range(len(k)):
        if model.position is None:
            _, v, R, B = eigensystem(model, k[x])
        else:  # not a matter of phases: take H and V from the package, they are tested elsewhere
            V = np.zeros((3, model.n_orbitals, model.n_orbitals), dtype=complex)
            V[list(model.axes)] = bands.matrices.velocities()[x]
            _, v, R, B = spectrum(bands.matrices.H[x], V)
        for p in range(1, model.n_orbitals):
            for i, moment in enumerate(model.moments):
                for b, axis in enumerate(model.axes):
                    expected = cross_gap(v, R, B, p, moment, axis)
                    for w, reference in zip(weights, (*expected, sum(expected)), strict=True):
                        size = np.abs(B).max() * np.abs(v).max() * np.abs(R).max()
                        assert w[x, p - 1, i, b] == pytest.approx(reference, rel=0, abs=1e-12 * size)


@pytest.mark.parametrize(("name", "n"), [("insulator_2d", 10), ("slab", 10), ("insulator_3d", 4), ("haldane", 10)])
def test_total_of_insulators_by_brute_force(name, n):
    """compute(): the cross-gap formula of Essin et al. summed by loops over the same mesh, to 1e-12."""
    toy = TOYS[name]
    model, p = toy.model, toy.occupied
    mesh = tuple(n if x else 1 for x in model.periodic)
    points = KMesh(mesh).points()
    expected = np.zeros((len(model.moments), len(model.axes)))
    size = 0.0
    for k in points:
        _, v, R, B = eigensystem(model, k)
        size += np.abs(B).max() * np.abs(v).max() * np.abs(R).max() / len(points)
        for i, moment in enumerate(model.moments):
            for b, axis in enumerate(model.axes):
                expected[i, b] += sum(cross_gap(v, R, B, p, moment, axis)) / len(points)
    result = ome.compute(model, mesh, ["interband", "total"], toy.fermi, temperature=100.0)
    for quantity in ("interband", "total"):  # at 100 K the surface term of a gap above 1 eV is below exp(-50)
        got = split(model, result[quantity]).values[0] / units.alpha_to_si(sum(model.periodic)) * model.cell
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * size)


# ---- identities of physics.md 6d ------------------------------------------------------------------------------------


def occupied(name, bands, mu, kT):
    """(nk, moments, axes) of one observable at every k."""
    observable = get(name)
    f = (fermi_function if observable.occupation == "sea" else minus_derivative)(bands.energies, mu, kT)
    return np.einsum("kn,knij->kij", f, weights_of(observable, bands))


def difference(bands, mu, kT, plus, minus):
    """Largest element at any k of a difference of sums; isotropic parts removed in 3D. Relative to the largest term."""
    terms = [(c, occupied(name, bands, mu, kT)) for name, c in plus]
    other = [(c, occupied(name, bands, mu, kT)) for name, c in minus]
    d = sum(c * x for c, x in terms) - sum(c * x for c, x in other)
    if d.shape[1] == 3:
        d = d - np.einsum("kii->k", d)[:, None, None] / 3 * np.eye(3)
    return np.abs(d).max() / max(np.abs(x).max() for _, x in terms + other)


COMMUTING = [name for name, toy in TOYS.items() if toy.model.position is None]


@pytest.mark.parametrize("kT", [0.0, 0.03, 0.5])
@pytest.mark.parametrize("name", COMMUTING)
def test_split_adds_up_at_every_k(name, kT):
    """1/2 (2 L'_d + L'_LC + L'_IC) = interband + 1/2 metric_curl, all in the sea form, for any occupation, at every k.

    Every element in 2D, the traceless part in 3D; metals and degenerate models included. Relative to the largest of the terms,
    which cancel by up to 1e3 near small gaps: 1e-10.
    """
    toy = TOYS[name]
    bands = Bands(toy.model, KMesh(toy.mesh).points(), order=2)
    split = [("dipole", 2.0), ("itinerant_sea", 1.0), ("local", 1.0)]
    semiclassical = [("local_crossgap", 1.0), ("itinerant_crossgap", 1.0), ("metric_curl_sea", 0.5)]
    assert difference(bands, toy.fermi, kT, split, semiclassical) < 1e-10


@pytest.mark.parametrize("name", TOYS)
def test_first_derivative_split_adds_up_for_every_model(name):
    """2 dipole + three_band_circulation + local = interband at every k, with any position matrix: no commutator enters."""
    toy = TOYS[name]
    bands = Bands(toy.model, KMesh(toy.mesh).points())
    split = [("dipole", 2.0), ("three_band_circulation", 1.0), ("local", 1.0)]
    assert difference(bands, toy.fermi, 0.1, split, [("local_crossgap", 1.0), ("itinerant_crossgap", 1.0)]) < 1e-10


@pytest.mark.parametrize("name", ["matrix_metal_2d", "matrix_metal_3d"])
def test_published_split_needs_commuting_positions(name):
    """With [r_a, r_b] != 0 the identity of 6d fails by far more than rounding: the residual is a real uncertainty."""
    toy = TOYS[name]
    bands = Bands(toy.model, KMesh(toy.mesh).points(), order=2)
    split = [("dipole", 2.0), ("itinerant_sea", 1.0), ("local", 1.0)]
    semiclassical = [("local_crossgap", 1.0), ("itinerant_crossgap", 1.0), ("metric_curl_sea", 0.5)]
    assert difference(bands, toy.fermi, 0.1, split, semiclassical) > 1e-4


#: metals whose bands stay apart by 0.7 eV and more, so that everything is smooth on a scale of gap / velocity
SMOOTH = {
    "metal": random_model(41, 2, 3, energies=[-3, 0, 3], decay=0.4),
    "other metal": random_model(42, 2, 3, energies=[-3, 0, 3], decay=0.4),
    "matrix metal": random_model(43, 2, 3, energies=[-3, 0, 3], decay=0.4, position="matrix"),
    "solid": random_model(46, 3, 3, energies=[-3, 0, 3], hopping=0.7, decay=0.4),
}
LEVEL = 0.1


@pytest.mark.parametrize(
    ("name", "kT", "meshes", "last"),
    [
        ("metal", 0.25, (12, 16, 20, 24, 28, 32), 1e-9),
        ("other metal", 0.25, (12, 16, 20, 24, 28, 32), 1e-9),
        ("matrix metal", 0.25, (12, 16, 20, 24, 28, 32), 1e-7),
        ("solid", 0.4, (8, 10, 12, 14, 16, 18), 1e-4),
    ],
)
def test_sea_and_surface_forms_converge_to_each_other(name, kT, meshes, last):
    """They differ by the integral of a derivative, which a mesh gives as 0 up to exp(-width N): asserted as a rate.

    The integrand is analytic in a strip whose width is set by kT / velocity and gap / velocity, so the logarithm of the error
    falls linearly with N: its slopes over the first and the second half of the meshes agree (within a factor of 2, since the
    prefactor oscillates). A formula that is off by anything finite has slope 0.
    """
    model = SMOOTH[name]
    errors = []
    for n in meshes:
        bands = Bands(model, KMesh(tuple(n if p else 1 for p in model.periodic)).points(), order=2)
        a, b = (occupied(q, bands, LEVEL, kT).mean(axis=0) for q in ("metric_curl_sea", "metric_curl"))
        errors.append(np.abs(a - b).max() / np.abs(b).max())
    slope = np.diff(np.log(errors)) / np.diff(meshes)
    half = len(slope) // 2
    assert slope[:half].mean() < -0.2, errors
    assert 0.5 < slope[:half].mean() / slope[half:].mean() < 2, errors
    assert errors[-1] < last, errors


# ---- geometry from projectors that are differentiated by Fourier transform -------------------------------------------


@cache
def projector_geometry(name, n):
    """(bands, m, Omega, G): per-band moment, curvature, metric of a layer from its projectors P_n(k) on an n x n mesh.

    The projectors of isolated bands are smooth and periodic, so that their derivative by FFT converges exponentially. With
    D_a P = d_a P - i [A_a, P] and <p|D_a P_n|n> = -i R_a,pn: sum_p (e_p - e_n) R_m,np R_n,pn = Tr[P D_m P (H - e_n) D_n P].
    """
    model = SMOOTH[name]
    k = KMesh((n, n, 1)).points()
    assert np.allclose(k[1] - k[0], [0, 1 / n, 0])
    wave = np.exp(2j * np.pi * k @ model.R.T)
    H = np.einsum("kr,rij->kij", wave, model.hamiltonian)
    size = model.n_orbitals
    if model.position is None:
        A = np.broadcast_to(np.einsum("ij,ia->aij", np.eye(size), model.centres), (len(k), 3, size, size))
        curl = np.zeros((len(k), size, size))
    else:
        A = np.einsum("kr,rija->kaij", wave, model.position)
        iR = 1j * model.R @ model.lattice
        dA = [np.einsum("kr,rij->kij", wave * iR[:, a], model.position[..., 1 - a]) for a in (0, 1)]
        curl = dA[0] - dA[1] - 1j * (A[:, 0] @ A[:, 1] - A[:, 1] @ A[:, 0])
    e, U = np.linalg.eigh(H)
    P = np.einsum("kin,kjn->knij", U, np.conj(U))
    frequencies = np.fft.fftfreq(n, 1 / n)
    frequencies[n // 2] = 0  # the highest one has no sign
    transform = np.fft.fft2(P.reshape(n, n, size, size, size), axes=(0, 1))
    reduced = [
        np.fft.ifft2(transform * (1j * frequencies).reshape(s), axes=(0, 1)).reshape(P.shape)
        for s in ((n, 1, 1, 1, 1), (1, n, 1, 1, 1))
    ]
    # d/dk_a = sum_j L_ja d/d(2 pi kappa_j)
    DP = [sum(model.lattice[j, a] * reduced[j] for j in (0, 1)) - 1j * (A[:, None, a] @ P - P @ A[:, None, a]) for a in (0, 1)]
    trace = lambda X: np.einsum("knii->kn", X)  # noqa: E731
    product_xy = P @ DP[0] @ DP[1]
    moment = trace(P @ DP[0] @ (H[:, None] - e[:, :, None, None] * np.eye(size)) @ DP[1]).imag
    curvature = -2 * trace(product_xy).imag + trace(P @ curl[:, None]).real
    metric = np.array([[trace(P @ DP[a] @ DP[b]).real for b in (0, 1)] for a in (0, 1)])
    return Bands(model, k, order=2, curvature=True), moment, curvature, np.moveaxis(metric, (0, 1), (2, 3))


#: the error of the FFT falls like that of the meshes above: exp(-0.8 N) is below rounding for 64 points
@pytest.mark.parametrize("name", ["metal", "other metal", "matrix metal"])
def test_geometry_from_projectors(name):
    """Orbital moment and Berry curvature of every band, metric of the lowest one, with and without a position matrix."""
    bands, moment, curvature, metric = projector_geometry(name, 64)
    for quantity, expected in (("orbital_moment", moment), ("berry_curvature", curvature)):
        got = get(quantity)(bands)[:, :, 0]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-7 * np.abs(expected).max())
    lowest = get("quantum_metric")(bands)[:, 0]
    np.testing.assert_allclose(lowest, metric[:, 0], rtol=0, atol=1e-7 * np.abs(metric).max())


@pytest.mark.parametrize("name", ["metal", "other metal", "matrix metal"])
def test_surface_terms_from_projectors(name):
    """sum (d_b f) m = -sum f d_b m, and the metric curl, with the projectors' m and G differentiated by FFT once more."""
    n = 64
    bands, moment, _, metric = projector_geometry(name, n)
    lattice = SMOOTH[name].lattice
    kT = 0.3
    f = fermi_function(bands.energies, LEVEL, kT)
    frequencies = np.fft.fftfreq(n, 1 / n)

    def derivative(X):
        transform = np.fft.fft2(X.reshape(n, n, -1), axes=(0, 1))
        parts = [
            np.fft.ifft2(transform * (1j * frequencies).reshape(s), axes=(0, 1)).real.reshape(X.shape)
            for s in ((n, 1, 1), (1, n, 1))
        ]
        return [sum(lattice[j, a] * parts[j] for j in (0, 1)) for a in (0, 1)]

    extrinsic = occupied("extrinsic", bands, LEVEL, kT).mean(axis=0)[0]
    expected = np.array([-(f * d).sum(axis=1).mean() for d in derivative(moment)])
    np.testing.assert_allclose(extrinsic, expected, rtol=0, atol=1e-7 * np.abs(expected).max())
    curl = occupied("metric_curl", bands, LEVEL, kT).mean(axis=0)[0]
    dG = derivative(metric)
    expected = np.array([(f * (dG[0][..., b, 1] - dG[1][..., b, 0])).sum(axis=1).mean() for b in (0, 1)])
    np.testing.assert_allclose(curl, expected, rtol=0, atol=1e-7 * np.abs(expected).max())
