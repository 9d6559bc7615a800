"""What compiled loops share: how they are compiled, and products of small matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from .compiled_cache import cached


def jit(function: Callable[..., Any]) -> Any:
    """The function compiled when it is first called, and kept for other processes where there is a place to write to."""
    # sums over a row may be reordered for the processor's vectors, in the same way at every k
    return cached(numba.njit(fastmath={"reassoc", "contract"})(function))


#: matrices up to this size are multiplied in loops, below what a call of BLAS costs
SMALL = 6


@jit
def product(X, Y, out):  # type: ignore[no-untyped-def]
    """out = X @ Y for matrices in one piece each."""
    N, M = out.shape
    if M > SMALL:
        np.dot(X, Y, out)
        return
    for i in range(N):
        for j in range(M):
            total = 0j
            for s in range(len(Y)):
                total += X[i, s] * Y[s, j]
            out[i, j] = total
