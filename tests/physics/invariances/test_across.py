"""What the elements of layers that the position across takes part in have to obey: the contract of test_contract.py.

Sums over the same k points stand on both sides: of every term of the blocks, and of whole results with their gates.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_contract import (
    KT,
    bands_of,
    bands_on,
    conjugate,
    doubled,
    mirror_image,
    moved_orbitals,
    random_orthogonal,
    randomised,
    supercell,
    tolerance,
    turned_axes,
)
from toys import OCCUPIED, TOYS, rebuilt, rotated, weights_of

import ome_wannier as ome
from ome_wannier.calculators.blocks import TERMS
from ome_wannier.calculators.weights import component_axes
from ome_wannier.symmetry.tensors import AXIAL
from ome_wannier.units import KB

#: of orbitals at different heights, with and without matrices, in other planes, with degenerate levels
NAMES = [
    "insulator_2d", "metal_2d", "matrix_insulator_2d", "matrix_metal_2d", "kramers_2d", "pt_matrix_2d", "slab",
    "plane_yz", "plane_zx_matrix",
]  # fmt: skip
every_layer = pytest.mark.parametrize("toy", [TOYS[name] for name in NAMES], ids=NAMES)


def terms_of(toy):
    return [t for t in TERMS if toy.model.has_spin or not t.needs_spin]


def total(term, bands, toy):
    """The sum over k and bands."""
    f = OCCUPIED[term.occupation](bands.energies, toy.fermi, KT)
    return np.einsum("kn,kn...->...", f, weights_of(term, bands)) / len(f)


def size(term, toy):
    """The sum of absolute values, of single states: a symmetry may make that of degenerate ones vanish."""
    bands = randomised(toy)
    f, w = OCCUPIED[term.occupation](bands.energies, toy.fermi, KT), np.abs(term(bands))
    return np.einsum("kn,kn...->...", np.abs(f), w).max(initial=0) / len(f)


def assert_same(toy, bands, expected=lambda term, value: value, factor=1.0):
    """Every term on `bands`, times `factor`, is the expected one, up to rounding."""
    for term in terms_of(toy):
        here, there = total(term, bands_of(toy), toy), total(term, bands, toy)
        bound = tolerance(bands_of(toy), bands) * size(term, toy) / min(factor, 1.0)
        np.testing.assert_allclose(there * factor, expected(term, here), rtol=0, atol=bound, err_msg=term.name)


@every_layer
def test_gauge(toy):
    """Other eigenvectors of the same groups: the sums, and every weight averaged over its group."""
    assert_same(toy, randomised(toy))
    for term in terms_of(toy):
        here, there = weights_of(term, bands_of(toy)), weights_of(term, randomised(toy))
        bound = tolerance(bands_of(toy)) * np.abs(term(randomised(toy))).max(initial=0)
        np.testing.assert_allclose(there, here, rtol=0, atol=bound, err_msg=term.name)


@every_layer
def test_other_cells_and_order(toy):
    """Orbitals in other cells, in a doubled cell, and in another order."""
    assert_same(toy, bands_of(toy, moved_orbitals))
    assert_same(toy, doubled(toy), factor=0.5)
    model, order = toy.model, np.random.default_rng(2).permutation(toy.model.n_orbitals)
    pick = np.ix_(range(len(model.R)), order, order)
    changed = {"hamiltonian": model.hamiltonian[pick]}
    changed |= {"centres": model.centres[order]} if model.position is None else {"position": model.position[pick]}
    changed |= {"spin": model.spin[pick]} if model.has_spin else {}
    assert_same(toy, bands_on(rebuilt(model, **changed), toy.mesh))


def turned(term, tensor, Q, before, after):
    """Indices turn with Q, those of moments and curvatures with det(Q) Q."""
    full, dims = np.zeros((3,) * len(term.dims)), term.dims
    along, there = (component_axes(m.axes, m.moments) for m in (before, after))
    full[np.ix_(*[along[d] for d in dims])] = tensor
    for i, d in enumerate(dims):
        sign = np.linalg.det(Q) if d in AXIAL else 1.0
        full = np.moveaxis(np.tensordot(sign * Q, full, axes=(1, i)), 0, i)
    return full[np.ix_(*[there[d] for d in dims])]


@every_layer
@pytest.mark.parametrize("determinant", [1, -1])
def test_axes(toy, determinant):
    """Turned in the plane and into another one, right-handed and left-handed."""
    bands, Q = bands_of(toy, turned_axes, determinant), random_orthogonal(toy, determinant)
    assert_same(toy, bands, lambda term, value: turned(term, value, Q, toy.model, bands.model))


@every_layer
def test_upside_down(toy):
    """The mirror image in its plane: what has an odd number of indices along the normal changes its sign (axial ones not)."""
    Q = np.eye(3)
    Q[toy.model.bounded[0], toy.model.bounded[0]] = -1.0
    bands = bands_on(rotated(toy.model, Q), toy.mesh)
    assert_same(toy, bands, lambda term, value: turned(term, value, Q, toy.model, toy.model))


@every_layer
def test_declared_parities(toy):
    """Under inversion and time reversal, by which results are symmetrised."""
    assert_same(toy, bands_of(toy, mirror_image), lambda term, value: term.inversion * value)
    assert_same(toy, bands_of(toy, conjugate), lambda term, value: term.time_reversal * value)


@every_layer
def test_zero_by_symmetry_and_not_otherwise(toy):
    for term in terms_of(toy):
        largest = np.abs(total(term, bands_of(toy), toy)).max(initial=0)
        if toy.vanishes(term):
            assert largest <= tolerance(bands_of(toy)) * size(term, toy), term.name
        else:
            assert largest > 1e-6 * size(term, toy), term.name


# ---- whole results ---------------------------------------------------------------------------------------------------

QUANTITIES = ["total", "extrinsic", "magnetization", "magnetization_dmu"]
SPIN = ["spin", "total_with_spin"]


def results(model, mesh, level, gate):
    asked = QUANTITIES + (SPIN if model.has_spin else [])
    return ome.compute(model, mesh, asked, [level - 0.1, level], temperature=KT / KB, gate=gate, symmetry="off")


@pytest.mark.parametrize("gate", ["level", "density"])
@pytest.mark.parametrize("name", ["metal_2d", "matrix_insulator_2d", "matrix_metal_2d", "plane_zx_matrix"])
def test_results(name, gate):
    """In a plane that is no Cartesian one, in a doubled cell, with another number of electrons per band."""
    toy = TOYS[name]
    model = toy.model
    here = results(model, toy.mesh, toy.fermi, gate)
    direction = int(np.flatnonzero(model.periodic)[0])
    half = tuple(n // (2 if i == direction else 1) for i, n in enumerate(toy.mesh))
    Q = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))[0]  # proper or not
    tilted = results(rotated(model, Q), toy.mesh, toy.fermi, gate)
    folded = results(supercell(model, direction), half, toy.fermi, gate)
    single = results(replace(model, spin_degeneracy=1), toy.mesh, toy.fermi, gate)
    for key in here.data_vars:
        if str(key).endswith("_error") or "per_angstrom" in str(key):
            continue
        a = np.nan_to_num(here[key].values)
        scale = 1e-9 * np.abs(a).max()
        np.testing.assert_allclose(np.nan_to_num(folded[key].values), a, rtol=0, atol=scale, err_msg=key)
        np.testing.assert_allclose(model.spin_degeneracy * np.nan_to_num(single[key].values), a, rtol=0, atol=scale)
        sign = np.linalg.det(Q)
        expected = sign * (np.einsum("ia,fab,jb->fij", Q, a, Q) if a.ndim == 3 else a @ Q.T)
        np.testing.assert_allclose(tilted[key].values, expected, rtol=0, atol=scale, err_msg=key)
