"""External terms wherever their files are; what stands in the way is said in one line, and nothing stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import ome_wannier as ome
from ome_wannier.adapters.wannierberri.external import with_external_terms
from ome_wannier.cli import app
from ome_wannier.errors import AccuracyWarning, ModelError


@pytest.fixture
def seed(calculation_copy: Path) -> Path:
    return calculation_copy / "model"


def test_by_default(seed: Path) -> None:
    """load() gives what `with_external_terms` makes of the same files, "off" what there was without; with a spin too."""
    bare = ome.load(seed, external="off")
    assert bare.external is None
    wanted = with_external_terms(bare, seed)
    assert ome.load(seed).sha256 == wanted.sha256
    assert ome.load(f"{seed}_tb.dat").sha256 == wanted.sha256
    with_spin = ome.load(seed, spn=True)
    assert with_spin.external is not None
    k = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 3))
    want, found = (m.operator("spin", k) for m in (ome.load(seed, spn=True, external="off"), with_spin))
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-12)


def test_info_says_what_is_known(seed: Path) -> None:
    told = [CliRunner().invoke(app, ["info", str(seed), "--all", *more]).output for more in ([], ["--external", "off"])]
    assert ["outside       external terms known" in text for text in told] == [True, False]


def test_compressed(seed: Path) -> None:
    import gzip

    wanted = ome.load(seed).sha256
    for ending in (".chk", ".uHu"):
        file = Path(f"{seed}{ending}")
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert ome.load(seed).sha256 == wanted


@pytest.mark.parametrize("ending", [".chk", ".eig", ".mmn", ".uHu"])
def test_without_a_file_nothing_is_said(seed: Path, ending: str, recwarn: pytest.WarningsRecorder) -> None:
    Path(f"{seed}{ending}").unlink()
    assert ome.load(seed).external is None
    assert not [w for w in recwarn if "external" in str(w.message)]


@pytest.mark.parametrize("ending", [".chk", ".eig", ".mmn", ".uHu"])
def test_damaged_files_stop_nothing(seed: Path, ending: str) -> None:
    """The same model as without them, and one line with the file at fault."""
    wanted = ome.load(seed, external="off").sha256
    file = Path(f"{seed}{ending}")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.warns(AccuracyWarning, match=rf"^external terms left out: .*model{ending}.*--external off") as said:
        assert ome.load(seed).sha256 == wanted
    assert len(said) == 1
    assert "\n" not in str(said[0].message)


@pytest.mark.parametrize("ending", [".chk", ".eig", ".mmn", ".uHu"])
def test_links_that_lead_nowhere_are_not_passed_over(seed: Path, ending: str) -> None:
    wanted = ome.load(seed, external="off").sha256
    file = Path(f"{seed}{ending}")
    file.unlink()
    file.symlink_to(file.parent / "gone")
    with pytest.warns(AccuracyWarning, match=rf"^external terms left out: .*model{ending}"):
        assert ome.load(seed).sha256 == wanted


def test_another_calculation(seed: Path) -> None:
    """Functions in another gauge have other external terms."""
    model = ome.load(seed, external="off")
    assert isinstance(model, ome.TightBinding)
    phase = np.exp(0.7j * np.array([1.0, 0.0]))
    turn = phase[:, None] * phase.conj()
    other = ome.TightBinding(
        lattice=model.lattice,
        R=model.R,
        hamiltonian=model.hamiltonian * turn,
        position=model.position * turn[..., None],
        periodic=model.periodic,
    )
    ome.convert(other, f"{seed}_tb.dat", overwrite=True)
    with pytest.warns(AccuracyWarning, match="external terms left out: .*not the same Wannier functions"):
        assert ome.load(seed).external is None


def test_other_positions_are_asked_for(seed: Path) -> None:
    with pytest.warns(AccuracyWarning, match="external terms left out: .*centres asks for other positions"):
        assert ome.load(seed, centres=np.zeros((2, 3))).external is None


def test_another_interpolation(seed: Path) -> None:
    """The same bands at the k points of the calculation, and others between them."""
    model = ome.load(seed, external="off")
    assert isinstance(model, ome.TightBinding)
    R = np.array([[2, 0, 0], [-2, 0, 0]])  # which a mesh of 2 cannot tell from R = 0
    more = 0.05 * np.eye(2)[None] * np.array([1.0, 1.0])[:, None, None]
    at_home = (~model.R.any(axis=1))[:, None, None] * 0.1 * np.eye(2)
    assert not {(2, 0, 0), (-2, 0, 0)} & set(map(tuple, model.R.tolist()))
    other = ome.TightBinding(
        lattice=model.lattice,
        R=np.concatenate([model.R, R]),
        hamiltonian=np.concatenate([model.hamiltonian - at_home, more]),
        position=np.concatenate([model.position, np.zeros((2, 2, 2, 3))]),
        periodic=model.periodic,
    )
    ome.convert(other, f"{seed}_tb.dat", overwrite=True)
    with pytest.warns(AccuracyWarning, match="external terms left out: .*bands between the k points would move by"):
        assert ome.load(seed).external is None


def test_larger_than_it_may_be(seed: Path) -> None:
    with pytest.warns(AccuracyWarning, match="external terms left out: .*raise unpack_size"):
        assert ome.load(seed, unpack_size=10).external is None


def test_a_value_that_is_none(seed: Path) -> None:
    with pytest.raises(ModelError, match="external is True: give 'auto' or 'off'"):
        ome.load(seed, external=True)


def test_what_has_no_place_for_them(seed: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """convert() does not read what it could not write, nor speak of it."""
    ome.convert(seed, tmp_path / "y_tb.dat")
    assert not [w for w in recwarn if "external" in str(w.message)]
    assert ome.load(tmp_path / "y").external is None
