"""compute(): what the result says about itself, whether its error estimate holds, and every setting that is refused."""

from __future__ import annotations

import importlib
import itertools
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from toys import (
    IDENTITY,
    LATTICE_CUBIC,
    LATTICE_SQUARE,
    SIGMA,
    TOYS,
    from_terms,
    haldane,
    natural_size,
    occupied_sum,
    random_model,
    rebuilt,
    tilted_dirac,
)

import ome_wannier as ome
from ome_wannier import symmetry, units
from ome_wannier.bands import Bands
from ome_wannier.calculators import CHECKS, Combination, Observable, combine, get, names, needs_spin
from ome_wannier.errors import AccuracyWarning, FileFormatError, ModelError, SettingsError
from ome_wannier.kmesh import KMesh
from ome_wannier.tensors import symmetrised

METAL, SOLID = TOYS["metal_2d"].model, TOYS["metal_3d"].model


def names_for(model):
    """The built-in calculators, those of the spin where the model has one."""
    terms = {n: [t for t, _ in get(n).terms] if isinstance(get(n), Combination) else [n] for n in names()}
    return [n for n in names() if model.has_spin or not any(get(t).needs_spin for t in terms[n])]


def run(model=METAL, kmesh=(6, 6, 1), calculators=("total",), fermi=0.1, **settings):
    return ome.compute(model, kmesh, calculators, fermi, **settings)


# ---- values ---------------------------------------------------------------------------------------------------------


def possible(model):
    """Names of the calculators that this model allows."""
    return [n for n in names() if n != "chern_simons" and (model.has_spin or not needs_spin(n))]


@pytest.mark.parametrize("name", TOYS)
def test_values_are_the_sums_over_the_mesh(name):
    """Every calculator, converted to SI, against sums with the Fermi function of every state (tests/toys.py).

    The histogram's interpolation is good to 5e-8 of the absolute weights (2e-7 / kT for surfaces), see test_occupation.
    """
    toy = TOYS[name]
    T = 600.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        result = ome.compute(toy.model, toy.mesh, possible(toy.model), toy.fermi, temperature=T, tau=7.0)
    d = sum(toy.model.periodic)
    bands = Bands(toy.model, KMesh(toy.mesh).points(), order=2, curvature=True)
    sums = {
        n: occupied_sum(get(n), bands, toy.fermi, T * units.KB) for n in possible(toy.model) if isinstance(get(n), Observable)
    }
    factor = {
        "alpha": units.E2_OVER_HBAR * 1e-10 ** (3 - d),
        "extrinsic": units.E2_OVER_HBAR * 1e-10 ** (3 - d) * 7.0 / units.HBAR_EV_FS,
        "polarizability": 1.0,
        "curvature": 1.0,
        "moment": units.E2_OVER_HBAR * 1e-10 ** (2 - d),
    }
    for n in possible(toy.model):
        calculator = get(n)
        parts = [t for t, _ in calculator.terms] if isinstance(calculator, Combination) else [n]
        scale = factor[get(parts[0]).kind] * toy.model.spin_degeneracy / toy.model.cell
        expected = combine(calculator, {p: sums[p][0] for p in parts}) * scale
        # every state counts for the interpolation error, also one that is empty
        states = bands.energies.shape[1]
        size = sum(
            states * natural_size(get(p), bands).mean() / (units.KB * T if get(p).occupation == "surface" else 1) for p in parts
        )
        np.testing.assert_allclose(result[n].values[0], expected, rtol=0, atol=1e-6 * scale * size, err_msg=n)


def test_spin_degeneracy_and_tau_are_factors():
    """Two electrons per band double everything; tau multiplies the extrinsic part alone."""
    one, two = (run(rebuilt(METAL, spin_degeneracy=s), calculators=["total", "extrinsic"]) for s in (1, 2))
    assert np.array_equal(two.total, 2 * one.total)
    assert np.array_equal(two.extrinsic, 2 * one.extrinsic)
    long = run(rebuilt(METAL, spin_degeneracy=1), calculators=["total", "extrinsic"], tau=25.0)
    np.testing.assert_allclose(long.extrinsic, 2.5 * one.extrinsic, rtol=1e-14)
    assert np.array_equal(long.total, one.total)
    assert (run(calculators=["extrinsic"], tau=0.0).extrinsic == 0).all()


