"""Toy Hamiltonians for the tests: small, random where that breaks every symmetry, symmetric where a symmetry is tested.

A random model is built as plain arrays, symmetrised if asked, and then handed to the package. What a symmetry does to the
arrays is written here once, from the action of the operation on the orbitals, independently of the package.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import ome_wannier as ome
from ome_wannier.calculators import Combination, get, names, needs_spin
from ome_wannier.calculators.weights import evaluate
from ome_wannier.lattices.cubic import eight_site_cube
from ome_wannier.units import SPIN_MOMENT

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
IDENTITY = np.eye(2)

LATTICE_2D = np.array([[2.9, 0.0, 0.0], [0.7, 2.4, 0.0], [0.0, 0.0, 9.0]])
LATTICE_3D = np.array([[2.7, 0.1, -0.2], [0.5, 2.5, 0.3], [-0.3, 0.6, 2.9]])
#: rhombic and cubic lattices, for models with a mirror and for the search of symmetries
LATTICE_SQUARE = np.diag([3.0, 3.0, 8.0])
LATTICE_CUBIC = 3.0 * np.eye(3)


@dataclass(frozen=True)
class Toy:
    """A model with what the tests know about it.

    occupied : number of occupied bands if the Fermi level lies in a gap there, else None.
    fermi : a Fermi level in eV, in the gap or across bands.
    forbidden : pairs (time-reversal parity, inversion parity), 0 for either, of quantities that vanish by symmetry.
    degenerate : whether every level is twofold degenerate at every k.
    """

    name: str
    model: ome.TightBinding
    fermi: float
    occupied: int | None = None
    time_reversal: bool = False
    inversion: bool = False
    time_reversal_inversion: bool = False
    degenerate: bool = False

    @property
    def mesh(self) -> tuple[int, int, int]:
        """A small even mesh: not converged, but the same sum on both sides of every comparison."""
        n = 4 if sum(self.model.periodic) == 3 else 6
        a, b, c = (n if p else 1 for p in self.model.periodic)
        return a, b, c

    def vanishes(self, observable) -> bool:
        """Whether a symmetry of the model forbids an observable with these declared parities."""
        return (
            (self.time_reversal and observable.time_reversal < 0)
            or (self.inversion and observable.inversion < 0)
            or (self.time_reversal_inversion and observable.time_reversal * observable.inversion < 0)
        )


def r_vectors(periodic=(True, True, False), reach=1):
    """All R with components up to `reach` along the periodic directions."""
    ranges = [range(-reach, reach + 1) if p else (0,) for p in periodic]
    return np.array(np.meshgrid(*ranges, indexing="ij")).reshape(3, -1).T


def negative(R):
    """Index of -R for each R."""
    index = {tuple(r): i for i, r in enumerate(R.tolist())}
    return np.array([index[tuple(-x for x in r)] for r in R.tolist()])


def random_arrays(rng, R, n, hopping=0.5, decay=0.5, extra=()):
    """Random X_R (nR, n, n, *extra) with X(-R) = X(R)^+, smaller on longer vectors."""
    shape = (len(R), n, n, *extra)
    X = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    X *= (hopping * decay ** np.abs(R).sum(axis=1)).reshape(-1, *[1] * (len(shape) - 1))
    return (X + np.conj(np.swapaxes(X[negative(R)], 1, 2))) / 2


def random_model(
    seed,
    dimension=2,
    n=4,
    energies=None,
    hopping=0.6,
    decay=0.5,
    reach=1,
    position="centres",
    noise=0.15,
    lattice=None,
    time_reversal=None,
    inversion=None,
    time_reversal_inversion=None,
    spin_degeneracy=1,
    symmetric_centres=None,
    spin=None,
):
    """A random model without symmetries, or with those for which a unitary on the orbitals is given.

    position : "centres" (commuting) or "matrix": the centres on the diagonal at R = 0 plus a random Hermitian matrix at
        every R, whose Cartesian components do not commute.
    time_reversal, inversion, time_reversal_inversion : (n, n) unitary Theta or P, as in |R i> -> sum_j |+-R j> U_ji.
    symmetric_centres : (n, 3) in units of the lattice vectors, where the symmetry fixes them.
    spin : (n, n, 3), or "matrix": a random Hermitian operator at every R.
    """
    rng = np.random.default_rng(seed)
    periodic = (True, True, dimension == 3)
    lattice = {2: LATTICE_2D, 3: LATTICE_3D}[dimension] if lattice is None else lattice
    R = r_vectors(periodic, reach)
    home = int(np.flatnonzero(~R.any(axis=1))[0])
    H = random_arrays(rng, R, n, hopping, decay)
    H[home] += np.diag(np.zeros(n) if energies is None else energies)
    fractions = rng.uniform(-0.5, 0.5, (n, 3)) if symmetric_centres is None else np.asarray(symmetric_centres)
    if dimension == 2 and symmetric_centres is None:
        fractions[:, 2] *= 0.3
    centres = fractions @ lattice
    r = random_arrays(rng, R, n, noise, decay, (3,))
    r[home] += np.einsum("ij,ia->ija", np.eye(n), centres)
    minus = negative(R)
    if time_reversal is not None:  # antiunitary, leaves every cell where it is
        H, r = (_mean(X, _turned(np.conj(X), time_reversal)) for X in (H, r))
    if inversion is not None:  # unitary, R -> -R, r -> -r
        H, r = _mean(H, _turned(H[minus], inversion)), _mean(r, -_turned(r[minus], inversion))
    if time_reversal_inversion is not None:
        H = _mean(H, _turned(np.conj(H[minus]), time_reversal_inversion))
        r = _mean(r, -_turned(np.conj(r[minus]), time_reversal_inversion))
    where = {"centres": centres} if position == "centres" else {"position": r}
    if spin is not None:
        where["spin"] = random_arrays(rng, R, n, 1.0, decay, (3,)) if isinstance(spin, str) else spin
    return ome.TightBinding(lattice, R, H, periodic=periodic, spin_degeneracy=spin_degeneracy, **where)


def _turned(X, U):
    return np.einsum("ij,rjk...,lk->ril...", U, X, np.conj(U))


def _mean(X, Y):
    return (X + Y) / 2


def spinful(orbital_part):
    """Theta = U (x) i sigma_y, orbitals major, spin minor."""
    return np.kron(orbital_part, 1j * SIGMA[1])


def pauli(n):
    """(2 n, 2 n, 3) spin operator in units of hbar/2 of n orbitals, spin minor."""
    return np.stack([np.kron(np.eye(n), s) for s in SIGMA], axis=-1)


def haldane(delta=0.2, t=-1.0, t2=0.15, phi=np.pi / 2, lattice_constant=2.0):
    """Haldane's model, sites A and B of a honeycomb lattice, mass +-delta, hoppings t and t2 exp(+-i phi)."""
    a = lattice_constant
    lattice = np.array([[a, 0, 0], [a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 10.0]])
    terms = {(0, 0): np.array([[delta, t], [t, -delta]], dtype=complex)}
    for R in ((1, 0), (0, 1)):
        _add_pair(terms, R, np.array([[0, 0], [t, 0]]))
    for R in ((1, 0), (-1, 1), (0, -1)):
        _add_pair(terms, R, np.diag([t2 * np.exp(1j * phi), t2 * np.exp(-1j * phi)]))
    return from_terms(lattice, terms, np.array([[1 / 3, 1 / 3, 0], [2 / 3, 2 / 3, 0]]) @ lattice)


