"""Which strategy integrates what was asked for."""

from __future__ import annotations

from ..integration.adaptive.strategy import over_zone
from ..integration.integral import Integral, Request
from ..integration.kpoints.mesh import KMesh
from ..integration.kpoints.polar import PolarMesh
from ..integration.mesh.strategy import over_mesh
from ..integration.rays.strategy import over_rays, to_tolerance


def integrated(request: Request) -> Integral:
    """The answer of the strategy that the sampling and the kind of model ask for."""
    where = request.sampling
    if isinstance(where, KMesh):
        return over_mesh(request, where)
    if isinstance(where, PolarMesh):
        return over_rays(request, where)
    strategy = over_zone if request.integrand.model.has_zone else to_tolerance
    return strategy(request, where)
