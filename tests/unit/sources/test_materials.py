"""The library of materials: every entry is complete, agrees with its data, and travels in the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from references import WANTED, computed

import ome_wannier as ome
from ome_wannier.errors import AccuracyWarning, FileFormatError, ModelError
from ome_wannier.integration import band_ranges as info
from ome_wannier.integration.band_energies import band_energies
from ome_wannier.integration.filling import filled_level, shift
from ome_wannier.sources import library as materials

QUICK = ["hbn", "mos2", "te", "vse2"]
FILES = [name for name in materials.names() if materials.entry(name).seed]
BUILT = [name for name in materials.names() if materials.entry(name).builder]
#: entries whose reference values take more than a second or two
SLOW = {"bernal-graphene", "bi2se3-slab", "cr2o3", "cumnas", "graphene", "hbn", "mnbi2te4-slab", "mos2", "mote2-twisted"}
SLOW |= {"stacked-honeycomb", "tbg", "tbg-atomistic", "te"}


def test_names() -> None:
    assert {"cr2o3", "cumnas", "hbn", "mos2", "te", "vse2"} == set(FILES)
    assert {"tilted-dirac", "haldane", "kane-mele", "cumnas-minimal", "stacked-honeycomb", "tbg", "mote2-twisted"} <= set(BUILT)
    assert {"tbg-atomistic", "malashevich-cube"} <= set(BUILT)


@pytest.mark.parametrize("name", FILES)
def test_entry_of_files_is_complete(name: str) -> None:
    entry = materials.entry(name)
    assert entry.name == name
    assert (entry.folder / f"{entry.seed}_tb.dat.gz").is_file()
    assert (entry.folder / "dft").is_dir()
    assert "not converged physics" in entry.source or "order of magnitude" in entry.source
    assert entry.citations
    if entry.gap:
        assert entry.gap[0] < entry.fermi < entry.gap[1]


@pytest.mark.parametrize("name", BUILT)
def test_built_entry_is_complete(name: str) -> None:
    """Every parameter is one of the builder, its value is accepted, and each has a unit or is a pure number."""
    entry = materials.entry(name)
    model = entry.load()
    assert entry.citations
    assert model.name == f"library/{name}"
    for parameter in entry.parameters:
        assert parameter.meaning
        if parameter.value is None:
            continue
        again = entry.load(**{parameter.name: parameter.value})
        assert again.n_orbitals == model.n_orbitals
        assert again.sha256 == model.sha256
        assert parameter.name in again.name


def test_parameters_are_validated() -> None:
    assert materials.load("haldane", mass=0.1).sha256 != materials.load("haldane").sha256
    assert ome.load("haldane", mass=0.1).sha256 == materials.load("haldane", mass=0.1).sha256
    for options, said in (
        ({"mas": 0.1}, "no parameter 'mas': did you mean mass"),
        ({"pressure": 0.1}, "no parameter 'pressure': it has t, t2, "),
        ({"mass": "0.1"}, "mass is '0.1': give a number, such as 0.2"),
        ({"mass": True}, "mass is True: give a number"),
        ({"mass": float("nan")}, "mass is nan: give a number"),
        ({"bonds": (1.0, "x", 1.0)}, "bonds is .* give a row of 3 numbers"),
        ({"bonds": (1.0, 1.0)}, "bonds is .* give a row of 3 numbers"),
        ({"lattice_constant": -2.0}, "positive lengths"),
        ({"spin_degeneracy": 1.5}, "spin_degeneracy is 1.5: give a whole number"),
        ({"spin_degeneracy": 3}, "spin_degeneracy is 3: it must be 1 or 2"),
    ):
        with pytest.raises(ModelError, match=said):
            materials.load("haldane", **options)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("mnbi2te4-slab", {"layers": -2}, "layers is -2: give 1 to 300"),
        ("mnbi2te4-slab", {"layers": 100_000}, "layers is 100000: give 1 to 300"),
        ("bi2se3-slab", {"layers": 0}, "layers is 0: give 2 to 300"),
        ("tilted-dirac", {"alpha": 0.0}, "alpha is 0.0: give a positive velocity"),
        ("anisotropic-dirac", {"v_y": 0.0}, "v_y = 0.0: give positive velocities"),
        ("bi2se3-slab", {"layers": 1}, "layers is 1: give 2 to 300"),
        ("tilted-dirac", {"tilt": -5.0}, "tilt is -5.0: give a tilt between -4 and 4"),
        ("anisotropic-dirac", {"v_t": 1.0}, "v_t is 1.0: give a tilt between -0.7 and 0.7"),
        ("tbg", {"theta": 60.0}, "theta is 60 degrees: give -15 to 15"),
        ("mote2-twisted", {"theta": 200.0}, "theta is 200 degrees: give -15 to 15"),
        ("tbg", {"velocity": 0.0}, "velocity is 0.0: give a positive number"),
        ("tbg", {"poisson": -1.0}, "poisson is -1.0: give a Poisson ratio between -1 and 1"),
        ("tmd-three-band", {"poisson": 5.0}, "poisson is 5.0: give a Poisson ratio between -1 and 1"),
        ("tmd-three-band", {"exchange": [0.0, 1.0]}, "a number or a row of three, such as 0.05"),
        ("tbg-atomistic", {"window": -1}, "window is -1: give a positive number"),
        ("cumnas-minimal", {"neel": 1.0}, r"a row of 3 numbers, such as \[1.0, 0.0, 0.0\]"),
        ("mote2-twisted", {"mass": 0.0}, "mass is 0.0: give a positive number"),
        ("graphene", {"lattice_constant": -2.46}, "give positive lengths"),
        ("cumnas-minimal", {"lattice_constant": 0.0}, "give a positive length"),
        ("tbg-atomistic", {"m": 0}, "give positive integers"),
        ("tbg-atomistic", {"m": 10**6}, "more than 50000"),
        ("tbg-atomistic", {"distance_aa": 0.0}, "give positive lengths"),
        ("tbg-atomistic", {"distance_aa": 0.5, "distance_ab": 0.5}, "A apart"),
        ("tbg-atomistic", {"strain": 2.0}, "give finite numbers, below 0.5"),
        ("malashevich-cube", {"t": 0.0}, "give positive numbers"),
    ],
)
def test_values_that_make_no_model_are_refused(name: str, options: dict[str, float], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        ome.load(name, **options)


@pytest.mark.parametrize(("name", "options"), [("tbg", {"theta": 0.3}), ("mote2-twisted", {"theta": 0.3})])
def test_a_low_cutoff_is_warned_of(name: str, options: dict[str, float]) -> None:
    """At small angles the plane waves of the entry do not reach far enough: levels near neutrality move by meV."""
    gamma = np.zeros((1, 3))
    with pytest.warns(AccuracyWarning, match="raise cutoff"):
        low = ome.load(name, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)  # strain leaves the plane waves short along one direction
        finer = ome.load(name, **options, cutoff=8.0)
    last, same = (band_energies(m, gamma)[0, m.neutral - 4 : m.neutral] for m in (low, finer))
    assert 5e-4 < abs(last - same).max() < 5e-2


def test_titles_fit_a_screen() -> None:
    """They head the first screen, which is 80 columns wide."""
    assert [name for name in materials.names() if len(f"{name}: {materials.entry(name).title}") > 80] == []


def test_levels_lie_in_the_scan() -> None:
    """What a run scans by default contains the Fermi level that a map and a screening take."""
    for entry in map(materials.entry, materials.names()):
        if entry.scan:
            assert entry.scan.start <= entry.fermi <= entry.scan.stop, entry.name


@pytest.mark.parametrize(
    ("name", "options"),
    [("tmd-three-band", {"material": "WTe2"}), ("mote2-twisted", {"theta": 4.0}), ("bi2se3-slab", {"layers": 3})],
)
def test_levels_follow_the_parameters(name: str, options: dict[str, Any]) -> None:
    """They stay where they are with respect to the level that the entry's filling has."""
    entry = materials.entry(name)
    own, other = entry.load(), entry.load(**options)
    assert shift(entry, own) == 0
    look = info.Look.at(other)
    level = filled_level(other, look.mesh, entry.electrons(other), 0.0).value
    was = filled_level(own, info.coarse_mesh(own), entry.electrons(own), 0.0).value
    assert entry.fermi + shift(entry, other) - level == pytest.approx(entry.fermi - was, abs=1e-5)
    assert look.ranges.min() < entry.fermi + shift(entry, other) < look.ranges.max()