def _add_pair(terms, R, X):
    minus = tuple(-x for x in R)
    terms[R] = terms.get(R, 0) + X
    terms[minus] = terms.get(minus, 0) + np.conj(X).T


def from_terms(lattice, terms, centres, **settings):
    """TightBinding from {(R1, R2): matrix} or {(R1, R2, R3): matrix}."""
    R = np.array([(*key, 0)[:3] for key in terms])
    return ome.TightBinding(lattice, R, np.array(list(terms.values()), dtype=complex), centres=centres, **settings)


def two_band(tilt=0.15):
    """A square-lattice two-band model with a tilt: local circulation vanishes, every other part does not."""
    terms = {(0, 0): 1.2 * SIGMA[2] + 0.3 * SIGMA[0]}
    _add_pair(terms, (1, 0), 0.4 * SIGMA[2] + 0.5j * SIGMA[0] + 1j * tilt * IDENTITY + 0.2 * SIGMA[1])
    _add_pair(terms, (0, 1), 0.3 * SIGMA[2] - 0.35j * SIGMA[1] + 0.1 * SIGMA[0])
    _add_pair(terms, (1, 1), 0.12 * SIGMA[0] - 0.2j * SIGMA[2])
    return from_terms(np.diag([3.0, 2.5, 7.0]), terms, np.array([[0.1, 0.2, 0], [1.1, 0.9, 0]]))


