"""What made a result, what it means, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from ..common.errors import kept_warnings
from ..common.version import __version__
from ..models.base import Model, has_zone

if TYPE_CHECKING:
    import xarray as xr

P = ParamSpec("P")


def with_warnings(function: Callable[P, xr.Dataset]) -> Callable[P, xr.Dataset]:
    """A function whose results have, as attribute `warnings`, the list of what was warned of on the way to them."""

    @wraps(function)
    def called(*given: P.args, **named: P.kwargs) -> xr.Dataset:
        """The result of the function, with the warnings."""
        with kept_warnings() as said:
            result = function(*given, **named)
        if said:
            result.attrs["warnings"] = said
        return result

    return called


def provenance(model: Model) -> dict[str, Any]:
    """What made the result, and what it means."""
    return {
        "software": f"ome_wannier {__version__}, numpy {np.__version__}",
        "model": model.name,
        "model_sha256": model.sha256,
        "position": "commuting (tight binding)" if model.exact_position else "matrix elements of the Wannier functions",
        **outside_basis(model),
        "spin_degeneracy": model.spin_degeneracy,
        "periodic": "".join("FT"[p] for p in model.periodic),
        **({"cell": float(model.cell), "cell_unit": f"angstrom^{model.dimension}"} if has_zone(model) else {}),
        "charge": "electrons carry -e; M is the magnetization of the electrons, positive along its axis",
    }


def outside_basis(model: Model) -> dict[str, str]:
    """Which quantities states outside the basis take part in, and what a result leaves out."""
    left_out = (*_left_outside(model), "local fields", "vertex corrections", "side jump and skew scattering")
    return {"external_terms": ", ".join(_completed(model)) or "none", "left_out": "; ".join(left_out)}


def _completed(model: Model) -> list[str]:
    """What states outside the basis take part in, as far as the model knows them."""
    known = model.external
    if known is None:
        return []
    return [name for name, X in (("moments", known.BB), ("metric", known.FF)) if X is not None]


def _left_outside(model: Model) -> tuple[str, ...]:
    """The share of states outside the basis that is missing."""
    if model.available is not None:
        return ("bands outside the window",)
    known = _completed(model)
    if not known:
        return ("states outside the basis",)
    metric = "metric of states outside the basis (.uIu; without it moments of files depend on where energies are counted from)"
    missing = {"moments": "moments by way of states outside the basis", "metric": metric}
    always = ("states outside the basis that are mixed in by the field", "states outside the basis in the parts of the split")
    return (*(text for name, text in missing.items() if name not in known), *always)
