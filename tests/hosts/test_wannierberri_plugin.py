"""The plug-in inside WannierBerri's run: numbers of compute and tabulate, with symmetries, refinement, files and Ray."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from toys import TOYS, fermi, minus_derivative, occupied_sum, random_model, split

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.adapters.wannierberri import export
from ome_wannier.bands.bands import Bands
from ome_wannier.bands.degeneracy import Degeneracy
from ome_wannier.calculators import Observable, first_observable, get, resolve
from ome_wannier.calculators.reported_units import unit_of
from ome_wannier.calculators.weights import component_axes, evaluate
from ome_wannier.errors import AccuracyWarning, SettingsError
from ome_wannier.models.operators import Operator
from ome_wannier.plugins.wannierberri import OME, OMETabulator

wannierberri = pytest.importorskip("wannierberri")

from wannierberri import calculators as wb  # noqa: E402
from wannierberri.result import EnergyResult  # noqa: E402

# WannierBerri leaves files open
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

#: the meshes are the same, the sums in another order
SAME = 1e-8
#: lattice vectors of a chain
CHAIN = np.diag([2.9, 20.0, 20.0])
#: eV; closer pairs are one level: rounding, 1e-15 eV, grows with the inverse square of the distance, to 1e-9 here
TOL = 1e-3
TAU = 7.0

MODELS = {
    "te": (lambda: ome.load("te"), (4, 4, 4), np.linspace(5.0, 7.0, 5)),
    "vse2": (lambda: ome.load("vse2"), (6, 6, 1), np.linspace(-0.8, 0.3, 5)),
    "random_2d": (lambda: random_model(1, 2, 4), (6, 4, 1), np.linspace(-1, 1, 5)),
    "random_3d": (lambda: random_model(8, 3, 3, hopping=1.0, position="matrix"), (4, 4, 2), np.linspace(-1, 1, 5)),
}
ASKED = ["total", "extrinsic", "dipole", "local_crossgap", "berry_curvature", "quantum_metric", "dipole_polarizability"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """WannierBerri writes its results into the current folder."""
    monkeypatch.chdir(tmp_path)


def run(system, mesh, calculators, div=None, **options):
    div = np.ones(3, dtype=int) if div is None else np.array(div)
    grid = wannierberri.Grid(system, NKdiv=div, NKFFT=np.array(mesh) // div)
    return wannierberri.run(system, grid, calculators, **{"parallel": False, **options}).results


def cut(model, data, dims):
    """The components that the model has, of a tensor on all three axes."""
    axes = component_axes(model.axes, model.moments)
    for i, dim in enumerate(reversed(dims)):
        data = np.take(data, axes[dim], axis=data.ndim - 1 - i)
    return data


def close(ours, theirs, rtol=SAME):
    """The same elements are nan, and the others are equal."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * np.nanmax(np.abs(theirs)) + 1e-300)


def rounding(model, key, mesh, levels, temperatures, tol):
    """What is left of a quantity that cancels between k points by symmetry, in its unit.

    The size of one k point's share, times the relative rounding of the closest levels that count as two.
    """
    bands = Bands(model, ome.KMesh(mesh).points(), order=2, curvature=True, degeneracy=Degeneracy(tol))
    sizes = []
    for mu, T in product(levels, temperatures):
        sizes.append(0.0)
        for o in resolve([key])[1]:
            f = (fermi if o.occupation == "sea" else minus_derivative)(bands.energies, mu, units.KB * T)
            sizes[-1] += np.abs(np.einsum("kn,kn...->k...", f, evaluate(o, bands))).mean(axis=0).max()
    closest = np.finfo(float).eps * np.abs(bands.energies).max() / tol
    return closest * max(sizes) * unit_of(first_observable(get(key)), model.dimension, TAU)[0] / model.cell


