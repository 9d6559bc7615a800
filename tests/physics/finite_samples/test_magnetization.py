"""Magnetization of equilibrium, its slope and the Drude weight against flakes, Peierls fields and differences of energies."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from toys import fermi as fermi_function
from toys import random_model

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.lattices.honeycomb import haldane

#: from e/hbar eV to ampere, and from e/hbar to A/eV
AMPERE = units.E2_OVER_HBAR


def flake(model, sizes):
    """Hamiltonian (N, N) and position operators (3, N, N) of sizes[0] x sizes[1] cells with open boundaries.

    The positions have what the Wannier functions have between them.
    """
    zero = np.flatnonzero(~model.R.any(axis=1))[0]
    at = np.array(list(product(*(range(n) for n in sizes)))) @ model.lattice[:2]
    n = model.n_orbitals
    operators = []
    for a in range(3):
        between = np.zeros_like(model.hamiltonian) if model.position is None else model.position[..., a].copy()
        between[zero, range(n), range(n)] = model.wannier_centres[:, a]
        operators.append(block_matrix(model, sizes, between) + np.diag(np.repeat(at[:, a], n)))
    return block_matrix(model, sizes, model.hamiltonian), np.stack(operators)


def block_matrix(model, sizes, blocks):
    """(N, N) of matrices <0i|X|Rj>, with open boundaries."""
    cells = list(product(*(range(s) for s in sizes)))
    number = {c: i for i, c in enumerate(cells)}
    n = model.n_orbitals
    out = np.zeros((len(cells), n, len(cells), n), dtype=complex)
    for R, X in zip(model.R, blocks, strict=True):
        for i, cell in enumerate(cells):
            j = number.get((int(cell[0] + R[0]), int(cell[1] + R[1])))
            if j is not None:
                out[i, :, j] = X
    return out.reshape(len(cells) * n, -1)


def bulk(model, size, quantity):
    """Per area: the coefficient of L^2 of a quantity of flakes, which faces and corners do not change."""
    signs = {(0, 0): 1, (0, 1): -1, (1, 0): -1, (1, 1): 1}
    return sum(s * quantity(model, (size + a, size + b)) for (a, b), s in signs.items()) / model.cell


def moment(mu, kT):
    """-(1/2) sum f <r x v> of a flake (3,), Hermitian part, v = i [H, r]."""

    def of(model, sizes):
        H, r = flake(model, sizes)
        e, U = np.linalg.eigh(H)
        v = [1j * (H @ x - x @ H) for x in r]
        O = [-(r[m] @ v[n] - r[n] @ v[m]) / 2 for m, n in ((1, 2), (2, 0), (0, 1))]
        return np.array([fermi_function(e, mu, kT) @ np.einsum("in,in->n", U.conj(), X @ U).real for X in O])

    return of


def electrons_per_field(mu, kT, B=1e-4):
    """dN/dB of a flake at fixed level, in a field that enters by Peierls phases, of particles of charge -1."""

    def count(model, sizes, B):
        H, r = flake(model, sizes)
        x, y = (np.real(np.diagonal(X)) for X in r[:2])
        # A = B/2 (-y, x), along the straight line from j to i: B/2 (x_j y_i - y_j x_i)
        e = np.linalg.eigvalsh(H * np.exp(-0.5j * B * (np.multiply.outer(y, x) - np.multiply.outer(x, y))))
        return fermi_function(e, mu, kT).sum()

    return lambda model, sizes: (count(model, sizes, B) - count(model, sizes, -B)) / (2 * B)


#: metals, insulators, a Chern insulator; Wannier functions with position matrix elements
LAYERS = {
    "metal": (random_model(2, 2, 3, hopping=1.0), 0.2),
    "two bands": (random_model(23, 2, 2, energies=[-3, 3], hopping=0.8), -2.5),
    "matrix metal": (random_model(4, 2, 3, hopping=1.0, position="matrix"), 0.2),
    "chern": (haldane(), 0.1),
}


def computed(model, name, mu, kT, mesh=64):
    found = ome.compute(model, (mesh, mesh, 1), [name], mu, temperature=kT / units.KB)
    return found[name].values[0] / AMPERE


def converged(model, quantity):
    """The bulk value of flakes, and a bound of its error: opposite faces interact less in larger ones, exponentially."""
    smaller, larger = bulk(model, 6, quantity), bulk(model, 8, quantity)
    assert np.abs(larger).max() > 1e-4
    # interpolation in the histogram: 1e-6 of the weights
    return larger, np.abs(larger - smaller).max() + 2e-6 * np.abs(larger).max()


@pytest.mark.parametrize("name", LAYERS)
def test_magnetization_of_flakes(name):
    """-(1/2)<r x v> of all occupied states per area: orbital moments, edge currents (g Omega), curvature of the basis.

    Along the plane it is the moment of currents at different heights.

    At k_B T = 0.8 eV correlations decay by exp(-pi k_B T / v) per Angstrom, v of some eV Angstrom.
    """
    model, mu = LAYERS[name]
    expected, error = converged(model, moment(mu, 0.8))
    np.testing.assert_allclose(computed(model, "magnetization", mu, 0.8), expected, rtol=0, atol=error)


@pytest.mark.parametrize("name", ["metal", "two bands", "chern"])
def test_slope_is_the_density_in_a_field(name):
    """Maxwell's relation dM/dmu = dN/dB: electrons that a Peierls field adds to flakes at a fixed level."""
    model, mu = LAYERS[name]
    expected, error = converged(model, electrons_per_field(mu, 0.8))
    assert computed(model, "magnetization_dmu", mu, 0.8)[2] == pytest.approx(expected, abs=error)


def polarization_per_field(mu, kT, B=1e-3):
    """dP_z/dB_i (3,) of a flake at fixed level, P = -<r> from the mean of the centres; Peierls phases of straight lines.

    A = B x r / 2: a hop from j to i has the phase -B (r_j x r_i) / 2.
    """

    def polarization(model, sizes, i, B):
        H, r = flake(model, sizes)
        a, b, z = (np.real(np.diagonal(r[c % 3])) for c in (i + 1, i + 2, 2))
        e, U = np.linalg.eigh(H * np.exp(-0.5j * B * (np.multiply.outer(b, a) - np.multiply.outer(a, b))))
        return -(fermi_function(e, mu, kT) @ np.einsum("in,i,in->n", U.conj(), z - model.centre[2], U).real)

    def of(model, sizes):
        return np.array([(polarization(model, sizes, i, B) - polarization(model, sizes, i, -B)) / (2 * B) for i in range(3)])

    return of


@pytest.mark.parametrize("name", ["metal", "two bands"])
def test_gate_column_is_the_polarization_in_a_field(name):
    """Maxwell's relation dM_i/dE_z = dP_z/dB_i at a fixed level: neither r x v nor a field along the normal enters."""
    model, mu = LAYERS[name]
    expected, error = converged(model, polarization_per_field(mu, 0.8))
    settings = {"temperature": 0.8 / units.KB, "gate": "level"}
    alpha = ome.compute(model, (64, 64, 1), ["total"], mu, **settings).total.sel(field="z").values[0] / units.alpha_to_si(2)
    # differences err by (B x 30 Angstrom^2)^2
    np.testing.assert_allclose(alpha, expected, rtol=0, atol=error + 1e-5 * np.abs(expected).max())
    assert np.abs(expected).min() > 1e-3 * np.abs(expected).max()
