"""What a worker does with one material: load it, claim its row, look at its symmetries, compute, describe, store."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ..calculators.blocks import element_axes
from ..calculators.registry import Calculator, first_observable
from ..common.errors import AccuracyWarning, OMEError
from ..common.version import __version__
from ..integration.band_ranges import coarse_mesh
from ..integration.hamiltonian_symmetry import group_of
from ..models.base import Lattice, Model, has_zone
from ..models.tight_binding import is_tight_binding
from ..plugins.ase import row
from ..response.compute import compute
from ..runs.plan import arguments, level_of_filling, mesh_of
from ..sources.citations import cite
from ..symmetry.operations import Operation, names_in
from ..symmetry.tensors import projector
from . import descriptors
from .kmap import kmap
from .listing import Item
from .operator_columns import asked_for
from .plan import Plan, loaded, planned, row_key, settings_digest, source_key
from .store import DONE, FAILED, FORBIDDEN, Owner, Store

if TYPE_CHECKING:
    import xarray as xr

#: characters of what is to be cited
MOST = 100_000


class Job(NamedTuple):
    """What all materials of a screening have in common: the database, whose claims they are, whether failures are redone."""

    address: str
    owner: Owner
    retry: bool


@dataclass(frozen=True)
class Outcome:
    """What came of a material: "done", "forbidden" and "failed" are rows under `key`; "there", "failed before" and "busy"
    (another screening computes it) are no news."""

    name: str
    status: str
    key: str
    atoms: Any = None
    pairs: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    def stored(self, store: Store) -> Outcome:
        """The same, put into its row if it is news; without what only the row needs."""
        if self.status in (DONE, FORBIDDEN, FAILED):
            store.finish(self.key, self.status, self.atoms, self.pairs, self.data)
        return replace(self, atoms=None, data={})


def step(job: Job, item: Item, token: str) -> Outcome:
    """Compute one material and store it, unless its row is there; whatever goes wrong with it is an outcome too.

    token : which of the materials of the job it is.

    Raises
    ------
    StoreError : a database that cannot be written.
    """
    start, store = time.perf_counter(), Store(job.address)
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
            claimed = {name: value for name, value in about.items() if name != "supersedes"}
            claim = store.claim(key, token, claimed, job.owner, job.retry)
            if claim.state != "claimed":
                return Outcome(item.name, {"failed": "failed before"}.get(claim.state, claim.state), key)
            outcome = _computed(model, item, plan, key, about)
        except Exception as error:
            outcome = failure(item, key, about, error)
    outcome.pairs["seconds"] = time.perf_counter() - start
    if said and outcome.status != FAILED:
        outcome.pairs["warning"] = text(str(said[0].message))
    return outcome.stored(store)


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
        **({"cell_size": float(model.cell)} if has_zone(model) else {}),
        **({} if plan.reference is None else {"fermi": plan.reference}),
    }


def _computed(model: Model, item: Item, plan: Plan, key: str, about: dict[str, Any]) -> Outcome:
    """The outcome of a material that is ours."""
    pairs, wanted = dict(about), list(plan.wanted)
    atoms = _atoms(model)
    if has_zone(model):
        pairs["gap"] = plan.gap.top - plan.gap.bottom if plan.gap else 0.0
        group = group_of(model, item.settings.symmetry)
        settings = item.settings  # a Chern-Simons part is fixed by symmetry modulo a quantum only
        forbidden = [
            c for c in descriptors.responses(wanted) if not (settings.include_chern_simons or _allowed(model, c, group.exact))
        ]
        for calculator in forbidden:
            pairs |= descriptors.of_forbidden(calculator.name)
        if forbidden and len(forbidden) == len(descriptors.responses(wanted)) and not asked_for(wanted):
            data = {"ome_symmetry": names_in(group.exact, model.frame), "ome_settings": item.settings.to_json()}
            if plan.reference is None:
                pairs["fermi"] = level_of_filling(item.settings, model).value
            return Outcome(item.name, FORBIDDEN, key, atoms, pairs, data)
        wanted = [c for c in wanted if c not in forbidden]
    asked: dict[str, Any] = {"calculators": wanted}
    if plan.reference is not None:
        asked |= {"fermi": plan.levels, "filling": None}
    if not has_zone(model):
        asked["kmesh"] = None  # k.p models are integrated along rays
    result = compute(model, **(arguments(item.settings) | asked))
    level = float(result["fermi"].values[0]) if plan.reference is None else plan.reference
    result = result.assign_attrs(_neutrality(plan, result))
    pairs |= {"fermi": level} | descriptors.of_result(result, level, plan.gap, item.settings.tau)
    if plan.reference is None:
        pairs["fermi_error"] = float(result.attrs["fermi_error_eV"])
    if "converged" in result.attrs:
        pairs["converged"] = int(not result.attrs["not_converged"])
    if has_zone(model):
        pairs["points"] = int(result.attrs.get("k_points", len(mesh_of(item.settings, model))))
        needed = descriptors.bands_needed(model, coarse_mesh(model), level)
        pairs |= {} if needed is None else {"bands_needed": needed}
    _, data = row(result)
    data |= {"ome_settings": item.settings.to_json(), "ome_name": text(item.name), "ome_cite": text(cite(result), MOST)}
    if item.kmap and has_zone(model) and model.dimension == 2:
        data |= kmap(model, item, pairs)
    return Outcome(item.name, DONE, key, atoms, pairs, data)


def _neutrality(plan: Plan, result: xr.Dataset) -> dict[str, Any]:
    """What a result is to know of neutrality: the electrons of the material, or else the bands below its gap."""
    if plan.neutral is not None:
        return {"neutral_electrons": plan.neutral}
    return {} if plan.gap is None else {"gap_above_band": plan.gap.bands}


def _allowed(model: Lattice, calculator: Calculator, operations: Sequence[Operation]) -> bool:
    """Whether operations allow any element of a response."""
    along = element_axes(model, calculator.name)
    return bool(projector(first_observable(calculator), operations, along).any())


def _atoms(model: Model) -> Any:
    """What an ASE database stores: the atoms where they are known, else an empty cell."""
    from ase import Atoms

    from ..adapters import ase as adapter

    if is_tight_binding(model) and model.structure is not None:
        return adapter.atoms(model)
    return Atoms() if not has_zone(model) else Atoms(cell=np.array(model.lattice), pbc=model.periodic)


def text(value: str, longest: int = 500) -> str:
    """Text as every database can hold it: no NUL, nothing that is no Unicode; what ASE would take for a number, in quotes."""
    clean = value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")[:longest]
    try:
        float(clean)
    except ValueError:
        return f"'{clean}'" if clean in ("True", "False") else clean
    return f"'{clean}'"
