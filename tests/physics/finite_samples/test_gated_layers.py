"""The nine elements of a layer by routes that share no formula with the package.

A field along the normal: M(E_z) of equilibrium, occupations f and log(1 + exp), differentiated numerically. Any field: flakes
with r x v and all their states, extrapolated to infinite size; there the velocity is that of H + E.r.
"""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import brentq
from toys import TOYS, random_model

import ome_wannier as ome
from ome_wannier import units

N = 12
KT = 0.08
T = KT / units.KB
PAULI_INSULATOR = TOYS["insulator_2d"].model
MODELS = {
    "insulator": (PAULI_INSULATOR, 0.0),
    "metal": (random_model(2, 2, 3, hopping=1.0, spin="matrix"), 0.15),
    "metal of matrices": (random_model(4, 2, 3, hopping=1.0, position="matrix"), 0.2),
    "plane zx of matrices": (TOYS["plane_zx_matrix"].model, 0.1),
}


# ---- equilibrium in a field along the normal -------------------------------------------------------------------------


def in_field(model, field):
    """Energies (nk, n) on the mesh, and by state m_n, Omega_n and the moments in the plane and of the spin, in E_z = field."""
    (c,) = model.bounded
    a, b = (c + 1) % 3, (c + 2) % 3
    at = [np.arange(N) / N if p else [0.0] for p in model.periodic]
    k = np.stack(np.meshgrid(*at, indexing="ij"), axis=-1).reshape(-1, 3)
    wave = np.exp(2j * np.pi * k @ model.R.T)
    d = model.R @ model.lattice
    r = model.position
    if r is None:
        r = np.zeros((*model.hamiltonian.shape, 3), dtype=complex)
        r[np.flatnonzero(~model.R.any(axis=1))[0]] = np.einsum("ij,ia->ija", np.eye(model.n_orbitals), model.centres)

    def series(X, *along):
        return np.einsum("kr,r,rij->kij", wave, np.prod([1j * d[:, i] for i in along], axis=0) * np.ones(len(d)), X)

    A = {i: series(r[..., i]) for i in (a, b)}
    Z = series(r[..., c]) - model.centre[c] * np.eye(model.n_orbitals)
    H = series(model.hamiltonian) + field * Z

    def covariant(i):
        D = series(model.hamiltonian, i) + field * series(r[..., c], i)
        return D - 1j * (A[i] @ H - H @ A[i])

    F = series(r[..., b], a) - series(r[..., a], b) - 1j * (A[a] @ A[b] - A[b] @ A[a])
    e, U = np.linalg.eigh(H)

    def turned(X):
        return np.conj(np.swapaxes(U, 1, 2)) @ X @ U

    v = {i: turned(covariant(i)) for i in (a, b)}
    gap = e[:, :, None] - e[:, None, :]
    gap[:, range(model.n_orbitals), range(model.n_orbitals)] = np.inf
    R = {i: -1j * v[i] / gap for i in (a, b)}
    diagonal = "knq,kqn->kn"
    moment = np.einsum(diagonal, v[a], R[b]).real
    curvature = -2 * np.einsum(diagonal, R[a], R[b]).imag + np.einsum("knn->kn", turned(F)).real
    lateral = {a: np.einsum(diagonal, turned(Z), v[b]).real, b: -np.einsum(diagonal, turned(Z), v[a]).real}
    spin = np.zeros((*e.shape, 3))
    if model.has_spin:
        sigma = np.stack([turned(series(model.spin[..., i])) for i in range(3)], axis=-1)
        spin = -units.SPIN_MOMENT * np.einsum("knni->kni", sigma).real
    return e, moment, curvature, lateral, spin


def magnetization(model, field, mu, electrons=None):
    """Orbital and spin moments (2, 3) per area at mu, or at the level of so many electrons per cell; and the electrons."""
    e, moment, curvature, lateral, spin = in_field(model, field)

    def number(level):
        return 1 / (1 + np.exp((e - level) / KT))

    if electrons is not None:
        mu = brentq(lambda level: number(level).sum() / len(e) - electrons, mu - 1, mu + 1, xtol=1e-14)
    f, g = number(mu), KT * np.logaddexp(0, (mu - e) / KT)
    orbital = np.zeros(3)
    orbital[model.bounded[0]] = (f * moment + g * curvature).sum()
    for i, x in lateral.items():
        orbital[i] = (f * x).sum()
    return np.stack([orbital, np.einsum("kn,kni->i", f, spin)]) / len(e) / model.cell, f.sum() / len(e)