def test_fermi_levels_are_independent():
    """A level in a scan gives what it gives alone, at a finite temperature."""
    levels = np.array([-1.0, -0.2, 0.3, 2.0])
    scan = run(calculators=["total", "extrinsic"], fermi=levels, temperature=[200.0, 900.0])
    for i, mu in enumerate(levels):
        alone = run(calculators=["total", "extrinsic"], fermi=mu, temperature=[200.0, 900.0])
        for name in ("total", "extrinsic"):
            # the grids start elsewhere: interpolation errors below 1e-6 of the sum of absolute weights
            size = np.abs(scan[name]).max().item()
            np.testing.assert_allclose(scan[name][i], alone[name][0], rtol=0, atol=1e-5 * size)


# ---- what the result says -------------------------------------------------------------------------------------------


def test_dimensions_and_coordinates():
    """Scalar temperature: no dimension; array: one. A layer has one moment and two field directions, a solid three each."""
    layer = run(calculators=["total", "berry_curvature", "dipole_polarizability"], fermi=[0.0, 0.5])
    assert layer.total.dims == ("fermi", "moment", "field")
    assert layer.total.shape == (2, 1, 2)
    assert layer.moment.values.tolist() == ["z"]
    assert layer.field.values.tolist() == ["x", "y"]
    assert layer.berry_curvature.dims == ("fermi", "axis")
    assert layer.dipole_polarizability.shape == (2, 2, 2)
    assert layer.temperature.item() == 300.0
    solid = run(SOLID, (4, 4, 4), fermi=0.0, temperature=[100, 300])
    assert solid.total.dims == ("fermi", "temperature", "moment", "field")
    assert solid.total.shape == (1, 2, 3, 3)
    assert solid.temperature.values.tolist() == [100, 300]
    assert solid.total.sel(moment="z", field="y").shape == (1, 2)
    other = run(TOYS["plane_zx_matrix"].model, calculators=["total"])
    assert other.moment.values.tolist() == ["y"]
    assert other.field.values.tolist() == ["x", "z"]


def test_components_are_named_in_every_plane():
    """The same layer in another plane: its components move with the labels x -> y -> z -> x."""
    toy = TOYS["plane_yz"]
    back = rebuilt(toy.model, lattice=np.roll(toy.model.lattice, -1, axis=1), centres=np.roll(toy.model.centres, -1, axis=1))
    here = run(toy.model, calculators=["total", "extrinsic"]).isel(fermi=0)
    there = run(back, calculators=["total", "extrinsic"]).isel(fermi=0)
    for name in ("total", "extrinsic"):
        for a, b in (("y", "x"), ("z", "y")):
            assert here[name].sel(moment="x", field=a).item() == pytest.approx(
                there[name].sel(moment="z", field=b).item(), rel=1e-9
            )


@pytest.mark.parametrize(
    ("model", "mesh", "alpha", "moment"), [(METAL, (4, 4, 1), "A m/V", "A"), (SOLID, (4, 4, 4), "A/V", "A/m")]
)
def test_units_and_attributes(model, mesh, alpha, moment):
    """Units, equation, reference, index order of every quantity; mesh, hash, charge sign and so on of the whole."""
    result = ome.compute(model, mesh, possible(model), 0.1, tau=3.0)
    for name in possible(model):
        about = result[name].attrs
        assert about["equation"]
        assert about["reference"]
        assert about["long_name"]
        assert result[f"{name}_error"].attrs["units"] == about["units"]
        assert result[f"{name}_error"].dims == result[name].dims
        if result[name].dims[1:] == ("moment", "field"):
            assert about["index_order"].startswith("M_i = alpha_ij E_j")
            assert about["units"] == alpha
    assert result.orbital_moment.attrs["units"] == moment
    assert result.extrinsic.attrs["tau_fs"] == 3.0
    assert ("left_out" in result.total.attrs) == (len(model.axes) == 3)
    attrs = result.attrs
    assert attrs["model_sha256"] == model.sha256
    assert attrs["kmesh"] == repr(KMesh(mesh))
    assert attrs["spin_degeneracy"] == model.spin_degeneracy
    assert attrs["periodic"] == ("TTT" if len(model.axes) == 3 else "TTF")
    assert "-e" in attrs["charge"]
    assert attrs["wall_time_s"] > 0
    assert attrs["tau_fs"] == 3.0


def test_defaults_are_all_but_the_checks():
    """Without a list: everything that the model allows except the second forms."""
    for model in (METAL, TOYS["insulator_2d"].model):
        result = ome.compute(model, (4, 4, 1), None, 0.1)
        assert {v for v in result.data_vars if not v.endswith("_error")} == set(possible(model)) - set(CHECKS)


