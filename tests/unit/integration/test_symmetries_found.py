"""Symmetries of the Hamiltonian: which are found, and what they do to results and errors."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from toys import (
    IDENTITY,
    LATTICE_CUBIC,
    LATTICE_SQUARE,
    METAL,
    SIGMA,
    SOLID,
    TOYS,
    from_terms,
    haldane,
    random_model,
    rebuilt,
    run,
    split,
)

import ome_wannier as ome
from ome_wannier.calculators import Observable, get
from ome_wannier.errors import AccuracyWarning
from ome_wannier.integration import hamiltonian_symmetry as symmetry
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.lattices.honeycomb import graphene
from ome_wannier.symmetry.candidates import point_rotations
from ome_wannier.symmetry.operations import Operation
from ome_wannier.symmetry.tensors import symmetrised


def held(model):
    return {g.name for g in symmetry.operations(model) if g.exact}


def test_symmetries_of_random_models():
    """A random model has none: its lattice's are refused. In a flat layer the mirror of its plane acts on nothing."""
    assert held(SOLID) == held(METAL) == {"identity"}
    flat = replace(METAL, centres=METAL.centres * [1, 1, 0])
    assert held(flat) == {"identity", "mirror normal to (0, 0, 1)"}
    assert held(TOYS["matrix_metal_3d"].model) == {"identity"}


@pytest.mark.parametrize(
    ("name", "present", "absent"),
    [
        ("kramers_matrix_3d", {"time reversal"}, {"inversion", "inversion x time reversal"}),
        ("kramers_2d", {"time reversal"}, {"inversion", "inversion x time reversal"}),
        ("pt_3d", {"inversion x time reversal"}, {"inversion", "time reversal"}),
        ("pt_2d", {"inversion x time reversal"}, {"inversion", "time reversal"}),
        ("pt_matrix_2d", {"inversion x time reversal"}, {"inversion", "time reversal"}),
        ("inversion_matrix_3d", {"inversion"}, {"time reversal", "inversion x time reversal"}),
        ("inversion_2d", {"inversion"}, {"time reversal", "inversion x time reversal"}),
    ],
)
def test_symmetries_are_found(name, present, absent):
    """Time reversal, inversion and their product, in models that have one of them."""
    found = held(TOYS[name].model)
    assert present <= found
    assert not absent & found


def test_symmetries_of_haldane():
    """P6/m with the mirrors combined with time reversal for delta = 0; without the inversions for delta != 0."""
    found = held(haldane(delta=0.0, t2=0.15))
    assert {"inversion", "6-fold rotation about (0, 0, 1)", "3-fold rotation about (0, 0, 1)"} <= found
    assert "time reversal" not in found
    assert "mirror normal to (1, 0, 0)" not in found
    assert "mirror normal to (1, 0, 0) x time reversal" in found
    found = held(haldane(delta=0.2))
    assert "inversion" not in found
    assert "3-fold rotation about (0, 0, 1)" in found
    assert {"time reversal", "inversion"} <= held(haldane(delta=0.0, t2=0.0))


def lattice_cone(tilt=0.3):
    """A lattice version of the tilted cone, with M_x T and neither M_x nor T: M_z from E_y alone, extrinsic from E_x alone."""
    terms = {(0, 0): 1.4 * SIGMA[2]}
    for R, X in (((1, 0), -SIGMA[1]), ((0, 1), SIGMA[0])):
        hop = 0.5j * 0.7 * -X - 0.25 * SIGMA[2] + (0.5j * -tilt * IDENTITY if R == (1, 0) else 0)
        terms[R] = hop
        terms[-R[0], -R[1]] = np.conj(hop).T
    return from_terms(LATTICE_SQUARE, terms, np.zeros((2, 3)))


def test_symmetries_of_a_mirror():
    """A mirror with time reversal is told from the mirror and from time reversal; the tensor has what it leaves."""
    model = lattice_cone()
    found = held(model)
    assert "mirror normal to (1, 0, 0) x time reversal" in found
    assert not {"mirror normal to (1, 0, 0)", "time reversal", "inversion", "mirror normal to (0, 1, 0)"} & found
    result = run(model, (16, 16, 1), ["total", "extrinsic"], -1.2, temperature=600.0)
    total, extrinsic = (split(model, result[name]).values[0, 0] for name in ("total", "extrinsic"))
    assert abs(total[0]) < 1e-10 * abs(total[1])
    assert abs(extrinsic[1]) < 1e-10 * abs(extrinsic[0])


def test_symmetries_of_a_structure():
    """Atoms restrict the candidates: two species along one diagonal of a cube leave 3m of its 48 operations."""
    from ome_wannier.models.base import Structure

    cube = ome.TightBinding(LATTICE_CUBIC, [[0, 0, 0]], np.eye(1)[None], centres=np.zeros((1, 3)), periodic=(True, True, True))
    assert len(point_rotations(cube)) == 48
    atoms = replace(cube, structure=Structure((6, 7), ((0.0, 0, 0), (0.2, 0.2, 0.2))))
    assert len(point_rotations(atoms)) == 6


def nearly_centrosymmetric(breaking, atoms=True):
    """An inversion-symmetric layer with its atoms plus a random Hamiltonian of `breaking` eV."""
    from ome_wannier.models.base import Structure

    model = TOYS["inversion_2d"].model
    other = random_model(55, 2, 4, hopping=1.0).hamiltonian
    places = (model.wannier_centres @ np.linalg.inv(model.lattice))[:3]
    structure = Structure((6, 6, 7), tuple(map(tuple, places.tolist()))) if atoms else None
    return rebuilt(model, hamiltonian=model.hamiltonian + breaking * other, structure=structure)