@pytest.mark.parametrize("gate", ["level", "density"])
@pytest.mark.parametrize("name", MODELS)
def test_gate_column_against_equilibrium(name, gate):
    """dM/dE_z at a fixed level and at fixed electrons, on the same mesh and with the same origin, the mean of the centres.

    Fourth-order differences with h = 2e-3 eV/Angstrom (h r / kT = 0.05: 1e-6 of the value at most); the package's histogram
    has -df/de to 2e-7 / kT.
    """
    model, mu = MODELS[name]
    (c,) = model.bounded
    _, electrons = magnetization(model, 0.0, mu)
    fixed = None if gate == "level" else electrons
    h = 2e-3
    at = [magnetization(model, s * h, mu, fixed)[0] for s in (-2, -1, 1, 2)]
    orbital, spin = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h) * units.alpha_to_si(2) * model.spin_degeneracy
    mesh = tuple(N if p else 1 for p in model.periodic)
    names = ["total", "spin", "total_with_spin"] if model.has_spin else ["total"]
    result = ome.compute(model, mesh, names, mu, temperature=T, gate=gate, symmetry="off")
    wanted = {"total": orbital, "spin": spin, "total_with_spin": orbital + spin}
    for quantity in names:
        expected = wanted[quantity]
        got = result[quantity].sel(field="xyz"[c]).values[0]
        assert np.abs(expected).min() > 1e-3 * np.abs(expected).max()
        np.testing.assert_allclose(got, expected, rtol=0, atol=5e-6 * np.abs(expected).max())


# ---- flakes ----------------------------------------------------------------------------------------------------------


def flake(model, sizes):
    """Hamiltonian (N, N) and position (N, N, 3) of a sample with open boundaries, z absolute."""
    cells = np.array(list(product(*(range(s) for s in sizes))))
    number = {tuple(c): i for i, c in enumerate(cells.tolist())}
    n, m = model.n_orbitals, len(cells)
    H, r = np.zeros((m, n, m, n), dtype=complex), np.zeros((m, n, m, n, 3), dtype=complex)
    for at, R in enumerate(model.R):
        for i, cell in enumerate(cells):
            j = number.get(tuple(cell + R))
            if j is not None:
                H[i, :, j] = model.hamiltonian[at]
                r[i, :, j] = 0 if model.position is None else model.position[at]
    r = r.reshape(m * n, m * n, 3)
    where = ((cells - cells.mean(axis=0)) @ model.lattice)[:, None] + (0 if model.position is not None else model.centres)
    where = np.broadcast_to(where, (m, n, 3)).reshape(-1, 3)
    r[range(m * n), range(m * n)] += where
    return H.reshape(m * n, m * n), r


def flake_response(model, sizes, occupied):
    """dM_i/dE_b (3, 3) of a flake: M = -(1/2) <r x v>, v = i [H + E.r, r], first order in E with all states."""
    H, r = flake(model, sizes)
    e, U = np.linalg.eigh(H)
    r = np.stack([np.conj(U).T @ r[..., a] @ U for a in range(3)])
    p = occupied * int(np.prod(sizes))
    assert e[p] - e[p - 1] > 0.5
    mix = [r[b][:p, p:] / (e[:p, None] - e[None, p:]) for b in range(3)]

    def moment(v):
        terms = [(r[j] @ v[k] + v[k] @ r[j] - r[k] @ v[j] - v[j] @ r[k]) / 4 for j, k in ((1, 2), (2, 0), (0, 1))]
        return -np.stack(terms)

    still = moment([1j * (e[:, None] - e[None, :]) * r[a] for a in range(3)])
    out = np.zeros((3, 3))
    for b in range(3):
        moving = moment([1j * (r[b] @ r[a] - r[a] @ r[b]) for a in range(3)])
        out[:, b] = 2 * np.einsum("ou,iou->i", np.conj(mix[b]), still[:, :p, p:]).real
        out[:, b] += np.einsum("ioo->i", moving[:, :p, :p]).real
    return out


FLAKES = {
    "slab": (TOYS["slab"].model, 2, 7),
    "matrices": (random_model(31, 2, 3, energies=[-4, 3, 4.5], hopping=0.5, decay=0.4, position="matrix", noise=0.1), 1, 7),
}


@pytest.mark.parametrize("name", FLAKES)
def test_nine_elements_against_flakes(name):
    """All elements of two insulators, one of whose positions do not commute: the part of flakes that grows as their area."""
    model, occupied, size = FLAKES[name]
    total = np.zeros((3, 3))
    for step in product((0, 1), repeat=2):
        total += (-1) ** sum(step) * flake_response(model, (size + step[0], size + step[1], 1), occupied)
    expected = total / model.cell * units.alpha_to_si(2)
    got = ome.compute(model, (48, 48, 1), ["total"], 0.0, temperature=20.0, symmetry="off").total.values[0]
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    assert np.abs(expected).min() > 1e-4 * np.abs(expected).max()
