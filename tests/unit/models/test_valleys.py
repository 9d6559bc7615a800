"""The valley of electrons: at the corners of the zone, in other axes, in larger cells, and what symmetry makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from toys import CYCLIC, haldane, rebuilt, rotated, tilted_dirac

import ome_wannier as ome
from ome_wannier.errors import ModelError
from ome_wannier.models.valleys import with_valleys


def valley(model, k):
    """(nk, n, n) the operator."""
    return with_valleys(model).operator("valley", np.atleast_2d(k))[:, 0]


def supercell(model, n, m):
    """n x m cells of a model with centres as one, in plain numpy."""
    N = model.n_orbitals
    cells = [(i, j, 0) for i in range(n) for j in range(m)]
    terms = {}
    for c, cell in enumerate(cells):
        for R, H in zip(model.R.tolist(), model.hamiltonian, strict=True):
            end = np.add(cell, R)
            large = end // (n, m, 1)
            d = cells.index(tuple(end - large * (n, m, 1)))
            block = terms.setdefault(tuple(large.tolist()), np.zeros((N * n * m,) * 2, dtype=complex))
            block[c * N : (c + 1) * N, d * N : (d + 1) * N] += H
    centres = np.concatenate([model.centres + np.array(c) @ model.lattice for c in cells])
    lattice = model.lattice * np.array([n, m, 1])[:, None]
    return ome.TightBinding(lattice, list(terms), list(terms.values()), centres=centres, periodic=model.periodic)


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize("name", ["graphene", "hbn", "mos2", "tmd-three-band", "bernal-graphene"])
def test_corners_of_the_zone(name):
    """The number at K and -K of every state, and nothing in the centre and on the edges, whatever the cell's vectors."""
    model = ome.load(name)
    wide = model.lattice[0] @ model.lattice[1] < 0
    K = np.array([1, 1, 0]) / 3 if wide else np.array([2, 1, 0]) / 3
    one = np.eye(model.n_orbitals)
    for k, expected in ((K, 1), (-K, -1), ([0, 0, 0], 0), ([0.5, 0, 0], 0), ([0, 0.5, 0], 0), ([0.5, 0.5, 0], 0)):
        np.testing.assert_allclose(valley(model, k)[0], expected * one, atol=1e-12)
    k = np.random.default_rng(1).uniform(-1, 1, (6, 3)) * [1, 1, 0]
    np.testing.assert_allclose(with_valleys(model).matrices(k).H, model.matrices(k).H, atol=1e-12)


def test_between_the_corners():
    """2 / 3 sqrt(3) sum of sin k.b over three vectors at 120 degrees, on both sublattices; in other axes the same."""
    model = haldane()
    k = np.random.default_rng(2).uniform(-1, 1, (5, 3)) * [1, 1, 0]
    b = np.array([[-1, 0], [0, 1], [1, -1]])  # k.b is 2 pi / 3 at (2, 1) / 3
    expected = 2 / (3 * np.sqrt(3)) * np.sin(2 * np.pi * k[:, :2] @ b.T).sum(axis=1)
    np.testing.assert_allclose(valley(model, k), expected[:, None, None] * np.eye(2), atol=1e-12)
    for Q in (CYCLIC, np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]]), np.diag([-1.0, 1, 1])):
        np.testing.assert_allclose(valley(rotated(model, Q), k), expected[:, None, None] * np.eye(2), atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 3), (2, 3)])
def test_cells_that_hold_several_honeycombs(n, m):
    """The numbers of all points that fold onto one, up to which of both valleys is K."""
    small = haldane()
    model = with_valleys(supercell(small, n, m), small.lattice[0, 0])
    for k in np.random.default_rng(3).uniform(-0.5, 0.5, (4, 2)):
        folded = [np.add(k, [i, j]) / [n, m] for i in range(n) for j in range(m)]
        expected = np.sort(np.concatenate([np.diag(valley(small, [*q, 0])[0]).real for q in folded]))
        found = np.linalg.eigvalsh(model.operator("valley", np.array([[*k, 0]]))[0, 0])
        assert min(np.abs(found - expected).max(), np.abs(found + expected[::-1]).max()) < 1e-12


