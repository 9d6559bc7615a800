"""rtol: lines along which two bands nearly cross, with a gap far below k_B T, against a sum in closed form at each point."""

from __future__ import annotations

import numpy as np
import pytest

import ome_wannier as ome
from ome_wannier.units import KB

ALONG = 0.02


def weakly_coupled(gap: float, phase: float) -> ome.TightBinding:
    """(cos(k_x a + phase) + 0.02 cos(k_y a)) sigma_z + gap sigma_x / 2: the gap is least along two wavy lines."""
    R = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    x, z, h = np.array([[0, 1], [1, 0]]), np.diag([1, -1]), np.exp(1j * phase) / 2
    H = np.array([gap / 2 * x, h * z, h.conjugate() * z, ALONG / 2 * z, ALONG / 2 * z])
    cell = np.diag([3.0, 3.0, 20.0])
    return ome.TightBinding(lattice=cell, R=R, hamiltonian=H, centres=np.zeros((2, 3)), periodic=(True, True, False))


def metric(gap: float, mu: float, T: float) -> float:
    """g_xx of the occupied states: the angle of the vector that couples to sigma turns by atan2, (d theta / dk)^2 / 4 each."""
    k, y = (2 * np.pi * np.arange(n) / n for n in (20_000, 64))
    x = np.cos(k)[:, None] + ALONG * np.cos(y)
    energy = np.hypot(x, gap / 2)
    f = [1 / (1 + np.exp((s * energy - mu) / (KB * T))) for s in (-1, 1)]
    return float(np.mean((gap / 2 * np.sin(k)[:, None] / energy**2) ** 2 / 4 * (f[0] - f[1])))


@pytest.mark.parametrize(("mu", "T"), [(0.02, 300.0), (0.0, 100.0)])
@pytest.mark.parametrize("phase", [0.3, 0.7, 1.1])
@pytest.mark.parametrize("gap", [1e-3, 3e-3, 6e-3])
def test_peaks_as_narrow_as_a_gap_are_found(gap, phase, mu, T):
    """Rules of both degrees step over them alike: by up to 48 % they were off, and called converged."""
    settings = {"calculators": ["quantum_metric"], "fermi": mu, "temperature": T, "symmetry": "off"}
    found = ome.compute(weakly_coupled(gap, phase), rtol=1e-2, **settings)
    off = abs(float(found.quantum_metric.sel(position="x", field="x").squeeze()) - metric(gap, mu, T))
    assert off < 2 * float(found.quantum_metric_error.sel(position="x", field="x").squeeze())
    assert off < 1e-2 * metric(gap, mu, T)
    assert found.attrs["converged"]