def malashevich(phi=np.pi):
    """Cubic 8-site model of Malashevich et al., New J. Phys. 12, 053032 (2010), in units of the cell and of t."""
    return eight_site_cube(phi=phi)


def tilted_dirac(v_t=0.8, alpha=4.0, m=0.01, derivatives=True, **settings):
    """H = v_t k_x + m s_z + alpha (k_y s_x - k_x s_y) (physics.md section 7), hbar = 1, eV and Angstrom."""
    slope = np.stack([v_t * IDENTITY - alpha * SIGMA[1], alpha * SIGMA[0]])

    def hamiltonian(k):
        return m * SIGMA[2] + np.einsum("ka,aij->kij", k, slope)

    def gradient(k):
        return np.broadcast_to(slope, (len(k), 2, 2, 2))

    def hessian(k):
        return np.zeros((len(k), 2, 2, 2, 2))

    given = {"gradient": gradient, "hessian": hessian} if derivatives else {}
    return ome.KDotP(hamiltonian, **given, scale=abs(m / alpha), **settings)


def _slab(seed=5):
    """A random model, periodic in two directions, whose orbitals are spread along the third."""
    return random_model(
        seed, 2, 4, energies=[-4, -3, 3, 4.5], symmetric_centres=np.random.default_rng(seed).uniform(-0.5, 0.5, (4, 3))
    )


def _kramers(seed, position="centres", dimension=2):
    """Spinful, time-reversal symmetric, not centrosymmetric: Kramers pairs at the invariant momenta only."""
    at = np.random.default_rng(seed).uniform(-0.5, 0.5, (2, 3))
    return random_model(
        seed,
        dimension,
        4,
        energies=[-2.5, -2.5, 2.5, 2.5],
        position=position,
        time_reversal=spinful(np.eye(2)),
        spin=pauli(2),
        symmetric_centres=np.repeat(at, 2, axis=0),
    )


SWAP = np.array([[0, 1], [1, 0]])


def _antiferromagnet(seed, position="centres", dimension=2):
    """Spinful, two sites A, B = -A with two orbitals each, symmetric under inversion x time reversal alone.

    (P T)^2 = -1: every level is twofold degenerate at every k.
    """
    at = np.random.default_rng(seed).uniform(-0.4, 0.4, (2, 3))
    if dimension == 2:
        at[:, 2] = 0
    fractions = np.repeat(np.stack([at, -at], axis=1).reshape(4, 3), 2, axis=0)  # orbital, sublattice, spin
    return random_model(
        seed,
        dimension,
        8,
        energies=np.repeat([-3.0, 3.0], 4),
        hopping=0.5,
        position=position,
        time_reversal_inversion=spinful(np.kron(np.eye(2), SWAP)),
        spin=pauli(4),
        symmetric_centres=fractions,
    )


