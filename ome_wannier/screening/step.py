"""What a worker does with one material: load it, claim its row, look at its symmetries, compute, describe."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .. import __version__, info, materials, symmetry
from ..adapters import wannier90_seed
from ..calculators import Calculator, Observable, get, resolve
from ..calculators.base import component_axes
from ..compute import Model, compute
from ..errors import AccuracyWarning, ModelError, OMEError, SettingsError
from ..kdotp import KDotP
from ..kmesh import KMesh
from ..loading import Source, load, locate, of_entry
from ..model import TightBinding
from ..occupation import fermi_function, minus_fermi_derivative
from ..plugins.ase import row
from ..plugins.ase_db import DONE, FAILED, FORBIDDEN, Owner, Store
from ..pointgroup import Operation
from ..result import combine, first_observable
from ..sparse import AVAILABLE, SparseTightBinding
from ..sums import Lattice, filled_level
from ..tabulate import tabulate
from ..tensors import projector
from ..units import KB
from . import descriptors
from .listing import Item

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: what is computed unless told: the responses and their parts, and the geometry that goes with them
CALCULATORS = (
    "total",
    "dipole",
    "local_intraband",
    "itinerant",
    "local",
    "extrinsic",
    "dipole_polarizability",
    "quantum_metric",
)
#: settings that the result depends on
_RESULT = (
    "kmesh", "temperature", "tau", "degeneracy_tol", "symmetry", "symmetry_tol", "include_chern_simons", "filling",
    "rtol", "max_points", "max_time",
)  # fmt: skip


class Job(NamedTuple):
    """What all materials of a screening have in common: the database, whose claims they are, whether failures are redone."""

    address: str
    owner: Owner
    retry: bool


@dataclass(frozen=True)
class Outcome:
    """What came of a material: "done", "forbidden" and "failed" are to be stored under `key`; "there", "failed before" and
    "busy" (another screening computes it) are not."""

    name: str
    status: str
    key: str
    atoms: Any = None
    pairs: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def to_store(self) -> bool:
        """Whether it is news."""
        return self.status in (DONE, FORBIDDEN, FAILED)


class Plan(NamedTuple):
    """What is computed of a model: where it comes from, Fermi levels (eV), the one in question, the gap there, calculators."""

    levels: Array
    reference: float
    gap: info.Gap | None
    wanted: list[Calculator]


def step(job: Job, item: Item, token: str) -> Outcome:
    """Compute one material, unless its row is there; whatever goes wrong with it is an outcome too.

    token : which of the materials of the job it is.
    """
    start = time.perf_counter()
    key = source_key(item)
    about = {"name": text(item.name), "source": text(item.source), **_parameters(item)}
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", AccuracyWarning)
        try:
            model, source = loaded(item)
            plan = planned(model, source, item)
            key, about["supersedes"] = row_key(model, item, plan), key
            about |= _identity(model, item, plan)
            claim = Store(job.address).claim(key, token, _claimed(about), job.owner, job.retry)
            if claim.state != "claimed":
                return Outcome(item.name, {"failed": "failed before"}.get(claim.state, claim.state), key)
            outcome = _computed(model, item, plan, key, about)
        except Exception as error:
            outcome = failure(item, key, about, error)
    outcome.pairs["seconds"] = time.perf_counter() - start
    if said and outcome.status != FAILED:
        outcome.pairs["warning"] = text(str(said[0].message))
    return outcome


def step_without_store(item: Item) -> Outcome:
    """The same for nobody: nothing is claimed."""
    key = source_key(item)
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, source = loaded(item)
        return _computed(model, item, planned(model, source, item), key, {})


def failure(item: Item, key: str, about: dict[str, Any], error: Exception | str) -> Outcome:
    """The row of a material that could not be computed, with a reason of one line."""
    known = isinstance(error, OMEError | str)
    reason = str(error) if known or isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return Outcome(item.name, FAILED, key, pairs=about | {"reason": text(" ".join(reason.split()))})


def loaded(item: Item) -> tuple[Model, Source | None]:
    """The model, and where it comes from where that is a library entry or files."""
    if item.fault:
        raise ModelError(item.fault)
    options = loader_options(item)
    if item.model is not None:
        return load(item.model, **options), None
    if item.python:
        made = _from_python(item.python, item.settings.parameters or {})
        return load(made, **{k: v for k, v in options.items() if k not in (item.settings.parameters or {})}), None
    settings = item.settings
    source = of_entry(materials.entry(settings.material)) if settings.material else locate(str(settings.seed))
    return source.load(**options), source


def loader_options(item: Item) -> dict[str, Any]:
    """Options of the loader that the settings contain."""
    settings = item.settings
    given = {key: getattr(settings, key) for key in ("spin_degeneracy", "spin_order", "centres", "periodic", "use_wsvec")}
    given["spn"] = settings.spn or None
    return {key: value for key, value in given.items() if value is not None} | (settings.parameters or {})


def _from_python(where: str, parameters: dict[str, Any]) -> Any:
    """What a function of a user's file returns."""
    file, _, name = where.rpartition(":")
    if not file or not Path(file).is_file():
        raise ModelError(f"python {where!r}: give 'file.py:function', there is no such file")
    spec = importlib.util.spec_from_file_location("_ome_wannier_user", file)
    if spec is None or spec.loader is None:
        raise ModelError(f"python {where!r}: {file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        raise ModelError(f"{file}: there is no function {name!r}")
    return getattr(module, name)(**parameters)


def planned(model: Model, source: Source | None, item: Item) -> Plan:
    """What is to be computed of a model.

    Raises
    ------
    SettingsError : no Fermi level is known.
    """
    window = isinstance(model, SparseTightBinding)  # of bands, in which not everything can be computed
    wanted, _ = resolve(item.settings.calculators or [n for n in CALCULATORS if not window or n in AVAILABLE])
    if isinstance(model, KDotP):
        levels, reference = _levels(item, _known_level(model, source, item), source)
        return Plan(levels, reference, None, wanted)
    ranges = info.band_ranges(model, info.coarse_mesh(model))
    levels, reference = _levels(item, _known_level(model, source, item), source)
    gap = info.gap_among(ranges, np.array([reference]))
    if gap is None and item.settings.fermi is not None and item.around is None:
        gap = info.gap_among(ranges, levels)
    if gap is not None:
        reference = (gap.bottom + gap.top) / 2
        levels = np.unique(np.append(levels, reference))
    return Plan(levels, reference, gap, wanted)


def _known_level(model: Model, source: Source | None, item: Item) -> float | None:
    """The Fermi level (eV) that the settings, the library or the files name, the middle one of several."""
    settings = item.settings
    if settings.fermi is not None:
        levels = np.atleast_1d(settings.levels())  # type: ignore[arg-type]
        return float(levels[len(levels) // 2])
    if settings.filling is not None:
        if isinstance(model, KDotP):
            raise SettingsError("a k.p model holds infinitely many electrons: give fermi (eV) instead of filling")
        return filled_level(model, _mesh(model, item), settings.filling, temperatures(item)[0])
    if source is not None and source.entry is not None:
        return source.entry.fermi
    if source is not None and source.adapter == "wannier90":
        return wannier90_seed.inspect(source.seed).fermi_energy
    return None


def _levels(item: Item, known: float | None, source: Source | None) -> tuple[Array, float]:
    """Fermi levels (eV) and the one in question."""
    if known is None:
        raise SettingsError("no Fermi level is known: give fermi (eV) or filling (electrons per cell) for this material")
    if item.around is not None:
        return known + item.around.levels(), known
    if item.settings.fermi is not None:
        return np.atleast_1d(np.asarray(item.settings.levels(), dtype=float)), known
    entry = None if source is None else source.entry
    if entry is not None and entry.scan is not None and item.settings.filling is None:
        return entry.scan.levels(), known
    return np.array([known]), known


def temperatures(item: Item) -> list[float]:
    """K, as a list."""
    found = item.settings.temperature
    return [found] if isinstance(found, float) else list(found)


def source_key(item: Item) -> str:
    """Under which a failure to load is stored: digest of where the model should come from, and how."""
    said = [item.source, item.name if item.model is not None else "", item.settings.to_json(), repr(item.around)]
    return _digest("source", *said)


def row_key(model: Model, item: Item, plan: Plan) -> str:
    """Under which a result is stored: digest of the model and of the settings."""
    return _digest("model", model.sha256, settings_digest(item, plan))


def settings_digest(item: Item, plan: Plan) -> str:
    """Digest of everything but the model that the result depends on."""
    settings = item.settings.model_dump(mode="json", include=set(_RESULT))
    names = sorted(c.name for c in plan.wanted)
    return hashlib.sha256(json.dumps([settings, names, plan.levels.tolist(), item.kmap], sort_keys=True).encode()).hexdigest()


def _digest(kind: str, *parts: str) -> str:
    # not hexadecimal throughout: ASE takes text that may be a number for one
    return f"{kind}-" + hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _claimed(about: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if key != "supersedes"}


def _parameters(item: Item) -> dict[str, Any]:
    """Values of the parameters as pairs of the database, their names after "p_"."""
    given = item.settings.parameters or {}
    return {f"p_{k}": v if isinstance(v, bool | int | float) else text(str(v)) for k, v in given.items()}


def _identity(model: Model, item: Item, plan: Plan) -> dict[str, Any]:
    """What a model is, before anything is integrated."""
    return {
        "model_sha256": f"sha256-{model.sha256}",
        "settings_sha256": f"sha256-{settings_digest(item, plan)}",
        "software": f"ome_wannier {__version__}, numpy {np.__version__}",
        "dimension": model.dimension,
        "orbitals": model.n_orbitals,
        "fermi": plan.reference,
    }


def _computed(model: Model, item: Item, plan: Plan, key: str, about: dict[str, Any]) -> Outcome:
    """The outcome of a material that is ours."""
    pairs, wanted = dict(about), list(plan.wanted)
    atoms = _atoms(model)
    if not isinstance(model, KDotP):
        pairs["gap"] = plan.gap.top - plan.gap.bottom if plan.gap else 0.0
        group, tol = _group(model, item.settings.symmetry_tol)
        settings = item.settings  # a Chern-Simons part is fixed by symmetry modulo a quantum only
        unknown = settings.include_chern_simons or settings.symmetry == "off"
        forbidden = [c for c in descriptors.responses(wanted) if not (unknown or _allowed(model, c, group).any())]
        for calculator in forbidden:
            pairs |= descriptors.of_forbidden(calculator.name)
        if forbidden and len(forbidden) == len(descriptors.responses(wanted)):
            data = {"ome_symmetry": [g.name for g in group], "ome_settings": item.settings.to_json(), "symmetry_tol_eV": tol}
            return Outcome(item.name, FORBIDDEN, key, atoms, pairs, data)
        wanted = [c for c in wanted if c not in forbidden]
    result = compute(model, **_arguments(model, item), calculators=wanted, fermi=plan.levels)
    pairs |= descriptors.of_result(result, plan.reference, plan.gap, item.settings.tau)
    if "converged" in result.attrs:
        pairs["converged"] = int(result.attrs["converged"])
    if not isinstance(model, KDotP):
        pairs["points"] = int(result.attrs.get("k_points", len(_mesh(model, item))))
        needed = descriptors.bands_needed(model, info.coarse_mesh(model), plan.reference)
        pairs |= {} if needed is None else {"bands_needed": needed}
    _, data = row(result)
    data |= {"ome_settings": item.settings.to_json(), "ome_name": text(item.name), "ome_cite": _cited(result)}
    if item.kmap and not isinstance(model, KDotP) and model.dimension == 2:
        data |= kmap(model, item, pairs)
    return Outcome(item.name, DONE, key, atoms, pairs, data)


def _arguments(model: Model, item: Item) -> dict[str, Any]:
    """Keyword arguments of `compute`; tolerances that are not set keep their defaults."""
    settings = item.settings
    found = temperatures(item)
    given = {
        "kmesh": None if isinstance(model, KDotP) else settings.kmesh,  # k.p models are integrated along rays
        "temperature": found[0] if isinstance(settings.temperature, float) else found,
        "tau": settings.tau,
        "memory": settings.memory,
        "symmetry": settings.symmetry,
        "include_chern_simons": settings.include_chern_simons,
    }
    optional = {key: getattr(settings, key) for key in ("degeneracy_tol", "symmetry_tol", "rtol", "max_points", "max_time")}
    return given | {key: value for key, value in optional.items() if value is not None}


def _mesh(model: Lattice, item: Item) -> KMesh:
    return KMesh(item.settings.kmesh) if item.settings.kmesh else KMesh.default(model.lattice, model.periodic)


def _group(model: Lattice, tol: float | None) -> tuple[list[Operation], float]:
    """The symmetries of a model, and the tolerance in eV that they were judged with."""
    return symmetry.group_of(model, "off", tol), symmetry.tolerance(model, tol)


def _allowed(model: Lattice, calculator: Calculator, group: list[Operation]) -> NDArray[np.bool_]:
    """Which elements of a response the symmetries allow."""
    observable = first_observable(calculator)
    along = component_axes(model.axes, model.moments)
    shape = [len(along[d]) for d in observable.dims]
    return np.asarray(projector(observable, group, along).any(axis=1).reshape(shape))


def _atoms(model: Model) -> Any:
    """What an ASE database stores: the atoms where they are known, else an empty cell."""
    from ase import Atoms

    from ..adapters import ase as adapter

    if isinstance(model, TightBinding) and model.structure is not None:
        return adapter.atoms(model)
    return Atoms() if isinstance(model, KDotP) else Atoms(cell=np.array(model.lattice), pbc=model.periodic)


def _cited(result: xr.Dataset) -> str:
    return text(materials.cite(result))


def kmap(model: Lattice, item: Item, pairs: dict[str, Any]) -> dict[str, Any]:
    """Where in k space the largest element of the total comes from: the integrand on a mesh of the zone of a layer."""
    if pairs.get("total_element", "none") == "none":
        return {}
    calculator = get("total")
    element, level = pairs["total_element"], pairs["total_fermi"]
    axis = np.linspace(-0.5, 0.5, item.kmap)
    open_direction = model.periodic.index(False)
    first, second = (d for d in range(3) if d != open_direction)
    k = np.zeros((item.kmap, item.kmap, 3))
    k[..., first], k[..., second] = axis[None, :], axis[:, None]
    terms = [get(name) for name in descriptors.terms_of(calculator)]
    table = tabulate(model, k.reshape(-1, 3), terms)
    width = max(temperatures(item)[0], 1.0) * KB
    e = table["energy"].values
    occupation = {"sea": fermi_function(e, level, width), "surface": minus_fermi_derivative(e, level, width)}
    values = {}
    for term in terms:
        assert isinstance(term, Observable)
        weights = table[term.name].sel(moment=element[0], field=element[1]).values
        values[term.name] = (occupation[term.occupation] * weights).sum(axis=1)
    image = combine(calculator, values).reshape(item.kmap, item.kmap)
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T[[first, second]]
    return {"ome_kmap": image, "ome_kmap_vectors": reciprocal, "ome_kmap_of": f"total {element} at {level:.4f} eV"}


def text(value: str, longest: int = 500) -> str:
    """Text as every database can hold it: no NUL, nothing that is no Unicode; what ASE would take for a number, in quotes."""
    clean = value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")[:longest]
    try:
        float(clean)
    except ValueError:
        return f"'{clean}'" if clean in ("True", "False") else clean
    return f"'{clean}'"
