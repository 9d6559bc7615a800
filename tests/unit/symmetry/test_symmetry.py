"""What symmetry saves: irreducible meshes, symmetrised tensors and allowed elements, against sums over the whole zone."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from toys import occupied_sum, split

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import Observable, defaults, first_observable, get
from ome_wannier.calculators.blocks import element_axes
from ome_wannier.calculators.reported_units import unit_of
from ome_wannier.calculators.weights import component_axes
from ome_wannier.errors import AccuracyWarning, SettingsError
from ome_wannier.integration.filling import filled_level
from ome_wannier.integration.hamiltonian_symmetry import group_of
from ome_wannier.integration.kpoints.irreducible import IrreducibleMesh
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.symmetry.operations import Operation, generated, symbol
from ome_wannier.symmetry.tensors import projector, relations

#: library entry, parameters, mesh, Fermi levels, point group as G(H) or G1', smallest saving
EXACT = [
    ("haldane", {"bonds": [1.0, 1.0, 1.0]}, (12, 12, 1), (-0.6, 0.1), "-6m2(-6)", 4),
    ("haldane", {}, (10, 10, 1), (-0.6, 0.1), "mm2(m)", 1.8),
    ("kane-mele", {}, (9, 9, 1), (-0.6, 0.1), "m(1)", 1.5),
    ("cumnas-minimal", {}, (8, 10, 1), (-0.5, 0.1), "mmm(mm2)", 1.5),
    ("tmd-three-band", {}, (10, 10, 1), (0.0, 1.0), "mm2(m)", 1.8),
    ("stacked-honeycomb", {}, (8, 8, 6), (-0.5, 0.1), "321'", 6),
    ("graphene", {}, (12, 12, 1), (-0.3, 0.2), None, 1),
]
KT = 900.0 * units.KB
IDS = [f"{name} {parameters}" for name, parameters, *_ in EXACT]


@pytest.mark.parametrize(("name", "parameters", "mesh", "fermi", "group", "saving"), EXACT, ids=IDS)
def test_irreducible_points_are_as_good_as_all(name, parameters, mesh, fermi, group, saving):
    """All default quantities, spin included; what symmetry forbids is 0.0 without error."""
    model = ome.load(name, **parameters)
    full, few = (ome.compute(model, mesh, fermi=fermi, temperature=900.0, symmetry=s) for s in ("off", "auto"))
    assert group is None or few.attrs["symmetry_group"] == group
    assert full.attrs["irreducible_points"] == np.prod(mesh) >= saving * few.attrs["irreducible_points"]
    operations = group_of(model).operations
    bands = Bands(model, KMesh(mesh).points(), order=2, curvature=True)
    for quantity in defaults(model.has_spin):
        size, rounding = abs(full[quantity]).max().item(), 1e-13 * _natural(quantity, bands, model)
        np.testing.assert_allclose(few[quantity], full[quantity], rtol=0, atol=1e-10 * size + rounding, err_msg=quantity)
        observable = get(quantity)
        if isinstance(observable, Observable):
            along = element_axes(model, quantity)
            forbidden = ~relations(observable, operations, along).any(axis=1)
            there = {d: ["xyz"[i] for i in along[d]] for d in observable.dims}
            for values in (few[quantity].sel(there).values, few[f"{quantity}_error"].sel(there).values):
                assert not values.reshape(len(fermi), -1)[:, forbidden].any()


def _natural(quantity, bands, model):
    """The size of a quantity, in its unit, if nothing cancelled: sums of products of norms of matrices."""
    first = first_observable(get(quantity))
    return unit_of(first, len(model.axes), 10.0)[0] * occupied_sum(first, bands, 0.0, KT)[1] / model.cell


@pytest.mark.parametrize("at", [0, 2, 3, 5])
def test_irreducible_points_against_every_state_of_the_zone(at):
    """Independent sums over all states with their Fermi functions; the histogram is good to 2e-7 of absolute weights."""
    name, parameters, mesh, fermi, *_ = EXACT[at]
    model = ome.load(name, **parameters)
    quantities = ["local_crossgap", "extrinsic", "berry_curvature", "quantum_metric"] + (["spin"] if model.has_spin else [])
    result = ome.compute(model, mesh, quantities, fermi, temperature=900.0)
    assert result.attrs["irreducible_points"] < np.prod(mesh) / 1.5
    bands = Bands(model, KMesh(mesh).points(), order=2, curvature=True)
    for quantity in quantities:
        factor = unit_of(get(quantity), len(model.axes), 10.0)[0] * model.spin_degeneracy / model.cell
        for i, mu in enumerate(fermi):
            expected, scale = (factor * x for x in occupied_sum(get(quantity), bands, mu, KT))
            got = split(model, result[quantity]).values[i] if quantity != "spin" else result[quantity].values[i, :, :2]
            np.testing.assert_allclose(got, expected, rtol=0, atol=3e-7 * abs(scale), err_msg=quantity)


@pytest.mark.parametrize("size", [(6, 6, 4), (5, 5, 3), (4, 6, 9), (7, 7, 1)])
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.0, 0.0), (0.3, 0.1, 0.0)])
def test_stars_are_those_of_the_group(size, shift):
    """Each point of the mesh belongs to one star; stars by brute force from fractional coordinates, and their sub-meshes."""
    lattice = np.array([[1.0, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, 1.3]])
    c3 = np.array([[-0.5, -np.sqrt(3) / 2, 0], [np.sqrt(3) / 2, -0.5, 0], [0, 0, 1]])
    group = generated([Operation(c3), Operation(np.diag([1.0, -1, -1])), Operation(np.eye(3), -1)], lattice)
    assert len(group) == 12
    assert symbol(group, lattice) == "321'"
    mesh = KMesh(size, shift)
    points = IrreducibleMesh.of(mesh, group, lattice, (True, True, True))
    length = size[mesh.row_axis]
    k, part, star = points.batch(0, points.n_rows(length), length)
    assert star.sum() == len(mesh)
    assert sum(points.shares) == mesh.n_sub_meshes
    assert np.bincount(part.ravel(), star.ravel(), len(points.shares)).tolist() == [mesh.n_sub * n for n in points.shares]
    cartesian = k[star > 0] @ np.linalg.inv(lattice).T
    images = np.stack([g.time_reversal * cartesian @ g.rotation.T for g in points.operations]) @ lattice.T
    index = images * np.array(size) - np.array(shift)
    np.testing.assert_allclose(index, np.round(index), atol=1e-9)
    index = np.round(index).astype(int) % np.array(size)
    of_star = [{tuple(n) for n in index[:, i]} for i in range(len(cartesian))]
    assert [len(s) for s in of_star] == star[star > 0].tolist()
    assert len(set().union(*of_star)) == len(mesh)
    if not any(shift):
        expected = 12 if size[0] == size[1] else 2
        assert len(points.operations) == expected
    if len(points) < len(mesh):  # the error compares histograms: there must be several
        assert len(points.shares) > 1 or mesh.n_sub_meshes == 1


def test_projectors_and_relations():
    """Projectors onto what a group allows, and every element in terms of independent ones."""
    model = ome.load("stacked-honeycomb")
    group, along = group_of(model).operations, component_axes(model.axes, model.moments)
    for name in ("extrinsic", "dipole_polarizability", "local_crossgap"):
        P = projector(get(name), group, along)
        np.testing.assert_allclose(P @ P, P, atol=1e-14)
        of = relations(get(name), group, along)
        np.testing.assert_allclose(of @ P, P, atol=1e-12)
    of = relations(get("extrinsic"), group, along)  # 321': diag(a, a, c)
    expected = np.zeros((9, 9))
    expected[0, 0] = expected[4, 0] = expected[8, 8] = 1
    np.testing.assert_allclose(of, expected, atol=1e-12)


def test_declared_parity_under_inversion_decides():
    """A pseudoscalar of one's own vanishes with inversion, a scalar does not; by its indices alone it would not."""
    inversion = [Operation(np.eye(3)), Operation(-np.eye(3))]
    terms = {"name": "x", "long_name": "", "kind": "own", "occupation": "sea", "equation": "", "reference": "", "dims": ()}
    for parity in (1, -1):
        mine = Observable(**terms, time_reversal=1, inversion=parity, weights=lambda b: b.energies)
        assert projector(mine, inversion, {}).item() == (1 + parity) / 2
    built_in = [get(n) for n in ("local_crossgap", "extrinsic", "quantum_metric", "berry_curvature", "spin", "orbital_moment")]
    along = component_axes((0, 1, 2), (0, 1, 2))
    for observable in built_in:
        allowed = projector(observable, inversion, along)
        assert allowed.any() == (observable.inversion > 0)


