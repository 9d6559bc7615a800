"""Occupation: one histogram of weights over energy serves all Fermi levels and temperatures.

At a finite temperature each state is shared among the four nearest nodes of a uniform energy grid with the weights of
cubic interpolation, so that any function of the energy summed with the nodes is summed as interpolated to the states:
with 16 nodes per k_B T the Fermi function and its derivative are met to better than 1e-6 (the bound of the
interpolation error is 3/128 (1/16)^4 |f''''| (k_B T)^4 < 5e-8 and, for -df/de in units of 1 / k_B T, alone and times
(e - mu)/(k_B T), < 2e-7; for the weight g of the grand potential in units of k_B T, < 5e-8). A state far below a level has
g = mu - e: for such quantities the histogram has a second set of rows with the energies of the states that it counts. At zero
temperature the states are counted between Fermi levels, which is exact; there -df/de becomes a box
(physics.md eq. 20) that reaches half way to the neighbouring Fermi levels or, around a single one, a gap that it lies in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...calculators.quantity import GRAND, SEA, SURFACE, THERMAL
from ...common.errors import SettingsError
from ...common.units import KB
from .compiled import count, share
from .fermi import REACH, _at_levels, grand_weight

Array = NDArray[np.float64]

NODES_PER_KT = 16
#: Fermi levels that are evaluated together lie within so many k_B T: wider runs take more nodes, narrower ones more calls
RUN = 9.0
#: and are so many at the most: their occupations at the nodes take memory
TOGETHER = 256


@dataclass(frozen=True)
class Occupation:
    """Fermi levels and temperatures, and the histogram that serves them.

    Parameters
    ----------
    fermi : (nf,) Fermi levels in eV, ascending.
    temperature : (nT,) in K.
    surface : whether Fermi-surface quantities are wanted (at T = 0 they need two Fermi levels or more, or a gap).
    gap : edges in eV of the gap that a single level lies in, if it does: at T = 0 no states are there.
    grand : whether quantities with the weight g of the grand potential are wanted.
    thermal : whether quantities with (e - mu)/(k_B T) (-df/de) are wanted (which have nothing to say at T = 0).

    Raises
    ------
    SettingsError : levels that are not ascending or finite, a negative temperature, a surface at T = 0 with one level.
    """

    fermi: Array
    temperature: Array
    surface: bool = True
    gap: tuple[float, float] | None = None
    grand: bool = False
    thermal: bool = False

    def __post_init__(self) -> None:
        if self.fermi.ndim != 1 or len(self.fermi) == 0 or not np.isfinite(self.fermi).all():
            raise SettingsError("fermi must be one or more finite energies in eV")
        if (np.diff(self.fermi) <= 0).any():
            raise SettingsError("the Fermi levels must ascend, each given once")
        if len(self.temperature) == 0 or not (np.isfinite(self.temperature).all() and (self.temperature >= 0).all()):
            raise SettingsError("temperature must be one or more finite numbers >= 0, in K")
        if self.thermal and self.cold.any():
            raise SettingsError("a gradient of the temperature moves no electrons at T = 0: give temperatures above zero")
        if self.surface and self.cold.any() and len(self._edges) == 0:
            raise SettingsError(
                "a Fermi-surface quantity at zero temperature needs two or more Fermi levels, "
                "whose spacing is the width of the delta function, or one in a gap: give several, or a temperature"
            )

    def about(self) -> dict[str, str]:
        """What to record of a Fermi surface at T = 0 that has no states."""
        if self.gap is None:
            return {}
        said = "no states at the level: gap from {:.6g} to {:.6g} eV; Fermi-surface terms at T = 0 are zero".format(*self.gap)
        return {"fermi_surface": said}

    @cached_property
    def cold(self) -> NDArray[np.bool_]:
        """(nT,) which temperatures are zero."""
        return np.asarray(self.temperature == 0)

    @cached_property
    def _steps(self) -> Array:
        """Energies between which states are counted for T = 0: Fermi levels and the edges of their boxes, ascending."""
        return np.unique(np.concatenate([self.fermi, self._edges])) if self.cold.any() else np.empty(0)

    @cached_property
    def _edges(self) -> Array:
        """(nf + 1,) edges of the boxes around the Fermi levels; none around a single one outside a gap, and half way to its
        edges, which are known to some 1e-6 eV, in one."""
        if len(self.fermi) < 2:
            return (np.array(self.gap) + self.fermi) / 2 if self.gap else np.empty(0)
        middle = (self.fermi[1:] + self.fermi[:-1]) / 2
        return np.concatenate([[2 * self.fermi[0] - middle[0]], middle, [2 * self.fermi[-1] - middle[-1]]])

    @property
    def boxes(self) -> tuple[Array, Array]:
        """Lower and upper edges (nf,) in eV of what -df/de is at T = 0."""
        return self._edges[:-1], self._edges[1:]

    @cached_property
    def _grid(self) -> tuple[float, float, int]:
        """First node, spacing and number of nodes of the uniform grid for T > 0; no nodes if T = 0 only."""
        warm = self.temperature[~self.cold] * KB
        if len(warm) == 0:
            return 0.0, 1.0, 0
        step = float(warm.min()) / NODES_PER_KT
        low = float(self.fermi[0] - REACH * warm.max()) - 2 * step
        high = float(self.fermi[-1] + REACH * warm.max()) + 2 * step
        return low, step, int(np.ceil((high - low) / step)) + 1

    @property
    def window(self) -> tuple[float, float]:
        """Energies (eV) at or below which states are full, and above which they are empty, at all levels."""
        low, step, n = self._grid
        edges = self._steps.tolist() + ([low + step, low + (n - 2) * step] if n else [])
        return min(edges), max(edges)

    @property
    def n_rows(self) -> int:
        """Rows of a histogram: the steps, the states above them, the states below the grid, the grid; and for `grand` the
        energies of those in the steps, above them and below the grid, counted from the first Fermi level."""
        return self._first_energies + (len(self._steps) + 2 if self.grand else 0)

    @property
    def _first_energies(self) -> int:
        """The first row that holds energies."""
        return len(self._steps) + 2 + self._grid[2]

    @cached_property
    def widths(self) -> Array:
        """(levels,) energies in eV over which occupations change, levels being Fermi levels times temperatures: k_B T, or a
        quarter of the box of a Fermi surface at T = 0 (none without one)."""
        cold = np.diff(self._edges) / 4 if self.surface and self.cold.any() else np.zeros(len(self.fermi))
        return np.where(self.cold, cold[:, None], self.temperature * KB).ravel()

    def factors(self, energies: Array) -> dict[int, Array]:
        """By the number of the occupation f, -df/de (1/eV) and, where they are wanted, g (eV) and (e - mu)/(k_B T) (-df/de) of
        states (..., levels), levels being Fermi levels times temperatures; boxes at T = 0."""
        shape = (*energies.shape, len(self.fermi), len(self.temperature))
        f, df = np.empty(shape), np.empty(shape)
        found = {SEA: f, SURFACE: df}
        found |= {kind: np.empty(shape) for kind, use in ((GRAND, self.grand), (THERMAL, self.thermal)) if use}
        for t, T in enumerate(self.temperature):
            x = energies[..., None] - self.fermi
            if T > 0:
                z = np.exp(-np.minimum(np.abs(x) / (T * KB), 700.0))
                f[..., t] = np.where(x > 0, z, 1.0) / (1 + z)
                df[..., t] = z / (1 + z) ** 2 / (T * KB)
            else:
                f[..., t] = x <= 0
                inside = np.diff((energies[..., None] <= self._edges).astype(float), axis=-1)
                df[..., t] = inside / np.diff(self._edges) if len(self._edges) else 0.0
            if self.grand:
                found[GRAND][..., t] = grand_weight(x, 0.0, T * KB)
            if self.thermal:
                found[THERMAL][..., t] = x / (T * KB) * df[..., t]
        return {kind: x.reshape(*energies.shape, -1) for kind, x in found.items()}

    def filled(self, energies: Array, weights: Array) -> Array:
        """(nk, levels, columns) what bands (nk, n) with these weights (nk, n, columns) of the sea give at each point."""
        return np.asarray(np.swapaxes(self.factors(energies)[SEA], 1, 2) @ weights)

    def factors_of_pairs(self, energies: Array) -> dict[int, Array]:
        """The same with T S (eV), S the entropy of a state, in place of g = (mu - e) f + T S.

        The first term times the curvature, and f times the moment, cancel between two occupied bands (physics.md eq. 69).
        """
        found = self.factors(energies)
        if self.grand:
            depth = np.repeat(self.fermi, len(self.temperature)) - energies[..., None]
            found[GRAND] = found[GRAND] - depth * found[SEA]
        return found

    def add(self, histogram: Array, energies: Array, weights: Array, part: NDArray[np.int64] | int = 0) -> None:
        """Add states, one after the other, to `histogram` (n_rows, columns), or (parts, n_rows, columns) to the part of each.

        Parameters
        ----------
        energies : (ns,) eV.
        weights : (ns, columns).
        part : (ns,), number of the histogram that each state goes to.
        """
        flat = histogram.reshape(-1, histogram.shape[-1])  # a view
        start = np.broadcast_to(np.asarray(part) * self.n_rows, energies.shape)
        known, zero = (energies, weights), float(self.fermi[0])
        moments = self._first_energies if self.grand else 0
        if self.cold.any():
            count(flat, start, *known, self._steps, moments, zero)
        low, step, n = self._grid
        if n:
            share(flat, start + len(self._steps) + 1, *known, low, step, n, moments, zero)

    def interpolation_error(self, histogram: Array, sums: Array, kinds: NDArray[np.int64]) -> Array:
        """How uncertain sums are by interpolation between nodes: a quarter of what twice the distance of these changes.

        The mean interpolation error of states anywhere between nodes is a twelfth of that (fourth powers of the distance).
        """
        return np.abs(self.evaluate(histogram, kinds, NODES_PER_KT // 2) - sums) / 4

    def evaluate(self, histogram: Array, kinds: NDArray[np.int64], per_kT: int = NODES_PER_KT) -> Array:
        """Sums at all levels (..., nf, nT, columns) of histograms (..., n_rows, columns), whose columns are occupied as the
        numbers `kinds` (columns,) say (`OCCUPATIONS`), from so many nodes per k_B T."""
        kinds = np.asarray(kinds, dtype=np.int64)
        out = np.empty((*histogram.shape[:-2], len(self.fermi), len(self.temperature), histogram.shape[-1]))
        if self.cold.any():
            out[..., self.cold, :] = self._counted(histogram, kinds)[..., None, :]
        first = len(self._steps) + 1
        below, grid = histogram[..., first, :], histogram[..., first + 1 : self._first_energies, :]
        energies = histogram[..., self._first_energies + first, :] if self.grand else np.zeros_like(below)
        for t in np.flatnonzero(~self.cold):
            kT = float(self.temperature[t]) * KB
            nodes, weights = self._nodes(grid, kT, per_kT)
            by_node = np.moveaxis(weights, -2, 0)  # so that all histograms take part in one product
            around_level, sea, grand, thermal = (
                np.ascontiguousarray(by_node[..., kinds == k]) for k in (SURFACE, SEA, GRAND, THERMAL)
            )
            counted, filled = 0, below[..., kinds == SEA]
            full, depth = below[..., kinds == GRAND], energies[..., kinds == GRAND]
            for levels in self._together(kT):
                mu = self.fermi[levels]
                a, b = np.searchsorted(nodes, [mu[0] - REACH * kT, mu[-1] + REACH * kT])
                filled = filled + sea[counted:a].sum(axis=0)  # full at these levels
                full = full + grand[counted:a].sum(axis=0)
                depth = depth + np.tensordot(nodes[counted:a] - self.fermi[0], grand[counted:a], 1)
                counted = a
                f, df, y = _at_levels(nodes[a:b], mu, kT)
                at = np.moveaxis(out[..., levels, t, :], -2, 0)  # a view
                at[..., kinds == SEA] = filled + np.tensordot(f, sea[a:b], 1)
                at[..., kinds == SURFACE] = np.tensordot(df, around_level[a:b], 1)
                if (kinds == THERMAL).any():
                    x = (nodes[a:b] - mu[:, None]) / kT
                    at[..., kinds == THERMAL] = np.tensordot(x * df, thermal[a:b], 1)
                if (kinds == GRAND).any():
                    linear = np.multiply.outer(mu - self.fermi[0], full) - depth
                    at[..., kinds == GRAND] = linear + np.tensordot(kT * np.log1p(1 / y), grand[a:b], 1)
        return out

    def _counted(self, histogram: Array, kinds: NDArray[np.int64]) -> Array:
        """(..., nf, columns), the sums at T = 0: of states at or below the levels, in boxes around them, or of mu - e."""
        steps, end = self._steps, len(self._steps) + 1
        levels = np.searchsorted(steps, self.fermi)
        count = np.cumsum(histogram[..., :end, :], axis=-2)
        out = count[..., levels, :]
        if (kinds == SURFACE).any():
            box = np.diff(count[..., np.searchsorted(steps, self._edges), :], axis=-2) / np.diff(self._edges)[:, None]
            out = np.where(kinds == SURFACE, box, out)
        if (kinds == GRAND).any():
            rows = slice(self._first_energies, self._first_energies + end)
            energies = np.cumsum(histogram[..., rows, :], axis=-2)[..., levels, :]
            out = np.where(kinds == GRAND, (self.fermi - self.fermi[0])[:, None] * out - energies, out)
        return np.asarray(out)

    def _nodes(self, grid: Array, kT: float, per_kT: int) -> tuple[Array, Array]:
        """Energies of nodes as dense as k_B T needs, and the weights (..., nodes, columns) of the grid's on them.

        The weight of every node of the finer grid of a lower temperature is shared as those of states are.
        """
        low, step, n = self._grid
        every = int(kT / per_kT / step + 1e-9)
        if every < 2:
            return low + step * np.arange(n, dtype=float), grid
        from scipy.sparse import coo_matrix

        x = np.arange(n) / every
        j = np.floor(x).astype(np.int64)
        rows = j[:, None] + np.arange(4)
        shared = coo_matrix((_cubic(x - j).ravel(), (rows.ravel(), np.repeat(np.arange(n), 4)))).tocsr()
        weights = [shared @ part for part in grid.reshape(-1, *grid.shape[-2:])]
        nodes = low + step * every * (np.arange(shared.shape[0], dtype=float) - 1)
        return nodes, np.reshape(weights, (*grid.shape[:-2], len(nodes), grid.shape[-1]))

    def _together(self, kT: float) -> list[slice]:
        """Fermi levels cut into runs, narrow beside the reach of one of them: the nodes around a run serve all of it."""
        runs, start = [], 0
        while start < len(self.fermi):
            near = int(np.searchsorted(self.fermi, self.fermi[start] + RUN * kT, side="right"))
            stop = min(near, start + TOGETHER)
            runs.append(slice(start, stop))
            start = stop
        return runs


def _cubic(t: Array) -> Array:
    """(ns, 4) weights of cubic Lagrange interpolation at t in [0, 1) on the nodes -1, 0, 1, 2."""
    return np.stack(
        [
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ],
        axis=1,
    )
