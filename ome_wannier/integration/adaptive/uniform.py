"""The uniform mesh that takes the place of cells where these would be too many (tolerance.md eq. 13).

Where many bands cross the level in a crystal, levels move by many k_B T through each cell until there are millions of cells.
Until then nearly all of their error is what the nodes may miss, which is much more than what they do miss. A mesh of as many
points samples the Fermi surface evenly, and its sub-meshes tell how well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..integral import Goal, Integral, Request
from ..kpoints.chosen import default_mesh, points_of
from ..kpoints.mesh import KMesh
from ..mesh.strategy import summed
from ..tolerance import Columns, Errors, Limit, about
from .constants import ADAPTIVE
from .refine import Refined

Array = NDArray[np.float64]


def points_at_least(request: Request) -> int:
    """Points of the default mesh that symmetry leaves."""
    model, operations = request.integrand.model, request.group.exact
    return len(points_of(model, default_mesh(model), operations))  # type: ignore[arg-type]  # models with a zone


def finest_mesh(request: Request, points: int) -> KMesh:
    """The finest mesh by spacing of which symmetry leaves so many points at the most, at least the default one."""
    model = request.integrand.model
    default = default_mesh(model)  # type: ignore[arg-type]
    room = points * len(default) / points_at_least(request)
    finer = max((room / len(default)) ** (1 / model.dimension), 1.0)
    meshes = (default_mesh(model, finer * ADAPTIVE.coarser_mesh**n) for n in range(ADAPTIVE.meshes))  # type: ignore[arg-type]
    return next((mesh for mesh in meshes if len(default) <= len(mesh) <= room), default)


def instead_of_cells(
    request: Request, goal: Goal, limit: Limit, removed: frozenset[str], cells: Refined, norm: float
) -> Integral:
    """Integrals over the finest mesh of the points that cells have left, held to the same limits.

    removed : quantities of which symmetries that hold but for noise leave nothing. norm : of sums over the cells, which tell
        what cancels in the quantities, and what there could be.
    """
    occupation, part = request.integrand.occupation, cells.part
    mesh = finest_mesh(request, cells.left)
    found, _ = summed(request, mesh)
    values = [found.values[c.name] for c in request.calculators]
    value = np.concatenate([x.reshape(len(part.value), -1) for x in values], axis=1)
    part = part._replace(value=value, size=part.size * norm, scale=part.scale * norm)
    columns = Columns.of(request)
    limits, converged = (columns.unpack(x, occupation) for x in (limit(part), limit.converged(part)))
    stay = {name: np.abs(raw - found.values[name]) for name, raw in found.raw.items()}
    errors = {name: error - stay.get(name, 0.0) for name, error in found.errors.items()}
    points = cells.points + found.attrs["irreducible_points"]
    record = about(Errors(errors, stay, limits, converged, removed), request, goal, points)
    said = f"{mesh!r}: as many cells as rtol takes would have more points than max_points or max_time leave"
    return found._replace(attrs=found.attrs | record | {"kmesh": said})