@pytest.mark.parametrize("name", MODELS)
def test_numbers_are_those_of_compute(name):
    make, mesh, levels = MODELS[name]
    model = make()
    div = (2, 1, 1)
    theirs = ome.compute(model, mesh, ASKED, levels, temperature=[200.0, 400.0], tau=TAU, degeneracy_tol=TOL, symmetry="off")
    calculator = OME(levels, ASKED, [200.0, 400.0], TAU, TOL, spin_degeneracy=model.spin_degeneracy, save_mode="bin")
    ours = run(export(model), mesh, {"ome": calculator}, div, use_irred_kpt=False, symmetrize=False)["ome"]
    for key in ASKED:
        dims = theirs[key].dims[2:]
        assert ours[key].data.shape == (5, 2, *[3] * len(dims))
        value = split(model, theirs[key]).values
        atol = SAME * np.abs(value).max()
        if name == "te" and first_observable(get(key)).time_reversal < 0:  # zero, but for what its Wannier functions break
            atol += rounding(model, key, mesh, levels, (200.0, 400.0), TOL)
        np.testing.assert_allclose(cut(model, ours[key].data, dims), value, rtol=0, atol=atol)
        assert theirs[key].attrs["units"] in ours[key].comment


@pytest.mark.parametrize("name", ["te", "random_2d", "random_3d"])
def test_operators_are_those_of_compute(name):
    """Operators that are given to the calculator, within a cell and on R vectors, in a run and band by band."""
    make, mesh, levels = MODELS[name]
    model = make()
    system = export(model)
    n, R = model.n_orbitals, np.asarray(system.rvec.iRvec)
    rng = np.random.default_rng(3)
    local = rng.normal(size=(n, n, 3)) + 1j * rng.normal(size=(n, n, 3))
    local = (local + np.conj(np.swapaxes(local, 0, 1))) / 2
    along = np.array(model.hamiltonian)[..., None]  # the energy, on all R
    assert np.array_equal(R, model.R)
    L, E = Operator("L", local[None], "hbar", -1, 1), Operator("E", along, "eV")
    ours = model.with_operator("L", local, unit="hbar", time_reversal=-1).with_operator("E", along[..., 0], unit="eV")
    asked = [
        "L_response",
        "L_extrinsic",
        "L_extrinsic_thermal",
        "extrinsic_thermal",
        "ohmic_thermal",
        "L_hall",
        "E_expectation",
    ]
    settings = {"temperature": 400.0, "tau": TAU, "degeneracy_tol": TOL, "symmetry": "off"}
    expected = ome.compute(ours, mesh, asked, levels, **settings)
    calculator = OME(levels, asked, 400.0, TAU, TOL, spin_degeneracy=model.spin_degeneracy, operators=(L, E), save_mode="bin")
    theirs = run(system, mesh, {"ome": calculator}, use_irred_kpt=False, symmetrize=False)["ome"]
    for key in asked:
        value = expected[key].values
        axes = [["xyz".index(x) for x in expected[key][d].values] for d in expected[key].dims[1:]]
        found = theirs[key].data[np.ix_(range(len(levels)), *axes)]
        known = np.isfinite(value)  # of a layer: no current of a field across
        np.testing.assert_allclose(found[known], value[known], rtol=0, atol=1e-6 * np.nanmax(np.abs(value)))
        assert expected[key].attrs["units"] in theirs[key].comment
    table = wb.TabulatorAll({"L": OMETabulator("L_response", TOL, operators=(L,))}, mode="grid")
    found = run(system, mesh, {"t": table}, use_irred_kpt=False, symmetrize=False)["t"]
    k = found.kpoints
    value = ome.tabulate(ours, k, ["L_response"], degeneracy_tol=TOL)["L_response"].values
    known = np.isfinite(value)  # a field across a layer has terms of two occupations
    data = found.results["L"].data[..., : value.shape[-1]]
    np.testing.assert_allclose(data[known], value[known], rtol=0, atol=1e-6 * np.nanmax(np.abs(value)))


EVERY = ["total", "extrinsic", "spin", "spin_extrinsic", "total_with_spin", "magnetization", "magnetization_dmu", "dipole"]


