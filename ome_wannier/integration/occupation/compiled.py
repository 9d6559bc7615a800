"""The compiled loops that fill histograms, one state after the other."""

from __future__ import annotations

from ...common.kernels import inner, kernel, nothing


@inner("f2 i0 f0 f2 i0")
def _add(histogram, row, c, weights, s):  # type: ignore[no-untyped-def]
    """Add c times the weights of a state to a row."""
    for q in range(weights.shape[1]):
        histogram[row, q] += c * weights[s, q]


@kernel("F2 i1 f1 f2 f1 i0 f0", nothing)
def count(histogram, start, energies, weights, steps, moments, zero):  # type: ignore[no-untyped-def]
    """Add states to the rows of the first of ascending `steps` that is not below their energy, counted from start[s].

    moments : where it is not 0, so many rows on are the same times the energy from `zero`.
    """
    for s in range(len(energies)):
        low, high = 0, len(steps)
        while low < high:
            middle = (low + high) // 2
            if steps[middle] < energies[s]:
                low = middle + 1
            else:
                high = middle
        _add(histogram, start[s] + low, 1.0, weights, s)
        if moments != 0:
            _add(histogram, start[s] + low + moments, energies[s] - zero, weights, s)


@kernel("F2 i1 f1 f2 f0 f0 i0 i0 f0", nothing)
def share(histogram, start, energies, weights, low, step, nodes, moments, zero):  # type: ignore[no-untyped-def]
    """Share states among the four nodes around them, with weights of cubic Lagrange interpolation.

    start : (ns,) the row of the states below the nodes, which those of the nodes follow. low, step : eV, of the nodes.
    moments : where it is not 0, so many rows on is the row of those below times their energy from `zero`.
    """
    for s in range(len(energies)):
        x = (energies[s] - low) / step
        if x < 1.0:
            _add(histogram, start[s], 1.0, weights, s)
            if moments != 0:
                _add(histogram, start[s] + moments, energies[s] - zero, weights, s)
        elif x < nodes - 2:
            j = int(x)
            t = x - j
            row = start[s] + j
            _add(histogram, row, -t * (t - 1.0) * (t - 2.0) / 6.0, weights, s)
            _add(histogram, row + 1, (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0, weights, s)
            _add(histogram, row + 2, -(t + 1.0) * t * (t - 2.0) / 2.0, weights, s)
            _add(histogram, row + 3, (t + 1.0) * t * (t - 1.0) / 6.0, weights, s)
