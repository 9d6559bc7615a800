"""The Chern-Simons part of the response of a three-dimensional insulator: the axion angle theta.

In a smooth gauge of the occupied bands, with Berry connection A and curvature F (physics.md eqs. 41 and 42),

    theta = -1/(4 pi) int d^3k eps_abc tr[ A_a d_b A_c - (2i/3) A_a A_b A_c ]
          = -1/(4 pi) int d^3k eps_abc tr[ 1/2 A_a F_bc + (i/3) A_a A_b A_c ]          (mod 2 pi)

The gauge is that of trial orbitals g projected on the occupied states, u = P g S^(-1/2) with S = g^+ P g. Everything in it
is known at each k without finite differences: P from the eigenvectors, its derivative from the velocities, F from both,
and d S^(-1/2) from d S. The sum over a mesh then converges exponentially.

Essin, Moore, Vanderbilt, Phys. Rev. Lett. 102, 146805 (2009); Malashevich et al., New J. Phys. 12, 053032 (2010), Eq. (16).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bands.bands import Bands
from ..bands.matrices import adjoint
from ..bands.outside_basis import wannier_curvature, wannier_position
from ..common.errors import ModelError, warn
from ..models.base import Lattice
from .band_energies import mesh_energies
from .kpoints.mesh import KMesh

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: smallest singular value of <occupied|trial> on the mesh at which the gauge still counts as smooth
SINGULAR_TOL = 0.1
#: smallest ratio of that to the value on the sub-mesh: one that still falls may reach zero between the points
SETTLED = 0.8
#: candidates for trial orbitals, and points per direction on which they are compared
CANDIDATES, COARSE = 1600, 6
#: smallest singular value at which the natural orbitals are taken without a search
GOOD = 0.6
#: what settles which orbitals are natural where several are by the same right; rounding would, and theta of a mesh would tell
SPLIT = 1e-6
POINTS_AT_ONCE = 512


@dataclass(frozen=True)
class Axion:
    """theta in radians in (-pi, pi], and how it was found.

    theta_submesh : the same on every second point, for the error.
    singular_value : the smallest of <occupied|trial> over the mesh.
    trial : (n, occupied) trial orbitals in the basis of the model.
    """

    theta: float
    theta_submesh: float
    singular_value: float
    trial: ComplexArray


def chern_simons(
    model: Lattice, mesh: KMesh, fermi: Array, trial: ArrayLike | None = None
) -> tuple[Array, Array, dict[str, Any]]:
    """The Chern-Simons part theta/(4 pi^2) delta_ij, in e^2/hbar, at Fermi levels (nf,) in eV; nan where there is no gap.

    Returns
    -------
    (nf, 3, 3) on the mesh, the same on its sub-mesh, and what to record.

    Raises
    ------
    ModelError : see `axion_angle`.

    Warns
    -----
    AccuracyWarning : Fermi levels in no gap.
    """
    energies = mesh_energies(model, mesh)
    counts = [np.unique((energies <= mu).sum(axis=1)) for mu in fermi]
    filled = [int(c[0]) if len(c) == 1 and 0 < c[0] < model.n_orbitals else None for c in counts]
    if None in filled:
        warn(f"{filled.count(None)} of {len(filled)} Fermi levels lie in no gap: chern_simons does not exist there (nan)")
    orbitals = None if trial is None else np.asarray(trial, dtype=complex)
    found = {p: axion_angle(model, mesh, p, orbitals) for p in sorted({p for p in filled if p is not None})}

    def tensor(theta: dict[int, float]) -> Array:
        isotropic = np.array([np.nan if p is None else theta[p] / (4 * np.pi**2) for p in filled])
        return np.asarray(isotropic[:, None, None] * np.eye(3))

    about = {
        "chern_simons": "defined modulo e^2/h times the identity (theta modulo 2 pi), for temperatures far below the gap",
        "chern_simons_occupied": list(found),
        "chern_simons_theta": [a.theta for a in found.values()],
        "chern_simons_smallest_singular_value": [a.singular_value for a in found.values()],
    }
    return tensor({p: a.theta for p, a in found.items()}), tensor({p: a.theta_submesh for p, a in found.items()}), about


def axion_angle(model: Lattice, mesh: KMesh, occupied: int, trial: ComplexArray | None = None) -> Axion:
    """The axion angle of the lowest `occupied` bands.

    Parameters
    ----------
    trial : (n, occupied) trial orbitals; by default those among random ones and the natural orbitals of the occupied states
        with the largest smallest singular value on a coarse mesh.

    Raises
    ------
    ModelError : not three-dimensional, trial orbitals of the wrong shape, or a projection that is singular somewhere:
        then the gauge is not smooth and theta would be meaningless.
    """
    if len(model.axes) != 3:
        raise ModelError(f"theta belongs to three-dimensional insulators: this model has {len(model.axes)} periodic directions")
    n = model.n_orbitals
    g = best_trial(model, occupied) if trial is None else np.asarray(trial, dtype=complex)
    if g.shape != (n, occupied):
        raise ModelError(f"trial orbitals have shape {g.shape}: expected {(n, occupied)}")
    length = mesh.size[mesh.row_axis]
    step = max(1, POINTS_AT_ONCE // length)
    total = part = 0.0
    smallest = smallest_sub = np.inf
    for start in range(0, len(mesh) // length, step):
        k, sub_mesh = mesh.rows(start, min(start + step, len(mesh) // length), length)
        sub = sub_mesh == 0
        density, singular = _density(model, k, occupied, g)
        smallest = min(smallest, float(singular.min()))
        smallest_sub = min(smallest_sub, float(singular[sub.ravel()].min(initial=np.inf)))
        total += float(density.sum())
        part += float(density[sub.ravel()].sum())
    if smallest < SINGULAR_TOL or smallest < SETTLED * smallest_sub:
        raise ModelError(
            f"the projection on the trial orbitals is singular, or nearly (smallest singular value {smallest:.2g}, on the "
            f"sub-mesh {smallest_sub:.2g}; {SINGULAR_TOL:g} is needed, and no further fall): the gauge is not "
            "smooth; use a finer mesh, or give other trial orbitals, which must break the symmetry that obstructs them"
        )
    weight = -((2 * np.pi) ** 3) / (model.cell * 4 * np.pi)
    return Axion(_wrap(weight * total / len(mesh)), _wrap(weight * part / mesh.n_sub), smallest, g)


def _wrap(angle: float) -> float:
    """The angle modulo 2 pi in (-pi, pi]."""
    return float(-((-angle + np.pi) % (2 * np.pi) - np.pi))


def _density(model: Lattice, k: Array, p: int, g: ComplexArray) -> tuple[Array, Array]:
    """eps_abc tr[1/2 A_a F_bc + (i/3) A_a A_b A_c]: (nk,) in Angstrom^3, and the smallest singular value of <occupied|g>.

    physics.md eq. 42.
    """
    bands = Bands(model, k, curvature=True)
    C = bands.eigenvectors
    occupied, empty = C[:, :, :p], C[:, :, p:]
    overlap = adjoint(occupied) @ g
    X, s, Yh = np.linalg.svd(overlap)
    frame = X @ Yh  # the occupied states in the smooth gauge, in terms of the eigenvectors
    # <empty| D_a |occupied> = v_uo / (e_o - e_u): the derivative of the occupied space
    gap = 1 / (bands.energies[:, None, :p] - bands.energies[:, p:, None])
    D = [(bands.velocity(a)[:, p:, :p] * gap) @ frame for a in range(3)]
    along = adjoint(empty) @ g
    rotate = adjoint(occupied @ frame)
    # P D_a(P g) = P (D_a P) g + P D_a g; P (D_a P) = -(D_a occupied ... )^+ on the empty states, D_a g = -i r_a g
    moved = [adjoint(D[a]) @ along - 1j * (rotate @ (wannier_position(bands, a) @ g)) for a in range(3)]
    root = adjoint(frame) @ overlap  # S^(1/2), positive
    A = [_connection(x, root, s, Yh) for x in moved]
    density = np.zeros(len(C))
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        F = 1j * (adjoint(D[b]) @ D[c] - adjoint(D[c]) @ D[b])
        F = F + rotate @ (wannier_curvature(bands, b, c) @ (occupied @ frame))
        commutator = A[b] @ A[c] - A[c] @ A[b]
        density += np.einsum("kij,kji->k", A[a], F + 1j / 3 * commutator).real
    return density, s[:, -1]


def _connection(moved: ComplexArray, root: ComplexArray, s: Array, Yh: ComplexArray) -> ComplexArray:
    """A_a = i u^+ D_a u of u = P g S^(-1/2), (nk, p, p) in Angstrom, of P D_a(P g) and S^(1/2) = Y s Y^+."""
    Y = adjoint(Yh)
    inverse = Y @ (Yh / s[:, :, None])
    # u^+ D u = [moved - D(S^(1/2))] S^(-1/2); D(S^(1/2)) from D(S) = D(S^1/2) S^1/2 + S^1/2 D(S^1/2)
    dS = adjoint(moved) @ root + root @ moved
    in_Y = Yh @ dS @ Y / (s[:, :, None] + s[:, None, :])
    A: ComplexArray = 1j * ((moved - Y @ in_Y @ Yh) @ inverse)
    return (A + adjoint(A)) / 2


def best_trial(model: Lattice, occupied: int, seed: int = 0) -> ComplexArray:
    """Trial orbitals (n, occupied) whose projection on the occupied states stays farthest from singular."""
    rng = np.random.default_rng(seed)
    k = KMesh((COARSE,) * 3, (0.3, 0.2, 0.1)).points()
    bands = Bands(model, k)
    C = bands.eigenvectors[:, :, :occupied]
    n = model.n_orbitals
    tilt = np.random.default_rng(seed + 1).normal(size=(2, n, n))
    _, natural = np.linalg.eigh((C @ adjoint(C)).mean(axis=0) + SPLIT * (tilt[0] + tilt[0].T + 1j * (tilt[1] - tilt[1].T)))
    best, value = natural[:, -occupied:], -1.0
    for i in range(CANDIDATES):
        noise = rng.normal(size=(n, occupied)) + 1j * rng.normal(size=(n, occupied))
        # wide search first, then steps around the best that shrink
        width = 0.0 if i == 0 else 1.0 if i < CANDIDATES // 2 else 0.3 * (1 - i / CANDIDATES)
        base = natural[:, -occupied:] if i < CANDIDATES // 2 else best
        g, _ = np.linalg.qr(base + width * noise)
        smallest = float(np.linalg.svd(adjoint(C) @ g, compute_uv=False)[:, -1].min())
        if smallest > value:
            best, value = g, smallest
        if i == 0 and value > GOOD:
            break
    return best