def chern():
    """Haldane's model in its Chern phase, its sites at two heights."""
    return replace(TOYS["haldane"].model, centres=TOYS["haldane"].model.centres + np.array([[0, 0, 0.0], [0, 0, 2.0]]))


@pytest.mark.parametrize("choice", [{}, {"gate": "level", "origin": 0.7}], ids=["default", "level"])
@pytest.mark.parametrize("name", ["spinful", "chern", "chain"])
def test_layers_and_chains_have_all_elements(name, choice):
    """Moments and fields along and across, both gates, an origin; those that do not exist are nan, with the reason."""
    model, mesh = chern(), (6, 4, 1)
    if name != "chern":
        model = random_model(2, 2, 3, hopping=1.0, position="matrix", spin="matrix")
    if name == "chain":
        here = ~model.R[:, 1].astype(bool)
        along = {"hamiltonian": model.hamiltonian[here], "position": model.position[here], "spin": model.spin[here]}
        model, mesh = replace(model, R=model.R[here], periodic=(True, False, False), lattice=CHAIN, **along), (6, 1, 1)
        choice = choice | ({"origin": [0.0, 0.3, 0.7]} if choice else {})
    asked = [a for a in EVERY if ("spin" not in a or model.has_spin) and (name != "chain" or a not in ("dipole",))]
    settings = {"temperature": [200.0, 900.0], "tau": TAU, "degeneracy_tol": TOL, **choice}
    levels = [-2.0, 0.0, 0.2]
    theirs = ome.compute(model, mesh, asked, levels, symmetry="off", **settings)
    calculator = OME(levels, asked, spin_degeneracy=1, save_mode="bin", **settings)
    ours = run(export(model), mesh, {"ome": calculator}, (2, 1, 1), use_irred_kpt=False, symmetrize=False)["ome"]
    for key in asked:
        value = theirs[key]
        there = [["xyz".index(str(x)) for x in value[d].values] for d in value.dims[2:]]
        found = ours[key].data[np.ix_(range(3), range(2), *there)]
        np.testing.assert_array_equal(np.isnan(found), np.isnan(value.values))
        scale = max(np.nanmax(np.abs(value.values)), unit_of(first_observable(get(key)), len(model.axes), TAU)[0])
        np.testing.assert_allclose(found, value.values, rtol=0, atol=1e-11 * scale)
        if reason := value.attrs.get("missing"):
            assert f"nan: {reason}" in ours[key].comment
    assert "not screened" in ours["total"].comment


@pytest.mark.parametrize("toy", ["pt_matrix_2d", "kramers_2d"])
def test_irreducible_points_of_layers(toy):
    """The same with and without symmetries: where carriers are is taken of the whole zone."""
    model, level = TOYS[toy].model, TOYS[toy].fermi
    system = export(model)
    system.set_pointgroup([x for name, g in SYMMETRIES.items() if getattr(TOYS[toy], name) for x in g])
    calculator = {"ome": OME([level], ["total", "extrinsic", "magnetization"], 900.0, TAU, TOL, 1, save_mode="bin")}
    reduced = run(system, TOYS[toy].mesh, calculator, (2, 2, 1))["ome"]
    every = run(system, TOYS[toy].mesh, calculator, (2, 2, 1), use_irred_kpt=False, symmetrize=False)["ome"]
    for key in ("total", "extrinsic", "magnetization"):
        one = unit_of(first_observable(get(key)), 2, TAU)[0] / model.cell
        np.testing.assert_allclose(reduced[key].data, every[key].data, rtol=SAME, atol=SAME * one)
        if key == ("extrinsic" if toy == "kramers_2d" else "total"):
            assert np.nanmax(np.abs(every[key].data[0, :2])) > 1e-3 * one
        assert np.isnan(every[key].data).sum() == (3 if key == "extrinsic" else 0)


