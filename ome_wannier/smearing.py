"""Fermi functions as sums of smooth steps and of what makes them sharper.

A step is a Gaussian's integral. Those of a temperature that are narrower than its Fermi function are this function itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .occupation import Occupation
from .units import KB

Array = NDArray[np.float64]

#: a Gaussian this many k_B T wide and a Fermi function take the same mesh: their Fourier transforms fall to 1e-4 together
AS_SMOOTH = 1.46
#: bounds on what is outside a shell, relative to the integral of the absolute value
TAIL = (1e-10, 1e-4)


class Steps(NamedTuple):
    """Steps of falling widths in eV, 0 for the Fermi functions themselves at the end; `surface` columns take -df/de instead."""

    occupation: Occupation
    surface: NDArray[np.bool_]
    widths: tuple[float, ...]

    @classmethod
    def of(cls, occupation: Occupation, surface: NDArray[np.bool_], finer: float) -> Steps:
        """Steps of which the first one is resolved by a mesh `finer` times coarser than the lowest temperature takes."""
        least = AS_SMOOTH * KB * float(occupation.temperature.min())
        smeared = 1 + int(np.ceil(np.log2(max(finer, 1.0)))) if not surface.all() else 0
        return cls(occupation, surface, (*(least * 2.0**n for n in range(smeared, 0, -1)), 0.0))

    @property
    def kT(self) -> Array:
        """Of every step, that of the Fermi function as sharp (eV)."""
        return np.maximum(np.array(self.widths) / AS_SMOOTH, KB * float(self.occupation.temperature.min()))

    def fall(self, along: Array) -> Array:
        """To what the errors of meshes fall at most when points are doubled, where levels move by so much (eV) from one of them
        to the next: Fourier coefficients of a Gaussian's integral and of a Fermi function (x / sinh x) do."""
        step, kT = np.array(self.widths)[:, None], KB * np.asarray(self.occupation.temperature)
        per_eV = np.pi / np.maximum(along, np.finfo(float).tiny)[:, None]
        gauss = np.exp(-1.5 * np.minimum(per_eV * step, 20) ** 2)
        fermi = 1 / np.cosh(np.minimum(np.pi * per_eV * kT, 500))
        return np.asarray(np.where(AS_SMOOTH * kT < step, gauss, fermi).max(axis=1))

    def half(self, summed: int, tail: float) -> float:
        """Half the width in eV of the shell outside of which nothing is left, but this tail, once a step has been summed."""
        from scipy.special import erfcinv

        kT = KB * np.asarray(self.occupation.temperature)
        fermi = -np.log(tail)
        surface = fermi * float(kT.max()) if self.surface.any() else 0.0
        if self.surface.all():
            return surface
        if summed < 0:
            return float("inf")
        sharper = kT[AS_SMOOTH * kT < self.widths[summed]]
        gauss = np.sqrt(2) * float(erfcinv(2 * tail)) * self.widths[summed]
        return max(surface, gauss, fermi * float(sharper.max())) if len(sharper) else surface

    def reach(self, summed: int, tail: float) -> float:
        """How far from a level states have to be known to find the points of the next mesh."""
        half = self.half(summed, tail)
        return half if np.isfinite(half) else self.half(0, TAIL[0])

    def functions(self, energies: Array, first: int) -> tuple[list[Array], Array]:
        """Steps from the first one on, and -df/de (1/eV), of states (..., levels): Fermi levels times temperatures."""
        from scipy.special import erfc

        occupation = self.occupation
        f, df = occupation.factors(energies)
        out = []
        for width in self.widths[first:-1]:
            smeared = erfc((energies[..., None] - occupation.fermi) / (np.sqrt(2) * width)) / 2
            sharper = AS_SMOOTH * KB * occupation.temperature < width
            step = np.where(sharper, smeared[..., None], f.reshape(*smeared.shape, -1))
            out.append(step.reshape(f.shape))
        return [*out, f], df
