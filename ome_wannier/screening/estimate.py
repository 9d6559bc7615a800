"""What a screening would do, and roughly how long it would take."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..models.base import has_zone
from ..runs.plan import mesh_of
from .listing import Item
from .plan import loaded, planned, row_key, source_key
from .step import failure, step_without_store
from .store import FAILED, Store

#: materials that are timed
SAMPLES = 4
#: points along each direction of the two meshes that they are timed on, at most
SMALL = (4, 8)


class Estimate(NamedTuple):
    """Numbers of materials to compute, there already, failed before, and that cannot be loaded; processor time in s.

    unloadable : (name, reason) of those. seconds : of all to compute, None if there are none; where they converge by
    themselves, on the default mesh. bounded : how many have a `max_time`; bound : the sum of those in s.
    """

    todo: int
    there: int
    failed_before: int
    unloadable: list[tuple[str, str]]
    seconds: float | None
    bounded: int
    bound: float


def estimate(items: Iterable[Item], store: Store, retry_failed: bool = False) -> Estimate:
    """Load everything, compute nothing but a few samples on small meshes."""
    known = {row["key"]: row["status"] for row in store.rows()} if store.exists else {}
    todo, there, failed, bad = [], 0, 0, []
    for item in items:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model, source = loaded(item)
                key = row_key(model, item, planned(model, source, item))
        except Exception as error:
            bad.append((item.name, failure(item, source_key(item), {}, error).pairs["reason"]))
            continue
        if known.get(key) == FAILED and not retry_failed:
            failed += 1
        elif key in known and known[key] != FAILED:
            there += 1
        else:
            todo.append(item)
    bounds = [item.settings.max_time for item in todo if item.settings.max_time is not None]
    return Estimate(len(todo), there, failed, bad, _seconds(todo) if todo else None, len(bounds), sum(bounds))


def _seconds(todo: Sequence[Item]) -> float:
    """Processor time of all, from evenly spaced samples."""
    chosen = [todo[i] for i in np.unique(np.linspace(0, len(todo) - 1, SAMPLES).astype(int))]
    _timed(chosen[0], SMALL[0])  # the kernels are compiled when first used
    return float(np.mean([_predicted(item) for item in chosen])) * len(todo)


def _predicted(item: Item) -> float:
    """Processor time in s of one material: what does not depend on the mesh, and what is proportional to its points."""
    (t1, n1, n), (t2, n2, _) = (_timed(item, size) for size in SMALL)
    slope = max(t2 - t1, 0.0) / (n2 - n1) if n2 > n1 else 0.0
    return t1 + slope * (n - n1)


def _timed(item: Item, size: int) -> tuple[float, int, int]:
    """Processor time in s on a mesh of at most `size` points along each direction, its points, and those of the item's mesh."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, _ = loaded(item)
    points = whole = 1
    if has_zone(model):
        full = mesh_of(item.settings, model)
        a, b, c = (min(n, size) for n in full.size)
        mesh: dict[str, Any] = {"kmesh": (a, b, c), "rtol": None, "max_points": None, "max_time": None}
        item = replace(item, settings=replace(item.settings, **mesh))
        points, whole = a * b * c, len(full)
    start = time.process_time()
    step_without_store(item)
    return time.process_time() - start, points, whole