def test_tabulated_elements_of_layers():
    """Rows in the plane band by band, with symmetries and from a path; elements that do not exist are nan."""
    model = TOYS["inversion_2d"].model
    system, mesh = export(model), TOYS["inversion_2d"].mesh
    system.set_pointgroup(["Inversion"])
    pack = wb.TabulatorAll({"it": OMETabulator("extrinsic"), "gate": OMETabulator("lateral_gate")}, save_mode="bin")
    table = run(system, mesh, {"tab": pack}, (2, 2, 1))["tab"]
    theirs = ome.tabulate(model, table.kpoints, ["extrinsic", "lateral_gate"])
    mine = table.results["it"].data
    np.testing.assert_allclose(mine, theirs.extrinsic, rtol=0, atol=1e-9 * np.nanmax(np.abs(theirs.extrinsic)))
    assert np.isnan(mine[..., 2]).all()
    gate = table.results["gate"].data
    np.testing.assert_allclose(gate[..., :2, 2:], theirs.lateral_gate, rtol=0, atol=1e-9 * abs(theirs.lateral_gate).max())


def turned(model, Q):
    """A System of the same layer in a plane that is no Cartesian one, as any program may hand it to WannierBerri."""
    from wannierberri.fourier.rvectors import Rvectors
    from wannierberri.system.system_R import System_R

    flat = export(model)
    system = System_R(periodic=model.periodic, silent=True)
    system.set_real_lattice(np.array(model.lattice) @ Q.T)
    system.num_wann = model.n_orbitals
    system.set_wannier_centers(wannier_centers_cart=np.array(model.wannier_centres) @ Q.T)
    system.rvec = Rvectors(lattice=system.real_lattice, iRvec=model.R, shifts_left_red=system.wannier_centers_red)
    system.set_R_mat("Ham", np.array(flat.get_R_mat("Ham")))
    for name in ("AA", "SS"):
        if flat.has_R_mat(name):
            system.set_R_mat(name, np.array(flat.get_R_mat(name)) @ Q.T)
    system.do_at_end_of_init()
    return system


@pytest.mark.parametrize("name", ["vse2", "spinful"])
def test_layer_in_a_tilted_plane(name):
    """The tensors of the flat layer, turned: WannierBerri gives them on all three axes. Spin and orbital."""
    model = ome.load("vse2") if name == "vse2" else random_model(1, 2, 4, position="matrix", spin="matrix")
    Q = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    Q *= np.linalg.det(Q)
    asked = ["total", "extrinsic", *(["spin", "spin_extrinsic"] if model.has_spin else [])]
    calculator = {"ome": OME([-0.4], asked, 600.0, TAU, TOL, spin_degeneracy=1, save_mode="bin")}
    options = {"use_irred_kpt": False, "symmetrize": False}
    flat, tilted = (run(system, (6, 6, 1), calculator, **options)["ome"] for system in (export(model), turned(model, Q)))
    for key in asked:
        flat_data = np.nan_to_num(flat[key].data)  # what does not exist is zero where a layer was rotated, and said to be
        close(tilted[key].data, np.einsum("ia,fab,jb->fij", Q, flat_data, Q), 1e-9)


def test_electrons_per_band():
    """Those of the model that a System was made of, or those that are given; of another System one, with a warning."""
    model = replace(random_model(1, 2, 4), spin_degeneracy=2)
    system = export(model)

    def extrinsic(**options):
        return run(system, (4, 4, 1), {"ome": OME([0.1], ["extrinsic"], 600.0, save_mode="bin", **options)})["ome"]

    two, one = extrinsic(), extrinsic(spin_degeneracy=1)
    close(two["extrinsic"].data, 2 * one["extrinsic"].data, 1e-12)
    theirs = ome.compute(model, (4, 4, 1), ["extrinsic"], [0.1], temperature=600.0, symmetry="off")["extrinsic"]
    close(two["extrinsic"].data, theirs.values)
    del system.ome_electrons_per_band
    with pytest.warns(AccuracyWarning, match="spin_degeneracy=2"):
        close(extrinsic()["extrinsic"].data, one["extrinsic"].data, 1e-12)