def _centrosymmetric(seed, position="centres", dimension=2):
    """Inversion about the origin swaps orbitals 0, 1 (at +-t) and keeps orbitals 2 (even) and 3 (odd) on the origin."""
    t = np.random.default_rng(seed).uniform(-0.4, 0.4, 3) * [1, 1, dimension == 3]
    P = np.zeros((4, 4))
    P[0, 1] = P[1, 0] = P[2, 2] = 1
    P[3, 3] = -1
    return random_model(
        seed,
        dimension,
        4,
        energies=[-3, -3, 2.5, 3],
        position=position,
        inversion=P,
        symmetric_centres=[t, -t, np.zeros(3), np.zeros(3)],
    )


def rotated(model, Q):
    """The same model in axes turned by an orthogonal matrix: every vector v becomes Q v."""
    where = (
        {"centres": model.centres @ Q.T}
        if model.position is None
        else {"position": np.einsum("ab,rijb->rija", Q, model.position)}
    )
    if model.has_spin:  # axial
        where["spin"] = np.einsum("ab,rijb->rija", np.linalg.det(Q) * Q, model.spin)
    return rebuilt(model, lattice=model.lattice @ Q.T, **where)


def rebuilt(model, **changes):
    """A TightBinding with some arguments changed."""
    return replace(model, **changes)


#: takes x, y, z to y, z, x: the plane xy becomes yz
CYCLIC = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])


def _build():
    insulating = {"energies": [-4.0, -3.0, 3.0, 4.5]}
    yield Toy("insulator_2d", random_model(1, 2, 4, spin=pauli(2), **insulating), 0.0, 2)
    yield Toy("metal_2d", random_model(2, 2, 3, hopping=1.0, spin_degeneracy=2), 0.15)
    yield Toy("matrix_insulator_2d", random_model(3, 2, 4, position="matrix", spin="matrix", **insulating), 0.0, 2)
    yield Toy("matrix_metal_2d", random_model(4, 2, 3, hopping=1.0, position="matrix"), 0.2)
    yield Toy("insulator_3d", random_model(6, 3, 4, spin=pauli(2), **insulating), 0.0, 2)
    yield Toy("metal_3d", random_model(7, 3, 3, hopping=1.0), 0.1)
    yield Toy("matrix_metal_3d", random_model(8, 3, 3, hopping=1.0, position="matrix"), 0.1)
    yield Toy("kramers_2d", _kramers(9), -2.4, time_reversal=True)
    yield Toy("kramers_matrix_3d", _kramers(10, "matrix", 3), -2.4, time_reversal=True)
    yield Toy("pt_2d", _antiferromagnet(11), -2.9, time_reversal_inversion=True, degenerate=True)
    yield Toy("pt_matrix_2d", _antiferromagnet(12, "matrix"), -2.9, time_reversal_inversion=True, degenerate=True)
    yield Toy("pt_3d", _antiferromagnet(13, dimension=3), 0.0, 4, time_reversal_inversion=True, degenerate=True)
    yield Toy("inversion_2d", _centrosymmetric(14), -2.7, inversion=True)
    yield Toy("inversion_matrix_3d", _centrosymmetric(15, "matrix", 3), -2.7, inversion=True)
    # inversion about the middle of a hexagon holds for equal sites only; broken by delta
    yield Toy("haldane", haldane(), 0.0, 1)
    yield Toy("two_band", two_band(), -1.4)
    yield Toy("slab", _slab(), 0.0, 2)
    yield Toy("plane_yz", rotated(random_model(16, 2, 3, hopping=1.0), CYCLIC), 0.1)
    yield Toy("plane_zx_matrix", rotated(random_model(17, 2, 3, hopping=1.0, position="matrix"), CYCLIC @ CYCLIC), 0.1)


TOYS = {toy.name: toy for toy in _build()}


# ---- sums over a mesh, written without the package's histogram ------------------------------------------------------


def weights_of(observable, bands):
    """Per-band weights (nk, n, *components) as compute() uses them: cut to the model's axes, averaged over groups."""
    return evaluate(observable, bands)


