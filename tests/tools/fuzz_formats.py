"""Whole files of every format that is read, how they are damaged, and what is asked of them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from fuzz_containers import of_hdf5, of_records, of_sqlite, of_zip
from fuzz_damage import BYTES, TEXT, Damage, of_arrays
from physics.other_codes.test_postw90 import write_matrices
from scipy.io import FortranFile
from toys import random_model
from unit.screening.screens import Here

import ome_wannier as ome
from ome_wannier.integration.mesh.checkpoint import Checkpoint

#: makes the files in a folder
Build = Callable[[Path], None]
#: arguments of the command line, or a function that gives numbers
Asked = tuple[str, ...] | Callable[[], Any]

HBN = Path(__file__).parents[2] / "materials" / "hbn"
#: of the run that leaves a checkpoint
MESH = (6, 6, 1)
_COMPUTE = "--kmesh 2 2 1 --fermi -1 --calculators total,orbital_moment --symmetry off --csv o.csv"


@dataclass(frozen=True)
class Format:
    """A format: the file that is damaged, in the folder that `build` fills, and what is asked.

    counted : whether the format says how much there is. Of others, such as keywords, nobody knows what is missing.
    """

    name: str
    file: str
    build: Build
    damages: tuple[Damage, ...]
    asked: tuple[Asked, ...]
    counted: bool = True


def _run(seed: str, more: str = "") -> tuple[str, ...]:
    return tuple(f"run {seed} {_COMPUTE} {more}".split())


def _of_model(seed: str, more: str = "") -> tuple[Asked, ...]:
    """A run most of the time; or a description, or a conversion."""
    return (*[_run(seed, more)] * 4, ("info", seed, *more.split()), ("convert", seed, "out.hdf5", *more.split()))


def _hbn(hamiltonian: str) -> Build:
    def build(folder: Path) -> None:
        for name in (f"hBN_{hamiltonian}.dat", "hBN_wsvec.dat"):
            (folder / name).write_bytes(gzip.decompress((HBN / f"{name}.gz").read_bytes()))
        for name in ("hBN.win", "hBN_centres.xyz"):
            shutil.copy(HBN / name, folder / name)

    return build


_TB, _HR = _hbn("tb"), _hbn("hr")


def _packed(folder: Path) -> None:
    _TB(folder)
    plain = folder / "hBN_tb.dat"
    (folder / "hBN_tb.dat.gz").write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()


def _zip(folder: Path) -> None:
    _HR(folder)
    with zipfile.ZipFile(folder / "hBN.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("hBN*[!p]")):
            archive.write(file, file.name)
            file.unlink()


def _poscar(folder: Path) -> None:
    """The Hamiltonian and centres of hBN beside a structure instead of a `.win`."""
    from ase import Atoms
    from ase.io import write

    _HR(folder)
    win = ome.load(folder / "hBN")
    (folder / "hBN.win").unlink()
    atoms = Atoms(win.structure.numbers, win.structure.positions, cell=win.lattice, pbc=True)
    write(folder / "POSCAR", atoms, format="vasp")


def _r_dat(folder: Path) -> None:
    """The position matrix of hBN in a file of its own."""
    _TB(folder)
    _HR(folder)
    tb, hr = folder / "hBN_tb.dat", folder / "hBN_hr.dat"
    n, n_R = map(int, hr.read_text().split("\n", 3)[1:3])
    blocks = tb.read_text().rstrip().split("\n\n")[-n_R:]
    rows = [f"{b.split(chr(10))[0]} {row}" for b in blocks for row in b.strip().split("\n")[1:]]
    (folder / "hBN_r.dat").write_text("\n".join([" a comment", f" {n}", f" {n_R}", *rows]) + "\n")
    tb.unlink()


def _converted(target: str) -> Build:
    def build(folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ome.convert(str(HBN), folder / target if not target.endswith("/") else f"{folder / target}/")

    return build


def calculation(folder: Path) -> None:
    """The files of a calculation of two functions on a mesh of 2 x 2 x 2, and the `_tb.dat` that WannierBerri makes of them."""
    from wannierberri.system.system_R import System_R
    from wannierberri.w90files.bkvectors import BKVectors
    from wannierberri.w90files.wandata import WannierData

    model, size = random_model(3, dimension=3, n=2, position="matrix"), (2, 2, 2)
    q = ome.KMesh(size).points()
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T
    near = BKVectors.from_kpoints(recip_lattice=reciprocal, mp_grid=np.array(size), kpoints_red=q)
    table = np.array([[[k + 1, near.neighbours[k][j] + 1, *near.G[k][j]] for j in range(near.NNB)] for k in range(len(q))])
    write_matrices(folder, model, q, size, table, (q[table[:, :, 1] - 1] + table[:, :, 2:] - q[:, None]) @ reciprocal)
    rng = np.random.default_rng(0)
    with FortranFile(folder / "model.spn", "w") as f:
        f.write_record(np.frombuffer(b"spin".ljust(60), dtype=np.uint8))
        f.write_record(np.array([2, len(q)], dtype=np.int32))
        for _ in q:
            f.write_record(
                np.concatenate([np.r_[x[0], x[1] + 0.3j, x[2]] for x in rng.normal(size=(3, 3))]).reshape(3, 3).T.ravel()
            )
    with _silent():
        data = WannierData.from_w90_files(str(folder / "model"), files=["chk", "eig", "mmn"], readnnkp=False)
        system = System_R.from_wannierdata(data, symmetrize=False, silent=True, berry=True)
        ome.convert(ome.load(system), folder / "model_tb.dat")


def _spin_of_calculation() -> Any:
    model: Any = ome.load("model", spn=True, spin_degeneracy=1)
    return model.spin


def _external_of_calculation() -> Any:
    from ome_wannier.adapters.wannierberri.external import with_external_terms

    model: Any = with_external_terms(ome.load("model"), "model")  # type: ignore[arg-type]
    return np.concatenate([model.position.ravel(), model.external.BB.ravel(), model.external.CC.ravel()])


def _result(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = ome.compute(ome.load("haldane"), (4, 4, 1), ["total", "berry_curvature"], [-3.0, -2.5], symmetry="off")
    ome.save(found, folder / "r.nc")


def _values_of_result() -> Any:
    return ome.table(ome.load_result("r.nc"))["value"].to_numpy()


def _checkpoint(folder: Path) -> None:
    stopped = mock.patch.object(Checkpoint, "keep", side_effect=KeyboardInterrupt)
    with _silent(), stopped, contextlib.suppress(KeyboardInterrupt):
        ome.compute(ome.load("haldane"), MESH, ["total"], [-1.0], symmetry="off", checkpoint=folder / "half.npz")


def _rest_of_run() -> Any:
    found = ome.compute(ome.load("haldane"), MESH, ["total"], [-1.0], symmetry="off", checkpoint="half.npz", resume=True)
    return found.total.values


def _database(folder: Path) -> None:
    from ome_wannier import screening

    with _silent():
        given = {"fermi": -1.0, "kmesh": [2, 2, 1], "calculators": ["total"]}
        list(screening.run(screening.items(["haldane", "kane-mele"], given), folder / "s.db", executor=Here()))


def _material(folder: Path) -> None:
    shutil.copy(HBN.parent / "haldane" / "material.toml", folder)


def _of_material() -> Any:
    from ome_wannier.runs.plan import default_mesh, known_level
    from ome_wannier.sources.load import locate

    source = locate(".")
    model = source.load()
    known = known_level(model, source)
    assert known is not None
    return np.concatenate(
        [[known.level], default_mesh(model, source)[0].size, model.matrices(np.full((1, 3), 0.1), 0).H[0].real.ravel()]
    )  # type: ignore[union-attr, arg-type]


SETTINGS = """# a run
material = "haldane"
kmesh = [4, 4, 1]
fermi = {start = -1.0, stop = 1.0, number = 5}
temperature = [100.0, 300.0]
calculators = ["total", "orbital_moment"]
memory = "1GiB"
output = "r.nc"

