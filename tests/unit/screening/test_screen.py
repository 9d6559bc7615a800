"""From a list to rows: what is computed and what is not, the numbers of a row, and what becomes of failures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screens import Here, numbers, table, write_list

import ome_wannier as ome
from ome_wannier import executors, screening
from ome_wannier.bands.bands import Bands
from ome_wannier.errors import SettingsError, StoreError
from ome_wannier.integration import band_ranges as info
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.screening import descriptors, step
from ome_wannier.screening import plan as planning
from ome_wannier.screening.run import Counts
from ome_wannier.screening.store import DONE, FAILED, Owner, Store


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "s.db"


def screened(path: Path, db: Path, executor: Executor | None = None, **more: object) -> Counts:
    return screening.screen(path, db, executor=executor or Here(), **more)  # type: ignore[arg-type]


def rows(db: Path) -> dict[str, dict[str, object]]:
    return {str(row["name"]): row for row in Store(db).rows()}


def test_a_row_holds_what_compute_gives_and_a_second_run_computes_nothing(
    tmp_path: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_list(tmp_path, table("lattice", [1, 2], [2, 4]))
    assert screened(path, db) == Counts(done=4)
    item = screening.items(path)[3]
    row = rows(db)["models.py:lattice (seed=2, n=4)"]
    model, _ = planning.loaded(item)
    plan = planning.planned(model, None, item)
    direct = ome.compute(model, (6, 6, 1), plan.wanted, plan.levels)
    data = Store(db).data(str(row["key"]))
    assert np.array_equal(data["ome_total"], direct["total"].values)
    assert np.array_equal(data["ome_extrinsic_error"], direct["extrinsic_error"].values, equal_nan=True)
    assert np.array_equal(data["ome_fermi"], plan.levels)
    assert row["model_sha256"] == f"sha256-{model.sha256}"
    assert (row["p_seed"], row["p_n"], row["orbitals"], row["dimension"]) == (2, 4, 4, 2)
    monkeypatch.setattr(step, "compute", None)
    before = numbers(db)
    assert screened(path, db, retry_failed=True) == Counts(there=4)
    assert numbers(db) == before


def test_other_settings_and_other_models_are_other_rows(tmp_path: Path, db: Path) -> None:
    path = write_list(tmp_path, table("lattice", [1]))
    assert screened(path, db).done == 1
    for settings in ({"kmesh": (8, 8, 1)}, {"around": "-0.5:0.5:4"}, {"temperature": 100.0}, {"tau": 5.0}, {"fermi": 0.3}):
        assert screened(path, db, **settings).done == 1, settings
    assert screened(path, db, memory="2GiB").there == 1
    assert screened(path, db, calculators="extrinsic,total").done == 1
    assert screened(path, db, calculators="total,extrinsic").there == 1


def test_one_model_under_two_names_is_one_row(tmp_path: Path, db: Path) -> None:
    path = write_list(tmp_path, table("lattice", [1]), 'name = "again"\n' + table("lattice", [1]))
    assert screened(path, db) == Counts(done=1, there=1)


def test_descriptors_are_those_of_the_scan(tmp_path: Path, db: Path) -> None:
    """Against the stored arrays, component by component."""
    screened(write_list(tmp_path, table("lattice", [3], 4)), db, kmesh=(48, 48, 1), temperature=1000)
    (row,) = Store(db).rows()
    data = Store(db).data(row["key"])
    for name in ("total", "extrinsic", "itinerant"):
        i, j = ("xyz".index(axis) for axis in row[f"{name}_element"])
        at = int(np.flatnonzero(data["ome_fermi"] == row[f"{name}_fermi"])[0])
        value, error = data[f"ome_{name}"], data[f"ome_{name}_error"]
        assert row[f"{name}_max"] == abs(value[at, i, j])
        assert row[f"{name}_max_error"] == error[at, i, j]
        assert abs(value[at, i, j]) - error[at, i, j] == np.nanmax(abs(value) - error) > 0
        beside = {0: 1, len(value) - 1: len(value) - 2}.get(at)
        grows = 0.0 if beside is None else abs(value[at, i, j]) - abs(value[beside, i, j])
        assert row[f"{name}_at_end"] == (grows > error[at, i, j])
    assert row["tau_equal"] == pytest.approx(10.0 * row["total_max"] / row["extrinsic_max"])
    middle = int(np.argmin(abs(data["ome_fermi"] - row["fermi"])))
    assert row["metric"] == pytest.approx(np.nansum(np.diagonal(data["ome_quantum_metric"][middle])))
    assert row["polarizable"] == pytest.approx(np.nanmean(np.diagonal(data["ome_dipole_polarizability"][middle])))
    named = {d.name for d in screening.describe()}
    assert {k for k in row if not k.startswith("p_") and k != "key"} <= named


@pytest.mark.parametrize(
    ("sizes", "at", "end"),
    [
        ([1.0, 2.0, 4.0], 2, True),
        ([4.0, 2.0, 1.0], 0, True),
        ([1.0, 3.8, 4.0], 2, False),  # flat within its error
        ([1.0, 4.0, 2.0], 1, False),
        ([4.0], 0, False),
    ],
)
def test_largest_at_the_end_of_the_levels(sizes: list[float], at: int, end: bool) -> None:
    """The number may be larger where no level was computed, and says so."""
    assert descriptors._at_end(np.array(sizes)[:, None, None], 0.5, (at, 0, 0)) == end


def test_the_middle_of_the_gap_is_among_the_levels(db: Path) -> None:
    """Haldane's model between its bands: the total there is the number of its own computation."""
    model = ome.load("haldane")
    assert screening.screen([model], db, executor=Here(), kmesh=(12, 12, 1), fermi=-0.2, around="-1:1:3").done == 1
    (row,) = Store(db).rows()
    assert row["gap"] > 0.1
    # the Berry curvature of a gap is quantised, but alpha is not: compare with a run at that level alone
    alone = ome.compute(model, (12, 12, 1), ["total"], row["fermi"])["total"].values[0]
    assert abs(row["total_gap"]) == pytest.approx(abs(alone).max(), rel=1e-9, abs=1e-24)
    levels = Store(db).data(row["key"])["ome_fermi"]
    assert row["fermi"] in levels
    assert {-1.2, -0.2, 0.8} <= set(np.round(levels, 12))


