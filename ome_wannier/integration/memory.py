"""What k points take in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


#: matrices of n x n complex numbers alive at once per k point, by the order of derivatives: the measured peak is 49 and 70
MATRICES_ALIVE = {1: 60, 2: 90}


#: and those of the states outside the basis where the model knows them: the measured peak is 23
OUTSIDE_ALIVE = 30


#: working set in bytes beyond which larger batches of k points stop paying (they leave the cache)
WORKING_SET = 2**26


def bytes_per_point(n: int, order: int, outside: bool = False) -> int:
    """Memory that one k point takes while its matrices are alive; with those of states outside the basis, or without."""
    return 16 * n * n * (MATRICES_ALIVE[order] + OUTSIDE_ALIVE * outside)