def test_default_mesh():
    """Without a mesh: an even one of sensible spacing, one point along what is not periodic."""
    result = ome.compute(METAL, calculators=["berry_curvature"], fermi=0.1)
    a, b, c = KMesh.default(METAL.lattice, METAL.periodic).size
    assert result.attrs["kmesh"] == repr(KMesh((a, b, c)))
    assert a % 2 == b % 2 == 0
    assert c == 1
    spacing = 2 * np.pi * np.linalg.norm(np.linalg.inv(METAL.lattice), axis=0) / (a, b, c)
    assert (spacing[:2] <= 0.04).all()


# ---- the error estimate ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dimension", [2, 3])
def test_error_estimate_holds_for_smooth_insulators(seed, dimension):
    """The true error of a tensor, against a dense mesh, is below the estimate, for every sea quantity (largest elements).

    The error falls like exp(-c N), so that of half the mesh is its square root; the estimate is their difference. A single
    element of the estimate may vanish by chance, where the error of half the mesh changes sign as the model changes: that
    happens to fewer than one element in ten.
    """
    model = random_model(100 + seed, dimension, 3, energies=[-4, 2.5, 4.5], hopping=0.5)
    n, dense = (10, 40) if dimension == 2 else (8, 20)
    meshes = [tuple(m if p else 1 for p in model.periodic) for m in (n, dense)]
    parts = ["interband", "dipole", "local", "dipole_polarizability", "berry_curvature", "quantum_metric", "orbital_moment"]
    rough, fine = (ome.compute(model, mesh, parts, 0.0, temperature=0.0) for mesh in meshes)
    unlucky = []
    for name in parts:
        error = np.abs(rough[name] - fine[name]).values
        estimate = rough[f"{name}_error"].values
        assert error.max() <= estimate.max(), (name, error, estimate)
        assert fine[f"{name}_error"].max() < estimate.max()
        unlucky.append(error.ravel() > estimate.ravel())
    assert np.concatenate(unlucky).mean() < 0.1


@pytest.mark.filterwarnings("ignore:kmesh .* errors say nothing of direction:ome_wannier.errors.AccuracyWarning")
@pytest.mark.filterwarnings("ignore:kmesh .* errors are nan:ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize("mesh", [(12, 12, 1), (9, 15, 1), (6, 9, 1), (6, 7, 1), (7, 8, 1)])
@pytest.mark.parametrize("shift", [(0, 0, 0), (0.5, 0.25, 0)])
def test_error_is_the_deviation_of_the_sub_meshes(mesh, shift):
    """Even directions use every second point, multiples of three every third; checked by computing each sub-mesh itself."""
    model = random_model(0, 2, 3, energies=[-6, 4, 6], hopping=0.4)  # a gap too wide for a Fermi surface between the points
    kmesh = KMesh(mesh, shift)
    result = ome.compute(model, kmesh, ["interband", "berry_curvature"], 0.0, temperature=0.0)
    strides = [2 if n % 2 == 0 else 3 if n % 3 == 0 else 1 for n in mesh]
    assert kmesh.strides == tuple(strides)
    size = tuple(n // s for n, s in zip(mesh, strides, strict=True))
    offsets = itertools.product(*map(range, strides))
    meshes = [KMesh(size, tuple((x + o) / s for x, o, s in zip(shift, at, strides, strict=True))) for at in offsets]
    parts = [ome.compute(model, m, ["interband", "berry_curvature"], 0.0, temperature=0.0) for m in meshes]
    assert result.attrs["energy_step_widths"] == 0
    for name in ("interband", "berry_curvature"):
        expected = np.sqrt(np.mean([((result[name] - part[name]) ** 2).values for part in parts], axis=0))
        size = max(np.abs(result[name]).max().item(), expected.max())
        np.testing.assert_allclose(result[f"{name}_error"], expected, rtol=0, atol=1e-11 * size)


def test_mesh_without_sub_mesh():
    """5 x 7 points have none: the error is nan, which is said with a mesh that has one; values are there."""
    with pytest.warns(AccuracyWarning, match=r"kmesh \(5, 7, 1\): the errors are nan.* take \(6, 8, 1\)") as record:
        result = run(kmesh=(5, 7, 1))
    assert len([w for w in record if "nan" in str(w.message)]) == 1
    assert np.isnan(result.total_error).all()
    assert np.isfinite(result.total).all()
    assert "use even numbers" in result.attrs["error_estimate"]


def test_mesh_with_sub_meshes_along_one_direction():
    """The error of 6 x 7 points is that of the first direction alone, which is said."""
    with pytest.warns(AccuracyWarning, match=r"say nothing of direction 2, for want .* take \(6, 8, 1\)"):
        result = run(kmesh=(6, 7, 1))
    assert np.isfinite(result.total_error).all()


def test_a_filling_has_one_temperature():
    """Each temperature has a Fermi level of its own, which the dimensions of a result do not hold."""
    for more in ({"kmesh": (6, 6, 1)}, {"kmesh": None, "rtol": 0.1}):
        with pytest.raises(SettingsError, match="2 temperatures have a Fermi level each: compute one by one, or give fermi"):
            run(fermi=None, filling=1.0, temperature=[0.0, 300.0], **more)


def test_meshes_cover_the_zone():
    """Shifted and odd meshes sum a band over the zone: points, weights and sub-mesh of KMesh against numpy."""
    mesh = KMesh((4, 3, 6), (0.5, 0.0, 0.25))
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in mesh.size), indexing="ij"), axis=-1).reshape(-1, 3)
    expected = (grid + np.array(mesh.shift)) / mesh.size
    got = mesh.points()
    assert len(mesh) == len(got) == 72
    np.testing.assert_allclose(sorted(map(tuple, got)), sorted(map(tuple, expected)), atol=1e-15)
    rows, sub_mesh = mesh.rows(0, 24, 3)
    assert np.bincount(sub_mesh.ravel()).tolist() == [mesh.n_sub] * mesh.n_sub_meshes == [2 * 1 * 3] * 12
    np.testing.assert_allclose(rows.reshape(-1, 3), got)
    # only the row axis varies along a row
    assert (np.ptp(rows, axis=1) > 0).sum(axis=1).tolist() == [1] * 24


