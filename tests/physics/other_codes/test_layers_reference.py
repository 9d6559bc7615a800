"""Nine elements of three seeded layers against an independent program (its numbers below), in A m/V.

That program sums on Gamma-centred meshes, origin z = 0, tau = 10 fs; it was checked by finite differences of equilibrium
(f and log(1 + exp)), flakes with all states, and Peierls fields. `fixed_n`: the column of E_z at a fixed number of electrons.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import ome_wannier as ome

LATTICE = np.array([[3.0, 0, 0], [0.7, 3.4, 0], [0, 0, 30.0]])
R = np.array([(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (1, 1, 0), (-1, -1, 0)])
FOUR = [[0, 0, 0.0], [1.2, 0.4, 1.5], [0.5, 2.0, 3.1], [2.0, 1.0, 4.2]]
THREE = [[0.1, 0.2, 0.3], [1.3, 0.8, 1.9], [0.6, 2.1, 3.6]]


class Reference(NamedTuple):
    """A model (seed, on-site energies, hopping, centres, position matrix, home), where, and what there is."""

    model: tuple[int, list[float], float, list[list[float]], float, float]
    fermi: float
    temperature: float
    mesh: int
    alpha: Any
    extrinsic: Any = 0.0
    fixed_n: Any = None
    tolerance: float = 1e-10


REFERENCES = {
    "insulator": Reference(
        (3, [-4.5, -4.0, 4.0, 4.6], 0.12, FOUR, 0.0, 0.4),
        0.0,
        20.0,
        48,
        [
            [5.604575654340744e-18, -3.2747276353624096e-17, -1.788119628415357e-17],
            [-3.145381919328062e-17, -3.176541900240278e-17, -4.57263678454437e-18],
            [-5.6161132541919504e-18, 2.154199452175417e-17, 1.8329088490054528e-17],
        ],
    ),
    "insulator of matrices": Reference(
        (13, [-4.0, -3.0, 3.6], 0.15, THREE, 0.12, 0.4),
        1.8,
        20.0,
        64,
        [
            [-3.3426392614845493e-16, -8.410998077392548e-17, -1.4108882692808448e-16],
            [1.3674797491220072e-16, -2.3124119693496183e-16, 1.3768166734896984e-16],
            [3.077253394196716e-17, -5.3089444252809956e-17, -1.3668151130515024e-16],
        ],
    ),
    "metal": Reference(
        (11, [-1.2, 0.3, 1.4], 0.16, THREE, 0.0, 0.3),
        0.25,
        300.0,
        240,  # the other program's mesh is 400 x 400
        [
            [-4.44018697817036e-16, 4.3700893178763853e-17, -7.590528537418229e-16],
            [6.677556803321663e-17, -5.26312273093217e-16, 2.99116471813757e-16],
            [4.146385798599415e-16, 3.4068731030796115e-16, 5.4304365284795755e-16],
        ],
        [
            [-1.3066049577868676e-13, -1.5172417356830444e-13],
            [1.567874207932669e-13, 1.311108434787636e-13],
            [9.451225929025374e-15, 2.7583386577895163e-15],
        ],
        [-1.4289707538224404e-17, -1.8590771189096372e-16, 4.0622401183202525e-17],
        3e-8,
    ),
}


def layer(seed, onsite, hopping, centres, matrix, home):
    rng = np.random.default_rng(seed)
    n = len(onsite)

    def block(size):
        return size * (rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))

    first = block(home)
    H = [first + first.conj().T + np.diag(np.asarray(onsite, complex))]
    for _ in range(3):
        b = block(hopping)
        H += [b, b.conj().T]
    if not matrix:
        return ome.TightBinding(LATTICE, R, np.array(H), centres=np.array(centres), periodic=(True, True, False))
    r = np.zeros((7, n, n, 3), complex)
    for a in range(3):
        x = block(matrix)
        r[0, :, :, a] = x + x.conj().T + np.diag(np.array(centres)[:, a])
        for j in range(3):
            b = block(matrix * 0.5)
            r[2 * j + 1, :, :, a], r[2 * j + 2, :, :, a] = b, b.conj().T
    return ome.TightBinding(LATTICE, R, np.array(H), position=r, periodic=(True, True, False))


def compared(case: Reference, mesh: int, tolerance: float) -> None:
    """At a fixed level and with the origin of the other program; the density gate needs no origin."""
    model = layer(*case.model)
    settings = {"fermi": case.fermi, "temperature": case.temperature, "symmetry": "off"}
    result = ome.compute(model, (mesh, mesh, 1), ["total", "extrinsic"], gate="level", origin=0.0, **settings)
    np.testing.assert_allclose(result.total.values[0], case.alpha, rtol=0, atol=tolerance * np.abs(case.alpha).max())
    extrinsic = result.extrinsic.values[0]
    np.testing.assert_allclose(
        extrinsic[:, :2], case.extrinsic + np.zeros((3, 2)), atol=tolerance * np.abs(case.extrinsic).max()
    )
    assert np.isnan(extrinsic[:, 2]).all()
    if case.fixed_n is not None:
        fixed = ome.compute(model, (mesh, mesh, 1), ["total"], **settings).total.values[0]
        np.testing.assert_allclose(fixed[:, 2], case.fixed_n, rtol=0, atol=tolerance * np.abs(case.alpha).max())


@pytest.mark.parametrize("name", REFERENCES)
def test_reference(name):
    """Insulators to rounding on the same mesh; the metal to what 240 points and the histogram leave of 400 (1.8e-8)."""
    case = REFERENCES[name]
    compared(case, case.mesh, case.tolerance)


@pytest.mark.long
def test_metal_on_the_same_mesh():
    """To the interpolation of -df/de in the histogram (2e-7 / kT of absolute weights): 2.4e-9 measured."""
    compared(REFERENCES["metal"], 400, 1e-8)
