"""A window of Fermi levels may leave out what cancels, and nothing else: sums over occupied bands with it and without it."""

from __future__ import annotations

import numpy as np
import pytest
from toys import TOYS, random_model, rebuilt

from ome_wannier.bands.bands import Bands
from ome_wannier.bands.degeneracy import Degeneracy
from ome_wannier.bands.outside_basis import basis_curvature
from ome_wannier.calculators import Observable, get, names
from ome_wannier.calculators.blocks import TERMS
from ome_wannier.calculators.weights import evaluate

ALL = [c for c in (*map(get, names()), *TERMS) if isinstance(c, Observable) and c.occupation not in ("surface", "thermal")]

TERM = {o.name: o for o in ALL}


def filled(bands, observable, mu):
    """f + (mu - e) g summed over the bands below mu (nk,), at T = 0, flattened to (nk, components)."""
    weights = evaluate(observable, bands)
    depth = np.maximum(mu[:, None] - bands.energies, 0.0)
    occupied = depth if observable.occupation == "grand" else (depth > 0).astype(float)
    return np.einsum("kn,kn...->k...", occupied, weights).reshape(len(mu), -1)


@pytest.mark.parametrize("name", TOYS)
def test_sums_below_a_level_are_the_same_with_a_window_around_it(name):
    """At levels between all bands, below the lowest and above the highest; the parts f and g of M_z under a gate together.

    Only for models with off-diagonal positions all bands together have a moment under a gate: -Re Tr [Z F].
    """
    model = TOYS[name].model
    k, tol = np.random.default_rng(8).uniform(-0.5, 0.5, (5, 3)) * np.array(model.periodic), Degeneracy(1e-6)
    asked = {o.name: o for o in ALL if model.has_spin or not o.needs_spin}
    every = Bands(model, k, order=2, curvature=True, degeneracy=tol)
    e, step = every.energies, 2 if TOYS[name].degenerate else 1
    size = {n: np.abs(evaluate(o, every)).reshape(*e.shape, -1).sum(axis=1).max(initial=0.0) for n, o in asked.items()}
    for mu in (e[:, 0] - 1.0, *((e[:, 1:] + e[:, :-1]) / 2).T[step - 1 :: step], e[:, -1] + 1.0):
        expected = together({n: filled(every, o, mu) for n, o in asked.items()})
        for x in range(len(k)):
            window = (mu[x] - 1e-7, mu[x] + 1e-7)
            near = Bands(model, k[x : x + 1], order=2, curvature=True, degeneracy=tol, window=window)
            found = together({n: filled(near, o, mu[x : x + 1]) for n, o in asked.items()})
            for n, value in found.items():
                atol = 1e-10 * size[n] * (1 + np.abs(mu[x] - e[x]).max()) + 1e-12
                np.testing.assert_allclose(value[0], expected[n][x], rtol=0, atol=atol, err_msg=n)


def together(sums):
    """The parts f and g of M_z under a gate as one: each alone depends on what is left out."""
    return sums | {
        "moment_gate": sums["moment_gate"] + sums["moment_gate_grand"],
        "moment_gate_grand": np.zeros_like(sums["moment_gate"]),
    }


def with_levels(model, k, energies):
    """The model with a constant added to its Hamiltonian that gives it these energies at k (3,)."""
    U = np.linalg.eigh(model.matrices(k[None], 0).H[0])[1]
    wanted = (U * energies) @ U.conj().T
    hamiltonian, home = model.hamiltonian.copy(), int(np.flatnonzero(~model.R.any(axis=1))[0])
    hamiltonian[home] += wanted - model.matrices(k[None], 0).H[0]
    return rebuilt(model, hamiltonian=hamiltonian)


@pytest.mark.parametrize("position", ["centres", "matrix"])
@pytest.mark.parametrize("apart", [1e-11, 1e-7, 1e-5, 1e-3])
def test_occupied_levels_of_a_group_near_a_third_one(apart, position):
    """Two levels count as one, a third is 0.01 eV above them, all are occupied: what their distance makes of the large weights
    with g is in the sums, M under a gate and of equilibrium. Expected: what is between levels across the Fermi level alone."""
    k = np.array([0.21, -0.13, 0.0])
    model = with_levels(random_model(5, 2, 5, position=position), k, [0.0, apart, 0.01, 2.0, 3.0])
    mu = np.array([1.0])
    one = Bands(model, k[None], order=2, curvature=True, degeneracy=Degeneracy(2 * apart))
    across = Bands(model, k[None], order=2, curvature=True, degeneracy=Degeneracy(0.0), window=(1.0 - 1e-7, 1.0 + 1e-7))
    gate = [TERM[n] for n in ("moment_gate", "moment_gate_grand")]
    moment = [TERM[n] for n in ("bloch_moment", "berry_moment")]
    for terms, wanted in ((gate, sum(filled(across, o, mu) for o in gate)), (moment, moment_across(across, 3, mu[0]))):
        found = sum(filled(one, o, mu) for o in terms)
        scale = abs(wanted).max() + abs(evaluate(terms[1], one)).max()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * scale, err_msg=terms[0].name)


def moment_across(bands, occupied, mu):
    """M of the lowest levels at T = 0 (nk, 1): no connections between two of them, which cancel (physics.md eq. 70)."""
    ((m, n),) = bands.pairs
    low = np.arange(bands.energies.shape[1]) < occupied
    A, B = (np.where(low[:, None] & low, 0, bands.connection(a)) for a in (m, n))
    moment = np.einsum("kpq,kqp->kp", bands.velocity(m), B).real
    curvature = basis_curvature(bands, m, n) - 2 * np.einsum("kpq,kqp->kp", A, B).imag
    return (moment + (mu - bands.energies) * curvature)[:, low].sum(axis=1)[:, None]
