"""Integration of k.p models along rays to infinity, exact at the Fermi surface.

Every ray is cut where a band crosses the Fermi level (and, at finite temperature, a few k_B T around it), so that the
integrand is smooth on every piece and Gauss-Legendre converges exponentially; the last piece is mapped from infinity.
At zero temperature the Fermi-surface terms are sums over the crossings.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ...bands.bands import Bands
from ...bands.eigensolver import eigvalsh
from ...calculators.quantity import SURFACE
from ...calculators.weights import evaluate_at
from ...common.errors import warn
from ...models.kdotp import KDotP
from ..integral import Integrand
from ..kpoints.polar import PolarMesh
from ..occupation.fermi import fermi_function, grand_weight, minus_fermi_derivative, thermal_weight
from .constants import RAYS

Array = NDArray[np.float64]

#: radii, in units of the model's scale, at which rays are cut in any case and between which crossings are looked for
SCALE_CUTS = np.concatenate([[0.0], np.geomspace(1 / 8, 64.0, 10)])

#: of states, as in `OCCUPATIONS`
FACTORS = (fermi_function, minus_fermi_derivative, grand_weight, thermal_weight)


class Place(NamedTuple):
    """Fermi level and k_B T in eV, and where the rays start."""

    mu: float
    width: float
    origin: Array


class RaySums(NamedTuple):
    """Integrals d^dk/(2 pi)^d (columns,) along all rays, the same with half the angles, with three quarters of the radial
    nodes, and those of absolute values; and the number of k points."""

    fine: Array
    half: Array
    coarse: Array
    size: Array
    points: int


def integrate(integrand: Integrand, mesh: PolarMesh, place: Place) -> RaySums:
    """Integrals of the observables of a k.p model at one Fermi level and temperature."""
    (fine, half, size), n_fine = _rays(integrand, mesh, mesh.n_radial, place)
    (coarse, _, _), n_coarse = _rays(integrand, mesh, mesh.n_radial * 3 // 4, place)
    return RaySums(fine, half, coarse, size, n_fine + n_coarse)


def extrema(model: KDotP) -> list[tuple[Array, float, Array, float]]:
    """For every band: where its minimum is and its energy, where its maximum is and its energy, near k = 0 (1/Angstrom, eV).

    A minimum or maximum at infinity is found at a large k, and its energy is of no use.
    """
    from scipy.optimize import minimize

    directions, _, _ = PolarMesh(16).directions(model.dimension)
    k = np.concatenate([np.zeros((1, model.dimension)), *(r * directions for r in SCALE_CUTS[1:] * model.scale)])
    energies = _energies(model, k)
    found = []
    for n in range(energies.shape[1]):
        ends = []
        for sign in (1.0, -1.0):
            start = k[np.argmin(sign * energies[:, n])] / model.scale
            fit = minimize(
                lambda q, n=n, sign=sign: sign * float(_energies(model, q[None] * model.scale)[0, n]),
                start,
                method="Nelder-Mead",
                options={"initial_simplex": start + 0.1 * np.vstack([np.zeros(len(start)), np.eye(len(start))]), "xatol": 1e-9},
            )
            ends += [fit.x * model.scale, sign * float(fit.fun)]
        found.append((ends[0], ends[1], ends[2], ends[3]))
    return found


def ray_origin(model: KDotP, bands: list[tuple[Array, float, Array, float]], level: float) -> Array:
    """Where rays start for a Fermi level: inside the pocket of the first band that has one, else k = 0.

    Rays that start outside a pocket touch its edge, and sums over directions then converge slowly.
    """
    far = np.eye(model.dimension)[:1] * RAYS.farthest * model.scale
    for n, (bottom, lowest, top, highest) in enumerate(bands):
        rising = _energies(model, np.concatenate([far, -far]))[:, n] > level
        found = bottom if rising.all() and lowest < level else top if not rising.any() and highest > level else None
        if found is not None and np.linalg.norm(found) < RAYS.farthest * model.scale:
            return found
    return np.zeros(model.dimension)


def warn_of_touching(model: KDotP, place: Place, tol: float) -> None:
    """AccuracyWarning where bands that touch at the origin of the rays are filled in part.

    Interband integrals diverge there, as the logarithm of the gap, and what is found hangs on `tol`.
    """
    mu, kT, origin = place
    levels = _energies(model, origin[None])[0]
    away = _energies(model, origin + SCALE_CUTS[1] * model.scale * np.eye(model.dimension)[:1])[0]
    touching = (np.diff(levels) < tol) & (np.diff(away) >= tol)
    if (touching & (np.abs(levels[1:] - mu) <= max(RAYS.thermal_cuts) / 2 * kT + tol)).any():
        warn(
            f"bands touch near the Fermi level of {mu:g} eV, within degeneracy_tol = {tol:g} eV: interband parts, `total` too, "
            "diverge there as the logarithm of the gap; give the model a gap, or lower degeneracy_tol if it has one"
        )


def _rays(integrand: Integrand, mesh: PolarMesh, n_radial: int, place: Place) -> tuple[Array, int]:
    """(3, columns): integrals, those with half the angles, those of absolute values; and the number of k points."""
    model, kinds, (mu, kT, origin) = cast(KDotP, integrand.model), integrand.kinds, place
    surface = kinds == SURFACE
    directions, weights, half = mesh.directions(model.dimension)
    weights = weights / (2 * np.pi) ** model.dimension
    crossings = {
        c: _crossings(model, origin, directions, mesh.cutoff, mu + c * kT) for c in (RAYS.thermal_cuts if kT else (0.0,))
    }
    farthest = max(c[1].max(initial=0.0) for c in crossings.values())
    cuts = _cuts(model, origin, directions, integrand.degeneracy.tol, farthest)
    jobs = [(*_nodes(mesh, cuts, len(directions), crossings, n_radial), False)]
    if kT == 0:
        jobs.append((*crossings[0.0][:2], np.ones(len(crossings[0.0][0])), True))
    total, points = np.zeros((3, len(surface))), 0
    for ray, radius, measure, on_surface in jobs:
        points += len(ray)
        used = tuple(o for o in integrand.observables if kT or (o.occupation == "surface") == on_surface)
        columns = kinds[surface == on_surface] if kT == 0 else kinds
        if not used:
            continue
        w = weights[ray] * measure * radius ** (model.dimension - 1)
        for start in range(0, len(ray), RAYS.points_at_once):
            s = slice(start, start + RAYS.points_at_once)
            k = origin + radius[s, None] * directions[ray[s]]
            bands, a = evaluate_at(model, used, k, integrand.degeneracy)
            per_k = np.empty((len(k), len(columns)))
            if on_surface:
                per_k = np.einsum("kn,knc->kc", _delta(bands, crossings[0.0][2][s], directions[ray[s]]), a)
            else:
                for kind in np.unique(columns):
                    use = columns == kind
                    per_k[:, use] = np.einsum("kn,knc->kc", FACTORS[kind](bands.energies, mu, kT), a[:, :, use])
            found = np.stack([w[s] @ per_k, 2 * (w[s] * half[ray[s]]) @ per_k, w[s] @ np.abs(per_k)])
            total[:, slice(None) if kT else surface == on_surface] += found
    return total, points


def _delta(bands: Bands, band: NDArray[np.int64], direction: Array) -> Array:
    """(nk, n) weight of the crossing band: 1 / |de/dk_radial|, zero for the other bands."""
    slope = np.stack([bands.group_mean(bands.slope(a)) for a in range(len(bands.axes))], axis=2)
    radial = np.einsum("kna,ka->kn", slope, direction)
    at = np.arange(len(band))
    out: Array = np.zeros_like(radial)
    out[at, band] = 1 / np.abs(radial[at, band])
    return out


def _cuts(model: KDotP, origin: Array, directions: Array, tol: float, farthest: float) -> Array:
    """Radii between which the integrand is smooth but for the crossings of the Fermi level, of which this is the farthest.

    Where bands come close at the origin of the rays, it varies down to where their spacing is what it is at the origin.
    """
    cuts = SCALE_CUTS * model.scale
    here = np.diff(_energies(model, origin[None]), axis=1)
    away = np.diff(_energies(model, origin + cuts[1] * directions), axis=1)
    share = np.where(away > tol, here / np.maximum(away, np.finfo(float).tiny), 1.0).min(initial=1.0)
    inwards = int(np.log(max(float(share), RAYS.nearest)) / np.log(1 / RAYS.factor))
    outwards = int(np.log(max(farthest / cuts[-1], 1.0)) / np.log(RAYS.factor))
    near, far = RAYS.factor ** -np.arange(1.0, inwards + 1), RAYS.factor ** np.arange(1.0, outwards + 1)
    return np.concatenate([cuts[:1], cuts[1] * near[::-1], cuts[1:], cuts[-1] * far])


def _nodes(
    mesh: PolarMesh,
    cuts: Array,
    n_rays: int,
    crossings: dict[float, tuple[NDArray[np.int64], Array, NDArray[np.int64]]],
    n_radial: int,
) -> tuple[NDArray[np.int64], Array, Array]:
    """Ray numbers, radii and radial measures of the nodes of all pieces of all rays, cut at these radii and crossings."""
    x, w = np.polynomial.legendre.leggauss(n_radial)
    x, w = (x + 1) / 2, w / 2
    rays, radii, measures = [], [], []
    cut_rays = np.concatenate([c[0] for c in crossings.values()])
    cut_radii = np.concatenate([c[1] for c in crossings.values()])
    for ray in range(n_rays):
        inner = np.unique(np.concatenate([cuts, cut_radii[cut_rays == ray]]))
        inner = np.append(inner[inner < mesh.cutoff], mesh.cutoff)
        a, b = inner[:-1], inner[1:]
        finite = np.isfinite(b)
        length = np.where(finite, b - a, 1.0)[:, None]
        # the infinite piece, from a: k = a / (1 - t) with t in (0, 1)
        k = np.where(finite[:, None], a[:, None] + length * x, a[:, None] / (1 - x))
        dk = np.where(finite[:, None], length * w, w * a[:, None] / (1 - x) ** 2)
        rays.append(np.full(k.size, ray))
        radii.append(k.ravel())
        measures.append(dk.ravel())
    return np.concatenate(rays), np.concatenate(radii), np.concatenate(measures)


def _crossings(
    model: KDotP, origin: Array, directions: Array, cutoff: float, level: float
) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
    """Where bands cross an energy along the rays: ray numbers, radii, band numbers.

    Sign changes between search points are refined by bisection followed by secant-safe halving to rounding.
    """
    cuts = np.concatenate([SCALE_CUTS, np.geomspace(4 * SCALE_CUTS[-1], RAYS.farthest, 7)]) * model.scale
    search: Array = np.unique(np.concatenate([np.linspace(a, b, RAYS.search_points + 1) for a, b in pairwise(cuts)]))
    search = search[search <= cutoff]
    k = origin + search[None, :, None] * directions[:, None, :]
    e: Array = np.concatenate([_energies(model, rays.reshape(-1, k.shape[2])) for rays in np.array_split(k, len(k))])
    above = e.reshape(*k.shape[:2], -1) > level
    ray, piece, band = np.nonzero(above[:, 1:] != above[:, :-1])
    a, b = search[piece], search[piece + 1]
    rising = above[ray, piece + 1, band]
    for _ in range(60):
        middle = (a + b) / 2
        if len(ray) == 0:
            break
        up = _energies(model, origin + middle[:, None] * directions[ray])[np.arange(len(ray)), band] > level
        inside = up == rising
        a, b = np.where(inside, a, middle), np.where(inside, middle, b)
    return ray, (a + b) / 2, band


def _energies(model: KDotP, k: Array) -> Array:
    return eigvalsh(model.matrices(k, 0).H)