def test_cold_and_several_levels_as_in_compute():
    make, mesh, levels = MODELS["random_3d"]
    theirs = ome.compute(make(), mesh, ["extrinsic", "total"], levels, temperature=0.0)
    ours = run(export(make()), mesh, {"ome": OME(levels, ["extrinsic", "total"], 0.0, save_mode="bin")}, (2, 2, 1))["ome"]
    for key in ("extrinsic", "total"):
        close(ours[key].data, theirs[key].values)


SYMMETRIES = {
    "time_reversal": ["TimeReversal"],
    "inversion": ["Inversion"],
    "time_reversal_inversion": ["TimeReversal*Inversion"],
}


@pytest.mark.parametrize("toy", [name for name, t in TOYS.items() if any(getattr(t, s) for s in SYMMETRIES)])
def test_irreducible_points_give_the_whole_zone(toy):
    """A model that has a symmetry: the same with and without its use; parities declared the wrong way round would show."""
    model, level = TOYS[toy].model, TOYS[toy].fermi
    generators = [g for name, g in SYMMETRIES.items() if getattr(TOYS[toy], name)]
    system, mesh = export(model), TOYS[toy].mesh
    system.set_pointgroup([x for g in generators for x in g])
    asked = ["total", "extrinsic", "berry_curvature", "quantum_metric", "orbital_moment", "dipole_polarizability"]
    calculator = {"ome": OME([level], asked, 600.0, TAU, TOL, save_mode="bin")}
    bands = Bands(model, ome.KMesh(mesh).points(), order=2, curvature=True, degeneracy=Degeneracy(TOL))
    div = (2, 2, 1)
    reduced = run(system, mesh, calculator, div)["ome"]
    whole = run(system, mesh, calculator, div, use_irred_kpt=False, symmetrize=False)["ome"]
    for key in asked:
        atol = SAME * np.nanmax(np.abs(whole[key].data))
        if TOYS[toy].vanishes(first_observable(get(key))):  # in part within the sum over bands at one point
            one = unit_of(first_observable(get(key)), model.dimension, TAU)[0] / model.cell
            sizes = [occupied_sum(o, bands, level, units.KB * 600.0)[1] for o in resolve([key])[1]]
            atol += 1e-14 * max(sizes) * one  # rounding of the products that it consists of
        np.testing.assert_allclose(reduced[key].data, whole[key].data, rtol=0, atol=atol)


def test_te_with_its_rotations():
    """Te (D3 and time reversal): symmetrised numbers are those of compute on the same mesh, averaged over the group."""
    model, mesh, levels = ome.load("te"), (4, 4, 4), np.array([5.5, 6.2])
    system = export(model)
    system.set_pointgroup(["C3z", "C2x", "TimeReversal"])
    asked = ["extrinsic", "quantum_metric", "total"]
    ours = run(system, mesh, {"ome": OME(levels, asked, save_mode="bin")}, (2, 2, 2))["ome"]
    theirs = ome.compute(model, mesh, asked, levels)
    for key in ("extrinsic", "quantum_metric"):
        # a trigonal tensor is diagonal here, (a, a, c), up to what these Wannier functions break
        d = ours[key].data
        close(d, d * np.eye(3), 1e-12)
        close(np.trace(d, axis1=1, axis2=2), np.trace(theirs[key].values, axis1=1, axis2=2), 1e-2)
    assert np.abs(ours["total"].data).max() <= 1e-12 * np.abs(theirs["extrinsic"].values).max()


def test_beside_native_calculators_in_any_order():
    make, mesh, levels = MODELS["random_2d"]
    system = export(make())
    both = {"ahc": wb.static.AHC(Efermi=levels, save_mode="bin"), "ome": OME(levels, ["total"], save_mode="bin")}
    first = run(system, mesh, both)
    second = run(system, mesh, dict(reversed(both.items())))
    np.testing.assert_array_equal(first["ome"]["total"].data, second["ome"]["total"].data)
    np.testing.assert_array_equal(first["ahc"].data, second["ahc"].data)


