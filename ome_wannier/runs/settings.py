"""The table of settings: each is declared here, once.

Its name is the key of a TOML file, the option of the command line, and the keyword of `compute` or of the loader that it
becomes. Its default is that of `compute`; None leaves the choice to the run, which says what it chose.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..sources.library_entry import Scan, Value
from . import values

# ruff: noqa: RUF009, for the calls in `Settings` make fields


@dataclass(frozen=True)
class Setting:
    """What a setting is besides its name and its type.

    group : "source" (of the model), "loader" (how it is read), "computation", "files" (what is kept), "workers" (who computes).
    help : one line; metavar : what stands for the value in it. check : makes a value what its type says, or raises ValueError
    with what was expected; None where the type says it all. unit : as `compute` calls it. kind : what typer makes of the text;
    flags : where they are not the name. path : whether a text is a path, which a TOML file has relative to its folder.
    """

    group: str
    help: str
    metavar: str | None = None
    check: Callable[[object], object] | None = None
    default: Any = None
    unit: str = ""
    kind: Any = str
    flags: tuple[str, ...] = ()
    path: bool = False


def _declared(*about: Any, **more: Any) -> Any:
    setting = Setting(*about, **more)
    return field(default=setting.default, metadata={"setting": setting})


_source, _loader, _compute = partial(_declared, "source"), partial(_declared, "loader"), partial(_declared, "computation")
_files, _workers = partial(_declared, "files"), partial(_declared, "workers")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a run depends on.

    Raises
    ------
    ValueError : settings that exclude each other.
    """

    seed: str | None = _source(
        "Library name, Wannier90 seedname, one of its files, or a folder with them.", check=values.path, path=True
    )
    material: str | None = _source("Library name.", check=values.path)
    spin_degeneracy: int | None = _loader("Electrons per band, if the files do not say it.", "1|2", values.spin_degeneracy)
    kmesh: tuple[int, int, int] | None = _compute("k points: 48 48 1.", "N1 N2 N3", values.kmesh, kind=tuple[int, int, int])
    fermi: float | tuple[float, ...] | Scan | None = _compute(
        "Fermi level(s) in eV: -0.3, or -0.5,0,0.5, or start:stop:number.", "EV", values.fermi, unit="eV"
    )
    filling: float | None = _compute("Electrons per cell.", None, values.number, unit="electrons per cell")
    carriers: float | None = _compute(
        "Electrons per cm^2 (cm^3 of a crystal) added to --filling; holes are negative.", "N", values.number, unit="1/cm^d"
    )
    temperature: float | tuple[float, ...] = _compute("Temperature(s) in K: 300, or 0,300.", "K", values.numbers, 300.0, "K")
    tau: float = _compute("Relaxation time in fs, for the extrinsic part.", "FS", values.positive, 10.0, "fs")
    tau_level: float | None = _compute(
        "Energy at which tau is that; at others in inverse proportion to the density of states.", "EV", values.number, unit="eV"
    )
    calculators: tuple[str, ...] | None = _compute(
        "Quantities, with commas or repeated, or module:name; all by default.", "NAMES", values.calculators, kind=list[str]
    )
    memory: int = _compute("Memory for one batch of k points: 1GiB.", "SIZE", values.memory, 2**30, "bytes")
    degeneracy_tol: float | None = _compute("Levels closer than this are degenerate.", "EV", values.positive, unit="eV")
    symmetry: Literal["auto", "off"] = _compute("Whether to use the symmetries of the Hamiltonian.", "auto|off", default="auto")
    include_chern_simons: bool = _compute("Add the Chern-Simons part to the totals (3D insulators).", default=False)
    spin_order: Literal["block", "interlaced"] | None = _loader(
        "How spinor functions are sorted: block or interlaced; adds the spin part.", "ORDER"
    )
    spn: bool = _loader("Take the spin operator from .spn, .chk and .eig beside the seed.", default=False)
    external: Literal["auto", "off"] = _loader(
        "States outside the functions, from .chk, .eig, .mmn and .uHu beside the seed.", "auto|off", default="auto"
    )
    parameters: dict[str, Value] | None = _loader(
        "Of a built library entry, may be repeated: theta=1.05.",
        "NAME=VALUE", values.parameters, kind=list[str], flags=("-p", "--parameter"),
    )  # fmt: skip
    centres: tuple[tuple[float, float, float], ...] | None = _loader(
        "Text file with x y z (Angstrom) of each orbital, to be used instead.", "FILE", values.centres, path=True
    )
    periodic: tuple[bool, bool, bool] | None = _loader(
        "Which lattice vectors are periodic: 1 1 0.", "P1 P2 P3", values.periodic, kind=tuple[str, str, str]
    )
    use_wsvec: bool | None = _loader("Whether _wsvec.dat is applied; by default its header decides.", kind=bool)
    win: str | None = _loader("The .win file, if it has another name than the seed.", "FILE", values.path, path=True)
    lattice: str | tuple[tuple[float, float, float], ...] | None = _loader(
        "POSCAR or CIF with the cell of a bare _hr.dat, if none lies beside it.", "FILE", values.lattice, path=True
    )
    unpack_size: int | None = _loader("Bytes that a file may unpack to: 4GiB.", "SIZE", values.memory)
    unpack_ratio: float | None = _loader("And how many times its own size, beyond 16 MiB: 100.", "N", values.positive)
    output: str | None = _files("Write the result: .nc.", "FILE", values.path, flags=("-o", "--output"), path=True)
    plot: str | None = _files("Draw it: .png, .pdf, .svg, .jpg.", "FILE", values.path, path=True)
    csv: str | None = _files("Write a table: .csv.", "FILE", values.path, path=True)
    units: str | None = _files("Unit of responses that are shown: ps/m, e2/h, 'mu_B/nm^2 per V/nm' ...", "UNIT", values.units)
    all: bool = _files("Print every quantity and element, and what they mean.", default=False)
    workers: int | None = _workers(
        "Share the k points among N processes; by default long work uses all cores. 1: none.", "N", values.workers
    )
    dask: str | None = _workers("Or the workers of a Dask scheduler: tcp://...", "ADDRESS")
    mpi: bool = _workers("Or MPI: mpiexec -n 4 python -m mpi4py.futures -m ome_wannier run ...", default=False)
    checkpoint: str | None = _files("Keep the sum so far: half.npz.", "FILE", values.path, path=True)
    resume: bool = _files("Go on from the checkpoint, if it is there.", default=False)
    rtol: float | None = _compute("Relative error to reach, instead of --kmesh: 1e-3.", "REL", values.positive)
    max_points: int | None = _compute("With --rtol: k points it may cost.", "N", values.count, unit="k points")
    max_time: float | None = _compute("With --rtol: seconds it may cost.", "S", values.positive, unit="seconds")
    gate: Literal["density", "level"] | None = _compute(
        "What a field across a layer or chain leaves as it is: the electrons, or the Fermi level.", "density|level"
    )
    origin: float | tuple[float, ...] | None = _compute(
        "From where positions across count: a point 0,0,2.5, or of a layer 2.5 along its normal.",
        "Z",
        values.origin,
        unit="Angstrom",
    )

    by: Literal["site", "layer", "orbital"] | None = _compute(
        "Shares of the atoms, layers or orbitals in the quantities that have them.", "site|layer|orbital"
    )

    basis: int | None = _compute(
        "How much results change with the lowest N bands alone: uncertainty of the basis.",
        "N",
        partial(values.count, what="bands"),
    )

    def __post_init__(self) -> None:
        given = {s.name for s in fields(self) if getattr(self, s.name) is not None and getattr(self, s.name) is not False}
        for group, said in EXCLUSIVE.items():
            if len(given.intersection(group)) > 1:
                raise ValueError(said)
        if self.rtol is None and given.intersection(BOUNDS):
            raise ValueError("max_points and max_time bound the work that rtol asks for: give rtol")

    def levels(self) -> float | NDArray[np.float64] | None:
        """The Fermi levels as `compute` takes them."""
        if isinstance(self.fermi, Scan):
            return self.fermi.levels()
        return np.array(self.fermi) if isinstance(self.fermi, tuple) else self.fermi

    def to_json(self) -> str:
        """The settings that are not None, as they are written into a result."""
        found = {s.name: getattr(self, s.name) for s in fields(self)}
        return json.dumps({name: value for name, value in found.items() if value is not None}, default=asdict)


#: the table: what each setting is, by its name
TABLE: dict[str, Setting] = {s.name: s.metadata["setting"] for s in fields(Settings)}
#: settings of which each excludes the others, and what is said of several
EXCLUSIVE = {
    ("seed", "material"): "give either seed or material",
    ("fermi", "filling"): "give either fermi (eV) or filling (electrons per cell)",
    ("kmesh", "rtol"): "give either kmesh or rtol: with rtol the mesh converges by itself",
    ("spn", "spin_order"): "give either spn or spin_order: each is a spin operator",
    ("workers", "dask", "mpi"): "give one of workers, dask and mpi",
}
#: settings that come and go with another one, whose work they bound
BOUNDS = {"max_points": "rtol", "max_time": "rtol"}


def named(*groups: str) -> list[str]:
    """Names of the settings of groups, in the order of the table in each."""
    return [name for group in groups for name, setting in TABLE.items() if setting.group == group]


def outweighed(weak: Mapping[str, Any], strong: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that others, which outweigh them, exclude."""
    asked = {BOUNDS.get(name, name) for name in strong}
    lost = {name for group in EXCLUSIVE for name in group if asked & set(group) - {name}}
    return {name: value for name, value in weak.items() if BOUNDS.get(name, name) not in lost}