[parameters]
phi = 1.2
"""
LIST = """kmesh = [6, 6, 1]
fermi = 0.0
around = "-0.5:0.5:3"
kmap = 4

[[model]]
material = "haldane"
combine = "grid"
[model.parameters]
phi = {start = 0.1, stop = 1.2, number = 4}
t2 = [0.1, 0.2]

[[model]]
seed = "some/Te"
centres = [[0.0, 0.0, 0.0], [1.0, 0.5, 0.0]]
periodic = [true, true, false]
"""


def _of_settings() -> Any:
    from ome_wannier.runs.reading import resolve

    return resolve({}, "run.toml").to_json()


def _of_list() -> Any:
    from ome_wannier import screening

    return [(x.name, x.settings.to_json(), x.source, x.kmap) for x in screening.items("list.toml")]


def _centres_file(folder: Path) -> None:
    _HR(folder)
    np.savetxt(folder / "c.txt", ome.load(folder / "hBN").wannier_centres)


def _text(name: str, text: str) -> Build:
    return lambda folder: (folder / name).write_text(text) and None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


_SPIN, _EXTERNAL = (_spin_of_calculation,), (_external_of_calculation,)
_ARRAYS = (of_arrays,) * 8
_NPZ = _converted("x/")
FORMATS = (
    Format("tb.dat", "hBN_tb.dat", _TB, TEXT, _of_model("hBN")),
    Format("hr.dat", "hBN_hr.dat", _HR, TEXT, _of_model("hBN")),
    Format("r.dat", "hBN_r.dat", _r_dat, TEXT, _of_model("hBN")),
    Format("wsvec.dat", "hBN_wsvec.dat", _HR, TEXT, _of_model("hBN")),
    Format("centres.xyz", "hBN_centres.xyz", _HR, TEXT, _of_model("hBN")),
    Format("win", "hBN.win", _HR, TEXT, _of_model("hBN"), counted=False),
    Format("POSCAR", "POSCAR", _poscar, TEXT, _of_model("hBN"), counted=False),
    Format("centres option", "c.txt", _centres_file, TEXT, _of_model("hBN", "--centres c.txt")),
    Format("gz", "hBN_tb.dat.gz", _packed, BYTES, _of_model("hBN")),
    Format("zip", "hBN.zip", _zip, (*BYTES, *[of_zip] * 6), _of_model("hBN.zip")),
    Format("chk", "model.chk", calculation, (*BYTES, *[of_records] * 12), _SPIN * 2 + _EXTERNAL),
    Format("eig", "model.eig", calculation, TEXT, _SPIN * 2 + _EXTERNAL),
    Format("spn", "model.spn", calculation, (*BYTES, *[of_records] * 12), _SPIN),
    Format("mmn", "model.mmn", calculation, TEXT, _EXTERNAL),
    Format("uHu", "model.uHu", calculation, (*BYTES, *[of_records] * 12), _EXTERNAL),
    Format("hdf5", "x.hdf5", _converted("x.hdf5"), (*BYTES, *[of_hdf5] * 12), _of_model("x.hdf5")),
    *(
        Format(f"npz {name}", f"x/{name}.npz", _NPZ, (*BYTES, *_ARRAYS), _of_model("x"))
        for name in ("_XX_R_Ham", "_XX_R_AA", "iRvec", "num_wann", "wannier_centers_cart", "real_lattice", "periodic")
    ),
    Format("nc", "r.nc", _result, (*BYTES, *[of_hdf5] * 12), (*[_values_of_result] * 3, ("report", "r.nc", "-o", "r.html"))),
    Format("checkpoint", "half.npz", _checkpoint, (*BYTES, *_ARRAYS), (_rest_of_run,)),
    Format(
        "database", "s.db", _database, (*BYTES, *[of_sqlite] * 12),
        (("export", "s.db", "--csv", "o.csv"), ("rank", "s.db"), ("report", "s.db", "-o", "r.html")),
    ),
    Format("material.toml", "material.toml", _material, TEXT, (*[_of_material] * 3, ("info", ".")), counted=False),
    Format("settings", "run.toml", _text("run.toml", SETTINGS), TEXT, (_of_settings,), counted=False),
    Format("list", "list.toml", _text("list.toml", LIST), TEXT, (_of_list,), counted=False),
)  # fmt: skip


def numbers_in(path: Path) -> Any:
    """The numbers of a table of a run, and the rows of another one."""
    import pandas as pd

    found = pd.read_csv(path)
    return found["value"].to_numpy() if "value" in found else found.drop(columns="seconds", errors="ignore").to_csv(index=False)


def kept(answer: Any) -> str:
    """An answer as text: numbers with their shape, or what JSON makes of it."""
    if isinstance(answer, np.ndarray):
        return json.dumps({"shape": answer.shape, "parts": [answer.real.ravel().tolist(), answer.imag.ravel().tolist()]})
    return json.dumps(answer)