def test_forbidden_elements_enter_the_error():
    """A slightly broken inversion leaves an alpha that it forbids: with atoms known all of it is error, else none is."""
    model = nearly_centrosymmetric(3e-4)
    settings = {"kmesh": (192, 192, 1), "calculators": ["total", "quantum_metric"], "fermi": -2.7, "temperature": 900.0}
    with pytest.warns(AccuracyWarning, match=r"symmetry changes total z. at -2\.7 eV from \S+ \+- \S+ A m/V to 0: more than"):
        loose = run(model, **settings)
    off, strict = run(model, **settings, symmetry="off"), run(nearly_centrosymmetric(3e-4, atoms=False), **settings)
    assert "inversion" in loose.attrs["symmetry_operations"]
    assert "inversion" not in strict.attrs["symmetry_operations"]
    energies = [np.linalg.eigvalsh(model.matrices(s * KMesh((12, 12, 1)).points(), 0).H) for s in (1, -1)]
    largest = abs(energies[0] - energies[1]).max()
    assert 0.1 * largest < loose.attrs["symmetry_violation_eV"] < largest
    said = r"of which m holds to rounding and the rest to 0\.000\d+ eV .*, forbids all of total$"
    assert re.search(said, loose.symmetry_imposed)
    assert not strict.attrs["symmetry_imposed"]
    assert np.abs(split(model, off.total)).min() > 0
    np.testing.assert_allclose(strict.total, off.total, rtol=1e-12)
    assert not loose.total.values.any()
    np.testing.assert_allclose(loose.total_raw, off.total, rtol=1e-12)
    np.testing.assert_allclose(loose.total_error, off.total_error + np.abs(off.total), rtol=1e-9)
    np.testing.assert_allclose(loose.quantum_metric, off.quantum_metric, rtol=1e-9)
    assert "total_raw" not in off


def test_symmetrised_keeps_what_is_allowed(rng):
    """Averages over the groups of physics.md section 9: 3m1' with M_z from in-plane fields, the forms of known classes."""
    c3 = np.array([[-0.5, -np.sqrt(3) / 2, 0], [np.sqrt(3) / 2, -0.5, 0], [0, 0, 1]])
    e, m = np.eye(3), np.diag([-1.0, 1, 1])
    along = {"moment": (0, 1, 2), "field": (0, 1, 2)}
    alpha = rng.normal(size=(3, 3))

    def mean(rotations, observable="total"):
        group = [Operation(P, s) for P, s in rotations]
        chosen = get("extrinsic" if observable == "extrinsic" else "interband")
        chosen = chosen if isinstance(chosen, Observable) else get("local_crossgap")
        return symmetrised(alpha, chosen, group, along)

    # -3'm' (Cr2O3): diag(a, a, c)
    d3 = [c3, c3 @ c3, e]
    d3 += [np.diag([1.0, -1, -1]) @ g for g in d3]
    cr2o3 = [(g, 1) for g in d3] + [(-g, -1) for g in d3]
    a = (alpha[0, 0] + alpha[1, 1]) / 2
    np.testing.assert_allclose(mean(cr2o3), np.diag([a, a, alpha[2, 2]]), atol=1e-15)
    # a mirror keeps the elements with exactly one index normal to it; with time reversal, the others
    keep = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(mean([(e, 1), (m, 1)]), alpha * keep, atol=1e-15)
    np.testing.assert_allclose(mean([(e, 1), (m, -1)]), alpha * (1 - keep), atol=1e-15)
    np.testing.assert_allclose(mean([(e, 1), (m, -1)], "extrinsic"), alpha * keep, atol=1e-15)
    # inversion kills both, time reversal the intrinsic part alone
    assert np.abs(mean([(e, 1), (-e, 1)])).max() < 1e-15
    assert np.abs(mean([(e, 1), (e, -1)])).max() < 1e-15
    np.testing.assert_allclose(mean([(e, 1), (e, -1)], "extrinsic"), alpha, atol=1e-15)


def beside(wide, narrow):
    """Two models on the same lattice, side by side without any coupling."""
    n = wide.n_orbitals
    H = np.zeros((len(wide.R), 2 * n, 2 * n), dtype=complex)
    H[:, :n, :n] = wide.hamiltonian
    for i, R in enumerate(wide.R):
        H[i, n:, n:] = narrow.hamiltonian[(narrow.R == R).all(axis=1)].sum(axis=0)
    centres = np.concatenate([wide.centres, narrow.centres])
    return replace(wide, hamiltonian=H, centres=centres, structure=None)


@pytest.mark.parametrize(("t", "mass"), [(-3e-3, 1e-4), (-3e-4, 1e-5), (-1e-4, 1e-5)])
def test_a_narrow_band_without_inversion_is_seen(t, mass):
    """Below an meV, beside wide bands with inversion: its curvature is nothing beside the metric of all, and all there is."""
    wide, narrow = graphene(mass=0.0, spin_degeneracy=1), graphene(t=t, mass=mass, strain=0.1, spin_degeneracy=1)
    both = beside(replace(wide, lattice=narrow.lattice), narrow)
    assert "inversion" not in {g.name for g in symmetry.group_of(both).exact}
    settings = {"calculators": "extrinsic", "fermi": -0.6 * t, "temperature": 10.0}
    auto, off = (ome.compute(both, (60, 60, 1), symmetry=s, **settings).extrinsic.values[..., :2] for s in ("auto", "off"))
    assert abs(off).max() > 0
    np.testing.assert_allclose(auto, off, rtol=1e-6, atol=1e-9 * abs(off).max())


def test_a_potential_of_a_microelectronvolt_is_seen():
    assert "inversion" in {g.name for g in symmetry.group_of(graphene(mass=0.0)).exact}
    assert "inversion" not in {g.name for g in symmetry.group_of(graphene(mass=1e-6)).exact}