# ---- operations that are given -------------------------------------------------------------------------------------------


C3 = np.array([[-0.5, -np.sqrt(3) / 2, 0], [np.sqrt(3) / 2, -0.5, 0], [0, 0, 1]])


def test_operations_can_be_given():
    """Generators are completed to their group; those that the Hamiltonian violates are dropped, and by how many eV."""
    model = ome.load("haldane", bonds=[1.0, 1.0, 1.0])
    settings = {"kmesh": (12, 12, 1), "calculators": ["berry_curvature"], "fermi": 0.1}
    full = ome.compute(model, **settings, symmetry="off")
    given = ome.compute(model, **settings, symmetry=[Operation(C3)])
    assert given.attrs["symmetry_operations"] == ["identity"] + ["3-fold rotation about (0, 0, 1)"] * 2
    assert (given.attrs["symmetry"], given.attrs["symmetry_group"]) == ("given", "3")
    assert given.attrs["irreducible_points"] < 144 / 2.5
    np.testing.assert_allclose(given.berry_curvature, full.berry_curvature, rtol=1e-10)
    energies = [np.linalg.eigvalsh(model.matrices(s * KMesh((12, 12, 1)).points(), 0).H) for s in (1, -1)]
    largest = abs(energies[0] - energies[1]).max()  # of inversion, in eV
    with pytest.warns(AccuracyWarning, match=r"dropped inversion.*: the Hamiltonian violates them by up to \S+ eV") as record:
        kept = ome.compute(model, **settings, symmetry=[Operation(C3), Operation(-np.eye(3))])
    assert kept.attrs["symmetry_group"] == "3"
    said = float(str(record[0].message).split("up to ")[1].split(" eV")[0])
    assert 0.1 * largest < said <= largest


