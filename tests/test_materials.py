"""The library of materials: every entry is complete, agrees with its data, and travels in the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier import materials
from ome_wannier.errors import FileFormatError, ModelError
from ome_wannier.sums import band_energies

QUICK = ["hbn", "te", "vse2"]


def test_names() -> None:
    assert materials.names() == ["cr2o3", "hbn", "te", "vse2"]


@pytest.mark.parametrize("name", materials.names())
def test_entry_is_complete(name: str) -> None:
    entry = materials.entry(name)
    assert entry.name == name
    assert (entry.folder / f"{entry.seed}_tb.dat.gz").is_file()
    assert (entry.folder / "dft").is_dir()
    assert "not converged physics" in entry.source or "order of magnitude" in entry.source
    assert entry.citations
    if entry.gap:
        assert entry.gap[0] < entry.fermi < entry.gap[1]


@pytest.mark.parametrize("name", QUICK)
def test_entry_agrees_with_its_data(name: str) -> None:
    entry, model = materials.entry(name), materials.load(name)
    assert model.spin_degeneracy == (1 if entry.spinor else 2)
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
    with pytest.raises(ModelError, match="'unobtainium' in the library: one of cr2o3, hbn, te, vse2"):
        materials.entry("unobtainium")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('seed = "hBN"\n', "", "seed: "),
        ("filling = 8\n", "filing = 8\n", "filling: |filing: "),
        ("kmesh = [48, 48, 1]", "kmesh = [48, 48]", "kmesh"),
        ("stop = -2.0", "stop = -7.0", "goes up from start"),
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
