"""convert(): what comes back from every format, what is said of what does not, and that nobody's files are lost."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from toys import TOYS, pauli, random_model, rebuilt

import ome_wannier as ome
from ome_wannier.adapters.wannierberri import system as wannierberri
from ome_wannier.errors import AccuracyWarning, ModelError
from ome_wannier.models.base import Structure
from ome_wannier.models.outside_states import External
from ome_wannier.models.real_space_checks import local_spin

TARGETS = {"tb": "x_tb.dat", "hr": "x_hr.dat", "sparse": "x_hr.dat", "tbmodels": "x.hdf5", "wannierberri": "x/"}
LIVE = {"pythtb": ome.to_pythtb, "wannierberri": ome.to_wannierberri}
#: word that a warning must contain for what is not there any more
WORDS = {
    "spin": "spin operator",
    "spin_degeneracy": "two electrons",
    "periodic": "periodic",
    "exact_position": "position",
    "structure": "atoms",
    "external": "external",
}
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def everything(position: str):
    """A model in which there is something of all that a format may not hold; open along c, periodic without hopping along b."""
    rng = np.random.default_rng(3)
    R, H = [(0, 0, 0), (1, 0, 0), (-1, 0, 0)], rng.normal(size=(3, 2, 2)) + 1j * rng.normal(size=(3, 2, 2))
    H = np.array([H[0] + H[0].conj().T, H[1], H[1].conj().T])
    where = {"centres": [(0.1, 0.2, 0.3), (1.0, 0.4, 1.2)]}
    if position == "matrix":
        r = rng.normal(size=(3, 2, 2, 3)) * 0.1
        where = {"position": np.array([r[0] + r[0].swapaxes(0, 1) + 0.5, r[1], r[1].swapaxes(0, 1)])}
        where["external"] = External(FF=np.zeros((3, 2, 2, 3, 3)))
    atoms = Structure((52, 5), ((0.0, 0.0, 0.0), (0.5, 0.25, 0.125)))
    lattice = np.array([[3.0, 0, 0], [0.5, 2.5, 0], [0, 0, 9.0]])
    return ome.TightBinding(
        lattice, R, H, periodic=(True, True, False), spin_degeneracy=2, structure=atoms, spin=pauli(1), **where
    )


MODELS = {name: TOYS[name].model for name in ("two_band", "kramers_2d", "matrix_metal_2d", "pt_3d", "haldane")} | {
    "centres": everything("centres"),
    "matrix": everything("matrix"),
}


def lost(back, model) -> set[str]:
    """What is different, of the attributes of WORDS."""
    plain = ("spin_degeneracy", "periodic", "exact_position", "structure")
    differs = {name for name in plain if getattr(back, name) != getattr(model, name)}
    differs |= {name for name in ("spin", "external") if (getattr(back, name) is None) != (getattr(model, name) is None)}
    mine, theirs = ({tuple(R): H for R, H in zip(m.R.tolist(), m.hamiltonian, strict=True) if H.any()} for m in (model, back))
    assert mine.keys() == theirs.keys()
    assert all(np.array_equal(mine[R], theirs[R]) for R in mine)
    np.testing.assert_allclose(back.wannier_centres, model.wannier_centres, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(back.lattice, model.lattice)
    if "exact_position" not in differs and model.position is not None:
        k = np.random.default_rng(0).uniform(size=(3, 3)) * model.periodic
        np.testing.assert_allclose(back.matrices(k, 2).W, model.matrices(k, 2).W, rtol=0, atol=1e-12)
    if model.spin is not None and "spin" not in differs:
        home = [np.flatnonzero(~m.R.any(axis=1))[0] for m in (back, model)]
        np.testing.assert_array_equal(back.spin[home[0]], model.spin[home[1]])
    return differs


def said(caught) -> set[str]:
    """The names of WORDS that warnings are about; each warning is about one."""
    found = []
    for warning in caught:
        assert "\n" not in str(warning.message)
        about = [name for name, word in WORDS.items() if word in str(warning.message)]
        assert about, str(warning.message)
        found += about
    return set(found)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", TARGETS)
def test_what_is_lost_is_said_and_nothing_else(kind: str, name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AccuracyWarning)
        paths = ome.convert(MODELS[name], f"{tmp_path}/{TARGETS[kind]}", None if kind != "sparse" else kind)
    assert all(path.exists() for path in paths)
    assert said(caught) == lost(ome.load(paths[0]), MODELS[name])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("package", LIVE)
def test_live_objects(package: str, name: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AccuracyWarning)
        there = LIVE[package](MODELS[name])
    assert type(there).__module__.split(".")[0] == package
    text = " ".join(str(warning.message) for warning in caught)  # PythTB's adapter says all in one
    for what in lost(ome.load(there), MODELS[name]):
        assert WORDS[what] in text


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
def test_options_make_it_again(kind: str, tmp_path: Path) -> None:
    """Those that the warnings name."""
    model = everything("centres")
    path = ome.convert(model, f"{tmp_path}/{TARGETS[kind]}", None if kind != "sparse" else kind)[0]
    options = {
        "tbmodels": {"spin_order": "interlaced", "spin_degeneracy": 2, "periodic": (True, True, False)},
        "wannierberri": {},
    }
    assert lost(ome.load(path, **options.get(kind, {"spin_order": "interlaced"})), model) <= {"structure"}


@pytest.mark.parametrize("kind", ["tb", "tbmodels", "wannierberri"])
@pytest.mark.filterwarnings("ignore::ome_wannier.errors.AccuracyWarning")
def test_order_of_spins(kind: str, tmp_path: Path) -> None:
    model = TOYS["insulator_3d"].model  # interlaced
    path = ome.convert(model, f"{tmp_path}/{TARGETS[kind]}", write_spin_order="block")[0]
    back = ome.load(path)
    n = model.n_orbitals
    index = [*range(0, n, 2), *range(1, n, 2)]
    home, there = (np.flatnonzero(~m.R.any(axis=1))[0] for m in (model, back))
    np.testing.assert_array_equal(back.hamiltonian[there], model.hamiltonian[home][np.ix_(index, index)])
    if back.has_spin:
        np.testing.assert_array_equal(back.spin[there], local_spin(n, "block"))
    with pytest.raises(ModelError, match="order of the spins is not known"):
        ome.convert(TOYS["two_band"].model, f"{tmp_path}/y{TARGETS[kind]}", write_spin_order="block")


def test_source_is_whatever_load_takes(tmp_path: Path) -> None:
    (first, *_) = ome.convert("vse2", tmp_path / "v_tb.dat")
    model = ome.load("vse2")
    again = ome.load(ome.convert(wannierberri.export(model), tmp_path / "w_tb.dat")[0])
    np.testing.assert_array_equal(again.hamiltonian, ome.load(first).hamiltonian)
    assert ome.convert(first, tmp_path / "o_tb.dat", centres=np.ones((22, 3)))[0] == tmp_path / "o_tb.dat"
    assert np.all(ome.load(tmp_path / "o").centres == 1)


@pytest.mark.parametrize("name", ["x.hdf5", "x/"])
def test_replaced_only_if_asked(name: str, tmp_path: Path) -> None:
    old, new = random_model(4, 2, 3, position="matrix", spin="matrix"), TOYS["haldane"].model
    target = f"{tmp_path}/{name}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        ome.convert(old, target)
    with pytest.raises(ModelError, match="overwrite=True"):
        ome.convert(new, target)
    assert ome.load(target).n_orbitals == 3
    ome.convert(new, target, overwrite=True)
    assert lost(ome.load(target), new) == set()  # no AA or SS of the old one
    assert [p.name for p in tmp_path.iterdir()] == [name.strip("/")]


@pytest.mark.parametrize(
    ("there", "target", "message"),
    [
        ("x/notes.txt", "x/", "other things than a system of WannierBerri"),
        ("x/data.npz", "x/", "other things than a system of WannierBerri"),
        ("x", "x/", "it is a file"),
        ("other", "far/x/", "there is no folder"),
        ("other", "far/x.hdf5", "there is no folder"),
        ("other", "x.dat", r"the name says what it is to be, x_tb\.dat \(tb\)"),
        ("other", "x", "the name says what it is to be"),
    ],
)
def test_names_and_files_in_the_way(there: str, target: str, message: str, tmp_path: Path) -> None:
    place = tmp_path / there
    place.parent.mkdir(exist_ok=True)
    place.write_text("precious")
    with pytest.raises(ModelError, match=message):
        ome.convert(TOYS["two_band"].model, f"{tmp_path}/{target}", overwrite=True)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [place]
    assert place.read_text() == "precious"


def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="a KDotP cannot be written"):
        ome.convert(ome.KDotP(lambda k: np.zeros((len(k), 1, 1))), tmp_path / "x_tb.dat")
    with pytest.raises(ModelError, match="one of tb, hr, sparse, tbmodels, wannierberri"):
        ome.convert(TOYS["two_band"].model, tmp_path / "x_tb.dat", "vasp")
    with pytest.raises(ModelError, match=r"must end in \.hdf5 or \.h5"):
        ome.convert(TOYS["two_band"].model, tmp_path / "x_tb.dat", "tbmodels")
    monkeypatch.setitem(sys.modules, "tbmodels", None)
    with pytest.raises(ModelError, match="tbmodels is not installed"):
        ome.to_tbmodels(TOYS["two_band"].model)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["x_tb.dat", "x_hr.dat", "x.hdf5", "x.h5"])
def test_folder_in_the_way(name: str, overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ModelError, match="a folder of that name is in the way"):
        ome.convert(TOYS["two_band"].model, tmp_path / name, overwrite=overwrite)
    assert [p.name for p in tmp_path.rglob("*")] == [name]


@pytest.mark.parametrize("target", [None, 7, b"x_tb.dat"])
def test_target_is_a_path(target: object) -> None:
    with pytest.raises(ModelError, match=r"cannot write to .*: give the name of a file"):
        ome.convert(TOYS["two_band"].model, target)


@pytest.mark.parametrize("ending", ["_tb.dat", "_hr.dat", ".hdf5", "/", "_x.dat"])
def test_name_too_long(ending: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot write .*: (File name too long|the name says)") as caught:
        ome.convert(TOYS["two_band"].model, f"{tmp_path}/{'x' * 5000}{ending}")
    assert len(str(caught.value)) < 300
    assert not list(tmp_path.iterdir())


def test_sparse_has_no_name_of_its_own() -> None:
    with pytest.raises(ModelError, match=r'x_hr\.dat with kind="sparse" \(--sparse\)'):
        ome.convert(TOYS["two_band"].model, "x.dat")


@pytest.mark.parametrize("name", ["x_tb.dat", "x.hdf5", "x/"])
def test_place_that_cannot_be_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args, dir, prefix, **more):  # permissions do not stop root
        raise PermissionError(13, "Permission denied", f"{dir}/{prefix}abc.part")

    monkeypatch.setattr(tempfile, "mkstemp", fails)
    monkeypatch.setattr(tempfile, "mkdtemp", fails)
    with pytest.raises(ModelError, match=r"/x[^ ]*: Permission denied$") as caught:
        ome.convert(TOYS["two_band"].model, f"{tmp_path}/{name}")
    assert "/." not in str(caught.value)


def test_nothing_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args, **more):
        raise OSError(28, "No space left on device")

    ome.convert(TOYS["haldane"].model, f"{tmp_path}/x/")
    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(ModelError, match=r"cannot write .*/x: No space left on device$"):
        ome.convert(TOYS["two_band"].model, f"{tmp_path}/x/", overwrite=True)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert lost(ome.load(tmp_path / "x"), rebuilt(TOYS["haldane"].model)) == set()