def test_magnetic_datasets_of_spglib():
    """A square antiferromagnet: of what spglib says of moments on its atoms, that is used which the Hamiltonian obeys."""
    import spglib

    model = ome.load("cumnas-minimal")
    dataset = SimpleNamespace(rotations=[np.eye(3, dtype=int), np.diag([-1, -1, -1])], time_reversals=[False, True])
    result = ome.compute(model, (8, 8, 1), ["total"], 0.1, symmetry=dataset)
    assert result.attrs["symmetry_operations"] == ["identity", "inversion x time reversal"]
    cell = (model.lattice, [[0, 0, 0], [0.5, 0.5, 0]], [1, 1], [[1.0, 0, 0], [-1.0, 0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of spglib, about itself
        found = spglib.get_magnetic_symmetry_dataset(cell)
    # bare atoms have what the model's spin-orbit coupling does not: a translation by half a diagonal with time reversal
    with pytest.warns(AccuracyWarning, match="dropped"):
        kept = group_of(model, found)
    assert {g.name for g in kept.operations} == {g.name for g in group_of(model).operations}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Auto", 'symmetry is \'Auto\': give "auto", "off", a list'),
        ([], r"symmetry is '\[\]'"),
        ([np.eye(3)], "symmetry is .*: give"),
        ([Operation(np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]))], "does not map the lattice onto itself"),
        ([Operation(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]))], "does not map the lattice onto itself|out of their plane"),
    ],
)
def test_what_is_no_symmetry_is_refused(given, said):
    with pytest.raises(SettingsError, match=said):
        ome.compute(ome.load("haldane"), (4, 4, 1), ["total"], 0.0, symmetry=given)


def test_of_kp_models_is_refused():
    with pytest.raises(SettingsError, match=r"k\.p models are integrated over all directions"):
        ome.compute(ome.load("tilted-dirac"), calculators=["total"], fermi=0.0, symmetry=[Operation(np.eye(3))])