def fermi(energies, mu, kT):
    """f(e), and a step at kT = 0."""
    return np.where(energies <= mu, 1.0, 0.0) if kT == 0 else 0.5 * (1 - np.tanh((energies - mu) / (2 * kT)))


def minus_derivative(energies, mu, kT):
    """-df/de."""
    return 1 / (4 * kT * np.cosh(np.clip((energies - mu) / (2 * kT), -300, 300)) ** 2)


def grand(energies, mu, kT):
    """The integral of f over the Fermi level: kT times the logarithm of the partition function of a state."""
    x = np.maximum(mu - energies, 0)
    return x if kT == 0 else x + kT * np.log1p(np.exp(-np.abs(mu - energies) / kT))


def thermal(energies, mu, kT):
    """(e - mu)/kT times -df/de."""
    return (energies - mu) / kT * minus_derivative(energies, mu, kT)


#: by the name of the occupation
OCCUPIED = {"sea": fermi, "surface": minus_derivative, "grand": grand, "thermal": thermal}


def natural_size(observable, bands):
    """(nk,) product of the norms of the matrices that make up a weight: its rounding error is relative to this."""
    S = SPIN_MOMENT * np.sqrt(bands.energies.shape[1]) if observable.needs_spin else None
    d = range(len(bands.axes))
    v, R, B = (
        np.max([np.linalg.norm(f(a), axis=(1, 2)) for a in d], axis=0)
        for f in (bands.velocity, bands.connection, bands.response)
    )
    if observable.kind == "current_response":  # of sigma, whose norm is the root of the number of bands
        return np.sqrt(bands.energies.shape[1]) * v * B
    if observable.kind == "density_response":
        return R * R
    if observable.kind == "density":
        return 1 + 0 * v
    if S is not None and observable.kind.startswith("moment"):
        return S + 0 * v
    if S is not None:
        return S * (B if observable.occupation == "sea" else v)
    if observable.kind == "alpha":
        return v * R * (B if observable.occupation == "sea" else R)
    if observable.name.startswith("berry"):
        return R * R
    sizes = {"extrinsic": v * v * R, "polarizability": B * R, "curvature": R * R, "drude": v * v, "ohmic": v * v}
    sizes |= dict.fromkeys(("moment", "moment_slope"), v * R) | {"thermal": v * v * R, "thermal_current": v * v}
    return sizes[observable.kind]


def split(model, variable):
    """The elements of a layer that need no position across it: those that its parts have; of other models all."""
    axes = {"moment": model.moments, "field": model.axes}
    return variable.sel({d: ["xyz"[i] for i in axes[d]] for d in axes if d in variable.dims})


def occupied_sum(observable, bands, mu, kT):
    """(value, scale) of an observable on the k points of `bands`, per area or volume in units of 1 / cell.

    `scale` is the same sum of absolute values with the natural size of every weight in its place.
    """
    f = OCCUPIED[observable.occupation](bands.energies, mu, kT)
    value = np.einsum("kn,kn...->...", f, weights_of(observable, bands)) / len(f)
    return value, float((np.abs(f).sum(axis=1) * natural_size(observable, bands)).sum() / len(f))


#: metals in two and three dimensions
METAL, SOLID = TOYS["metal_2d"].model, TOYS["metal_3d"].model


def names_for(model):
    """The built-in calculators, those of the spin where the model has one."""
    terms = {n: [t for t, _ in get(n).terms] if isinstance(get(n), Combination) else [n] for n in names()}
    return [n for n in names() if model.has_spin or not any(get(t).needs_spin for t in terms[n])]


def run(model=METAL, kmesh=(6, 6, 1), calculators=("total",), fermi=0.1, **settings):
    return ome.compute(model, kmesh, calculators, fermi, **settings)


def possible(model):
    """Names of the calculators that this model allows."""
    return [n for n in names() if n != "chern_simons" and (model.has_spin or not needs_spin(n))]
