"""Where in k space the largest element of a row comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..calculators.registry import get
from ..common.units import KB
from ..models.base import Lattice
from ..response.tabulate import integrand
from .listing import Item


def kmap(model: Lattice, item: Item, pairs: dict[str, Any]) -> dict[str, Any]:
    """Where in k space the largest element of the total comes from: the integrand on a mesh of the zone of a layer.

    Nothing where there is no such element.
    """
    element, level = pairs.get("total_element", "none"), pairs.get("total_fermi", 0.0)
    axis = np.linspace(-0.5, 0.5, item.kmap)
    open_direction = model.periodic.index(False)
    first, second = (d for d in range(3) if d != open_direction)
    k = np.zeros((item.kmap, item.kmap, 3))
    k[..., first], k[..., second] = axis[None, :], axis[:, None]
    width = max(np.atleast_1d(item.settings.temperature)[0], 1.0) * KB
    _, values, along = integrand(model, get("total"), k.reshape(-1, 3), level, width)
    if len(element) != 2 or any(x not in letters for x, letters in zip(element, along.values(), strict=True)):
        return {}
    at: Any = slice(None), *(letters.index(x) for x, letters in zip(element, along.values(), strict=True))
    image = values[at].reshape(item.kmap, item.kmap)
    reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T[[first, second]]
    return {"ome_kmap": image, "ome_kmap_vectors": reciprocal, "ome_kmap_of": f"total {element} at {level:.4f} eV"}
