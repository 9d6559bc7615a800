"""Operators that come ready: on real files, on models that are built, and where they cannot be."""

import re
from dataclasses import replace

import numpy as np
import pytest
from toys import tilted_dirac

import ome_wannier as ome
from ome_wannier.adapters.ase import atoms
from ome_wannier.lattices.honeycomb import haldane
from ome_wannier.lattices.tmd import _LZ, tmd
from ome_wannier.models.atomic_orbitals import Orbital
from ome_wannier.sources.ready_operators import layers_of, with_angular_momentum, with_height, with_layers, with_torque

L_OF_P = [[0, 0, 0], [0, 0, -1j], [0, 1j, 0]]  # L_z of pz, px, py


def seed_of(name):
    """The seed of a library entry."""
    entry = ome.materials.entry(name)
    return entry.folder / entry.seed


def test_tellurium_has_the_p_shells_of_its_projections():
    """Functions come as up and down of pz, px, py on three atoms, each with its own x axis: about z that changes nothing."""
    seed = seed_of("te")
    with pytest.warns(ome.errors.AccuracyWarning, match="projected onto"):
        model = with_angular_momentum(ome.load(seed), seed)
    (L,) = model.operators
    assert (L.unit, L.time_reversal, L.inversion, L.matrices.shape) == ("hbar", -1, 1, (1, 18, 18, 3))
    expected = np.kron(np.eye(3), np.kron(L_OF_P, np.eye(2)))
    np.testing.assert_allclose(L.matrices[0, :, :, 2], expected, atol=1e-12)
    square = sum(L.matrices[0, :, :, a] @ L.matrices[0, :, :, a] for a in range(3))
    np.testing.assert_allclose(square, 2 * np.eye(18), atol=1e-12)


@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
def test_a_turned_crystal_has_turned_responses():
    """Tellurium in other Cartesian axes, its orbitals with it."""
    model = ome.load(seed_of("te"))
    orbitals = [Orbital(1, m, (atom,), spin=s) for atom in range(3) for m in range(3) for s in "ud"]
    Q, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    Q *= np.sign(np.linalg.det(Q))
    moved = replace(model, lattice=model.lattice @ Q.T, position=model.position @ Q.T)
    turned = [o._replace(axes=tuple(map(tuple, Q.T))) for o in orbitals]
    settings = {"kmesh": (4, 4, 4), "calculators": ["L_extrinsic", "L_hall"], "fermi": 5.9, "temperature": 3000.0}
    a = ome.compute(with_angular_momentum(model, orbitals), symmetry="off", **settings)
    b = ome.compute(with_angular_momentum(moved, turned), symmetry="off", **settings)
    for name, turn in (("L_extrinsic", "ia,jb,ab->ij"), ("L_hall", "ia,jb,kc,abc->ijk")):
        expected = np.einsum(turn, *[Q] * (turn.count(",")), a[name].values[0])
        np.testing.assert_allclose(b[name].values[0], expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "said"), [("vse2", "not orthonormal"), ("hbn", "Angstrom from the site"), ("cumnas", "ortho")]
)
def test_projections_that_do_not_say_what_they_are(name, said, tmp_path):
    """Files as another program writes them have an s for every orbital; functions between the atoms are no atomic orbitals."""
    seed = seed_of(name)
    written = re.sub(r": [dp]\S+ ", ": s ", seed.with_name(f"{seed.name}.win").read_text())
    (tmp_path / "a.win").write_text(written)
    with pytest.raises(ome.errors.ModelError, match=said):
        with_angular_momentum(ome.load(seed), tmp_path / "a.win")


def test_dichalcogenides_know_their_orbitals():
    """L_z of z^2, xy, x^2 - y^2 as it stands in the Hamiltonian; L_x and L_y lead out of these three."""
    (L,) = tmd().operators
    np.testing.assert_allclose(L.matrices[0, :, :, 2], np.kron(_LZ, np.eye(2)), atol=1e-13)
    assert np.abs(L.matrices[0, :, :, :2]).max() < 1e-13


def bilayer():
    """Two Haldane layers that couple, 3.4 Angstrom apart, the upper first."""
    one = haldane()
    n, R = one.n_orbitals, one.R
    H = np.zeros((len(R), 2 * n, 2 * n), dtype=complex)
    H[:, :n, :n] = H[:, n:, n:] = one.hamiltonian
    H[~R.any(axis=1), :n, n:] = H[~R.any(axis=1), n:, :n] = 0.3 * np.eye(n)
    centres = np.concatenate([one.centres + np.array([0, 0, 3.4]), one.centres])
    return ome.TightBinding(one.lattice, R, H, centres=centres, periodic=one.periodic)


def test_layers_from_the_lowest():
    """Their electrons add up to all."""
    model = with_layers(bilayer())
    assert [x.tolist() for x in layers_of(model)] == [[2, 3], [0, 1]]
    found = ome.compute(model, (8, 8, 1), ["layer_1_expectation", "layer_2_expectation"], fermi=0.0)
    total = float(found.layer_1_expectation[0] + found.layer_2_expectation[0])
    np.testing.assert_allclose(total, 2 / (model.cell * 1e-20), rtol=1e-12)


def test_height_is_the_position_across():
    """Of centres and of a matrix: what fields across mix with."""
    model = with_height(bilayer())
    k = np.random.default_rng(1).uniform(size=(3, 3)) * [1, 1, 0]
    np.testing.assert_allclose(model.operator("height", k)[:, 2], model.across(k).Z[:, 0], atol=1e-14)
    real = with_height(ome.load(seed_of("vse2")))
    np.testing.assert_allclose(real.operator("height", k)[:, 2], real.across(k).Z[:, 0], atol=1e-10)
    assert not real.operator("height", k)[:, :2].any()


