"""The extrinsic response of a strained bilayer, atom by atom and in a continuum with every term from the same hoppings."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy import integrate, special
from scipy.interpolate import CubicSpline

import ome_wannier as ome
from ome_wannier.lattices.atomistic import hoppings, sparse_slater_koster, strained, sublattice_potential, twisted_bilayer
from ome_wannier.lattices.twisted import STAR, Bilayer

A, BOND, DECAY, DISTANCE, CUTOFF = 2.46, 2.46 / np.sqrt(3), 0.184 * 2.46, 3.35, 6.0
K = np.array([4 * np.pi / (3 * A), 0.0])
STRAIN, ANGLE, POISSON, SUBLATTICE = 0.01, 20.0, 0.165, 0.1


def turn(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


def tunnelling(q):
    """Fourier transform of the hopping between flat layers at |q| over the area of the cell without strain."""

    def f(r):
        R = np.hypot(r, DISTANCE)
        c = (DISTANCE / R) ** 2
        t = -2.7 * np.exp(-(R - BOND) / DECAY) * (1 - c) + 0.48 * np.exp(-(R - DISTANCE) / DECAY) * c
        return t * special.j0(q * r) * r

    return 2 * np.pi * integrate.quad(f, 0, np.sqrt(CUTOFF**2 - DISTANCE**2))[0] / (A * A * np.sqrt(3) / 2)


def layer(degrees, valley_point):
    """Hamiltonian (2, 2) of a turned and strained layer at its K, and its derivatives (2, 2, 2): sums over the lattice."""
    cell = np.array([[A, 0, 0], [A / 2, A * np.sqrt(3) / 2, 0], [0, 0, 20]])
    R = np.eye(3)
    R[:2, :2] = turn(degrees)
    places = np.array([[0, BOND, 0], [0, -BOND, 0]])
    one = strained(Atoms("C2", positions=places @ R.T, cell=cell @ R.T, pbc=(True, True, False)), STRAIN, ANGLE)
    h = hoppings(one)
    d = (h.R @ one.cell.array + one.positions[h.orbitals[:, 1]] - one.positions[h.orbitals[:, 0]])[:, :2]
    out = np.zeros((3, 2, 2), dtype=complex)
    for M, factor in zip(out, (np.ones(len(d)), 1j * d[:, 0], 1j * d[:, 1]), strict=True):
        np.add.at(M, (h.orbitals[:, 0], h.orbitals[:, 1]), factor * h.value * np.exp(1j * d @ valley_point))
    return out[0], out[1:]


def continuum(theta, deformation, cutoff):
    """One valley: linear in the momentum from K of each layer, tunnelling at the momentum where it takes place."""
    pair = Bilayer(A, theta, 0.0, 0.0, POISSON, 1, cutoff)
    n = pair.waves.shape[1]
    back = np.linalg.inv(deformation)
    corners = [back @ turn(sign * theta / 2) @ K for sign in (1, -1)]
    momenta = (pair.waves - pair.corners[:, None]) @ pair.moire @ back
    (H1, D1), (H2, D2) = (layer(sign * theta / 2, k) for sign, k in zip((1, -1), corners, strict=True))
    dirac = H1[0, 0].real
    blocks = [
        np.einsum("nij,np->nipj", H - dirac * np.eye(2) + np.einsum("na,aij->nij", p, D), np.eye(n)).reshape(2 * n, 2 * n)
        for H, D, p in ((H1, D1, momenta[0]), (H2, D2, momenta[1]))
    ]
    blocks[0] += np.kron(np.eye(n), SUBLATTICE * np.diag([1, -1]))
    grid = np.linspace(0.8, 3.0, 111)
    w = CubicSpline(grid, [tunnelling(q) / np.linalg.det(deformation) for q in grid])
    b = 4 * np.pi / (np.sqrt(3) * A) * np.array([[np.sqrt(3) / 2, -0.5], [0.0, 1.0]])
    T = np.zeros((3, n, 2, n, 2), dtype=complex)
    for step, phase in zip(STAR, (0.0, 2 * np.pi / 3, -2 * np.pi / 3), strict=True):
        q = back @ turn(theta / 2) @ (K + np.array(step) @ b) + momenta[0]
        size = np.linalg.norm(q, axis=1)
        parts = np.stack([w(size), w(size, 1) * q[:, 0] / size, w(size, 1) * q[:, 1] / size])
        turned = np.array([[1, np.exp(-1j * phase)], [np.exp(1j * phase), 1]])
        T += np.einsum("sn,np,ij->snipj", parts, pair.shift(step, 1, 0).T, turned)
    T = T.reshape(3, 2 * n, 2 * n)
    linear = [
        np.block([[np.kron(np.eye(n), D1[a]), T[1 + a]], [T[1 + a].conj().T, np.kron(np.eye(n), D2[a])]]) for a in range(2)
    ]
    constant = np.block([[blocks[0], T[0]], [T[0].conj().T, blocks[1]]])
    lattice = pair.lattice.copy()
    lattice[:2, :2] = lattice[:2, :2] @ deformation
    return ome.PlaneWaves(lattice, constant, np.stack(linear), neutral=2 * n, spin_degeneracy=2), dirac


@pytest.mark.long
def test_extrinsic_response_per_area():
    """(6, 7) under 1% strain of both layers, 0.1 eV on the sublattices of one: sign and size near neutrality, nothing fitted.

    A strain common to both layers moves their cones nearly alike, which is no response at all; what remains comes from the
    anisotropy of velocity and tunnelling, and from the dependence of the tunnelling on the momentum: with all of it left out
    the response is 2.5 to 4 times too small. What the continuum still lacks (second order in the momentum) is of relative
    order k_theta a = 0.4; measured at most 0.28 of the largest value, 0.04 at neutrality.
    """
    flat = twisted_bilayer(6)
    atoms = strained(flat, STRAIN, ANGLE)
    c, s = np.cos(np.radians(ANGLE)), np.sin(np.radians(ANGLE))
    deformation = np.eye(2) + STRAIN * (np.outer([c, s], [c, s]) - POISSON * np.outer([-s, c], [-s, c]))
    valley, dirac = continuum(flat.info["theta"], deformation, 2.0)
    levels = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
    settings = {"kmesh": (12, 12, 1), "calculators": ["extrinsic"], "temperature": 900.0}
    model = sparse_slater_koster(atoms, sublattice_potential(atoms, SUBLATTICE), window=24)
    atomistic = ome.compute(model, fermi=dirac + levels, **settings).extrinsic.values
    # time reversal makes the response of the other valley the same
    expected = 2 * ome.compute(valley, fermi=levels, **settings).extrinsic.values
    largest = abs(atomistic).max()
    assert largest > 3e-15
    assert atomistic == pytest.approx(expected, rel=0, abs=0.4 * largest)
    assert atomistic[2] == pytest.approx(expected[2], rel=0, abs=0.1 * largest)
