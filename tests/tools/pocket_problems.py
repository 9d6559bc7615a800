"""Random models with small pockets, and what is asked of them.

`draw(seed, number)` is the same problem always. Every kind below is a function of a random generator that makes hoppings, says
about where the pocket is, and what the symmetries forbid altogether. Where the pocket goes is drawn apart: phases of the
hoppings shift k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from pocket_truths import KB, Box, Levels, Model, least

Array = np.ndarray
Hoppings = dict[tuple[int, ...], Array]

S0 = np.eye(2, dtype=complex)
SX = np.array([[0, 1], [1, 0]], dtype=complex)
SY = np.array([[0, -1j], [1j, 0]])
SZ = np.diag([1.0 + 0j, -1])

#: what vanishes with time reversal, with inversion
T_ODD = ("berry_curvature", "interband", "metric_curl", "total")
P_ODD = ("extrinsic", "interband", "metric_curl", "total")
NAMES = ("extrinsic", "metric_curl", "berry_curvature", "quantum_metric", "interband", "total")


@dataclass(frozen=True)
class Shape:
    """A model before it is put anywhere: hoppings, pockets (n, d) in reduced coordinates, the band above the gap at them, what
    symmetry makes zero, which shifts keep the symmetry, and a few words. `lattice` and `centres` where they matter;
    `directions` are those that a truth takes, in units of what simple pockets need."""

    hoppings: Hoppings
    pockets: Array
    band: int
    words: str
    zero: tuple[str, ...] = ()
    movable: bool = True
    lattice: Array | None = None
    centres: Array | None = None
    directions: int = 1


@dataclass(frozen=True)
class Problem:
    """A model and what is asked; `boxes` and `directions` are for the truth, `zero` are the quantities that symmetry forbids.

    positions : whether the package gets the model as Wannier functions with position matrices, not as centres.
    """

    kind: str
    words: str
    model: Model
    boxes: tuple[Box, ...]
    directions: int
    levels: Levels
    names: tuple[str, ...]
    zero: tuple[str, ...]
    positions: bool


# ---- hoppings ----------------------------------------------------------------------------------------------------------


def constant(M: Array, d: int = 2) -> Hoppings:
    return {(0,) * d: np.asarray(M, dtype=complex)}


def cosine(R: tuple[int, ...], M: Array) -> Hoppings:
    """M cos(k.R)"""
    return {R: M / 2, tuple(-x for x in R): M.conj().T / 2}


def sine(R: tuple[int, ...], M: Array) -> Hoppings:
    """M sin(k.R)"""
    return {R: M / 2j, tuple(-x for x in R): (M / 2j).conj().T}


def summed(*parts: Hoppings) -> Hoppings:
    out: Hoppings = {}
    for part in parts:
        for R, M in part.items():
            out[R] = out[R] + M if R in out else M
    return out


def log_uniform(g: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(g.uniform(np.log(low), np.log(high))))


X, Y, XY, X_Y = (1, 0), (0, 1), (1, 1), (1, -1)


# ---- kinds -------------------------------------------------------------------------------------------------------------


def dirac(g: np.random.Generator) -> Shape:
    """Massive Dirac cone, tilted, with anisotropic velocities."""
    D, B, v = log_uniform(g, 1e-3, 0.2), g.uniform(1, 2.5), np.exp(g.uniform(np.log(0.3), np.log(3), 2))
    tilt = g.uniform(-0.7, 0.7, 2) / np.sqrt(2) * v
    parts = [constant((D + 2 * B) * SZ), cosine(X, -B * SZ), cosine(Y, -B * SZ)]
    parts += [sine(X, v[0] * SX + tilt[0] * S0), sine(Y, v[1] * SY + tilt[1] * S0)]
    return Shape(summed(*parts), np.zeros((1, 2)), 1, f"gap {2e3 * D:.2f} meV")


def inversion(g: np.random.Generator) -> Shape:
    """Massive Dirac cone without tilt, both orbitals at one place: inversion is sigma_z."""
    D, B, v = log_uniform(g, 1e-3, 0.1), g.uniform(1, 2.5), g.uniform(0.5, 2.5, 2)
    parts = [constant((D + 2 * B) * SZ), cosine(X, -B * SZ), cosine(Y, -B * SZ), sine(X, v[0] * SX), sine(Y, v[1] * SY)]
    return Shape(summed(*parts), np.zeros((1, 2)), 1, f"gap {2e3 * D:.2f} meV", P_ODD, False, None, np.zeros((2, 2)))


def two_valleys(g: np.random.Generator) -> Shape:
    """Two Dirac cones of opposite chirality and tilt with nearly the same gap: responses that nearly cancel."""
    D, b, v = log_uniform(g, 2e-3, 5e-2), g.uniform(1, 2), g.uniform(0.7, 2, 2)
    unlike, tilt = D * g.uniform(0.01, 0.3), g.uniform(-0.5, 0.5, 2) * v
    parts = [constant((D + b) * SZ), cosine(X, -b * SZ), cosine(Y, unlike * SZ), constant(unlike * g.uniform(-1, 1) * S0)]
    parts += [sine(X, v[0] * SX + tilt[0] * S0), sine(Y, v[1] * SY + tilt[1] * S0)]
    words = f"gaps {2e3 * (D + unlike):.2f}, {2e3 * (D - unlike):.2f} meV"
    return Shape(summed(*parts), np.array([[0, 0], [0, 0.5]]), 1, words)


def quadratic(g: np.random.Generator) -> Shape:
    """A quadratic touching with a gap, warped."""
    D, a, B = log_uniform(g, 1e-3, 5e-2), g.uniform(1, 3, 2), g.uniform(0.5, 1.5)
    parts = [constant((D + 2 * B) * SZ), cosine(X, -a[0] * SX - B * SZ), cosine(Y, a[0] * SX - B * SZ)]
    parts += [cosine(X_Y, a[1] / 2 * SY), cosine(XY, -a[1] / 2 * SY)]
    tilt = g.uniform(-0.1, 0.1, 2)
    parts += [sine(X, tilt[0] * S0), sine(XY, tilt[1] * S0)]
    return Shape(summed(*parts), np.zeros((1, 2)), 1, f"gap {2e3 * D:.2f} meV")


def rashba(g: np.random.Generator) -> Shape:
    """Rashba spin-orbit coupling with a Zeeman field in some direction; the bottom of a band."""
    t, a, z = g.uniform(0.4, 1.5), log_uniform(g, 0.03, 0.5), log_uniform(g, 1e-3, 3e-2)
    field = z * (SZ + g.uniform(0, 1) * SX + g.uniform(0, 0.5) * SY)
    warp = g.uniform(0, 0.5) * a
    parts = [constant(4 * t * S0 + field), cosine(X, -2 * t * S0), cosine(Y, -2 * t * S0)]
    parts += [sine(X, -a * SY), sine(Y, a * SX + warp * SZ)]
    words = f"spin-orbit energy {250 * a * a / t:.2f} meV, Zeeman {1e3 * z:.2f} meV"
    return Shape(summed(*parts), np.zeros((1, 2)), 0, words)


def graphene(g: np.random.Generator) -> Shape:
    """Graphene, strained, with a sublattice potential: time reversal, two valleys."""
    return _honeycomb(g, 0.0)


def haldane(g: np.random.Generator) -> Shape:
    """The same with fluxes that make the gaps of the two valleys unlike."""
    return _honeycomb(g, float(g.uniform(0.002, 0.01)))


def _honeycomb(g: np.random.Generator, flux: float) -> Shape:
    t, m, s = g.uniform(2.5, 3) * g.uniform(0.9, 1.1, 3), log_uniform(g, 2e-3, 0.1), g.uniform(-0.1, 0.1, 3)
    to_b = np.array([[0, 1], [0, 0]], dtype=complex)
    hop = {(0, 0): t[0] * (to_b + to_b.T) + m * SZ}
    for R, x in (((-1, 0), t[1]), ((0, -1), t[2])):
        hop = summed(hop, {R: x * to_b, tuple(-i for i in R): x * to_b.T})
    if flux:
        for R in ((1, 0), (0, -1), (-1, 1)):
            hop = summed(hop, sine(R, 2 * flux * SZ))
    for R, x in zip((X, Y, X_Y), s, strict=True):  # hopping within a sublattice tilts the cones
        hop = summed(hop, cosine(R, x * S0))
    strain = np.eye(2) + g.uniform(-0.03, 0.03, (2, 2))
    lattice = 2.46 * np.array([[1, 0], [0.5, np.sqrt(3) / 2]]) @ strain
    centres = np.array([np.zeros(2), (lattice[0] + lattice[1]) / 3])
    words = f"potential {1e3 * m:.2f} meV, fluxes {1e3 * flux:.2f} meV"
    return Shape(hop, np.array([[2 / 3, 1 / 3], [1 / 3, 2 / 3]]), 1, words, () if flux else T_ODD, False, lattice, centres)


def bernal(g: np.random.Generator) -> Shape:
    """A Bernal bilayer with trigonal warping, strain and a potential between the layers: four bands, time reversal."""
    t, g1, u = g.uniform(2.8, 3.1) * g.uniform(0.98, 1.02, 3), g.uniform(0.3, 0.4), log_uniform(g, 5e-3, 5e-2)
    g3 = g.uniform(0.1, 0.3)
    a1_b1, a2_b2, b1_a2, a1_b2 = (np.zeros((4, 4), dtype=complex) for _ in range(4))
    a1_b1[0, 1] = a2_b2[2, 3] = b1_a2[1, 2] = a1_b2[0, 3] = 1.0
    hop = constant(np.diag([u, u, -u, -u]) + g1 * (b1_a2 + b1_a2.T))
    for R, x in (((0, 0), t[0]), ((-1, 0), t[1]), ((0, -1), t[2])):
        forth = x * (a1_b1 + a2_b2)
        back = tuple(-i for i in R)
        hop = summed(hop, {R: forth} if any(R) else {R: forth + forth.T}, {back: forth.T} if any(R) else {})
    for R in ((-1, -1), (-1, 0), (0, -1)):
        hop = summed(hop, {R: g3 * a1_b2, tuple(-i for i in R): g3 * a1_b2.T})
    lattice = 2.46 * np.array([[1, 0], [0.5, np.sqrt(3) / 2]]) @ (np.eye(2) + g.uniform(-0.01, 0.01, (2, 2)))
    third = (lattice[0] + lattice[1]) / 3
    centres = np.array([np.zeros(2), third, third, 2 * third])
    pockets = np.array([[2 / 3, 1 / 3], [1 / 3, 2 / 3]])
    return Shape(hop, pockets, 2, f"potential {1e3 * u:.2f} meV", T_ODD, False, lattice, centres, 4)


def double(g: np.random.Generator) -> Shape:
    """An antiferromagnet with inversion times time reversal: every band twice, a = tilt, d.Gamma with anticommuting Gamma."""
    m, J, B, v = log_uniform(g, 1e-3, 5e-2), log_uniform(g, 1e-3, 5e-2), g.uniform(1, 2), g.uniform(0.7, 2, 2)
    tilt = g.uniform(-0.5, 0.5, 2) * v
    G = [np.kron(SX, S0), *(np.kron(SZ, s) for s in (SX, SY, SZ))]
    one = np.eye(4, dtype=complex)
    parts = [constant((m + 2 * B) * G[0] + J * G[3]), cosine(X, -B * G[0]), cosine(Y, -B * G[0])]
    parts += [sine(X, v[0] * G[2] + tilt[0] * one), sine(Y, -v[1] * G[1] + tilt[1] * one)]
    words = f"gap {2e3 * np.hypot(m, J):.2f} meV, all bands double"
    places = np.kron([[1.0], [-1.0]], np.ones((2, 1))) * g.uniform(0.2, 1.2, 2)
    return Shape(summed(*parts), np.zeros((1, 2)), 2, words, ("berry_curvature", "extrinsic"), True, None, places)


def third_band(g: np.random.Generator) -> Shape:
    """A Dirac cone coupled with a third orbital some eV away."""
    cone = dirac(g)
    hop = {R: np.pad(M, ((0, 1), (0, 1))) for R, M in cone.hoppings.items()}
    far, c = g.uniform(4, 7), g.uniform(-0.3, 0.3, (3, 2)) + 1j * g.uniform(-0.3, 0.3, (3, 2))
    hop[(0, 0)][2, 2] = far
    for R, x in zip(((0, 0), X, Y), c, strict=True):
        M = np.zeros((3, 3), dtype=complex)
        M[:2, 2] = x
        hop = summed(hop, {R: M}, {tuple(-i for i in R): M.conj().T})
    return replace(cone, hoppings=hop, words=f"{cone.words}, a third band {far:.1f} eV away")


X3, Y3, Z3 = (1, 0, 0), (0, 1, 0), (0, 0, 1)


def solid(g: np.random.Generator) -> Shape:
    """A small-gap semiconductor in three dimensions, tilted, its bands split by a Zeeman field: four bands."""
    D, J, B, v = log_uniform(g, 1e-2, 0.1), log_uniform(g, 5e-3, 5e-2), g.uniform(1, 2, 3), g.uniform(0.6, 1.8, 3)
    tilt, one = g.uniform(-0.3, 0.3, 3) * v, np.eye(4)
    mass = np.kron(SZ, S0)
    parts = [constant((D + J + B.sum()) * mass + J * np.kron(S0, SZ), 3)]
    for R, b, x, s, t in zip((X3, Y3, Z3), B, v, (SX, SY, SZ), tilt, strict=True):
        parts += [cosine(R, -b * mass), sine(R, x * np.kron(SX, s) + t * one)]
    return Shape(summed(*parts), np.zeros((1, 3)), 2, f"gap {2e3 * D:.2f} meV, split by {2e3 * J:.2f} meV")


def chiral(g: np.random.Generator) -> Shape:
    """k.sigma at the bottom of a band, with or without a Zeeman field; without one there is time reversal."""
    t, a = g.uniform(0.4, 1.2, 3), log_uniform(g, 0.05, 0.5) * g.uniform(0.6, 1.4, 3)
    z = log_uniform(g, 2e-3, 3e-2) if g.random() < 0.6 else 0.0
    direction = g.normal(size=3)
    field = z * sum(x * s for x, s in zip(direction / np.linalg.norm(direction), (SX, SY, SZ), strict=True))
    parts = [constant(2 * t.sum() * S0 + field, 3)]
    for R, x, y, s in zip((X3, Y3, Z3), t, a, (SX, SY, SZ), strict=True):
        parts += [cosine(R, -2 * x * S0), sine(R, y * s)]
    words = f"spin-orbit {1e3 * a.mean():.1f} meV, Zeeman {1e3 * z:.2f} meV"
    spins = None if z else np.zeros((2, 3))  # time reversal takes one spin to the other, at the same place
    return Shape(summed(*parts), np.zeros((1, 3)), 0, words, () if z else T_ODD, bool(z), None, spins)


def weyl(g: np.random.Generator) -> Shape:
    """Two tilted Weyl points of opposite chirality at different energies."""
    v, B, apart = g.uniform(0.5, 1.5, 3), g.uniform(1, 2), log_uniform(g, 2e-2, 0.2)
    tilt = g.uniform(-0.4, 0.4, 3) * v
    parts = [constant(2 * B * SX, 3), cosine(X3, -B * SX), cosine(Y3, -B * SX), sine(Z3, v[2] * SX + tilt[2] * S0)]
    parts += [cosine(Z3, apart / 2 * S0), sine(X3, v[0] * SY + tilt[0] * S0), sine(Y3, v[1] * SZ + tilt[1] * S0)]
    words = f"{1e3 * apart:.1f} meV apart"
    return Shape(summed(*parts), np.array([[0, 0, 0], [0, 0, 0.5]]), 1, words)


KINDS: dict[str, tuple[Callable[[np.random.Generator], Shape], float]] = {
    "Dirac": (dirac, 5),
    "two valleys": (two_valleys, 3),
    "quadratic": (quadratic, 2),
    "Rashba": (rashba, 5),
    "graphene": (graphene, 3),
    "Haldane": (haldane, 3),
    "Bernal": (bernal, 1.5),
    "inversion": (inversion, 1),
    "double bands": (double, 2),
    "three bands": (third_band, 2),
    "3D gap": (solid, 0.5),
    "3D chiral": (chiral, 1.2),
    "3D Weyl": (weyl, 1.2),
}


# ---- from a kind to a problem ------------------------------------------------------------------------------------------


def draw(seed: int, number: int) -> Problem:
    """Problem `number` of a seed."""
    g = np.random.default_rng([seed, number])
    names = list(KINDS)
    odds = np.array([KINDS[n][1] for n in names])
    kind = names[g.choice(len(names), p=odds / odds.sum())]
    shape = KINDS[kind][0](g)
    model, where = _placed(g, shape)
    pockets = np.array([_narrowest(model, shape, p) for p in shape.pockets + where])
    quantities = _quantities(g, shape)
    levels, apices, words = _levels(g, model, shape, pockets, quantities)
    words = f"{shape.words}, {words}, at {np.round(where % 1, 4).tolist()}"
    positions = bool(g.random() < 0.2)
    words += ", as Wannier functions" if positions else ""
    return Problem(kind, words, model, boxes(apices), shape.directions, levels, quantities, shape.zero, positions)


def _placed(g: np.random.Generator, shape: Shape) -> tuple[Model, Array]:
    """The model with its pocket moved somewhere: a random point, one that halves or divides the zone, next to one of these, or
    where it is."""
    d = len(shape.pockets[0])
    where = np.zeros(d)
    simple = np.array([i / n for n in (2, 3, 4, 5, 6, 8, 10, 12) for i in range(n)])
    choice = g.random()
    if shape.movable and choice < 0.45:
        where = g.uniform(0, 1, d)
    elif shape.movable and choice < 0.75:
        where = g.choice(simple, d) + (g.choice([0.0, 1e-3, -1e-3], d) if choice > 0.65 else 0.0)
    elif (shape.movable or len(shape.pockets) == 1) and choice < 0.9:
        where = g.integers(0, 2, d) / 2
    lattice, centres = shape.lattice, shape.centres
    if lattice is None:
        lattice = np.diag(g.uniform(2.5, 5, d)) + 0.3 * g.normal(size=(d, d))
    if centres is None:
        centres = g.uniform(-0.5, 0.5, (len(next(iter(shape.hoppings.values()))), d)) @ lattice
    R = np.array(list(shape.hoppings))
    H = np.array([shape.hoppings[tuple(r)] * np.exp(-2j * np.pi * (r @ where)) for r in R.tolist()])
    if (where * 2 % 1 == 0).all():  # signs only: time reversal stays to the last bit
        H = np.array([shape.hoppings[tuple(r)] * (-1) ** round(2 * (r @ where)) for r in R.tolist()])
    return Model(lattice, R, H, centres), where


def _narrowest(model: Model, shape: Shape, start: Array) -> Array:
    """Where the bands on both sides of the gap (or both lowest ones) are closest, near `start`."""
    n = max(shape.band, 1)
    return least(lambda k: np.diff(model.energies(k)[:, n - 1 : n + 1], axis=1)[:, 0], start, 0.1)


def _quantities(g: np.random.Generator, shape: Shape) -> tuple[str, ...]:
    """One to three; where symmetry forbids some, these less often."""
    odds = np.array([0.15 if n in shape.zero else 1.0 for n in NAMES]) * np.array([3, 1.5, 1, 1, 1, 1])
    number = g.choice([1, 2, 3], p=[0.6, 0.25, 0.15])
    return tuple(sorted(map(str, g.choice(NAMES, number, replace=False, p=odds / odds.sum()))))


def _levels(
    g: np.random.Generator, model: Model, shape: Shape, pockets: Array, quantities: tuple[str, ...]
) -> tuple[Levels, Array, str]:
    """Fermi levels and temperatures, points from which rays start well, and words."""
    warm = [1, 2, 5, 10, 20, 50, 100, 300] if model.dimension == 2 else [30, 50, 100, 300]
    T = np.array([float(g.choice(warm))])
    if g.random() < 0.2:
        T = np.array([0.0])
    elif g.random() < 0.2:
        T = np.unique(np.append(T, float(g.choice(warm))))
    at = g.integers(len(pockets))
    hole = shape.band > 0 and g.random() < 0.5
    band, sign = (shape.band - 1, -1) if hole else (shape.band, 1)
    edge_k = least(lambda k: sign * model.energies(k)[:, band], pockets[at], 0.06)
    edge = model.energies(edge_k[None])[0, band]
    gap = max(0.0, float(np.diff(model.energies(pockets[at][None])[0])[max(shape.band, 1) - 1]))
    kT = KB * T.max()
    choice, depth = g.random(), log_uniform(g, 2e-3, 0.1)
    if choice < 0.55:
        place = "in the pocket"
    elif choice < 0.65:
        place, depth = "deep", g.uniform(0.1, 0.3)
    elif choice < 0.8:
        place, depth = "at the edge", g.uniform(-1, 1) * max(kT, 3e-4)
    elif choice < 0.93:
        place, depth = "in the gap", -g.uniform(0, 0.5) * (gap if shape.band else 0.05)
    else:
        place, depth = "no pocket near", -(g.uniform(0.4, 0.6) * gap if shape.band else g.uniform(0.05, 0.3))
    many = 0.2 if model.dimension == 2 and T.min() > 0 else 0.0
    number = int(g.choice([1, 3, 5, 21], p=[0.5, 0.15, 0.35 - many, many]))
    if T.min() == 0 and number == 1:
        number = 1 if not set(quantities) & {"extrinsic", "metric_curl", "total"} else 3
    spacing = log_uniform(g, 2e-4, 3e-3) if T.max() == 0 else kT * log_uniform(g, 0.5, 4)
    mu = edge + sign * depth + spacing * (np.arange(number) - g.integers(0, number))
    apices = pockets.copy()
    if place in ("in the pocket", "at the edge") and sign * (mu[number // 2] - edge) < 0.5 * gap:
        apices[at] = edge_k
    steps = f", and {number - 1} more each {1e3 * spacing:.2f} meV" if number > 1 else ""
    words = f"level {1e3 * mu[0]:.2f} meV, {place} (depth {1e3 * depth:.2f} meV){steps}, {' and '.join(f'{t:g}' for t in T)} K"
    return Levels(mu, T), apices, words


def boxes(apices: Array) -> tuple[Box, ...]:
    """The zone cut between the points along the direction that parts them."""
    if len(apices) == 1:
        return (Box(apices[0] - 0.5, apices[0] + 0.5, apices[0]),)
    apart = (apices[1] - apices[0] + 0.5) % 1 - 0.5
    axis = int(np.argmax(abs(apart)))
    low = apices[0].copy()
    high = low + apart
    if apart[axis] < 0:
        low, high = high, low
    middle = (low[axis] + high[axis]) / 2
    found = []
    for apex, bounds in ((low, (middle - 0.5, middle)), (high, (middle, middle + 0.5))):
        a, b = apex - 0.5, apex + 0.5
        a[axis], b[axis] = bounds
        found.append(Box(a, b, apex))
    return tuple(found)