def test_symmetries_that_hold_but_for_noise_are_those_of_the_height_too():
    """The metal plane of VSe2 is a mirror: what moves electrons across it is forbidden, not noise; other operations stay."""
    model = with_height(ome.load(seed_of("vse2")))
    settings = {"kmesh": (6, 6, 1), "fermi": -0.3, "temperature": 900.0}
    with pytest.warns(ome.errors.AccuracyWarning):
        found = ome.compute(model, calculators=["height_response", "berry_curvature"], **settings)
    with pytest.warns(ome.errors.AccuracyWarning):
        alone = ome.compute(model, calculators=["berry_curvature"], **settings)
    assert found.attrs["symmetry_group"] == alone.attrs["symmetry_group"] == "mm2(m)"
    response = found.height_response.sel(operator_component="z", field=["x", "y"])
    assert not response.values.any()
    assert (found.height_response_error.sel(operator_component="z", field=["x", "y"]).values > 0).all()


def test_torque_of_an_exchange_field_is_its_cross_product_with_the_spin():
    """H_xc = J . sigma alone is odd under time reversal: dS/dt = J x sigma."""
    J = np.array([0.1, -0.2, 0.3])
    model = with_torque(tmd(exchange=tuple(J)))
    (torque,) = (o for o in model.operators if o.name == "torque")
    sigma = model.spin[~model.R.any(axis=1)][0]
    np.testing.assert_allclose(torque.on(model.R)[~model.R.any(axis=1)][0], np.cross(J, sigma), atol=1e-13)
    assert np.abs(torque.on(model.R)[model.R.any(axis=1)]).max() < 1e-13
    assert not np.abs(with_torque(tmd()).operators[-1].matrices).max() > 1e-13  # without a field there is none


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: with_layers(haldane()), "no gap of 2.3 Angstrom"),
        (lambda: with_torque(haldane()), "no spin operator"),
        (lambda: with_height(ome.load(seed_of("te"))), "only a layer"),
        (lambda: with_layers(ome.load(seed_of("te"))), "only one of two has layers"),
        (lambda: with_angular_momentum(haldane(), [Orbital(1, 0, (0,))]), "1 orbitals for a model of 2"),
        (lambda: with_layers(haldane(), [[0], [2]]), "layer 2: give different numbers of orbitals from 0 to 1"),
        (lambda: with_layers(haldane(), [[0], []]), "layer 2"),
        (lambda: with_layers(haldane(), [[0], [-1]]), "layer 2"),
        (lambda: with_layers(haldane(), [[True, False], [False, True]]), "layer 1"),
        (lambda: with_layers(haldane(), [[0], ["x"]]), "layer 2"),
        (lambda: with_layers(haldane(), []), "give the orbitals of each layer"),
        (lambda: with_layers(haldane(), 3), "give the orbitals of each layer"),
        (lambda: with_torque(tilted_dirac()), "only models with orbitals"),
        (lambda: with_layers(ome.load("mote2-twisted")), "only models with orbitals"),
        (lambda: with_height(ome.load("mote2-twisted")), "only models with orbitals"),
    ],
)
def test_models_that_cannot_have_them(make, said):
    """One line each."""
    with pytest.raises(ome.errors.ModelError, match=said):
        make()


#: axes of L (rows) that go with the axes of the spin of files whose spins are quantised along x: z' = x, y' = y, x' = -z
ALONG_X = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])


@pytest.mark.parametrize(
    ("name", "axes", "coupling"),
    [
        ("vse2", np.eye(3), {"V": 0.025, "Se": 0.234}),
        ("cumnas", ALONG_X, {"Cu": 0.106, "Mn": 0.037, "As": 0.114}),
        ("cr2o3", np.eye(3), {"Cr": 0.0389, "O": 0.0156}),
    ],
)
def test_spin_orbit_coupling_inside_atoms_is_that_of_their_orbitals(name, axes, coupling):
    """What on-site blocks of the Hamiltonian have of spin and of odd orbital part is lambda L.S, on each atom with its own
    lambda (eV), which other orders of the functions do not give. Exchange makes it differ by up to 20% of V and Mn.

    Plain numpy: A_b = tr_spin(h sigma_b) / 2, antisymmetric part, against L of the projections, up and down in turn.
    """
    model = ome.load(name)
    with pytest.warns(ome.errors.AccuracyWarning, match="projected onto"):
        L = with_angular_momentum(model, seed_of(name)).operators[-1].on(model.R)[~model.R.any(axis=1)][0]
    H = model.hamiltonian[~model.R.any(axis=1)][0]
    sigma = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    symbols = atoms(model).get_chemical_symbols()
    starts = np.concatenate([[0], np.cumsum([6 if s in ("Se", "As", "O") else 10 for s in symbols])])
    for symbol, start, stop in zip(symbols, starts[:-1], starts[1:], strict=True):
        m = (stop - start) // 2
        h = H[start:stop, start:stop].reshape(m, 2, m, 2)
        A = np.einsum("iajb,sba->sij", h, sigma) / 2
        odd = (A - np.swapaxes(A, 1, 2)) / 2
        up = np.moveaxis(L[start:stop:2, start:stop:2], -1, 0)
        norm = np.einsum("aij,aji->a", up, up).real
        found = 2 * np.einsum("aij,sji->as", up, odd).real / norm[:, None]
        left = odd - np.einsum("as,aij->sij", found, up) / 2
        assert np.linalg.norm(left) < 0.15 * np.linalg.norm(odd), symbol
        strength = np.trace(found @ axes.T) / 3
        assert strength == pytest.approx(coupling[symbol], rel=0.05)
        np.testing.assert_allclose(found, strength * axes, atol=0.2 * strength)