@pytest.mark.parametrize("quantity", ["orbital_moment", "extrinsic", "interband"])
def test_band_resolved_is_tabulate(quantity):
    make, mesh, _ = MODELS["random_3d"]
    model = make()
    pack = wb.TabulatorAll({"it": OMETabulator(quantity), "v": wb.tabulate.Velocity()}, ibands=[0, 2], save_mode="frmsf")
    table = run(export(model), mesh, {"tab": pack})["tab"]
    theirs = ome.tabulate(model, table.kpoints, [quantity])
    close(table.results["it"].data, theirs[quantity].values[:, [0, 2]], 1e-9)
    close(table.results["Energy"].data, theirs.energy.values[:, [0, 2]], 1e-9)
    assert "3" in table.fermiSurfer("it", "z" if quantity == "orbital_moment" else "zx")


def test_along_a_path():
    model = MODELS["random_2d"][0]()
    k = np.array([[0.1, 0.2, 0.0], [0.3, -0.1, 0.0], [0.9, 0.4, 0.0]])
    system = export(model)
    path = wannierberri.Path(system, k_list=k)
    moment = {"m": OMETabulator("orbital_moment")}
    table = wannierberri.evaluate_k_path(system, path=path, tabulators=moment, parallel=False)
    theirs = ome.tabulate(model, k, ["orbital_moment"])["orbital_moment"].values
    close(table.results["m"].data[:, :, 2], theirs[:, :, 0], 1e-9)
    assert np.isnan(table.results["m"].data[:, :, :2]).all()


def test_files_are_read_back():
    make, mesh, levels = MODELS["random_2d"]
    ours = run(export(make()), mesh, {"ome": OME(levels, ["total"], save_mode="bin")}, fout_name="out")["ome"]
    again = EnergyResult.from_npz("out-ome-total_iter-0000.npz")
    np.testing.assert_array_equal(again.data, ours["total"].data)
    assert again.rank == 2


@pytest.mark.parametrize(
    ("mode", "ends"), [("bin", {".npz"}), ("bin+txt", {".npz", ".dat"}), ("txt+bin", {".npz", ".dat"}), ("none", set())]
)
def test_save_modes(tmp_path, mode, ends):
    run(export(MODELS["random_2d"][0]()), (2, 2, 1), {"ome": OME([0.0], ["total"], save_mode=mode)})
    assert {path.suffix for path in tmp_path.glob("*ome-total*")} == ends


def test_text_file():
    make, mesh, levels = MODELS["random_2d"]
    ours = run(export(make()), mesh, {"ome": OME(levels, ["total"], save_mode="txt")}, fout_name="out")["ome"]
    written = np.loadtxt("out-ome-total_iter-0000.dat")
    np.testing.assert_allclose(written[:, 1:10].reshape(-1, 3, 3), ours["total"].data, rtol=1e-5, atol=1e-30)


def test_refinement_and_restart():
    """Refined in one run, or in two with a restart between: the same; and not what it was without refinement."""
    make, mesh, levels = MODELS["random_2d"]
    system, calculator = export(make()), {"ome": OME(levels, ["total", "extrinsic"], save_mode="bin")}
    plain = run(system, mesh, calculator, (3, 2, 1))["ome"]
    once = run(system, mesh, calculator, (3, 2, 1), adpt_num_iter=2)["ome"]
    one_more = {"adpt_num_iter": 1, "allow_restart": True}
    run(system, mesh, calculator, (3, 2, 1), **one_more)
    # the last iteration by its number: the default is the one that the file system happens to list last
    twice = run(system, mesh, calculator, (3, 2, 1), **one_more, restart=True, restart_iteration=1)["ome"]
    for key in ("total", "extrinsic"):
        close(twice[key].data, once[key].data, 1e-10)
        assert np.nanmax(np.abs(plain[key].data - once[key].data)) > 1e-6 * np.nanmax(np.abs(once[key].data))