def test_no_number_is_from_memory() -> None:
    """Where a public source has the numbers they were read there; where none was found they are this project's."""
    for entry in map(materials.entry, materials.names()):
        assert "memory" not in {entry.status, *(p.status for p in entry.parameters)}, entry.name
        assert "from memory" not in entry.source, entry.name


def test_parameters_in_use_are_told() -> None:
    entry = materials.entry("bi2se3-slab")
    told = {p.name: p for p in entry.used({"layers": 3, "tilt_top": 0.5})}
    assert str(told["layers"]).startswith("layers = 3, ")
    assert (told["layers"].status, told["tilt_top"].status) == ("given", "own")  # 0.5 is the entry's
    assert entry.used({}) == entry.parameters


def test_optional_and_vector_parameters() -> None:
    """A spin-orbit energy that is not given is the material's; an exchange field has one or three components."""
    tmd = materials.entry("tmd-three-band")
    assert tmd.load(spin_orbit=0.073).sha256 == tmd.load().sha256 != tmd.load(spin_orbit=0.2).sha256
    assert tmd.load(exchange=(0.0, 0.0, 0.05)).sha256 == tmd.load().sha256 != tmd.load(exchange=(0.05, 0.0, 0.0)).sha256


@pytest.mark.parametrize(("name", "options"), [("bi2se3-slab", {"layers": 3}), ("mnbi2te4-slab", {"layers": 4})])
def test_half_of_the_bands_is_full_whatever_their_number(name: str, options: dict[str, int]) -> None:
    """There is a gap of the surfaces at `electrons`, for other numbers of layers than the entry's."""
    entry = materials.entry(name)
    assert entry.electrons(entry.load()) == entry.filling
    model = entry.load(**options)
    filled = entry.electrons(model)
    assert filled == 2 * options["layers"]
    e = band_energies(model, ome.KMesh((12, 12, 1)).points())
    assert e[:, int(filled)].min() > e[:, int(filled) - 1].max()


