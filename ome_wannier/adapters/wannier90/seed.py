"""Which files belong to a calculation of Wannier90: one seedname, file or folder finds them all, compressed or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...common.errors import FileFormatError
from .files import count_wann
from .win import read_win

#: how the names end, by kind
ENDINGS = {
    "tb": "_tb.dat",
    "hr": "_hr.dat",
    "r": "_r.dat",
    "wsvec": "_wsvec.dat",
    "centres": "_centres.xyz",
    "win": ".win",
}
_COMPRESSED = ("", ".gz", ".bz2", ".xz")
#: what to do with files that are not read, by how their names end
_INSTEAD = {
    (".chk", ".chk.fmt", ".amn", ".mmn", ".eig", ".spn", ".uhu", ".nnkp", ".wout"): (
        "wannier90.x with restart = plot and write_tb = true makes a _tb.dat of the .chk and .eig"
    ),
    ("+hamdata", "=.in", "+wancoeff"): (
        "FPLO's Hamiltonian is not read: make a TightBinding of the hoppings and centres that pyfplo gives, or write a _hr.dat"
    ),
    (".hsx", ".hs", ".tshs", ".dm", ".fdf", ".scfout", ".csr"): (
        "Hamiltonians of orbitals that overlap are not read: make Wannier functions with the program's interface to Wannier90; "
        "one of orthogonal orbitals can be read with sisl and given as its object"
    ),
    (".nc",): "results are for plot and report; for Siesta, make Wannier functions with its interface to Wannier90",
    (".hwr",): "OpenMX's openmx2dcore makes a _hr.dat of it",
    (".zst", ".z", ".7z", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".rar", ".lz4"): (
        "unpack it, or pack it as .gz, .bz2, .xz or .zip"
    ),
    ("poscar", "contcar", ".cif", ".vasp", ".xsf"): "a structure has no Hamiltonian: name the _hr.dat, with this as lattice",
}


@dataclass(frozen=True)
class Companions:
    """The files of one calculation, each None if there is none, and what is known without reading them all.

    seed : the path that their names begin with. fermi_energy : eV, from `.win`. spinors : from `.win`.
    n_wann : number of Wannier functions.
    """

    seed: Path
    tb: Path | None = None
    hr: Path | None = None
    r: Path | None = None
    wsvec: Path | None = None
    centres: Path | None = None
    win: Path | None = None
    fermi_energy: float | None = None
    spinors: bool | None = None
    n_wann: int = 0


def inspect(seed: str | Path) -> Companions:
    """The files that belong to a seedname, a `_tb.dat` or `_hr.dat` file, or a folder with one calculation.

    Raises
    ------
    FileFormatError : nothing there, a folder with several calculations (they are listed), a damaged `.win`.
    """
    path, files = find(Path(seed))
    win = read_win(files["win"]) if files["win"] else None
    n_wann = win.n_wann if win else None
    if n_wann is None:
        main = files["tb"] or files["hr"]
        assert main is not None
        n_wann = count_wann(main, tb=files["tb"] is not None)
    fermi_energy, spinors = (win.fermi_energy, win.spinors) if win else (None, None)
    return Companions(path, **files, fermi_energy=fermi_energy, spinors=spinors, n_wann=n_wann)


def find(seed: Path) -> tuple[Path, dict[str, Path | None]]:
    """Seedname and files; a file that is named itself is the one used."""
    kind, given = "", seed
    if seed.is_dir() and seed.name not in _seednames(seed.parent):
        names = sorted(_seednames(seed))
        if len(names) != 1:
            found = ", ".join(names) or "none"
            raise FileFormatError(seed, None, "a folder with the _tb.dat or _hr.dat of one seedname", found)
        seed = seed / names[0]
    elif seed.is_file():
        seed, kind = _split(seed)
    files = {name: _existing(seed, ending) for name, ending in ENDINGS.items()}
    if kind in ("tb", "hr"):
        files["tb"], files[kind] = None, given
    if not (files["tb"] or files["hr"]):
        others = ", ".join(file.name for file in files.values() if file)
        raise FileFormatError(seed, None, f"{seed.name}_tb.dat or {seed.name}_hr.dat", others or "no such file")
    return seed, files


def _existing(seed: Path, ending: str) -> Path | None:
    names = (seed.with_name(seed.name + ending + compressed) for compressed in _COMPRESSED)
    return next((name for name in names if name.is_file()), None)


def _split(path: Path) -> tuple[Path, str]:
    """Seedname and kind of one of Wannier90's files."""
    for kind, ending in ENDINGS.items():
        for compressed in _COMPRESSED:
            if path.name.endswith(ending + compressed) and path.name != ending + compressed:
                return path.with_name(path.name.removesuffix(ending + compressed)), kind
    name = path.name.lower()
    for packed in _COMPRESSED[1:]:
        name = name if name.endswith(".tar" + packed) else name.removesuffix(packed)
    more = next((f" ({what})" for ends, what in _INSTEAD.items() if name.endswith(ends)), "")
    raise FileFormatError(path, None, "a name that ends with " + ", ".join(ENDINGS.values()) + more, repr(path.name))


def _seednames(folder: Path) -> set[str]:
    """Seednames that have a Hamiltonian in a folder."""
    endings = [ENDINGS[kind] + compressed for kind in ("tb", "hr") for compressed in _COMPRESSED]
    try:
        names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    except OSError as error:
        raise FileFormatError(folder, None, "a readable folder", error.strerror or str(error)) from error
    return {
        name.removesuffix(e) for name in names if not is_resource_fork(name) for e in endings if name.endswith(e) and name != e
    }


def is_resource_fork(name: str) -> bool:
    """Whether a name is that of the resource fork that macOS packs beside a file."""
    return name.startswith("._")