@pytest.mark.parametrize(("name", "along_x"), [("graphene", 1), ("tmd-three-band", 1), ("hbn", -1), ("vse2", -1), ("mos2", -1)])
def test_which_corner_is_K_depends_on_the_cell(name, along_x):
    """Of the corners 4 pi / 3a from the centre the one along +x, and that at 60 degrees: as the handbook says."""
    model = ome.load(name)
    radius = 4 * np.pi / (3 * np.linalg.norm(model.lattice[0]))
    for angle, expected in ((0, along_x), (60, -along_x)):
        corner = radius * np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle)), 0])
        k = np.round(3 * model.lattice @ corner / (2 * np.pi)) / 3  # some of these cells are strained
        np.testing.assert_allclose(valley(model, k)[0], expected * np.eye(model.n_orbitals), atol=1e-9)


def test_flat_bands_of_a_twisted_bilayer_have_valleys():
    """Two layers by 13 degrees: of four states at the middle of the spectrum two are in each, and opposite k exchange them."""
    model = with_valleys(ome.load("tbg-atomistic"), 2.46)
    k = np.array([[0.1, 0.05, 0.0], [-0.1, -0.05, 0.0]])
    H, V = model.matrices(k).H, model.operator("valley", k)[:, 0]
    found = []
    for h, v in zip(H, V, strict=True):
        n = len(h) // 2
        states = np.linalg.eigh(h)[1][:, n - 2 : n + 2]
        found.append(np.linalg.eigvalsh(states.conj().T @ v @ states))
    assert (np.abs(found) > 0.75).all()
    assert [int((x > 0).sum()) for x in found] == [2, 2]
    np.testing.assert_allclose(found[0], -found[1][::-1], atol=1e-10)


def test_electrons_in_one_valley():
    """Haldane's flux and different sites: the top of the lower band is at K or K' by the sign of the flux; time reversal
    forbids a difference, and so does inversion."""
    settings = {"kmesh": (60, 60, 1), "calculators": "valley_expectation", "temperature": 200.0}

    def polarization(model, level):
        found = ome.compute(with_valleys(model), fermi=level, **settings).valley_expectation
        return float(found.fillna(0.0)[0]), found.attrs

    model = haldane(delta=0.4, t2=0.1, phi=np.pi / 2)
    k = np.array([[2, 1, 0], [1, 2, 0]]) / 3
    tops = np.linalg.eigvalsh(model.matrices(k).H)[:, 0]
    value, _ = polarization(model, tops.max() - 0.05)  # holes where the band is highest
    assert abs(tops[0] - tops[1]) > 0.2
    assert np.sign(value) == (-1 if tops[0] > tops[1] else 1)
    turned, _ = polarization(haldane(delta=0.4, t2=0.1, phi=-np.pi / 2), tops.max() - 0.05)
    assert turned == pytest.approx(-value, rel=1e-6)
    for other in (haldane(delta=0.4, t2=0.1, phi=0.0), haldane(delta=0.0, t2=0.1, phi=np.pi / 2)):
        nothing, about = polarization(other, tops.max() - 0.05)
        assert nothing == 0.0
        assert about["forbidden_by"]


def test_the_command_line_knows_it_by_name(tmp_path):
    """A library entry, without a word in Python."""
    from ome_wannier.cli import main

    path = tmp_path / "a.nc"
    names = "valley_response,valley_extrinsic,valley_hall"
    settings = ["--kmesh", "12", "12", "1", "--fermi", "-0.1", "--temperature", "3000", "-o", str(path)]
    with pytest.raises(SystemExit) as end:
        main(["run", "tmd-three-band", "--calculators", names, *settings])
    assert end.value.code == 0
    found = ome.load_result(path)
    assert found.valley_hall.units == "1/e S"
    assert np.abs(found.valley_hall.fillna(0).values).max() > 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: with_valleys(ome.load("te")), "periodic along 3 directions"),
        (lambda: with_valleys(tilted_dirac()), "only models with orbitals"),
        (lambda: with_valleys(ome.load("tbg-atomistic")), r"with_valleys\(model, constant\)"),
        (lambda: with_valleys(haldane(), -1.0), "constant is -1.0"),
        (lambda: with_valleys(haldane(), "a"), "constant is 'a'"),
        (lambda: with_valleys(ome.load("tbg-atomistic"), 3.1), "not six: no honeycomb"),
        (lambda: with_valleys(rebuilt(haldane(), lattice=np.diag([2.5, 2.5, 10.0]))), "not that of one honeycomb"),
    ],
)
def test_models_without_valleys(make, said):
    """One line each."""
    with pytest.raises(ModelError, match=said):
        make()
