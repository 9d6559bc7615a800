"""Where in k space the largest element of a row comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..calculators.quantity import Observable
from ..calculators.registry import combine, get
from ..calculators.weights import component_axes, component_names
from ..common.units import KB
from ..integration.occupation.fermi import by_occupation
from ..models.base import Lattice
from ..response.tabulate import tabulate
from . import descriptors
from .listing import Item


def kmap(model: Lattice, item: Item, pairs: dict[str, Any]) -> dict[str, Any]:
    """Where in k space the largest element of the total comes from: the integrand on a mesh of the zone of a layer.

    Nothing where that is a moment in the plane, or a field along the normal: these have no parts by which it is coloured.
    """
    calculator = get("total")
    element, level = pairs.get("total_element", "none"), pairs.get("total_fermi", 0.0)
    along = component_axes(model.axes, model.moments)
    if element not in component_names(("moment", "field"), along):
        return {}
    axis = np.linspace(-0.5, 0.5, item.kmap)
    open_direction = model.periodic.index(False)
    first, second = (d for d in range(3) if d != open_direction)
    k = np.zeros((item.kmap, item.kmap, 3))
    k[..., first], k[..., second] = axis[None, :], axis[:, None]
    terms = [get(name) for name in descriptors.terms_of(calculator)]
    table = tabulate(model, k.reshape(-1, 3), terms)
    width = max(np.atleast_1d(item.settings.temperature)[0], 1.0) * KB
    e = table["energy"].values
    occupation = by_occupation(e, level, width)
    values = {}
    for term in terms:
        assert isinstance(term, Observable)
        weights = table[term.name].sel(moment=element[0], field=element[1]).values
        values[term.name] = (occupation[term.occupation] * weights).sum(axis=1)
    image = combine(calculator, values).reshape(item.kmap, item.kmap)
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T[[first, second]]
    return {"ome_kmap": image, "ome_kmap_vectors": reciprocal, "ome_kmap_of": f"total {element} at {level:.4f} eV"}