def test_a_window_of_bands_counts_from_neutrality() -> None:
    entry = materials.entry("tbg-atomistic")
    assert entry.electrons(entry.load()) == entry.filling == 76
    assert entry.electrons(entry.load(m=12, window=8)) == 0


def test_a_builder_is_one_of_ours(root: Path, tmp_path: Path) -> None:
    """A material.toml cannot call anything but the builders of the package."""
    text = (root / "materials" / "haldane" / "material.toml").read_text()
    for bad in ("os:system", "dirac:PAULI", "nothing:at_all", "..os:system", "dirac:np"):
        (tmp_path / "material.toml").write_text(text.replace("honeycomb:haldane", bad))
        with pytest.raises((FileFormatError, ModelError), match="builder"):
            ome.load(tmp_path)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] if n in SLOW else []) for n in WANTED])
def test_reference_values(name: str) -> None:
    """What `make references` wrote is what comes out: to rounding, and to what a last digit of the files can move."""
    entry = materials.entry(name)
    assert len(entry.reference) >= len(WANTED[name])
    for stored, what in zip((r for r in entry.reference if r.source == "computed"), WANTED[name], strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AccuracyWarning)
            now = computed(name, *what)
        assert (now.quantity, now.element, now.fermi, now.unit, now.kmesh) == (
            stored.quantity, stored.element, stored.fermi, stored.unit, stored.kmesh,
        )  # fmt: skip
        assert now.value == pytest.approx(stored.value, rel=1e-6, abs=1e-3 * stored.error)


def test_values_of_other_sources() -> None:
    """The eight-site cube, whose gap leaves no temperature, to the digits of the stored values."""
    entry = materials.entry("malashevich-cube")
    stored = [r for r in entry.reference if r.source != "computed"]
    assert {r.quantity for r in stored} == {"local_crossgap", "itinerant_crossgap", "chern_simons"}
    result = ome.compute(entry.load(), (12, 12, 12), [r.quantity for r in stored], fermi=-3.0, temperature=0.0)
    for r in stored:
        value = result[r.quantity].sel(moment=r.element[0], field=r.element[1]).item()
        # half a unit of the last digit, and that of the constant e^2/hbar they were converted with
        assert value == pytest.approx(r.value, rel=4e-6, abs=r.error)


def test_reference_values_are_shown(root: Path) -> None:
    """Every built entry has a value; no entry's error exceeds its value, but where its source says so or it has a caution."""
    for name in materials.names():
        entry = materials.entry(name)
        assert entry.reference, name
        for r in entry.reference:
            if r.error is None:  # published without one
                assert r.source != "computed", name
                continue
            assert r.error < 0.35 * abs(r.value) or "order of magnitude" in entry.source or entry.caution, name


@pytest.mark.parametrize("name", QUICK)
def test_entry_agrees_with_its_data(name: str) -> None:
    entry, model = materials.entry(name), materials.load(name)
    assert all(n == 1 or p for n, p in zip(entry.kmesh, model.periodic, strict=True))
    occupied = entry.filling / model.spin_degeneracy
    energies = band_energies(model, ome.KMesh((12, 12, 12 if model.periodic[2] else 1)).points())
    top, bottom = energies[:, int(occupied) - 1].max(), energies[:, int(occupied)].min()
    if entry.gap:
        assert (top, bottom) == pytest.approx(entry.gap, abs=0.03)
    else:
        assert top == pytest.approx(entry.fermi, abs=0.02)
    assert model.structure is not None
    assert entry.name in model.name


