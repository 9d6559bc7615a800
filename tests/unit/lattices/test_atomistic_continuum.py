"""The extrinsic response per area of twisted bilayer graphene, atom by atom and in the continuum model of the package.

Velocity and tunnelling of the continuum come from sums over the hoppings; nothing is fitted. Uniform strain of a commensurate
cell moves the cones of both layers nearly alike, which is no response, so threefold rotations are broken by a potential
V cos(g r + phase) instead, which both models know exactly; sublattice potentials of both layers open gaps that a mesh resolves.
All energies are kept in units of v k_theta. The continuum is then the same at every angle but for the turn of the spinors by
theta / 2, and what it leaves out (the momentum dependence of the tunnelling, warped cones, the next star) is of first order in
k_theta a: the difference has to vanish with the angle.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_atomistic import A, K, layer_sums, tunnelling

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get
from ome_wannier.calculators.weights import evaluate
from ome_wannier.lattices.atomistic import slater_koster, sublattice_potential, twisted_bilayer
from ome_wannier.lattices.moire import twisted_bilayer_graphene
from ome_wannier.lattices.twisted import Bilayer

#: in units of v k_theta: tunnelling, sublattice potential, potential that breaks the symmetry, kT, levels from neutrality
ALPHA, MASS, POTENTIAL, KT, LEVELS = 0.14, 0.15, 0.15, 0.05, np.array([-0.25, -0.1, 0.1, 0.25])
PHASE, CUTOFF = 0.7, 2.5
#: levels of the pure bilayer, which has no gap, at twice the temperature: below neutrality, and above in reverse order
WIDER = np.array([-0.4, -0.2, 0.2, 0.4])


def continuum(theta, velocity, unit):
    """One valley: the package's model, the sublattice potential on layer 2 too, and the potential that joins G and G + g_1."""
    pair = Bilayer(A, theta, 0.0, 0.0, 0.165, 1, CUTOFF)
    w, mass = ALPHA * unit, MASS * unit
    model = twisted_bilayer_graphene(theta=theta, w_aa=w, w_ab=w, velocity=velocity, sublattice=mass, cutoff=CUTOFF)
    n = pair.waves.shape[1]
    added = np.zeros_like(model.constant)
    for layer in (0, 1):
        here = slice(2 * n * layer, 2 * n * (layer + 1))
        step = np.kron(pair.shift((1, 0), layer, layer), np.eye(2)) * np.exp(1j * PHASE)
        added[here, here] = POTENTIAL * unit / 2 * (step + step.conj().T)
    added[2 * n :, 2 * n :] += np.kron(np.eye(n), mass * np.diag([1, -1]))
    return replace(model, constant=model.constant + added), pair.moire[0]


