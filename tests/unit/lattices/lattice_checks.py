"""What the tests of several builders need: responses on a small mesh against their natural size, and Chern numbers."""

from __future__ import annotations

import numpy as np
import pytest
from toys import occupied_sum

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import Observable, needs_spin

#: rounding, relative to the product of norms that a sum is made of
ZERO = 1e-12


def responses(model, kind, mu, kT=0.05, size=12):
    """(value, natural size) of every orbital response of a kind, "alpha" or "extrinsic", by name."""
    found = [ome.calculators.get(name) for name in ome.calculators.names()]
    wanted = [
        c for c in found if isinstance(c, Observable) and c.kind == kind and c.dims == ("moment", "field") and not needs_spin(c)
    ]
    assert wanted
    mesh = ome.KMesh(tuple(size if p else 1 for p in model.periodic))
    bands = Bands(model, mesh.points(), order=2)
    return {o.name: occupied_sum(o, bands, mu, kT) for o in wanted}


def assert_zero(model, kind, mu, fields=slice(None), **settings):
    """Every response of a kind vanishes for these components of the field."""
    for name, (value, size) in responses(model, kind, mu, **settings).items():
        assert np.abs(value[..., fields]).max() < ZERO * size, name


def assert_nonzero(model, kind, mu, names, fields=slice(None), **settings):
    """The named ones do not."""
    found = responses(model, kind, mu, **settings)
    for name in names:
        value, size = found[name]
        assert np.abs(value[..., fields]).max() > 1e3 * ZERO * size, name


def chern_number(model, occupied, n=24, window=None):
    """Chern number of the lowest bands and the smallest gap above them, from fluxes through the plaquettes of a mesh.

    <u_k|u_k'> = exp(-i A.dk) with A = i <u|du>, so that the flux is minus the phase of the product.
    """
    axis = np.arange(n) / n
    k = np.stack(np.meshgrid(axis, axis, [0.0], indexing="ij"), axis=-1).reshape(-1, 3)
    if window is not None:
        k = np.where(k > 0.5, k - 1, k)
        k = np.sign(k) * window * (np.abs(k) * 2) ** 3 / 2 + (1 - window) * k  # denser about Gamma, still the whole zone
    e, u = np.linalg.eigh(model.matrices(k, 0).H)
    u = u[:, :, :occupied].reshape(n, n, -1, occupied)
    right, up = np.roll(u, -1, axis=0), np.roll(u, -1, axis=1)
    corner = np.roll(right, -1, axis=1)

    def link(a, b):
        return np.linalg.det(np.conj(np.swapaxes(a, 2, 3)) @ b)

    flux = -np.angle(link(u, right) * link(right, corner) * link(corner, up) * link(up, u))
    number = flux.sum() / (2 * np.pi)
    assert number == pytest.approx(round(number), abs=1e-9)
    return round(number), float((e[:, occupied] - e[:, occupied - 1]).min())