def test_bands_needed_by_brute_force(tmp_path: Path) -> None:
    """Every choice of bands next to the Fermi level, the polarizability of each summed pair by pair."""
    item = screening.items(write_list(tmp_path, table("lattice", [5], 5)))[0]
    model, _ = planning.loaded(item)
    mesh, level = KMesh((4, 4, 1)), -0.2
    bands = Bands(model, mesh.points())
    shares = np.zeros((6, 6))
    for k in range(16):
        e = bands.energies[k]
        for below in range(6):
            for above in range(6):
                o, u = np.flatnonzero(e <= level)[::-1][:below], np.flatnonzero(e > level)[:above]
                for a in range(2):
                    R = bands.connection(a)[k]
                    shares[below, above] += sum(abs(R[p, q]) ** 2 / (e[q] - e[p]) for p in o for q in u)
    fewest = min(i + j for i in range(6) for j in range(6) if shares[i, j] >= 0.99 * shares[5, 5])
    assert descriptors.bands_needed(model, mesh, level) == min(fewest, model.n_orbitals)  # a metal counts bands twice
    assert descriptors.bands_needed(model, mesh, -50.0) is None
    two = ome.load("haldane")
    assert descriptors.bands_needed(two, mesh, two and 0.0) == 2


def test_what_symmetry_forbids_is_recorded_without_integrating(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strainless dichalcogenides: the threefold axis forbids both responses."""
    monkeypatch.setattr(step, "compute", None)
    monkeypatch.setattr(descriptors, "bands_needed", None)
    path = write_list(db.parent, 'material = "tmd-three-band"\nfermi = 0.5\nparameters = {strain = 0.0}')
    assert screened(path, db) == Counts(forbidden=1)
    (row,) = Store(db).rows()
    assert (row["total_max"], row["total_element"], row["extrinsic_max"]) == (0.0, "none", 0.0)
    assert (row["total_max_error"], row["extrinsic_max_error"]) == (0.0, 0.0)
    assert row["gap"] > 1.0
    assert any("3-fold" in name for name in Store(db).data(row["key"])["ome_symmetry"])
    assert screened(path, db) == Counts(there=1)


def test_only_what_symmetry_allows_is_integrated(db: Path) -> None:
    """Time reversal forbids the intrinsic response of a strained dichalcogenide, not the extrinsic one."""
    model = ome.load("tmd-three-band", exchange=0.0, strain=0.03)
    assert screening.screen([model], db, executor=Here(), kmesh=(24, 24, 1), fermi=-0.1).done == 1
    (row,) = Store(db).rows()
    assert (row["total_max"], row["total_element"]) == (0.0, "none")
    assert row["extrinsic_max"] > 0
    data = Store(db).data(row["key"])
    assert "ome_total" not in data
    assert data["ome_extrinsic"].shape == (3, 3)


def test_a_seebeck_coefficient_is_not_forbidden(db: Path) -> None:
    """Symmetry forbids the responses of a strainless dichalcogenide, which are not integrated; the coefficient is ranked."""
    names = ["total", "extrinsic", "ohmic", "ohmic_thermal", "extrinsic_thermal"]
    models = [ome.load("tmd-three-band", strain=strain) for strain in (0.0, 0.03)]
    settings = {"kmesh": (48, 48, 1), "temperature": 900.0, "fermi": -0.1}
    assert screening.screen(models, db, executor=Here(), calculators=names, **settings).done == 2
    first, second = screening.rank(db, "seebeck").to_dict("records")
    elements = [row["extrinsic_element"] for row in (first, second)]
    assert elements.count("none") == 1
    assert not [column for column in first if "thermal" in column]
    for model, row in zip(models, (first, second) if elements[0] == "none" else (second, first), strict=True):
        found = ome.compute(model, calculators=names, **settings).isel(fermi=0)
        of_plane = [found[n].sel(position=list("xy"), field=list("xy")).values for n in ("ohmic", "ohmic_thermal")]
        S = -np.linalg.solve(*of_plane) * 1e6
        value = S[tuple("xy".index(axis) for axis in row["seebeck_element"])]
        assert row["seebeck"] == pytest.approx(value, rel=1e-12)
        assert abs(value) + row["seebeck_error"] >= np.abs(S).max()
        assert row["seebeck"] > 0  # holes


def test_a_chain_is_not_forbidden(db: Path) -> None:
    """Its responses are 1e-20 of those of crystals in SI units."""
    head = "kmesh = [1, 1, 60]\ncalculators = ['total', 'extrinsic']\nfermi = {start = 1.0, stop = 1.4, number = 5}\n"
    assert screened(write_list(db.parent, 'material = "carbon-nanotube"', head=head), db) == Counts(done=1)
    (row,) = Store(db).rows()
    result = ome.compute(ome.load("carbon-nanotube"), (1, 1, 60), ["extrinsic"], np.linspace(1.0, 1.4, 5))
    assert row["extrinsic_element"] == "zz"
    assert row["extrinsic_max"] == pytest.approx(abs(result.extrinsic).max().item(), rel=1e-9)


def test_zeros_that_are_allowed_have_an_element() -> None:
    axes, zeros = [["x", "z"], ["x", "y"]], np.zeros((2, 2, 2))
    allowed, errors = np.array([[False, False], [True, True]]), np.zeros((2, 2, 2))
    errors[1, 1, 1] = 1e-20
    assert descriptors._largest(zeros, errors, axes, allowed)[:3] == (0.0, 1e-20, "zy")
    assert descriptors._largest(zeros, 0 * errors, axes, allowed)[:3] == (0.0, 0.0, "zx")
    assert descriptors._largest(zeros, errors, axes, allowed & False)[:3] == (0.0, 1e-20, "none")


def test_what_symmetry_removes_but_for_noise_is_kept(db: Path) -> None:
    """Te obeys time reversal to 0.0003 meV: the intrinsic response is zero, within an error that holds all that there was."""
    head = "kmesh = [6, 6, 6]\ncalculators = ['total', 'extrinsic']\n"
    path = write_list(db.parent, 'material = "te"\nfermi = 5.9', head=head)
    assert screened(path, db) == Counts(done=1)
    (row,) = Store(db).rows()
    assert (row["total_max"], row["total_element"]) == (0.0, "none")
    result = ome.compute(ome.load("te"), (6, 6, 6), ["total"], 5.9)
    raw = abs(result.total_raw.values)
    assert raw.max() > 0
    assert row["total_removed"] == pytest.approx(raw.max())
    assert row["total_max_error"] == pytest.approx(result.total_error.values.max())
    at = np.unravel_index(raw.argmax(), raw.shape)
    assert row["total_removed_error"] == pytest.approx(result.total_error.values[at] - raw.max())
    assert row["extrinsic_removed"] > 0
    assert "all of total" in Store(db).data(row["key"])["ome_attrs"]["symmetry_imposed"]


def test_failures_are_rows_with_one_line_and_are_retried(tmp_path: Path, db: Path) -> None:
    path = write_list(tmp_path, table("damaged", [0, 1, 2]), table("lattice", [1]), 'seed = "later"')
    assert screened(path, db) == Counts(done=1, failed=4)
    reasons = {name: str(row["reason"]) for name, row in rows(db).items() if row["status"] == FAILED}
    assert len(reasons) == 4
    assert all("\n" not in reason for reason in reasons.values())
    assert "ZeroDivisionError: of the user" in reasons["models.py:damaged (seed=1, n=2)"]
    assert "no file later" in reasons["later"]
    assert screened(path, db) == Counts(there=1, failed=4)
    for name in ("Te_hr.dat.gz", "Te_centres.xyz", "Te_wsvec.dat.gz", "Te.win"):
        source = Path(__file__).parents[3] / "materials" / "te" / name
        shutil.copy(source, tmp_path / name.replace("Te", "later", 1))
    assert screened(path, db, fermi=6.0, kmesh=(2, 2, 2)).failed == 4  # three damaged, and k of the layer along z
    later = write_list(tmp_path, 'seed = "later"\nfermi = 6.0', head="kmesh = [2, 2, 2]\n")
    assert screened(later, db).done == 1
    assert rows(db)["later"]["formula"] == "Te3"


def test_models_of_other_packages_come_from_a_file_of_the_user(tmp_path: Path, db: Path) -> None:
    """PythTB's, with a parameter that is scanned; the numbers are those of the model loaded directly."""
    (tmp_path / "chain.py").write_text(_PYTHTB, encoding="utf-8")
    path = write_list(tmp_path, 'python = "chain.py:layer"\nparameters = {t = {start = 0.1, stop = 0.3, number = 2}}')
    assert screened(path, db) == Counts(done=2)
    namespace: dict[str, Any] = {}
    exec(_PYTHTB, namespace)
    model = ome.load(namespace["layer"](t=0.3))
    assert rows(db)["chain.py:layer (t=0.3)"]["model_sha256"] == f"sha256-{model.sha256}"


_PYTHTB = """
import pythtb


def layer(t):
    lattice, orbitals = [[3.0, 0.0], [0.0, 3.0]], [[0.0, 0.0], [0.3, 0.4]]
    if hasattr(pythtb, "TBModel"):  # version 2
        model = pythtb.TBModel(pythtb.Lattice(lattice, orbitals, periodic_dirs=[0, 1]))
    else:
        model = pythtb.tb_model(2, 2, lattice, orbitals)
    model.set_onsite([-1.0, 1.0])
    model.set_hop(t, 0, 1, [1, 0])
    model.set_hop(1j * t, 0, 1, [0, 1])
    return model
"""


def test_a_failure_while_computing_is_kept_and_redone_only_when_asked(
    tmp_path: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_list(tmp_path, table("lattice", [1]))
    with monkeypatch.context() as patched:
        patched.setattr(step, "compute", lambda *a, **k: 1 / 0)
        assert screened(path, db) == Counts(failed=1)
        assert screened(path, db) == Counts(failed_before=1)
    assert screened(path, db) == Counts(failed_before=1)
    assert screened(path, db, retry_failed=True) == Counts(done=1)
    assert len(Store(db).rows()) == 1


def test_no_fermi_level_is_a_failure_that_says_so(tmp_path: Path, db: Path) -> None:
    path = write_list(tmp_path, table("lattice", [1]), head="kmesh = [4, 4, 1]\n")
    assert screened(path, db) == Counts(failed=1)
    assert "no Fermi level is known" in Store(db).rows()[0]["reason"]


def test_filling_gives_the_level(tmp_path: Path, db: Path) -> None:
    path = write_list(tmp_path, table("lattice", [1]), head="kmesh = [4, 4, 1]\nfilling = 1\n")
    assert screened(path, db) == Counts(done=1)
    (row,) = Store(db).rows()
    assert row["bands_needed"] == 2
    model, _ = planning.loaded(screening.items(path)[0])
    found = ome.compute(model, (4, 4, 1), ["total"], filling=1)
    assert row["fermi"] == found.fermi.item()
    assert row["fermi_error"] == found.attrs["fermi_error_eV"] > 0
    assert row["total_max_error"] == pytest.approx(np.nanmax(found.total_error.values), rel=1e-9)
    gap = info.Look.at(model).gap(1)
    assert row["gap"] == gap.width > 0


def test_materials_converge_by_themselves_or_say_that_they_did_not(tmp_path: Path, db: Path) -> None:
    head = 'fermi = 0.0\ncalculators = "total"\ntemperature = 1000\n'
    path = write_list(tmp_path, "rtol = 0.05\n" + table("lattice", [1]), head=head)
    assert screened(path, db) == Counts(done=1)
    (row,) = Store(db).rows()
    assert row["converged"] == 1
    assert row["total_max_error"] <= 0.05 * row["total_max"]
    assert row["points"] > 1
    assert "not converged" not in row.get("warning", "")
    short = write_list(tmp_path, "rtol = 1e-6\nmax_points = 100\n" + table("lattice", [1]), head=head)
    assert screened(short, db) == Counts(done=1)
    (row,) = [r for r in Store(db).rows() if not r["converged"]]
    assert "not converged to rtol" in row["warning"]


def test_models_in_the_plane_of_k_and_maps(db: Path) -> None:
    """A k.p model beside a lattice with a map of k space, whose mean is the response."""
    path = write_list(
        db.parent,
        'material = "tilted-dirac"\nfermi = 0.015\ncalculators = "metric_curl"\naround = "0:0.001:2"',
        table("lattice", [1]) + '\nkmap = 24\nkmesh = [24, 24, 1]\ncalculators = "total"\ntemperature = 2000',
    )
    assert screened(path, db) == Counts(done=2)
    cone, layer = rows(db)["tilted-dirac"], rows(db)["models.py:lattice (seed=1, n=2)"]
    assert "gap" not in cone
    data = Store(db).data(str(layer["key"]))
    assert data["ome_kmap"].shape == (24, 24)
    model, _ = planning.loaded(screening.items(path)[1])
    # the first row and column repeat the last: both are the edge of the zone
    mean = data["ome_kmap"][:-1, :-1].mean()
    assert np.allclose(data["ome_kmap"][0], data["ome_kmap"][-1], rtol=1e-6, atol=1e-9 * abs(data["ome_kmap"]).max())
    si = ome.units.alpha_to_si(2) / model.cell * mean
    assert abs(si) == pytest.approx(layer["total_max"], rel=0.05)


@pytest.mark.long
def test_a_worker_that_dies_costs_its_own_material_alone(tmp_path: Path, db: Path) -> None:
    """The killer is found by computing alone what was at work when it struck; the others lose nothing."""
    killers = 'python = "models.py:deadly"\nparameters = {seed = [1, 2]}'
    path = write_list(tmp_path, table("lattice", [1, 2]), killers, table("lattice", [3]))
    with executors.processes(2) as executor:
        counts = screened(path, db, executor)
    assert counts.done + counts.there == 3  # what another's death cut off after it was stored is there
    assert counts.failed == 2
    assert sum(r["status"] == DONE for r in Store(db).rows()) == 3
    assert {str(r["reason"])[:15] for r in Store(db).rows() if r["status"] == FAILED} == {"its worker died"}
    assert not [r for r in Store(db).rows() if r["status"] == "running"]


def test_what_is_interrupted_gives_up_its_claims(tmp_path: Path, db: Path) -> None:
    path = write_list(tmp_path, table("lattice", [1, 2, 3]))
    store = Store(db)
    store.prepare("t", {})
    found = screening.run(screening.items(path), db, executor=Here())
    assert next(found).status == DONE
    store.claim("k-other", "s", {}, Owner.this(), False)
    found.close()
    left = [r["status"] for r in store.rows()]
    assert left
    assert set(left) == {DONE}


def test_what_another_screening_computes_is_left_to_it(tmp_path: Path, db: Path) -> None:
    path = write_list(tmp_path, table("lattice", [1]))
    (item,) = screening.items(path)
    model, _ = planning.loaded(item)
    key = planning.row_key(model, item, planning.planned(model, None, item))
    store = Store(db)
    store.prepare("t", {})
    store.claim(key, "s", {}, Owner("elsewhere", 1, ""), False)
    assert screened(path, db) == Counts(busy=1)


def test_wrong_use_is_said_before_anything_is_written(tmp_path: Path, db: Path) -> None:
    for settings, said in (({"kmesh": "x"}, "kmesh"), ({"wrong": 1}, "unknown key 'wrong'"), ({"workers_": 1}, "unknown key")):
        with pytest.raises(SettingsError, match=said):
            screening.screen("te", db, **settings)
    with pytest.raises(StoreError, match="ends in"):
        screening.screen("te", tmp_path / "s.txt")
    assert not list(tmp_path.iterdir())


HOSTILE = [
    "'; DROP TABLE systems; --",
    "<img src=x onerror=alert(1)>",
    "12345",
    "True",
    "\N{SNOWMAN} caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    "..%2f..",
    "a\\b",
    "$(touch hacked)",
]


@pytest.mark.parametrize("make", [lambda n: f"{n}_tb.dat", lambda n: f"{n}.hdf5"], ids=["tb", "hdf5"])
def test_hostile_file_names_are_texts(tmp_path: Path, db: Path, make: Callable[[str], str]) -> None:
    """Damaged files of such names: rows that name them, and no other file in the folder than before."""
    folder = tmp_path / "many"
    folder.mkdir()
    for name in HOSTILE:
        (folder / make(name)).write_text("nothing")
    before = sorted(os.listdir(folder))
    assert screened(folder, db) == Counts(failed=len(HOSTILE))
    assert sorted(os.listdir(folder)) == before
    assert sorted(os.listdir(tmp_path)) == ["many", "s.db"]
    named = {Path(str(name)).name.removesuffix(".hdf5") for name in rows(db)}
    assert named == {Path(n).name for n in HOSTILE}


def test_hostile_names_of_models_and_parameters_come_back(tmp_path: Path, db: Path) -> None:
    from ome_wannier.screening.step import text

    (tmp_path / "named.py").write_text(
        "import dataclasses, models\n"
        "def lattice(title):\n    return dataclasses.replace(models.lattice(len(title)), name=title)\n"
    )
    names = [*HOSTILE, "nul\\u0000byte"]
    tables = [f"name = {_toml(n)}\npython = 'named.py:lattice'\nparameters = {{title = {_toml(n)}}}" for n in names]
    path = write_list(tmp_path, *tables)
    (tmp_path / "named.py").write_text((tmp_path / "named.py").read_text().replace("import dataclasses, models", _FOUND))
    counts = screened(path, db)
    assert counts.done + counts.there == len(names)
    for name, row in rows(db).items():
        assert row["p_title"] in {text(_plain(n)) for n in names}
        assert any(name.startswith(_plain(n)) for n in names) or name.startswith("nul")
    assert not (tmp_path / "hacked").exists()


_FOUND = """import dataclasses, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import models
sys.path.pop(0)"""


def _toml(text: str) -> str:
    return '"' + text.replace("\\u", "\0").replace("\\", "\\\\").replace("\0", "\\u").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    return text.replace("\\u0000", "\0")


def test_what_ends_a_worker_alone_fails(tmp_path: Path, db: Path) -> None:
    """The same without processes."""
    killers = 'python = "models.py:deadly"\nparameters = {seed = [1, 2]}'
    path = write_list(tmp_path, killers, table("lattice", [1]))

    class Dying(Here):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            if "deadly" not in args[1].python:
                return super().submit(fn, *args, **kwargs)
            future: Future[Any] = Future()
            future.set_exception(BrokenProcessPool("gone"))
            return future

    assert screened(path, db, Dying()) == Counts(done=1, failed=2)
    assert {str(r["reason"])[:15] for r in Store(db).rows() if r["status"] == FAILED} == {"its worker died"}
