"""M_z under a field along the normal: sums over bands against sums over pairs across the level, groups, fixed temperature."""

from __future__ import annotations

import numpy as np
import pytest
from toys import TOYS, random_model

from ome_wannier.bands import across
from ome_wannier.bands.bands import Bands
from ome_wannier.bands.degeneracy import Degeneracy

LAYERS = ["metal_2d", "slab", "matrix_insulator_2d", "plane_zx_matrix", "pt_matrix_2d"]


def points(model, n=6, seed=3):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n, 3)) * np.array(model.periodic)


@pytest.mark.parametrize("name", LAYERS)
def test_partition_is_the_sum_over_its_bands(name):
    """layers.md eqs. 6 to 8: at T = 0, the weights f + (mu - e) g of the lowest bands add up to Q_o(mu), one by one or as one.

    With a window above some bands these are one partition, without it each has its weights.
    """
    model = TOYS[name].model
    k, tol = points(model), Degeneracy(1e-7)
    every = Bands(model, k, curvature=True, degeneracy=tol)
    w, e = across.gate_moment(every), every.energies
    for o in {*range(2, model.n_orbitals, 2), model.n_orbitals}:  # all of them: the trace of Z F is left
        mu = (e[:, o - 1] + e[:, o]) / 2 if o < model.n_orbitals else e[:, -1] + 0.3
        one_by_one = (w[:, :o, 0] + (mu[:, None] - e[:, :o]) * w[:, :o, 1]).sum(axis=1)
        for x in range(len(k)):
            window = (mu[x], mu[x] + 1e-6)
            bands = Bands(model, k[x : x + 1], curvature=True, degeneracy=tol, window=window)
            assert bands.passed[0][0] == o
            q = across.gate_moment(bands)[0]
            assert not q[1:o].any()
            size = np.abs(w[x, :, 0]).sum() + np.abs((mu[x] - e[x]) * w[x, :, 1]).sum()
            assert q[0, 0] + (mu[x] - e[x, 0]) * q[0, 1] == pytest.approx(one_by_one[x], abs=1e-11 * size)


@pytest.mark.parametrize("name", ["metal_2d", "slab"])
def test_divided_differences(name):
    """At a temperature: Im sum_nqp K[e_n, e_q; e_p] Z_qn v_x,np v_y,pq with
    K(a, c) = [(f_a + f_c)(c - a) - 2 (g_a - g_c)]/(a - c)^2.

    The divided difference of K by its first argument, its derivative (by differences of 1e-4 kT, error 1e-7) where n = q.
    """
    model, mu, kT = TOYS[name].model, 0.2, 0.5
    bands = Bands(model, points(model), degeneracy=Degeneracy(1e-7))
    e, Z, v = bands.energies, across.position(bands), bands.velocities

    def K(a, c):
        f, g = (lambda x: 1 / (1 + np.exp((x - mu) / kT))), (lambda x: kT * np.logaddexp(0, (mu - x) / kT))
        return ((f(a) + f(c)) * (c - a) - 2 * (g(a) - g(c))) / (a - c) ** 2

    expected = np.zeros(len(e))
    n_bands, h = e.shape[1], 1e-4 * kT
    for x, levels in enumerate(e):
        for n, q, p in np.ndindex(n_bands, n_bands, n_bands):
            a, b, c = levels[n], levels[q], levels[p]
            if n == q == p:
                continue
            if n == q:
                slope = (K(a + h, c) - K(a - h, c)) / (2 * h)
            else:  # K(c, c) = 0
                slope = ((K(a, c) if n != p else 0.0) - (K(b, c) if q != p else 0.0)) / (a - b)
            expected[x] += (slope * Z[x, q, n] * v[x, 0, n, p] * v[x, 1, p, q]).imag
    x = (e - mu) / kT
    f, g = 1 / (1 + np.exp(x)), kT * np.logaddexp(0, -x)
    w = across.gate_moment(bands)
    m = np.einsum("kpq,kqp->kp", v[:, 0], bands.connection(1)).real
    got = (f * w[..., 0] + g * w[..., 1] - f * (1 - f) / kT * np.einsum("kpp->kp", Z).real * m).sum(axis=1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_choice_of_states_in_a_group_does_not_matter():
    """Doubly degenerate bands with random unitaries in each pair: group sums of all layer operators stay."""
    model = TOYS["pt_matrix_2d"].model
    k, tol = points(model, 4), Degeneracy(1e-6)
    rng = np.random.default_rng(5)
    found = []
    for mixed in (False, True):
        bands = Bands(model, k, curvature=True, degeneracy=tol)
        _, U = bands._eigh
        if mixed:
            for x in range(len(k)):
                for i in range(0, U.shape[2], 2):
                    q, _ = np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))
                    U[x, :, i : i + 2] = U[x, :, i : i + 2] @ q
        w = across.gate_moment(bands)
        found.append(bands.group_mean(w))
    assert np.abs(found[0]).max() > 0
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-9 * np.abs(found[0]).max())


@pytest.mark.parametrize(("plane", "normal"), [("metal_2d", 2), ("plane_yz", 0), ("plane_zx_matrix", 1)])
def test_moments_in_the_plane_are_dipoles_of_current_sheets(plane, normal):
    """epsilon_iac {Z, v_a}/2: M = -(1/2) r x v with the bounded position at full weight, for layers in every plane."""
    model = TOYS[plane].model
    bands = Bands(model, points(model, 3), curvature=True)
    assert model.bounded == (normal,)
    Z, O = across.position(bands), across.lateral_operators(bands)
    epsilon = np.linalg.det
    for i, axis in enumerate(bands.axes):
        (a,) = (x for x in range(2) if x != i)
        sign = -epsilon(np.eye(3)[[axis, normal, bands.axes[a]]])
        v = bands.velocity(a)
        np.testing.assert_allclose(O[:, i], sign * (Z @ v + v @ Z) / 2, rtol=0, atol=1e-12 * np.abs(O).max())


def test_a_layer_of_one_plane_has_nothing_across():
    flat = random_model(5, 2, 3, symmetric_centres=[[0.1, 0.2, 0.3], [0.4, 0.1, 0.3], [0.0, 0.3, 0.3]])
    bands = Bands(flat, points(flat))
    assert not across.lateral_operators(bands).any()
    assert not across.gate_moment(bands).any()
