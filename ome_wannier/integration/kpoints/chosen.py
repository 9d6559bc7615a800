"""The points of a lattice's zone that are summed: the mesh that was asked for, or a default, and what symmetry leaves of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...common.errors import SettingsError
from ...models.base import Lattice
from ...symmetry.operations import Operation
from .irreducible import IrreducibleMesh
from .mesh import KMesh
from .polar import PolarMesh

#: all points of the zone, or those that symmetry leaves
Points = KMesh | IrreducibleMesh


def default_mesh(model: Lattice, finer: float = 1.0) -> KMesh:
    """A mesh by spacing; for superlattices, whose bands vary on the scale of their small zone, by number; or a finer one."""
    if model.default_points is None:
        return KMesh.default(model.lattice, model.periodic, finer)
    number = model.default_points if finer == 1.0 else 2 * math.ceil(model.default_points * finer / 2)
    a, b, c = (number if p else 1 for p in model.periodic)
    return KMesh((a, b, c))


def uniform(kmesh: KMesh | PolarMesh | Sequence[int], model: Lattice) -> KMesh:
    """The mesh that was asked for; SettingsError where it does not fit the directions of the model."""
    if isinstance(kmesh, PolarMesh):
        raise SettingsError("PolarMesh is for k.p models: give KMesh or (N1, N2, N3) for a lattice")
    mesh = kmesh if isinstance(kmesh, KMesh) else KMesh(kmesh)  # type: ignore[arg-type]
    for d in range(3):
        if mesh.size[d] > 1 and not model.periodic[d]:
            raise SettingsError(f"kmesh {mesh.size}: direction {d + 1} is not periodic in this model, use 1 point along it")
    return mesh


def points_of(model: Lattice, mesh: KMesh, exact: Sequence[Operation]) -> Points:
    """The points of a mesh that operations which hold to rounding leave."""
    return IrreducibleMesh.of(mesh, exact, model.lattice, model.periodic) if len(exact) > 1 else mesh