def own():
    """A user's calculator; its function is local, as one from a script is to Ray's workers."""

    def speed(bands):
        return np.stack([bands.slope(a) ** 2 for a in range(len(bands.axes))], axis=2)

    about = ("speed", "squared velocity", "own", "surface", 1, 1, "v_a v_a", "test", speed)
    return Observable(*about, dims=("field",), unit="eV A^2")


def test_own_calculator():
    make, mesh, levels = MODELS["random_3d"]
    calculator = own()
    ours = run(export(make()), mesh, {"ome": OME(levels, [calculator], save_mode="bin")}, (2, 1, 1))["ome"]
    theirs = ome.compute(make(), mesh, [calculator], levels)
    close(ours["speed"].data, theirs["speed"].values)


def test_changed_system_is_seen():
    """The model of a system is kept between k points, but not when its matrices change."""
    make, mesh, levels = MODELS["random_2d"]
    system, calculator = export(make()), {"ome": OME(levels, ["total"], save_mode="bin")}
    before = run(system, mesh, calculator)["ome"]["total"].data
    system._XX_R["Ham"] *= 1.5
    after = run(system, mesh, calculator)["ome"]["total"].data
    assert np.abs(before - after).max() > 1e-3 * np.abs(before).max()


def test_mistakes_are_one_line():
    with pytest.raises(SettingsError, match="no calculator 'totl'"):
        OME([0.0], ["totl"])
    with pytest.raises(SettingsError, match="property of a gap"):
        OME([0.0], ["chern_simons"])
    with pytest.raises(SettingsError, match="ascend"):
        OME([0.0, -1.0], ["total"])
    with pytest.raises(SettingsError, match="tau"):
        OME([0.0], ["total"], tau=-1)
    with pytest.raises(SettingsError, match="spin_degeneracy"):
        OME([0.0], ["total"], spin_degeneracy=3)
    with pytest.raises(SettingsError, match="save_mode is 'npz': one of bin, txt"):
        OME([0.0], ["total"], save_mode="npz")
    with pytest.raises(SettingsError, match="save_mode is None"):
        OME([0.0], ["total"], save_mode=None)
    with pytest.raises(SettingsError, match="calculators is 3: give a list"):
        OME([0.0], 3)
    with pytest.raises(SettingsError, match="mixes"):
        OMETabulator("total")
    with pytest.raises(SettingsError, match="spin operator"):
        run(export(MODELS["random_2d"][0]()), (2, 2, 1), {"ome": OME([0.0], ["spin"])})


@pytest.mark.long
@pytest.mark.outside
@pytest.mark.filterwarnings("ignore")
def test_two_ray_workers(tmp_path, monkeypatch):
    """With calculators of one's own: from the script, and from a module that only this process can import."""
    ray = pytest.importorskip("ray", reason="ray is not installed (extra `ray`)")
    from ome_wannier.plugins.wannierberri import ray_init

    module = tmp_path / "elsewhere" / "my_calculators.py"
    module.parent.mkdir()
    module.write_text(
        "from ome_wannier.calculators.quantity import Observable\n\ndef one(bands):\n    return 1.0 + 0 * bands.energies\n\n"
        "ONE = Observable('one', 'states', 'own', 'sea', 1, 1, '1', 'test', one, dims=(), unit='1')\n"
    )
    monkeypatch.syspath_prepend(module.parent)
    import my_calculators

    make, mesh, levels = MODELS["random_3d"]
    asked = ["total", "extrinsic", own(), my_calculators.ONE]
    system, calculator = export(make()), {"ome": OME(levels, asked, save_mode="bin")}
    alone = run(system, mesh, calculator, (2, 2, 1))["ome"]
    ray_init(num_cpus=2, include_dashboard=False, runtime_env={"py_modules": [str(module)]})
    try:
        together = run(system, mesh, calculator, (2, 2, 1), parallel=True)["ome"]
    finally:
        ray.shutdown()
    for key in alone.results:
        close(together[key].data, alone[key].data, 1e-12)
