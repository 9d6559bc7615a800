"""The compiled loop that fills histograms."""

from __future__ import annotations

from ...common.kernels import kernel, nothing


@kernel("F2 i2 f2 f2", nothing)
def scatter(histogram, rows, coefficients, weights):  # type: ignore[no-untyped-def]
    """Add coefficients[s, p] * weights[s, :] to histogram[rows[s, p], :] for every state s, one after the other."""
    for s in range(weights.shape[0]):
        for p in range(rows.shape[1]):
            c = coefficients[s, p]
            if c != 0.0:
                for q in range(weights.shape[1]):
                    histogram[rows[s, p], q] += c * weights[s, q]