def atomistic_response(model, levels, kT, size):
    """(levels, 2) in A m/V for 1 fs, over the half of a mesh that time reversal leaves."""
    n = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1).reshape(-1, 2)
    here, there = n @ [size, 1], (-n % size) @ [size, 1]
    weights = np.where(here == there, 1, 2)[here <= there] / size**2
    points = np.column_stack([n[here <= there] / size, np.zeros(len(weights))])
    out = np.zeros((len(levels), 2))
    for k, share in zip(np.array_split(points, len(points) // 4), np.array_split(weights, len(points) // 4), strict=True):
        bands = Bands(model, k, order=1)
        x = np.clip((bands.energies - levels[:, None, None]) / (2 * kT), -300, 300)
        out += np.einsum("k,lkn,knb->lb", share, 1 / (4 * kT * np.cosh(x) ** 2), evaluate(get("extrinsic"), bands)[:, :, 0])
    return out * model.spin_degeneracy / model.cell * units.extrinsic_to_si(2, 1.0)


def in_plane(m, size):
    """Extrinsic xx of pure bilayers, (levels,) of the atomistic model and of the continuum; the angle in degrees.

    Both have D6: xx = yy, and xy = yx = 0.
    """
    energy, velocity = layer_sums()
    atoms = twisted_bilayer(m)
    theta = atoms.info["theta"]
    unit = velocity * 2 * K[0] * np.sin(np.radians(theta / 2))
    w, temperature = ALPHA * unit, 2 * KT * unit / units.KB
    none, one = tunnelling(0.0), tunnelling(1.0)
    atomistic = slater_koster(atoms, 0.0, v_sigma=(w - none) / (one - none))
    valley = twisted_bilayer_graphene(theta=theta, w_aa=w, w_ab=w, velocity=velocity, cutoff=CUTOFF)
    settings = {"kmesh": (size, size, 1), "calculators": ["extrinsic"], "temperature": temperature, "tau": 1.0}
    found = []
    for model, shift in ((atomistic, energy), (valley, 0.0)):
        alpha = ome.compute(model, fermi=shift + WIDER * unit, **settings).extrinsic.sel(field=["x", "y"]).values
        size_of = abs(alpha).max()
        np.testing.assert_allclose(alpha[:, :2], alpha[:, :1, :1] * np.eye(2), rtol=0, atol=1e-9 * size_of)
        assert abs(alpha[:, 2]).max() < 1e-9 * size_of
        found.append(alpha[:, 0, 0])
    return found[0], 2 * found[1], theta


def odd_and_even(m, size):
    """The parts that are odd and even in the level, atomistic minus continuum, over the odd part of the continuum: (2,) each.

    The continuum has next to none that is even. It is of first order in k_theta a, as electrons and holes tunnel differently.
    """
    atoms, expected, theta = in_plane(m, size)
    odd = (expected - expected[::-1])[:2]
    assert (odd > 0).all()  # layer 1, below, is turned counter-clockwise
    difference = atoms - expected
    return (difference - difference[::-1])[:2] / odd, (difference + difference[::-1])[:2] / odd, theta


def test_moments_in_the_plane_without_strain():
    """(2, 3), 13.2 degrees: the moment along a current, with its sign and D6. Measured: odd -0.25 and -0.01."""
    odd, even, _ = odd_and_even(2, 12)
    assert abs(odd).max() < 0.3
    assert abs(even).max() < 0.4


@pytest.mark.long
def test_moments_in_the_plane_become_those_of_the_continuum():
    """(3, 4) and (5, 6), 9.4 and 6.0 degrees. Measured: odd -0.04, 0.07 and -0.03, 0.02; even 0.22, 0.30 and 0.15, 0.19; the
    meshes leave 0.02 of the odd and 0.03 of the even part."""
    (_, wide, first), (odd, narrow, second) = (odd_and_even(m, 18) for m in (3, 5))
    assert abs(odd).max() < 0.05
    # falls with the angle, whose ratio is 0.64; measured 0.69 and 0.77
    assert (narrow / wide < 0.85).all()
    assert second < first


def deviations(m, size):
    """Atomistic minus continuum by level and field, in units of the largest element of the continuum; the angle in degrees."""
    energy, velocity = layer_sums()
    atoms = twisted_bilayer(m)
    theta = atoms.info["theta"]
    unit = velocity * 2 * K[0] * np.sin(np.radians(theta / 2))
    valley, g = continuum(theta, velocity, unit)
    onsite = POTENTIAL * unit * np.cos(atoms.get_positions()[:, :2] @ g + PHASE)
    onsite += sum(sublattice_potential(atoms, MASS * unit, layer) for layer in (1, 2))
    none, one = tunnelling(0.0), tunnelling(1.0)
    model = slater_koster(atoms, onsite, v_sigma=(ALPHA * unit - none) / (one - none))
    found = atomistic_response(model, energy + LEVELS * unit, KT * unit, size)
    # time reversal makes the response of the other valley the same
    temperature = KT * unit / units.KB
    settings = {"kmesh": (size, size, 1), "calculators": ["extrinsic"], "temperature": temperature, "tau": 1.0}
    expected = 2 * ome.compute(valley, fermi=LEVELS * unit, **settings).extrinsic.sel(moment="z", field=["x", "y"]).values
    largest = abs(expected).max()
    assert largest > 1e-16
    return (found - expected) / largest, theta


@pytest.mark.long
def test_extrinsic_response_becomes_that_of_the_continuum():
    """(5, 6) and (7, 8), 6.0 and 4.4 degrees: two minutes. Measured: at most 0.45 and 0.30 of the largest element, above
    neutrality 0.12 and 0.11; extrapolated to no angle 0.12. The meshes leave 0.02: (5, 6) with 24^2 points in place of 16^2.
    """
    (first, wide), (second, narrow) = (deviations(m, 16) for m in (5, 7))
    size = [np.sqrt((d**2).mean()) for d in (first, second)]
    # at least in proportion to the angle
    assert size[1] / narrow < size[0] / wide
    assert abs(second).max() < 0.35
    # what is of first order drops out; the second is (k_theta a)^2 = 0.1 with factors of order one
    straight = (second * wide - first * narrow) / (wide - narrow)
    assert abs(straight).max() < 0.2
