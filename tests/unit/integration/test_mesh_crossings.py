"""Bands that nearly cross between the points of a mesh: where, how much a peak holds, and that it is in the error."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from toys import random_model, rebuilt

import ome_wannier as ome
from ome_wannier.calculators.quantity import GRAND, SEA, SURFACE, THERMAL
from ome_wannier.integration.mesh.compiled import at_points
from ome_wannier.integration.mesh.crossings import Places, pairs_near, places_of, with_peaks
from ome_wannier.integration.mesh.unseen import Unseen
from ome_wannier.integration.occupation.histogram import Occupation
from ome_wannier.units import KB

OCCUPATION = Occupation(np.array([0.0]), np.array([300.0]))


def seen_from(q, gap, speeds):
    """What is known at q (directions) steps from the least gap of (gap sigma_x + s_1 q_1 sigma_z + s_2 q_2 sigma_y) / 2."""
    sigma = np.array([[[1, 0], [0, -1]], [[0, -1j], [1j, 0]]])
    V = np.einsum("d,dij->dij", speeds, sigma[: len(speeds)]) / 2
    e, U = np.linalg.eigh(np.array([[0, gap], [gap, 0]]) / 2 + np.einsum("d,dij->ij", q, V))
    v = np.einsum("ni,dnm,mj->dij", U.conj(), V, U)
    moves = np.einsum("dii->id", v).real
    bands = SimpleNamespace(
        energies=e[None], moves=np.ascontiguousarray(moves)[None], velocities=v[None], spacing=np.eye(len(v))
    )
    near, size = pairs_near(bands, OCCUPATION, 1e-5), [10, 20, 1][: len(q)] + [1] * (3 - len(q))
    return places_of(near, bands, np.zeros((1, 3)), OCCUPATION, size, np.ones(1, dtype=np.uint8)), np.array(size[: len(q)])


@pytest.mark.parametrize("q", [[0.3], [-0.49], [0.2, -0.4], [0.45, 0.45]])
def test_the_place_is_found_from_within_half_a_step(q):
    speeds = np.array([0.2, 0.1])[: len(q)]
    places, size = seen_from(np.array(q), 0.004, speeds)
    assert places.band.tolist() == [0]
    np.testing.assert_allclose(places.k[0, : len(q)] * size, -np.array(q), atol=1e-9)
    np.testing.assert_allclose(np.sort(places.speeds[0])[::-1], speeds, rtol=1e-9)


@pytest.mark.parametrize("split", [0.0, 1e-5])
@pytest.mark.parametrize("seed", range(4))
def test_levels_that_are_double_repel_each_other_together(seed, split):
    """(gap Gamma_0 + s_1 q_1 Gamma_1 + s_2 q_2 Gamma_2) / 2 with any choice of states in the doublets, or split."""
    x, y, z = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    gamma = np.array([np.kron(x, x), np.kron(x, y), np.kron(z, np.eye(2))])
    rng, q, speeds, gap = np.random.default_rng(seed), np.array([0.2, -0.4]), np.array([0.2, 0.1]), 0.004
    T = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))[0]
    V = np.einsum("d,ai,dij,bj->dab", speeds / 2, T, gamma[[1, 2]], T.conj())
    perturbation = rng.normal(size=(4, 4))
    H = T @ gamma[0] @ T.conj().T * gap / 2 + np.einsum("d,dij->ij", q, V) + split * (perturbation + perturbation.T)
    e, U = np.linalg.eigh(H)
    v = np.einsum("ni,dnm,mj->dij", U.conj(), V, U)
    bands = SimpleNamespace(energies=e[None], moves=np.einsum("dii->id", v).real[None], velocities=v[None], spacing=np.eye(2))
    near = pairs_near(bands, OCCUPATION, 1e-5)
    (found,) = np.nonzero(near.band == 1)[0]
    np.testing.assert_allclose(near.steps[found], -q, atol=1e-6 + 30 * split / speeds.min())
    np.testing.assert_allclose([near.least[found], near.there[found]], gap, rtol=1e-6, atol=10 * split)


@pytest.mark.parametrize(("q", "gap"), [([0.6], 0.004), ([0.6, 0.1], 0.004), ([0.4], 0.2)])
def test_no_place(q, gap):
    """Another point is nearer; the gap is wide for the mesh."""
    assert len(seen_from(np.array(q), gap, np.array([0.2, 0.1])[: len(q)])[0].k) == 0


def test_a_line_of_crossings_is_found_from_beside_it():
    """Along the line the gap hardly changes: its least value may lie far away, and does not matter."""
    places, size = seen_from(np.array([0.3, 2.0]), 0.004, np.array([0.2, 1e-5]))
    assert len(places.k) == 1
    assert places.k[0, 0] * size[0] == pytest.approx(-0.3, abs=1e-3)
    assert abs(places.k[0, 1] * size[1]) <= 0.5


def test_the_largest_peaks_come_first_and_stay_in_their_order():
    places = Places(
        np.zeros((4, 3)),
        np.arange(4),
        np.ones((4, 2)),
        np.array([1.0, 1.0, 9.0, 1.0]),
        np.array([3.0, 1.0, 1.0, 5.0]),
        np.ones(4, bool),
        np.zeros(4, bool),
    )
    assert places.largest(2).band.tolist() == [2, 3]
    assert places.largest(0).band.tolist() == []


def test_peaks_of_full_bands_leave_the_others_their_number():
    apart, full = np.array([True, True, False, True]), np.array([True, True, True, False])
    places = Places(np.zeros((4, 3)), np.arange(4), np.ones((4, 2)), np.ones(4), np.array([1.0, 3.0, 9.0, 2.0]), apart, full)
    found = places.largest(2)
    assert found.band.tolist() == [1, 2, 3]
    assert found.apart.tolist() == [True, False, True]
    assert found.full.tolist() == [True, True, False]


@pytest.mark.parametrize("power", [2, 3, 4])
def test_height_times_width_holds_the_peak(power):
    """(gap / sqrt(gap^2 + s^2 q^2))^power holds pi, 2 and pi/2 times gap / s. Charged is pi gap / s, no less, at most twice."""
    gap, speed = 0.002, 0.3
    q = np.linspace(-20, 20, 400_001) * gap / speed
    whole = np.sum((gap / np.hypot(gap, speed * q)) ** power) * (q[1] - q[0])
    places = Places(
        np.zeros((1, 3)), np.array([0]), np.array([[speed]]), np.ones(1), np.ones(1), np.ones(1, bool), np.zeros(1, bool)
    )

    def evaluate(k, wide):
        return np.array([[-gap / 2, gap / 2]]), np.array([[[1.0], [-1.0]]])

    found = with_peaks(Unseen.none(OCCUPATION, 1), OCCUPATION, places, evaluate, 1, (np.array([0]), np.array([False])))
    f = 1 / (1 + np.exp(np.array([-gap, gap]) / 2 / (300 * ome.units.KB)))
    charge = found.size[0, 0, 0] / (f[0] - f[1]) / min(1.0, 2 * np.exp(-2 * np.pi * gap / speed))
    assert 0.95 * whole < charge < 2.1 * whole
    # one peak among many points is rare: the scatter of a sum is that of its square over its width
    assert found.variance[0, 0, 0] == pytest.approx(found.size[0, 0, 0] ** 2 / (np.pi * gap / speed))


@pytest.mark.parametrize(("seed", "fermi", "size"), [(1018, 0.619399, 16), (1018, 0.619399, 44), (1012, 0.502629, 30)])
def test_long_avoided_crossings_are_in_the_error(seed, fermi, size):
    """Weakly coupled orbitals, gaps of 1 to 2 meV: the mesh misses most of the metric, which its error says."""
    rng = np.random.default_rng([seed, 7])
    n, coupling = int(rng.integers(2, 5)), 10 ** rng.uniform(-3, -1)
    model = random_model(seed, 2, n, position="matrix", hopping=0.5)
    model = rebuilt(model, hamiltonian=model.hamiltonian * np.where(np.eye(n) > 0, 1.0, coupling))
    settings = {"calculators": ["quantum_metric"], "fermi": fermi, "temperature": 300.0, "symmetry": "off"}
    found, true = ome.compute(model, (size, size, 1), **settings), ome.compute(model, rtol=2e-2, **settings)
    off = float(abs(found.quantum_metric - true.quantum_metric).max())
    assert off > 0.5 * float(abs(true.quantum_metric).max())  # or nothing is tried
    assert off < 2 * float(found.quantum_metric_error.max())


@pytest.mark.parametrize(("size", "fermi", "T"), [(52, -0.064, 50.0), (69, -0.064, 50.0), (36, -0.12, 8.0)])
def test_a_pocket_around_a_dirac_point_of_the_mesh_is_in_the_error(size, fermi, T):
    """The point sees both levels full, its neighbours hardly any curvature: what lies outside of the pocket is missed."""
    model = ome.load("tilted-dirac-lattice", mass=0.0223)
    settings = {"calculators": ["berry_curvature"], "fermi": fermi, "temperature": T}
    found, true = ome.compute(model, (size, size, 1), **settings), ome.compute(model, rtol=1e-3, **settings)
    off = float(abs(found.berry_curvature - true.berry_curvature).max())
    assert off > 0.05 * float(abs(true.berry_curvature).max())  # or nothing is tried
    assert off < 2 * float(found.berry_curvature_error.max())


def test_what_a_pair_gives_at_a_point():
    """Differences of f and of T S; for the surface that of -df/de, or what both have, as where opposite velocities meet; of a
    gradient of the temperature the same with (e - mu)/kT."""
    kT, levels = 300 * KB, np.array([-0.05, 0.0, 0.3])
    energies, weights, lost, dip = (
        np.array([[-0.02, 0.01]]),
        np.array([[[2.0, 3.0, 5.0, 7.0], [-2.0, 4.0, -5.0, 2.0]]]),
        0.5,
        0.2,
    )
    found = np.zeros((2, 3, 1, 4))
    near = np.zeros(1, dtype=int), np.zeros(1, dtype=int), np.array([lost]), np.array([dip])
    at_points(energies, weights, near, np.array([SEA, SURFACE, GRAND, THERMAL]), (levels, np.array([kT])), (found[0], found[1]))
    f = 1 / (1 + np.exp((energies.T - levels) / kT))
    entropy = -f * np.log(f) - (1 - f) * np.log1p(-f)
    slope = f * (1 - f) / kT
    surface = np.maximum(lost * 3 * np.abs(slope[0] - slope[1]), dip * (3 * slope[0] + 4 * slope[1]))
    low, high = slope * (energies.T - levels) / kT
    thermal = np.maximum(lost * 7 * np.abs(low - high), dip * np.abs(7 * low + 2 * high))
    grand = lost * 5 * kT * np.abs(entropy[0] - entropy[1])
    expected = np.stack([lost * 2 * (f[0] - f[1]), surface, grand, thermal], axis=1)
    np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found[1, :, 0], expected**2, rtol=1e-9)
