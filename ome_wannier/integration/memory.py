"""What k points take in memory."""

from __future__ import annotations

import ctypes
import functools
import sys

import numpy as np
from numpy.typing import NDArray

from ..common.errors import SettingsError
from .occupation.histogram import Occupation

Array = NDArray[np.float64]


#: matrices of n x n complex numbers alive at once per k point, by the order of derivatives: the measured peak is 49 and 70
MATRICES_ALIVE = {1: 60, 2: 90}


#: and those of the states outside the basis where the model knows them: the measured peak is 23
OUTSIDE_ALIVE = 30


#: working set in bytes beyond which larger batches of k points stop paying (they leave the cache)
WORKING_SET = 2**26


#: glibc's numbers of its two thresholds, and the largest block that it may keep
TRIM, MAP, KEPT = -1, -3, 2**25


@functools.cache
def keep_freed() -> None:
    """Let this process keep the memory of a batch for the next one, where its C library is glibc.

    Blocks larger than any that was given back before are asked of the system each by itself, and cost a fault for every page:
    a third of the time of small models, half of it in workers of Dask, which starts them so that glibc never learns.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None:  # musl has none
        set_option(MAP, KEPT)
        set_option(TRIM, 2 * KEPT)


def bytes_per_point(n: int, order: int, outside: bool = False) -> int:
    """Memory that one k point takes while its matrices are alive; with those of states outside the basis, or without."""
    return 16 * n * n * (MATRICES_ALIVE[order] + OUTSIDE_ALIVE * outside)


def check_sums(memory: int, occupation: Occupation, columns: int, number: int) -> None:
    """Refuse levels and temperatures at which so many histograms of this many components cannot be evaluated.

    Alive at once are the sums at all levels of each histogram, and then either the histograms with two copies of them on the
    nodes of a temperature (with three at T = 0), or what symmetry makes of the sums; besides, four times the sums of the whole
    mesh, for its values and errors. Measured by `test_memory`.

    Raises
    ------
    SettingsError : a budget that is smaller.
    """
    nf, nT = len(occupation.fermi), len(occupation.temperature)
    levels, rows = nf * nT, (4 if occupation.cold.any() else 3) * occupation.n_rows
    needed = 8 * columns * (number * (levels + max(rows, levels)) + 4 * levels)
    if needed > memory:
        raise SettingsError(
            f"memory {memory / 2**20:.3g} MiB: the sums at {nf} Fermi levels and {nT} temperatures need "
            f"{needed / 2**20:.3g} MiB; raise memory, or ask for fewer levels, temperatures or calculators at a time"
        )