def test_demonstration_goes_from_band_through_gap_to_band() -> None:
    entry = materials.entry("vse2")
    assert entry.gap
    assert entry.scan
    levels = entry.scan.levels()
    assert (len(levels), levels[0], levels[-1]) == (151, -0.7, 0.05)
    assert levels[0] < entry.gap[0] - 0.2
    assert levels[-1] > entry.gap[1] + 0.1


def test_unknown_name_lists_the_others() -> None:
    with pytest.raises(ModelError, match="'unobtainium' in the library: one of anisotropic-dirac, "):
        materials.entry("unobtainium")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('seed = "hBN"\n', "", "give either seed"),
        ("filling = 8\n", "filing = 8\n", "filling: |filing: "),
        ("kmesh = [48, 48, 1]", "kmesh = [48, 48]", "kmesh"),
        ("stop = -0.5", "stop = -7.0", "goes up from start"),
        ('status = "computed"', 'status = "rumour"', "status"),
        ('title = "', "title = ", "TOML"),
    ],
)
def test_damaged_entry_names_the_field(old: str, new: str, said: str, root: Path, tmp_path: Path) -> None:
    text = (root / "materials" / "hbn" / "material.toml").read_text()
    assert old in text
    (tmp_path / "material.toml").write_text(text.replace(old, new))
    with pytest.raises(FileFormatError, match=said):
        materials.read(tmp_path)


def test_cite_entry() -> None:
    text = ome.cite("cr2o3")
    assert text.splitlines()[0].startswith("J. H. Cullen, D. P. Arovas, R. Raimondi, D. Culcer")
    for part in ("ab51ff", "PhysRevB.86.094430", "Made for this project", "CC0-1.0"):
        assert part in text
    with pytest.raises(ModelError, match="no material 'x'"):
        ome.cite("x")
    with pytest.raises(ModelError, match=r"cite\(3\): give a result"):
        ome.cite(3)  # type: ignore[arg-type]


def test_cite_result_names_what_it_was_made_with() -> None:
    result = ome.compute(ome.load("hbn"), (2, 2, 1), ["total", "extrinsic"], fermi=-3.0)
    text = ome.cite(result)
    for part in ("Cullen", "Wannier90", "GPAW", "h-BN monolayer", result["extrinsic"].attrs["reference"]):
        assert part in text
    result.attrs |= {"model": "mine", "position": "commuting (tight binding)", "software": "wannierberri 26.10"}
    text = ome.cite(result)
    assert "GPAW" not in text
    assert "Wannier90" not in text
    assert "WannierBerri" in text


@pytest.mark.long
def test_library_travels_in_the_wheel(root: Path, tmp_path: Path) -> None:
    """Build a wheel, unpack it away from the sources, and load an entry from there."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", str(root), "-w", str(tmp_path / "dist")], check=True)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel)], check=True)
    code = (
        "import ome_wannier as ome; model = ome.load('vse2'); "
        "print(ome.__file__, len(ome.materials.names()), model.n_orbitals, model.sha256)"
    )
    where = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=where, capture_output=True, text=True, check=True)
    file, entries, orbitals, digest = done.stdout.split()
    assert Path(file).is_relative_to(tmp_path)
    assert (int(entries), int(orbitals)) == (len(materials.names()), 22)
    assert digest == ome.load("vse2").sha256
    assert np.all([(tmp_path / "site" / "ome_wannier" / "library" / n / "material.toml").is_file() for n in materials.names()])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('formula = "BN"', 'formula = "GaAs"', "formula = GaAs, and its files have the atoms BN"),
        ("filling = 8", "filling = 99.5", "filling = 99.*its files hold"),
        ('formula = "BN"', 'formula = "B2N2"', None),
        ('formula = "BN"', 'formula = "a monolayer"', None),
    ],
)
def test_an_entry_beside_files_of_another_material(tmp_path: Path, old: str, new: str, said: str | None) -> None:
    """Its formula, in any multiple, is that of the atoms, and its electrons fit into the bands."""
    shutil.copytree(materials.library() / "hbn", tmp_path / "x")
    file = tmp_path / "x" / "material.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.warns(AccuracyWarning, match=rf"material\.toml of x has {said}") if said else nullcontext():
        ome.load(tmp_path / "x")
