"""Zone integrals of small pockets by fixed rules, made of hoppings alone: nothing here is the package's.

`by_rays`: the zone is cut into boxes, each around one pocket, and every box is filled with rays from a point of the pocket to
its faces. Rays are broken where bands cross a Fermi level (or some k_B T beside it), and between powers of two of their length,
so that a pocket takes part in the same way however small it is; Gauss-Legendre rules do the rest. Breaks at T = 0 are exact.

`by_mesh`: the sum over a uniform mesh, for T > 0, so fine that no level moves by more than 1.5 k_B T from point to point.

Quantities are the Kubo sums of their definitions (physics.md sections 4 and 5) in SI units, with (levels, temperatures,
components). Sea quantities are sums over partitions of the bands, (f_p - f_p+1) Q_p with Q_p a double sum over bands up to p
and above p, surface quantities (-df/de) times a matrix element of a band. At T = 0, -df/de is the box between the middles of
neighbouring levels that the package documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss

Array = np.ndarray

KB = 8.617333262e-5  # eV/K
HBAR = 0.6582119569  # eV fs
E2_HBAR = 1.602176634e-19**2 / 1.054571817e-34  # S
TAU = 10.0  # fs

SURFACE = ("extrinsic", "metric_curl")
SEA = ("berry_curvature", "quantum_metric", "interband")
#: quantities that are sums of others
SUMS = {"total": (("interband", 1.0), ("metric_curl", 0.5))}

#: bands closer than this (eV) are one level
SAME = 1e-7
#: energies, in k_B T from a Fermi level, at which rays are broken; beyond the last one the occupation is 0 or 1 to 1e-16
AROUND = np.array([-36.0, -16.0, -8.0, -4.0, 0.0, 4.0, 8.0, 16.0, 36.0])
#: points that are evaluated together
TOGETHER = 20_000


@dataclass(frozen=True)
class Model:
    """Hoppings <0i|H|Rj> (nR, n, n) in eV at R (nR, d), with lattice rows (d, d) and centres (n, d) in Angstrom."""

    lattice: Array
    R: Array
    H: Array
    centres: Array

    @property
    def dimension(self) -> int:
        return len(self.lattice)

    def energies(self, k: Array) -> Array:
        """Bands (nk, n) at reduced k (nk, d)."""
        h = (np.exp(2j * np.pi * (k @ self.R.T)) @ self.H.reshape(len(self.R), -1)).reshape(-1, *self.H.shape[1:])
        if h.shape[1] > 2:
            return np.linalg.eigvalsh(h)
        mean, half = (h[:, 0, 0] + h[:, 1, 1]).real / 2, (h[:, 0, 0] - h[:, 1, 1]).real / 2
        root = np.sqrt(half**2 + abs(h[:, 0, 1]) ** 2)
        return np.stack([mean - root, mean + root], axis=-1)

    def states(self, k: Array) -> tuple[Array, Array]:
        """Bands (nk, n) and velocities between them (nk, d, n, n) in eV Angstrom."""
        n = len(self.centres)
        step = (self.R @ self.lattice)[:, None, None] + self.centres[None, None] - self.centres[None, :, None]
        of_R = np.concatenate([self.H[:, None], 1j * np.moveaxis(step, -1, 1) * self.H[:, None]], axis=1)
        x = (np.exp(2j * np.pi * (k @ self.R.T)) @ of_R.reshape(len(self.R), -1)).reshape(len(k), -1, n, n)
        e, U = np.linalg.eigh(x[:, 0])
        return e, U.conj().swapaxes(1, 2)[:, None] @ x[:, 1:] @ U[:, None]


class Levels(NamedTuple):
    """Fermi levels (eV), ascending, and temperatures (K)."""

    fermi: Array
    temperature: Array

    @property
    def edges(self) -> Array:
        """Of the boxes at T = 0."""
        if len(self.fermi) < 2:
            return np.empty(0)
        middle = (self.fermi[1:] + self.fermi[:-1]) / 2
        return np.concatenate([[2 * self.fermi[0] - middle[0]], middle, [2 * self.fermi[-1] - middle[-1]]])

    def breaks(self) -> Array:
        """Energies at which occupations change, close to each other as the lowest temperature needs."""
        warm = self.temperature[self.temperature > 0] * KB
        found = [self.fermi + x * kT for kT in warm for x in AROUND]
        energies = np.sort(np.concatenate(found)) if found else np.empty(0)
        keep: list[float] = []
        for x in energies:
            if not keep or x - keep[-1] > 1.5 * warm.min():
                keep.append(x)
        cold = np.concatenate([self.fermi, self.edges]) if (self.temperature == 0).any() else np.empty(0)
        return np.unique(np.concatenate([keep, cold]))

    def occupations(self, e: Array) -> tuple[Array, Array]:
        """f and -df/de (nk, n, levels * temperatures)."""
        shape = (*e.shape, len(self.fermi), len(self.temperature))
        f, df = np.zeros(shape), np.zeros(shape)
        for t, T in enumerate(self.temperature):
            if T > 0:
                x = np.clip((e[..., None] - self.fermi) / (KB * T), -500, 500)
                f[..., t], df[..., t] = 1 / (1 + np.exp(x)), 1 / (4 * KB * T * np.cosh(x / 2) ** 2)
            else:
                f[..., t] = e[..., None] <= self.fermi
                if len(self.fermi) > 1:
                    below = e[..., None] <= self.edges
                    df[..., t] = (below[..., 1:] & ~below[..., :-1]) / np.diff(self.edges)
        return f.reshape(*e.shape, -1), df.reshape(*e.shape, -1)


# ---- what is integrated ------------------------------------------------------------------------------------------------


def axis_pairs(dimension: int) -> list[tuple[int, int]]:
    """The field axes (m, n) with epsilon_imn = +1 of every moment axis i."""
    return [(0, 1)] if dimension == 2 else [(1, 2), (2, 0), (0, 1)]


def surface_weights(name: str, e: Array, v: Array) -> Array:
    """(nk, n, components) to be weighted with -df/de."""
    same = abs(e[:, :, None] - e[:, None, :]) < SAME
    gap = np.where(same, np.inf, e[:, :, None] - e[:, None, :])
    R, inside = -1j * v / gap[:, None], v * same[:, None]
    out = []
    for m, n in axis_pairs(v.shape[1]):
        for b in range(v.shape[1]):
            if name == "extrinsic":  # -v_b m, m = Im sum_p v_m,np v_n,pn / (e_p - e_n), a matrix within a level
                X = (v[:, m] / -gap) @ (v[:, n] * ~same)
                moment = (X - X.conj().swapaxes(1, 2)) / 2j
                out.append(-np.einsum("kij,kji->ki", inside[:, b], moment).real)
            else:  # v_m G_bn - v_n G_bm
                G_n, G_m = R[:, b] @ R[:, n], R[:, b] @ R[:, m]
                metric = [(G + G.conj().swapaxes(1, 2)) / 2 for G in (G_n, G_m)]
                out.append(np.einsum("kij,kji->ki", inside[:, m], metric[0]).real)
                out[-1] -= np.einsum("kij,kji->ki", inside[:, n], metric[1]).real
    return np.stack(out, axis=-1)


def sea_weights(name: str, e: Array, v: Array) -> Array:
    """(nk, n - 1, components): Q of the lowest p bands occupied, zero where band p is one level with the next."""
    nk, d, n, _ = v.shape
    columns = {"berry_curvature": len(axis_pairs(d)), "quantum_metric": d * d, "interband": d * len(axis_pairs(d))}[name]
    out = np.zeros((nk, n - 1, columns))
    for p in range(n - 1):
        o, u = slice(0, p + 1), slice(p + 1, n)
        split = e[:, p + 1] - e[:, p] > SAME
        gap = np.where(split[:, None, None], e[:, o, None] - e[:, None, u], np.inf)
        R_ou = -1j * v[:, :, o, u] / gap[:, None]  # (nk, d, o, u); R_uo is its adjoint
        if name == "berry_curvature":
            found = [-2 * np.einsum("kou,kou->k", R_ou[:, a], R_ou[:, b].conj()).imag for a, b in axis_pairs(d)]
        elif name == "quantum_metric":
            found = [np.einsum("kou,kou->k", R_ou[:, a], R_ou[:, b].conj()).real for a, b in product(range(d), repeat=2)]
        else:
            found = [_interband(v, R_ou, gap, (o, u), pair)[b] for pair in axis_pairs(d) for b in range(d)]
        out[:, p] = np.stack(found, axis=-1)
    return out


def _interband(v: Array, R_ou: Array, gap: Array, sides: tuple[slice, slice], pair: tuple[int, int]) -> list[Array]:
    """eps_imn Re sum_ou B_b,ou [sum_u' v_m,uu' R_n,u'o + sum_o' R_n,uo' v_m,o'o] for every b, B = R / (e_o - e_u)."""
    o, u = sides
    R_uo = R_ou.conj().swapaxes(2, 3)
    moved = 0
    for sign, (m, n) in ((1, pair), (-1, pair[::-1])):
        moved = moved + sign * (v[:, m, u, u] @ R_uo[:, n] + R_uo[:, n] @ v[:, m, o, o])
    return [np.einsum("kou,kuo->k", R_ou[:, b] / gap, moved).real for b in range(v.shape[1])]


def si(name: str, model: Model) -> float:
    """From the mean over the zone to SI units."""
    d = model.dimension
    per_cell = 1 / abs(np.linalg.det(model.lattice))
    if name in ("berry_curvature", "quantum_metric"):
        return per_cell
    return per_cell * E2_HBAR * 1e-10 ** (3 - d) * (TAU / HBAR if name == "extrinsic" else 1.0)


def simple(names: Sequence[str]) -> list[str]:
    """What has to be integrated for these quantities."""
    return sorted({part for name in names for part, _ in SUMS.get(name, ((name, 1.0),))})


class _Sum:
    """Adds weighted points."""

    def __init__(self, model: Model, levels: Levels, names: Sequence[str]) -> None:
        self.model, self.levels, self.names = model, levels, names
        self.parts: dict[str, Array] = {}

    def add(self, k: Array, weight: Array) -> None:
        """Points (nk, d) and their weights."""
        for s in range(0, len(k), TOGETHER):
            self._add(k[s : s + TOGETHER], weight[s : s + TOGETHER])

    def _add(self, k: Array, weight: Array) -> None:
        wanted = simple(self.names)
        if not set(wanted) & set(SEA):  # only states near a level take part
            e = self.model.energies(k)
            near = (self.levels.occupations(e)[1] > 0).any(axis=(1, 2)) & self._within_reach(e)
            k, weight = k[near], weight[near]
        if not len(k):
            return
        e, v = self.model.states(k)
        f, df = self.levels.occupations(e)
        for name in wanted:
            if name in SURFACE:
                x = np.tensordot(df * weight[:, None, None], surface_weights(name, e, v), axes=([0, 1], [0, 1]))
            else:
                steps = (f[:, :-1] - f[:, 1:]) * weight[:, None, None]
                x = np.tensordot(steps, sea_weights(name, e, v), axes=([0, 1], [0, 1]))
            self.parts[name] = self.parts.get(name, 0.0) + x

    def _within_reach(self, e: Array) -> Array:
        reach = AROUND[-1] * KB * self.levels.temperature.max() + (np.ptp(self.levels.edges) if len(self.levels.edges) else 0)
        low, high = self.levels.fermi[0] - reach, self.levels.fermi[-1] + reach
        return ((e > low) & (e < high)).any(axis=1)

    def result(self) -> dict[str, Array]:
        """By quantity, (levels, temperatures, components) in SI units."""
        shape = (len(self.levels.fermi), len(self.levels.temperature), -1)
        d = self.model.dimension
        found = {}
        for name in self.names:
            terms = SUMS.get(name, ((name, 1.0),))
            columns = {"berry_curvature": len(axis_pairs(d)), "quantum_metric": d * d}.get(name, d * len(axis_pairs(d)))
            zero = np.zeros((shape[0] * shape[1], columns))
            value = sum(c * self.parts.get(part, zero) * si(part, self.model) for part, c in terms)
            found[name] = np.asarray(value).reshape(shape)
        return found


def could_be(model: Model, levels: Levels, names: Sequence[str]) -> dict[str, Array]:
    """By quantity (temperatures,), about the largest element were all states at the Fermi level, from a coarse mesh."""
    n = {2: 30, 3: 12}[model.dimension]
    e, v = model.states(grid((n,) * model.dimension, 0, n**model.dimension) + 0.317 / n)
    box = np.diff(levels.edges).min(initial=1.0)
    peaks = np.array([1 / (4 * KB * T) if T else 1 / box for T in levels.temperature])
    found = {}
    for name in names:
        total = np.zeros(len(peaks))
        for part, c in SUMS.get(name, ((name, 1.0),)):
            weights = (surface_weights if part in SURFACE else sea_weights)(part, e, v)
            mean = abs(weights).sum(axis=1).mean(axis=0).max() * abs(c) * si(part, model)
            total = total + mean * (peaks if part in SURFACE else 1.0)
        found[name] = total
    return found


# ---- rays --------------------------------------------------------------------------------------------------------------


class Box(NamedTuple):
    """Bounds (d,) of a part of the zone in reduced coordinates, and a point inside from which rays start."""

    low: Array
    high: Array
    apex: Array


class Fineness(NamedTuple):
    """Directions: `pieces` of every face along each of its sides, with `nodes` points each. Along rays: `radial` points
    between breaks, `octaves` of the distance."""

    pieces: int
    nodes: int
    radial: int
    octaves: int


#: by dimension: the rule whose numbers count, and the coarser one that has to agree
FINE = {2: Fineness(8, 6, 7, 15), 3: Fineness(4, 6, 6, 11)}
COARSE = {2: Fineness(6, 6, 6, 14), 3: Fineness(3, 6, 5, 10)}
#: steps between powers of two at which crossings are looked for
SAMPLES = 6


def by_rays(model: Model, levels: Levels, names: Sequence[str], boxes: Sequence[Box], fineness: Fineness) -> dict[str, Array]:
    """The integrals over all boxes."""
    total = _Sum(model, levels, names)
    for box in boxes:
        rays, weight = _rays(box, fineness)
        for s in range(0, len(rays), 1000):
            line = _Line(model, box.apex, rays[s : s + 1000])
            number, start, stop = _panels(line, levels, fineness.octaves)
            x, w = leggauss(fineness.radial)
            at = (start + stop)[:, None] / 2 + (stop - start)[:, None] / 2 * x
            much = weight[s : s + 1000][number, None] * (stop - start)[:, None] / 2 * w * at ** (model.dimension - 1)
            total.add(line.k(np.repeat(number, len(x)), at.ravel()), much.ravel())
    return total.result()


class _Line(NamedTuple):
    """Rays (nr, d) from one point."""

    model: Model
    apex: Array
    rays: Array

    def k(self, number: Array, s: Array) -> Array:
        return self.apex + s[:, None] * self.rays[number]

    def energies(self, number: Array, s: Array) -> Array:
        parts = [slice(i, i + 4 * TOGETHER) for i in range(0, len(s), 4 * TOGETHER)]
        found = [self.model.energies(self.k(number[p], s[p])) for p in parts]
        return np.concatenate(found) if found else np.empty((0, len(self.model.centres)))


def _rays(box: Box, fineness: Fineness) -> tuple[Array, Array]:
    """Vectors from the apex to points of all faces (nr, d), and weights: volume elements are weight s^(d-1) ds."""
    d = len(box.low)
    x, w = leggauss(fineness.nodes)
    t = ((np.arange(fineness.pieces)[:, None] + (x + 1) / 2) / fineness.pieces).ravel()
    tw = np.tile(w / 2 / fineness.pieces, fineness.pieces)
    unit = np.stack(np.meshgrid(*[t] * (d - 1), indexing="ij"), axis=-1).reshape(-1, d - 1)
    area = np.prod(np.stack(np.meshgrid(*[tw] * (d - 1), indexing="ij"), axis=-1).reshape(-1, d - 1), axis=1)
    vectors, weights = [], []
    for axis in range(d):
        others = [i for i in range(d) if i != axis]
        for side in (box.low, box.high):
            point = np.empty((len(unit), d))
            point[:, axis] = side[axis]
            point[:, others] = box.low[others] + unit * (box.high - box.low)[others]
            vectors.append(point - box.apex)
            weights.append(area * np.prod((box.high - box.low)[others]) * abs(side[axis] - box.apex[axis]))
    return np.concatenate(vectors), np.concatenate(weights)


def _panels(line: _Line, levels: Levels, octaves: int) -> tuple[Array, Array, Array]:
    """Pieces of rays between breaks: number of the ray, start, stop (0 at the apex, 1 at the face)."""
    powers = 2.0 ** np.arange(-octaves, 1)
    s = np.concatenate([[0.0], (powers[:-1, None] * 2 ** (np.arange(SAMPLES) / SAMPLES)).ravel(), [1.0]])
    crossed, where = _crossings(line, s, levels)
    nr = len(line.rays)
    number = np.concatenate([np.repeat(np.arange(nr), len(powers) + 1), crossed])
    at = np.concatenate([np.tile(np.concatenate([[0.0], powers]), nr), where])
    order = np.lexsort((at, number))
    number, at = number[order], at[order]
    use = (number[1:] == number[:-1]) & (at[1:] > at[:-1] + 1e-15)
    return number[1:][use], at[:-1][use], at[1:][use]


def _crossings(line: _Line, s: Array, levels: Levels) -> tuple[Array, Array]:
    """Where bands cross the energies that matter: numbers of rays, positions."""
    nr = len(line.rays)
    e = line.energies(np.repeat(np.arange(nr), len(s)), np.tile(s, nr)).reshape(nr, len(s), -1)
    ray, i, band = (x.ravel() for x in np.indices((nr, len(s) - 1, e.shape[2])))
    pieces = [(ray, band, s[i], s[i + 1], e[ray, i, band], e[ray, i + 1, band])]
    # a band may cross twice between two samples beside its extremum: that is looked for
    energies, steps = levels.breaks(), 40 if (levels.temperature == 0).any() else 6
    turn = (e[:, 1:-1] - e[:, :-2]) * (e[:, 2:] - e[:, 1:-1]) < 0
    beyond = 2 * e[:, 1:-1] - (e[:, :-2] + e[:, 2:]) / 2  # a parabola turns nearer to the middle sample
    low, high = (np.searchsorted(energies, x(beyond, e[:, 1:-1])) for x in (np.minimum, np.maximum))
    turn &= low < high
    ray, i, band = np.nonzero(turn)
    i = i + 1
    if len(ray):
        top, value = _extremum(line, ray, band, (s[i - 1], s[i + 1]), np.sign(e[ray, i, band] - e[ray, i - 1, band]), steps)
        pieces.append((ray, band, s[i - 1], top, e[ray, i - 1, band], value))
        pieces.append((ray, band, top, s[i + 1], value, e[ray, i + 1, band]))
    ray, band, a, b, ea, eb = (np.concatenate(x) for x in zip(*pieces, strict=True))
    first, last = (np.searchsorted(energies, x(ea, eb)) for x in (np.minimum, np.maximum))
    which = np.repeat(np.arange(len(ray)), last - first)
    target = energies[np.arange(len(which)) - np.repeat(np.cumsum(last - first) - (last - first), last - first) + first[which]]
    return ray[which], _bisected(line, ray[which], band[which], (a[which], b[which]), ea[which] < target, target, steps)


def _bisected(
    line: _Line, ray: Array, band: Array, ends: tuple[Array, Array], rising: Array, target: Array, steps: int
) -> Array:
    a, b = ends
    for _ in range(steps):
        c = (a + b) / 2
        below = line.energies(ray, c)[np.arange(len(c)), band] < target
        a, b = np.where(below == rising, c, a), np.where(below == rising, b, c)
    return (a + b) / 2


def _extremum(line: _Line, ray: Array, band: Array, ends: tuple[Array, Array], sign: Array, steps: int) -> tuple[Array, Array]:
    """Maxima (sign 1) or minima (-1) between two points, by thirds: position, value."""
    a, b = ends
    for _ in range(steps):
        c, d = a + (b - a) / 3, b - (b - a) / 3
        up = sign * (line.energies(ray, d) - line.energies(ray, c))[np.arange(len(c)), band] > 0
        a, b = np.where(up, c, a), np.where(up, b, d)
    s = (a + b) / 2
    return s, line.energies(ray, s)[np.arange(len(s)), band]


# ---- uniform meshes ----------------------------------------------------------------------------------------------------


def mesh_size(model: Model, levels: Levels) -> tuple[int, ...]:
    """Points along each direction for which levels move from one to the next by 1.5 k_B T of the lowest temperature, or a
    quarter of the narrowest gap, at the most: errors of a sum over a uniform mesh fall as exp(-2 pi x / step), x the distance
    of the poles, which are at pi k_B T and half the gap in energy, to 4e-6."""
    d, n = model.dimension, {2: 240, 3: 40}[model.dimension]
    k = grid((n,) * d, 0, n**d)
    e = model.energies(k)
    gaps = np.diff(e, axis=1)
    at, band = np.unravel_index(np.where(gaps > SAME, gaps, np.inf).argmin(), gaps.shape)
    narrowest = least(lambda q: np.diff(model.energies(q)[:, band : band + 2], axis=1)[:, 0], k[at], 2 / n)
    gap = float(np.diff(model.energies(narrowest[None])[0])[band])
    step = max(min(1.5 * KB * levels.temperature.min(), gap / 4), 1e-9)  # bands that touch: more points than anyone takes
    e = e.reshape(*(n,) * d, -1)
    rise = [abs(np.roll(e, -1, axis=i) - e).max() * n for i in range(d)]
    return tuple(2 * int(np.ceil(r / step / 2)) for r in rise)


def least(function: Callable[[Array], Array], start: Array, half: float) -> Array:
    """The minimum of a function within a box, by grids that shrink around the best point."""
    d = len(start)
    offsets = np.array(list(product(np.linspace(-1, 1, {2: 17, 3: 9}[d]), repeat=d)))
    best = np.asarray(start, dtype=float)
    while half > 1e-9:
        values = function(best + half * offsets)
        found = best + half * offsets[np.argmin(values)]
        if np.min(values) < function(best[None])[0]:
            best = found
        half *= 0.5
    return best


def by_mesh(model: Model, levels: Levels, names: Sequence[str], size: tuple[int, ...]) -> dict[str, Array]:
    """The sum over all points of a mesh."""
    total = _Sum(model, levels, names)
    for k in _blocks(size):
        total.add(k, np.full(len(k), 1 / np.prod(size)))
    return total.result()


def _blocks(size: tuple[int, ...]) -> Iterator[Array]:
    every = int(np.prod(size))
    for s in range(0, every, TOGETHER):
        yield grid(size, s, min(s + TOGETHER, every))


def grid(size: tuple[int, ...], start: int, stop: int) -> Array:
    """Points start to stop of a uniform mesh, reduced (n, d)."""
    return np.stack(np.unravel_index(np.arange(start, stop), size), axis=-1) / np.array(size)