# ---- filling -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("electrons", [0.7, 1.0])
def test_filling_from_irreducible_points(electrons):
    model, mesh = ome.load("stacked-honeycomb"), KMesh((8, 8, 6))
    points = IrreducibleMesh.of(mesh, group_of(model).exact, model.lattice, model.periodic)
    for T in (0.0, 300.0):
        few, all_ = (filled_level(model, p, electrons, T) for p in (points, mesh))
        assert few.value == pytest.approx(all_.value, abs=1e-9)
        assert few.error == pytest.approx(all_.error, abs=1e-9)


# ---- Wannier functions ---------------------------------------------------------------------------------------------------


def test_what_noise_violates_reduces_no_points_and_is_charged():
    """Te obeys 321' to 0.06 meV, nothing to rounding: all points, and every number is within its error of what they give."""
    model = ome.load("te")
    settings = {"kmesh": (12, 12, 12), "calculators": ["extrinsic", "total"], "fermi": [5.4, 6.4], "temperature": 600.0}
    full, auto = (ome.compute(model, **settings, symmetry=s) for s in ("off", "auto"))
    assert (auto.attrs["symmetry_group"], auto.attrs["symmetry_exact_group"]) == ("321'", "1")
    assert auto.attrs["irreducible_points"] == 12**3
    off = ~np.eye(3, dtype=bool)
    assert not auto.extrinsic.values[:, off].any()
    assert not auto.total.values.any()
    for name in ("extrinsic", "total"):
        value, raw, given = (x.values for x in (auto[name], auto[f"{name}_raw"], full[name]))
        np.testing.assert_allclose(raw, given, rtol=1e-12)
        error = full[f"{name}_error"].values + abs(value - given)
        np.testing.assert_allclose(auto[f"{name}_error"], error, rtol=1e-9)
    turned = auto.extrinsic.values
    assert (abs(turned[:, 0, 0] - turned[:, 1, 1]) < 1e-12 * abs(turned).max()).all()
    assert "forbids xy, xz, yx, yz, zx, zy of extrinsic; all of total" in auto.attrs["symmetry_imposed"]


def test_given_operations_are_relied_on():
    """VSe2's mirror, given: half of the points, and no error for what it forbids."""
    model = ome.load("vse2")
    settings = {"kmesh": (24, 24, 1), "calculators": ["total"], "fermi": -0.281, "temperature": 20.0}
    auto = ome.compute(model, **settings)
    assert auto.attrs["irreducible_points"] == 24**2
    given = ome.compute(model, **settings, symmetry=group_of(model).operations)
    assert given.attrs["irreducible_points"] < 0.55 * 24**2
    assert not given.total[..., 0].values.any()
    assert "total_raw" not in given
    assert (given.attrs["symmetry"], given.attrs["symmetry_group"]) == ("given", auto.attrs["symmetry_group"])


def test_given_operations_that_are_violated_a_little_are_said():
    """A mirror of graphene that a strain of 1%, turned away from it by 10 degrees, breaks by 15 meV."""
    model = ome.load("graphene", strain=0.01, strain_angle=10.0)
    mirror = [Operation(np.diag([-1.0, 1.0, 1.0]))]
    with pytest.warns(AccuracyWarning, match=r"relied on mirror normal to .1, 0, 0.: .* violates them by up to 0\.015 eV"):
        result = ome.compute(model, (6, 6, 1), ["quantum_metric"], 0.3, symmetry=mirror)
    assert result.attrs["symmetry_operations"] == ["identity", "mirror normal to (1, 0, 0)"]


def test_off_charges_and_imposes_nothing():
    model = ome.load("vse2")
    result = ome.compute(model, (12, 12, 1), ["total"], -0.281, temperature=20.0, symmetry="off")
    assert (result.attrs["symmetry_group"], result.attrs["symmetry_imposed"]) == ("1", "")
    assert result.total.values.all()
    assert "total_raw" not in result


@pytest.mark.parametrize("value", [True, False, 0, np.True_])
def test_time_reversal_is_a_sign(value) -> None:
    """True would count as 1: as an operation without time reversal."""
    with pytest.raises(SettingsError, match="give -1 with time reversal"):
        Operation(np.eye(3), value)