@pytest.mark.filterwarnings("ignore:kmesh .* errors are nan:ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.37, 0.11, 0.0)])
def test_shifted_meshes_converge_to_the_same(shift):
    """A dense mesh gives the same wherever it starts, even and odd."""
    model = random_model(101, 2, 3, energies=[-4, 2.5, 4.5], hopping=0.5)
    reference = ome.compute(model, (40, 40, 1), ["interband"], 0.0, temperature=0.0).interband.values
    for size in ((40, 40, 1), (41, 43, 1)):
        got = ome.compute(model, KMesh(size, shift), ["interband"], 0.0, temperature=0.0).interband.values
        np.testing.assert_allclose(got, reference, rtol=0, atol=1e-9 * np.abs(reference).max())


# ---- symmetries -----------------------------------------------------------------------------------------------------


def held(model):
    return {g.name for g in symmetry.operations(model) if g.exact}


def test_symmetries_of_random_models():
    """A random model has none (in a layer the mirror of its plane, which acts on nothing there); its lattice's are refused."""
    assert held(SOLID) == {"identity"}
    assert held(METAL) == {"identity", "mirror normal to (0, 0, 1)"}
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
    total, extrinsic = result.total.values[0, 0], result.extrinsic.values[0, 0]
    assert abs(total[0]) < 1e-10 * abs(total[1])
    assert abs(extrinsic[1]) < 1e-10 * abs(extrinsic[0])


def test_symmetries_of_a_structure():
    """Atoms restrict the candidates: two species along one diagonal of a cube leave 3m of its 48 operations."""
    from ome_wannier.model import Structure

    cube = ome.TightBinding(LATTICE_CUBIC, [[0, 0, 0]], np.eye(1)[None], centres=np.zeros((1, 3)), periodic=(True, True, True))
    assert len(symmetry.point_rotations(cube)) == 48
    atoms = replace(cube, structure=Structure((6, 7), ((0.0, 0, 0), (0.2, 0.2, 0.2))))
    assert len(symmetry.point_rotations(atoms)) == 6


def nearly_centrosymmetric(breaking, atoms=True):
    """An inversion-symmetric layer with its atoms plus a random Hamiltonian of `breaking` eV."""
    from ome_wannier.model import Structure

    model = TOYS["inversion_2d"].model
    other = random_model(55, 2, 4, hopping=1.0).hamiltonian
    places = (model.wannier_centres @ np.linalg.inv(model.lattice))[:3]
    structure = Structure((6, 6, 7), tuple(map(tuple, places.tolist()))) if atoms else None
    return rebuilt(model, hamiltonian=model.hamiltonian + breaking * other, structure=structure)


def test_forbidden_elements_enter_the_error():
    """A slightly broken inversion leaves an alpha that it forbids: with atoms known all of it is error, else none is."""
    model = nearly_centrosymmetric(3e-4)
    settings = {"kmesh": (96, 96, 1), "calculators": ["total", "quantum_metric"], "fermi": -2.7, "temperature": 900.0}
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
    assert np.abs(off.total).min() > 0
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
        group = [symmetry.Operation(P, s) for P, s in rotations]
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


# ---- filling --------------------------------------------------------------------------------------------------------


def test_filling():
    """Electrons per cell instead of a Fermi level: the middle of the gap at T = 0, else the level that holds them."""
    toy = TOYS["insulator_2d"]
    dense = np.linalg.eigvalsh(toy.model.matrices(KMesh((240, 240, 1)).points(), 0).H)
    middle = (dense[:, 1].max() + dense[:, 2].min()) / 2  # edges to 1e-3: the toy's bands are some eV wide
    cold = run(toy.model, (8, 8, 1), ["total"], None, filling=2, temperature=0.0)
    assert cold.fermi.values == pytest.approx([middle], abs=2e-3)
    assert cold.attrs["filling_level"].startswith("middle of the gap from ")
    double = rebuilt(toy.model, spin_degeneracy=2)
    assert run(double, (8, 8, 1), ["total"], None, filling=4, temperature=0.0).fermi.values == cold.fermi.values
    energies = np.linalg.eigvalsh(toy.model.matrices(KMesh((8, 8, 1)).points(), 0).H)
    for filling in (1.3, 2.0):
        warm = run(toy.model, (8, 8, 1), ["total"], None, filling=filling, temperature=500.0)
        f = 1 / (1 + np.exp((energies - warm.fermi.values[0]) / (500 * units.KB)))
        assert f.sum() / 64 == pytest.approx(filling, abs=1e-12)
        assert warm.attrs["filling_level"].startswith(f"holds {filling:g} electrons per cell at 500 K, to ")


# ---- refusals -------------------------------------------------------------------------------------------------------

CHAIN = ome.TightBinding(
    np.diag([2.0, 5, 5]),
    [[0, 0, 0], [1, 0, 0], [-1, 0, 0]],
    np.array([np.diag([0.0, 1]), np.eye(2), np.eye(2)]),
    centres=np.zeros((2, 3)),
)

REFUSED = {
    "unknown calculator": ({"calculators": ["totl"]}, "no calculator 'totl': one of"),
    "no calculators": ({"calculators": []}, "no calculators asked for"),
    "two of one name": (
        {"calculators": ["total", replace(get("total"), note="x")]},
        "two different calculators are named 'total'",
    ),
    "mesh of two": ({"kmesh": (6, 6)}, "three positive integers"),
    "mesh of halves": ({"kmesh": (6.5, 6, 1)}, "three positive integers"),
    "mesh of zeros": ({"kmesh": (0, 6, 1)}, "three positive integers"),
    "negative mesh": ({"kmesh": (-6, 6, 1)}, "three positive integers"),
    "mesh along vacuum": ({"kmesh": (6, 6, 2)}, "direction 3 is not periodic"),
    "rays on a lattice": ({"kmesh": ome.PolarMesh()}, "PolarMesh is for k.p models"),
    "mesh for k.p": ({"model": tilted_dirac(), "kmesh": (6, 6, 1)}, "give kmesh=PolarMesh"),
    "filling of k.p": ({"model": tilted_dirac(), "kmesh": None, "fermi": None, "filling": 1}, "infinitely many electrons"),
    "no level": ({"fermi": None}, "either fermi (eV) or filling"),
    "both": ({"filling": 1}, "either fermi (eV) or filling"),
    "levels descend": ({"fermi": [1.0, 0.0]}, "must ascend"),
    "levels nan": ({"fermi": [np.nan]}, "finite energies"),
    "no levels": ({"fermi": []}, "fermi has shape"),
    "two-dimensional levels": ({"fermi": [[0.0, 1.0]]}, "fermi has shape"),
    "negative temperature": ({"temperature": -1.0}, "temperature must be"),
    "no temperature": ({"temperature": []}, "temperature has shape"),
    "surface at zero": ({"temperature": 0.0}, "two or more Fermi levels"),
    "tau": ({"tau": -1.0}, "tau is -1.0"),
    "tau nan": ({"tau": float("nan")}, "tau is nan"),
    "overfull": ({"fermi": None, "filling": 6.0}, "6 electrons per cell"),
    "empty": ({"fermi": None, "filling": 0.0}, "0 electrons per cell"),
    "memory": ({"memory": 1000}, "memory 0.000954 MiB"),
    "moment of a chain": ({"model": CHAIN, "kmesh": (6, 1, 1)}, "two periodic directions"),
    "levels and T of k.p": ({"model": tilted_dirac(), "kmesh": None, "temperature": -3.0}, "temperature must be"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    """Every setting that cannot be used is a SettingsError that says what to change."""
    settings, message = REFUSED[case]
    with pytest.raises(SettingsError, match=re.escape(message)):
        run(**settings)


def test_chain_has_a_polarizability():
    """One periodic direction is enough for quantities without a moment."""
    result = run(CHAIN, (6, 1, 1), ["dipole_polarizability", "quantum_metric"])
    assert result.dipole_polarizability.shape == (1, 1, 1)
    assert result.dipole_polarizability.attrs["units"] == "e Angstrom/V"


# ---- calculators of one's own ---------------------------------------------------------------------------------------


def own(weights, **changes):
    settings = {
        "name": "mine",
        "long_name": "a user's own",
        "kind": "alpha",
        "occupation": "sea",
        "time_reversal": -1,
        "inversion": -1,
        "equation": "x",
        "reference": "y",
        "weights": weights,
    }
    return Observable(**settings | changes)


def test_own_observable_is_treated_like_the_built_in():
    """The same weights under another name give the same; over all three Cartesian axes as well, in a layer."""
    dipole = get("dipole").weights

    def over_all_axes(bands):
        a = dipole(bands)
        full = np.full((*a.shape[:2], 3, 3), 77.0)
        full[np.ix_(range(a.shape[0]), range(a.shape[1]), bands.moments, bands.axes)] = a
        return full

    for model, mesh in ((METAL, (6, 6, 1)), (SOLID, (4, 4, 4)), (TOYS["plane_yz"].model, (6, 6, 1))):
        for weights in (dipole, over_all_axes):
            result = run(model, mesh, ["dipole", own(weights)])
            size = np.abs(result.dipole).max().item()
            np.testing.assert_allclose(result.mine, result.dipole, rtol=0, atol=1e-13 * size)
            np.testing.assert_allclose(result.mine_error, result.dipole_error, rtol=0, atol=1e-13 * size)
            assert result.mine.attrs["units"] == result.dipole.attrs["units"]


def test_own_observable_that_does_not_fit():
    """Weights of another shape are refused with the shape that was expected."""
    with pytest.raises(ModelError, match="dimension 'field' must have 2 or 3 entries"):
        run(calculators=[own(lambda b: np.zeros((*b.energies.shape, 1, 4)))])
    with pytest.raises(ModelError, match="dimension 'moment' must have 1 or 3 entries"):
        run(calculators=[own(lambda b: np.zeros((*b.energies.shape, 2, 2)))])


def test_own_observable_counts_electrons():
    """Weights of one count the electrons per area: an independent check of normalisation."""
    even = {"inversion": 1, "time_reversal": 1}  # by these declared parities it is symmetrised
    count = own(lambda b: np.ones((*b.energies.shape, 1)), kind="curvature", dims=("axis",), **even)
    result = run(TOYS["insulator_2d"].model, (6, 6, 1), [count], 0.0, temperature=0.0)
    cell = TOYS["insulator_2d"].model.cell
    assert result.mine.values.item() * cell == pytest.approx(2)
    result = run(METAL, (6, 6, 1), [count], 100.0)  # everything filled, two electrons per band
    assert result.mine.values.item() * METAL.cell == pytest.approx(6)


# ---- warnings -------------------------------------------------------------------------------------------------------


def test_wide_degenerate_groups_are_reported():
    """Levels 9e-6 eV apart chain into one group of 1.7e-4 eV: its spread is given and the tolerance to lower."""
    n = 20
    levels = np.diag(9e-6 * np.arange(n))
    terms = {(0, 0): levels, (1, 0): np.eye(n), (-1, 0): np.eye(n), (0, 1): np.eye(n), (0, -1): np.eye(n)}
    model = from_terms(LATTICE_SQUARE, terms, np.zeros((n, 3)))
    with pytest.warns(AccuracyWarning, match="lower degeneracy_tol") as record:
        result = run(model, (4, 4, 1), ["dipole"])
    assert result.attrs["widest_degenerate_group_eV"] == pytest.approx(19 * 9e-6)
    assert len(record) == 1
    assert record[0].filename == __file__.replace(".pyc", ".py") or "test_compute" in record[0].filename
    run(model, (4, 4, 1), ["dipole"], degeneracy_tol=1e-6)  # warnings are errors


def near_degenerate(split):
    """Two occupied levels `split` apart."""
    return random_model(61, 2, 3, energies=[-4, -4 + split, 4], hopping=0.02, decay=0.05)


def test_split_of_near_degenerate_pairs_is_reported():
    """Parts that exceed the total a hundred times and cancel say nothing: the warning names the worst."""
    with pytest.warns(AccuracyWarning, match=r"exceeds the total .* times and cancels"):
        result = run(near_degenerate(0.01), (6, 6, 1), ["total", "dipole", "local", "itinerant_sea"], 0.0, temperature=300.0)
    split = 2 * result.dipole + result.itinerant_sea + result.local
    assert np.abs(result.local).max() > 100 * np.abs(result.total).max()
    assert np.isfinite(split).all()
    # the total alone is fine, and says nothing
    run(near_degenerate(0.01), (6, 6, 1), ["total"], 0.0)


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [300.0, [0.0, 77.0]])
def test_file_round_trip(tmp_path, temperature):
    """A saved result comes back bit by bit, with coordinates and attributes, and no temporary file is left."""
    result = ome.compute(METAL, (6, 6, 1), None, [-0.1, 0.3], temperature=temperature)
    path = tmp_path / "out.nc"
    ome.save(result, path)
    ome.save(result, path)  # overwrites
    assert [p.name for p in tmp_path.iterdir()] == ["out.nc"]
    again = ome.load_result(path)
    assert set(again.data_vars) == set(result.data_vars)
    for name in [*result.data_vars, *result.coords]:
        assert again[name].dims == result[name].dims
        assert again[name].dtype == result[name].dtype or again[name].dtype.kind in "OU"
        assert np.array_equal(again[name].values, result[name].values, equal_nan=again[name].dtype.kind == "f")
        assert dict(again[name].attrs) == dict(result[name].attrs)
    assert set(again.attrs) == set(result.attrs)
    for key, value in result.attrs.items():
        assert np.array_equal(np.asarray(again.attrs[key]), np.asarray(value)), key


def test_files_that_are_no_results(tmp_path):
    """A missing file is just missing; anything else is named with what was found."""
    with pytest.raises(FileNotFoundError):
        ome.load_result(tmp_path / "missing.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(FileFormatError, match="expected a netCDF result"):
        ome.load_result(tmp_path / "text.nc")
    run()[["total"]].drop_vars("fermi").to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(FileFormatError, match="without Fermi levels"):
        ome.load_result(tmp_path / "other.nc")


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    """A save that breaks half way leaves what was there and nothing else."""
    result = run()
    path = tmp_path / "out.nc"
    ome.save(result, path)
    before = path.read_bytes()

    def broken(self, target, **_):
        with open(target, "w") as f:
            f.write("half")
        raise OSError("disk full")

    monkeypatch.setattr(type(result), "to_netcdf", broken)
    with pytest.raises(OSError, match="disk full"):
        ome.save(result, path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("temperature", [300.0, [50.0, 77.0]])
def test_table(temperature):
    """The long table holds every number once, with its error, component and unit."""
    result = ome.compute(METAL, (6, 6, 1), ["total", "berry_curvature"], [-0.1, 0.3], temperature=temperature)
    frame = ome.table(result)
    assert len(frame) == result.total.size + result.berry_curvature.size
    for _, row in frame.iterrows():
        at = {"fermi": row.fermi}
        if np.ndim(temperature):
            at["temperature"] = row.temperature
        else:
            assert row.temperature == 300.0
        if row.quantity == "total":
            at |= {"moment": row.component[0], "field": row.component[1]}
        else:
            at |= {"axis": row.component}
        assert result[row.quantity].sel(at).item() == row.value
        assert result[f"{row.quantity}_error"].sel(at).item() == row.error
        assert row.units == result[row.quantity].attrs["units"]


# ---- tabulate -------------------------------------------------------------------------------------------------------


def test_tabulate_is_the_integrand_of_compute():
    """Weights at the points of a mesh, summed with the Fermi function, are what compute() gives."""
    mesh, mu, T = KMesh((6, 6, 1)), 0.1, 500.0
    table = ome.tabulate(METAL, mesh.points(), ["interband", "extrinsic", "berry_curvature"])
    result = run(calculators=["interband", "extrinsic", "berry_curvature"], fermi=mu, temperature=T)
    x = (table.energy - mu) / (units.KB * T)
    f = 1 / (1 + np.exp(x))
    norm = METAL.spin_degeneracy / (36 * METAL.cell)
    for name, factor in (
        ("interband", units.alpha_to_si(2)),
        ("extrinsic", units.extrinsic_to_si(2, 10.0)),
        ("berry_curvature", 1.0),
    ):
        occupation = f if table[name].attrs["occupation"] == "sea" else f * (1 - f) / (units.KB * T)
        got = (table[name] * occupation).sum(("k", "band")).values * norm * factor
        size = np.abs(table[name] * occupation).sum(("k", "band")).max().item() * norm * factor
        np.testing.assert_allclose(result[name][0], got, rtol=0, atol=1e-6 * size)


def test_tabulate_refuses():
    """A combination of sea and surface terms has no integrand; points need three coordinates."""
    with pytest.raises(SettingsError, match="mixes Fermi-sea and Fermi-surface"):
        ome.tabulate(METAL, np.zeros((1, 3)), ["total"])
    with pytest.raises(SettingsError, match="k has shape"):
        ome.tabulate(METAL, np.zeros((1, 2)))
    everything = ome.tabulate(METAL, np.zeros(3))
    assert "total" not in everything
    assert everything.sizes["k"] == 1


def test_names_survive_imports():
    """`ome.compute` is the function, before and after modules of that name are imported."""
    importlib.import_module("ome_wannier.compute")
    importlib.import_module("ome_wannier.tabulate")
    assert callable(ome.compute)
    assert callable(ome.tabulate)
    assert "compute" in dir(ome)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ome.nothing


@pytest.mark.parametrize(
    "settings",
    [
        {"kmesh": 6},
        {"kmesh": "6x6x1"},
        {"kmesh": (float("nan"), 6, 1)},
        {"fermi": "zero"},
        {"fermi": None, "filling": 1.5, "temperature": []},
        {"temperature": [[100.0, 200.0]]},
        {"temperature": "hot"},
        {"degeneracy_tol": -1.0},
        {"degeneracy_tol": float("nan")},
    ],
    ids=str,
)
def test_nonsense_is_refused_as_a_setting(settings):
    """Values of the wrong kind are a user's mistake as well: SettingsError, not an error from inside."""
    with pytest.raises(SettingsError):
        run(**settings)


def test_own_observable_does_not_replace_a_part_of_another():
    """An observable named like a term of `total` may not enter the total, nor be answered with the built-in one."""
    other = own(lambda b: np.full((*b.energies.shape, 1, 2), 5.0), name="metric_curl", occupation="surface")
    with pytest.raises(SettingsError, match="'metric_curl' is the name of a built-in calculator"):
        run(calculators=[other, "total"])


def test_a_bare_name_is_one_calculator():
    assert set(run(calculators="total").data_vars) == {"total", "total_error"}


def test_own_units():
    """An observable of kind "own" is reported as its integral times its factor, in its unit; unknown kinds are refused."""
    settings = {"name": "filling", "kind": "own", "dims": ("axis",), "unit": "1/nm^2", "factor": 100.0, "inversion": 1}
    volume = own(lambda b: np.ones((*b.energies.shape, 1)), **settings)
    result = run(calculators=[volume], fermi=100.0)
    bands, cell = METAL.n_orbitals * METAL.spin_degeneracy, METAL.cell
    assert result["filling"].attrs["units"] == "1/nm^2"
    np.testing.assert_allclose(result["filling"].values.ravel(), 100.0 * bands / cell, rtol=1e-12)
    with pytest.raises(SettingsError, match="no kind 'drude'"):
        own(lambda b: b.energies, name="x", kind="drude")


@pytest.mark.parametrize("what", ["vse2", None, object()])
def test_what_is_no_model_is_refused_with_the_remedy(what: object) -> None:
    for use in (lambda: ome.compute(what, fermi=0.0), lambda: ome.tabulate(what, [[0, 0, 0]])):
        with pytest.raises(ModelError, match=r"is no model: give it to ome_wannier\.load first"):
            use()


@pytest.mark.parametrize("name", ["a/b", "", "1st", "two words", 3])
def test_name_of_own_observable_names_variables_and_files(name):
    with pytest.raises(SettingsError, match="cannot be named"):
        own(lambda b: b.energies, name=name)


@pytest.mark.parametrize("symmetry", ["time_reversal", "inversion"])
@pytest.mark.parametrize("parity", [0, 2, "odd", None])
def test_parities_are_signs(symmetry, parity):
    with pytest.raises(SettingsError, match=rf"calculator mine: {symmetry} is .*: \+1 \(even\) or -1 \(odd\)"):
        own(lambda b: b.energies, **{symmetry: parity})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1j, "calculator mine returned complex weights: take .real or .imag"),
        (np.nan, "calculator mine returned weights that are nan or infinite"),
        (np.inf, "calculator mine returned weights that are nan or infinite"),
    ],
)
def test_weights_of_own_observable_are_finite_and_real(value, message):
    with pytest.raises(ModelError, match=re.escape(message)):
        run(calculators=[own(lambda b: np.full((*b.energies.shape, 1, 2), value))])


def test_names_with_commas_are_a_list():
    expected = {"total", "total_error", "extrinsic", "extrinsic_error"}
    assert set(run(calculators="total, extrinsic").data_vars) == expected
    with pytest.raises(SettingsError, match="no calculators asked for"):
        run(calculators=" , ")
    with pytest.raises(SettingsError, match="calculators is 3: give a list"):
        run(calculators=3)
