"""States outside the Wannier subspace: a large tight-binding model from which some Wannier functions are dropped.

The large model has N orbitals at given positions, H(k) = W h W^+ with h(k) in blocks and W(k) a product of constant unitaries
and of translations of single functions by lattice vectors: trigonometric, unitary, so that the columns of W are N exactly
orthonormal Wannier functions of finite range. The first n of them are kept. Everything that the small model is given follows
from |i d_b u> = i d_b W + t_b W, t the positions, by products and one discrete Fourier transform, exact for finite range.

The lowest functions form a block of their own in h, so their bands are eigenstates of the large model. The kept ones above
are either a block too (an invariant subspace), or coupled to the dropped ones: then only the lowest bands are eigenstates,
as inside the frozen window of a disentangled subspace. Either way every quantity of the occupied bands is compared with sums
over all states of the large model, at single k points.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from toys import LATTICE_2D, LATTICE_3D, r_vectors, random_arrays

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import get
from ome_wannier.calculators.weights import evaluate
from ome_wannier.errors import ModelError
from ome_wannier.models.outside_states import External

LARGE, KEPT, OCCUPIED = 7, 4, 2
LEVEL = 0.0
#: energies of the functions: the occupied, the other kept and the dropped ones; hoppings of about 0.2 eV leave the gaps open
ENERGIES = np.array([-3.2, -2.1, 1.4, 2.3, 6.0, 7.5, 9.0])
#: points per periodic direction of the discrete transform: more than the range of all products
GRID = 12
LATTICE_1D = np.diag([2.9, 9.0, 9.0])
CYCLIC = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


class Series(NamedTuple):
    """Trigonometric matrices sum_R exp(i k.R) X_R as {R: X}, with a product."""

    terms: dict[tuple[int, ...], np.ndarray]

    def at(self, k, lattice, derivatives=()):
        """Value at fractional k (nk, 3), or a Cartesian derivative along the given axes."""
        R = np.array(list(self.terms))
        wave = np.exp(2j * np.pi * k @ R.T)
        for a in derivatives:
            wave = wave * (1j * (R @ lattice)[:, a])
        return np.einsum("kr,rij->kij", wave, np.array(list(self.terms.values())))

    def times(self, other):
        out: dict = {}
        for R, X in self.terms.items():
            for S, Y in other.terms.items():
                key = tuple(np.add(R, S).tolist())
                out[key] = out.get(key, 0) + X @ Y
        return Series(out)


def unitary(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def wannier_frame(rng, dimension):
    """W(k): unitaries between which single functions move by lattice vectors, and a unitary among the kept ones."""
    home = (0, 0, 0)
    W = Series({home: unitary(rng, LARGE)})
    for direction in range(dimension):
        step = [0, 0, 0]
        step[direction] = 1
        moved = np.zeros(LARGE)
        moved[rng.integers(LARGE)] = 1
        move = Series({tuple(step): np.diag(moved).astype(complex), home: np.diag(1 - moved).astype(complex)})
        W = W.times(move).times(Series({home: unitary(rng, LARGE)}))
    inner = np.eye(LARGE, dtype=complex)
    inner[:KEPT, :KEPT] = unitary(rng, KEPT)
    return W, Series({home: inner})


class Large(NamedTuple):
    """The large model: frames, blocks, positions; `small` is the model of the kept functions."""

    lattice: np.ndarray
    dimension: int
    W: Series
    mixing: Series
    h: Series
    positions: np.ndarray

    def matrices(self, k):
        """H (nk, N, N), V[a], the frame of the kept functions and its derivatives |i d_b u>, positions included."""
        W, h = self.W.at(k, self.lattice), self.h.at(k, self.lattice)
        dagger = np.conj(np.swapaxes(W, 1, 2))
        H = W @ h @ dagger
        V = []
        for a in range(self.dimension):
            dW = self.W.at(k, self.lattice, (a,))
            d = dW @ h @ dagger
            dH = d + np.conj(np.swapaxes(d, 1, 2)) + W @ self.h.at(k, self.lattice, (a,)) @ dagger
            t = self.positions[:, a]
            V.append(dH - 1j * (t[:, None] - t[None, :]) * H)
        frame = self.W.times(self.mixing)
        u = frame.at(k, self.lattice)[:, :, :KEPT]
        Z = [1j * frame.at(k, self.lattice, (b,))[:, :, :KEPT] + self.positions[:, b, None] * u for b in range(self.dimension)]
        return H, V, u, Z

    def small(self, external=True, fields=("BB", "CC", "FF")):
        """The model of the kept functions."""
        size = [GRID] * self.dimension + [1] * (3 - self.dimension)
        k = np.stack(np.meshgrid(*(np.arange(s) / s for s in size), indexing="ij"), -1).reshape(-1, 3)
        R = r_vectors(np.arange(3) < self.dimension, (GRID - 1) // 2)
        back = np.exp(-2j * np.pi * R @ k.T) / len(k)
        H, _, u, Z = self.matrices(k)
        bra = np.conj(np.swapaxes(u, 1, 2))
        Z = np.stack([*Z, *[self.positions[:, 2, None] * u] * (3 - self.dimension)], axis=1)
        left = np.conj(np.swapaxes(Z, 2, 3))
        C = np.einsum("kaiN,kNM,kbMj->kijab", left, H, Z, optimize=True)
        products = {
            "BB": np.einsum("kiN,kNM,kbMj->kijb", bra, H, Z, optimize=True),
            "CC": 1j * np.stack([C[..., a, b] - C[..., b, a] for _, a, b in CYCLIC], axis=-1),
            "FF": np.einsum("kaiN,kbNj->kijab", left, Z, optimize=True),
        }

        def real_space(X):
            return np.tensordot(back, X, 1)

        found = External(**{name: real_space(products[name]) for name in fields}) if external else None
        return ome.TightBinding(
            self.lattice,
            R,
            real_space(bra @ H @ u),
            position=real_space(np.moveaxis(bra[:, None] @ Z, 1, 3)),
            external=found,
        )


def large_model(dimension, invariant, seed=5):
    rng = np.random.default_rng(seed)
    lattice = {1: LATTICE_1D, 2: LATTICE_2D, 3: LATTICE_3D}[dimension]
    R = r_vectors(np.arange(3) < dimension, 1)
    h = random_arrays(rng, R, LARGE, 0.15, 0.5)
    h[np.flatnonzero(~R.any(axis=1))[0]] += np.diag(ENERGIES)
    edges = (0, OCCUPIED, KEPT) if invariant else (0, OCCUPIED)
    block = np.searchsorted(edges, np.arange(LARGE), side="right")
    h = h * (block[:, None] == block[None, :])
    W, mixing = wannier_frame(rng, dimension)
    positions = rng.uniform(-0.6, 0.6, (LARGE, 3)) @ lattice
    return Large(lattice, dimension, W, mixing, Series(dict(zip(map(tuple, R.tolist()), h, strict=True))), positions)


CASES = [(d, i) for d in (2, 3) for i in (True, False)]
NAMES = [f"{d}d-{'invariant' if i else 'frozen'}" for d, i in CASES]
every_case = pytest.mark.parametrize(("dimension", "invariant"), CASES, ids=NAMES)


class States:
    """Eigenstates of the large model at k, and of the kept subspace, with connections from the large model."""

    def __init__(self, large, k):
        H, V, u, _ = large.matrices(k)
        self.e, self.U = np.linalg.eigh(H)
        self.v = [np.conj(np.swapaxes(self.U, 1, 2)) @ x @ self.U for x in V]
        gap = self.e[:, :, None] - self.e[:, None, :]
        gap[:, range(LARGE), range(LARGE)] = np.inf
        self.R = [-1j * x / gap for x in self.v]
        self.V = V
        e, c = np.linalg.eigh(np.conj(np.swapaxes(u, 1, 2)) @ H @ u)
        self.kept_e, self.kept = e, u @ c


def setup(dimension, invariant):
    large = large_model(dimension, invariant)
    k = np.random.default_rng(1).uniform(-0.5, 0.5, (6, 3)) * (np.arange(3) < dimension)
    return large, k, States(large, k)


def filled(name, bands):
    observable = get(name)
    return evaluate(observable, bands)[:, :OCCUPIED]


def close(ours, theirs, inside, digits=1e-9):
    """Equal, and the states outside matter: without them the numbers differ by far more."""
    size = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=digits * size)
    assert np.abs(inside - theirs).max() > 1e-2 * size


def pairs_of(dimension):
    return [(0, 1)] if dimension == 2 else [(1, 2), (2, 0), (0, 1)]


@every_case
def test_the_lowest_bands_are_those_of_the_large_model(dimension, invariant):
    large, k, states = setup(dimension, invariant)
    bands = Bands(large.small(), k)
    np.testing.assert_allclose(bands.energies[:, :OCCUPIED], states.e[:, :OCCUPIED], atol=1e-12)
    assert (states.e[:, OCCUPIED - 1] < LEVEL).all()
    assert (states.e[:, OCCUPIED] > LEVEL).all()
    rest = np.abs(bands.energies[:, OCCUPIED:] - states.e[:, OCCUPIED:KEPT]).max()
    assert (rest < 1e-12) == invariant


@every_case
def test_orbital_moment_and_extrinsic(dimension, invariant):
    """m = 1/2 epsilon_imn Im sum_p (e_p - e_n) R_m,np R_n,pn over all p of the large model, and its part in extrinsic."""
    large, k, states = setup(dimension, invariant)
    cost = states.e[:, None, :] - states.e[:, :, None]
    m = np.stack([np.einsum("knp,knp,kpn->kn", cost, states.R[a], states.R[b]).imag for a, b in pairs_of(dimension)], axis=-1)[
        :, :OCCUPIED
    ]
    slope = np.stack([np.einsum("knn->kn", v).real for v in states.v], axis=-1)[:, :OCCUPIED]
    with_, without = (Bands(large.small(external), k) for external in (True, False))
    close(filled("orbital_moment", with_), m, filled("orbital_moment", without))
    expected = -m[:, :, :, None] * slope[:, :, None, :]
    close(filled("extrinsic", with_), expected, filled("extrinsic", without))


@pytest.mark.parametrize(("dimension", "invariant"), [(1, True), (1, False), *CASES])
def test_metric(dimension, invariant):
    large, k, states = setup(dimension, invariant)
    with_, without = (Bands(large.small(external), k, window=(LEVEL, LEVEL)) for external in (True, False))
    # the metric of the occupied states as a whole
    o, u = slice(None, OCCUPIED), slice(OCCUPIED, None)
    across = [R[:, o, u] for R in states.R]
    G = np.stack([np.stack([np.einsum("kou,kou->k", x, np.conj(y)).real for y in across], -1) for x in across], -2)
    close(filled("quantum_metric", with_).sum(1), G, filled("quantum_metric", without).sum(1))


@every_case
def test_metric_curl(dimension, invariant):
    """The metric of every band, moving with it, wherever the Fermi level is."""
    large, k, states = setup(dimension, invariant)
    d = range(dimension)
    with_, without = (Bands(large.small(external), k) for external in (True, False))
    g = [[np.einsum("knp,kpn->kn", states.R[a], states.R[b]).real for b in d] for a in d]
    slope = [np.einsum("knn->kn", v).real for v in states.v]
    curl = np.stack([np.stack([slope[m] * g[b][n] - slope[n] * g[b][m] for b in d], -1) for m, n in pairs_of(dimension)], -2)[
        :, :OCCUPIED
    ]
    close(filled("metric_curl", with_), curl, filled("metric_curl", without))


@every_case
def test_interband_moment(dimension, invariant):
    """epsilon_imn Re sum_ou B_ou [<u|v_m (1 - P)|i d_n o> + sum_o' R_n,uo' v_m,o'o], P the occupied states.

    u runs over the states of the subspace (the field mixes no others in), 1 - P over all empty ones of the large model. B is
    R / (e_o - e_u); where the kept functions are coupled to the dropped ones u and e_u are those of H inside the subspace.
    """
    large, k, states = setup(dimension, invariant)
    o = slice(None, OCCUPIED)
    U, e = states.U[:, :, o], states.e[:, o]
    u, e_u = states.kept[:, :, OCCUPIED:], states.kept_e[:, OCCUPIED:]
    bra = np.conj(np.swapaxes(u, 1, 2))
    # |i d_n o> with the empty states of the large model
    D = [states.U[:, :, OCCUPIED:] @ R[:, OCCUPIED:, o] for R in states.R]
    R_uo = [bra @ x for x in D]
    B = [np.conj(np.swapaxes(x, 1, 2)) / (e[:, :, None] - e_u[:, None, :]) for x in R_uo]
    v_oo = [v[:, o, o] for v in states.v]

    def circulation(m, n):
        return bra @ states.V[m] @ D[n] + R_uo[n] @ v_oo[m]

    assert U.shape[2] == OCCUPIED
    expected = np.stack(
        [
            np.stack([np.einsum("kou,kuo->k", x, circulation(m, n) - circulation(n, m)).real for x in B], axis=-1)
            for m, n in pairs_of(dimension)
        ],
        axis=-2,
    )

    def ours(external):
        bands = Bands(large.small(external), k, window=(LEVEL, LEVEL))
        return filled("local_crossgap", bands).sum(1) + filled("itinerant_crossgap", bands).sum(1)

    close(ours(True), expected, ours(False))


# ---- what must not matter ----------------------------------------------------------------------------------------------

COMPLETED = ("orbital_moment", "extrinsic", "quantum_metric", "metric_curl", "local_crossgap", "itinerant_crossgap")


def as_vector(C):
    return np.stack([1j * C[..., a, b] for _, a, b in CYCLIC], axis=-1)


def adjoint_in_space(model, X):
    """X(-R)^+ on the R vectors."""
    index = {tuple(r): i for i, r in enumerate(model.R.tolist())}
    minus = [index[tuple(-x for x in r)] for r in model.R.tolist()]
    return np.conj(np.swapaxes(X[minus], 1, 2))


def moved_origin(model, shift):
    """Every position grows by a constant: r_a H (r - R)_b with both factors shifted."""
    A, H, (B, C, F) = model.position, model.hamiltonian, model.external.arrays
    home = ~model.R.any(axis=1)
    one = home[:, None, None] * np.eye(model.n_orbitals)
    BB = B + H[..., None] * shift
    Bd = adjoint_in_space(model, B)
    asymmetric = np.einsum("a,rijb->rijab", shift, B) + np.einsum("rija,b->rijab", Bd, shift)
    CC = C + as_vector(asymmetric - np.swapaxes(asymmetric, 3, 4))
    FF = F + np.einsum("a,rijb->rijab", shift, A) + np.einsum("rija,b->rijab", A, shift)
    FF = FF + np.einsum("rij,a,b->rijab", one, shift, shift)
    return replace(model, position=A + one[..., None] * shift, external=External(BB, CC, FF))


def moved_functions(model):
    """Function j replaced by its copy L_j cells away: <0i'|X|Rj'> = <0i|X|R + L_j - L_i, j>, positions L_i and L_j more."""
    n = model.n_orbitals
    L = np.random.default_rng(4).integers(-1, 2, (n, 3)) * np.array(model.periodic)
    t = L @ model.lattice
    A, H, (B, C, F) = model.position, model.hamiltonian, model.external.arrays
    one = (~model.R.any(axis=1))[:, None, None] * np.eye(n)
    Bd = adjoint_in_space(model, B)
    new_B = B + H[..., None] * t[None, None, :, :]
    full = np.einsum("ia,rijb->rijab", t, B) + np.einsum("rija,jb->rijab", Bd, t) + np.einsum("rij,ia,jb->rijab", H, t, t)
    new_C = C + as_vector(full - np.swapaxes(full, 3, 4))
    new_F = F + np.einsum("ia,rijb->rijab", t, A) + np.einsum("rija,jb->rijab", A, t)
    new_F = new_F + np.einsum("rij,ia,jb->rijab", one, t, t)
    new_A = A + one[..., None] * t[None, None, :, :]
    R = r_vectors(model.periodic, int(np.abs(model.R).max()) + 2)
    index = {tuple(r): x for x, r in enumerate(R.tolist())}

    def moved(X):
        out = np.zeros((len(R), *X.shape[1:]), dtype=complex)
        for i in range(n):
            for j in range(n):
                out[[index[tuple(r)] for r in (model.R - L[j] + L[i]).tolist()], i, j] = X[:, i, j]
        return out

    external = External(moved(new_B), moved(new_C), moved(new_F))
    return replace(model, R=R, hamiltonian=moved(H), position=moved(new_A), external=external)


def shifted_energies(model, step):
    """H + step: B grows by step A, C by step <d_a u|d_b u>."""
    B, C, F = model.external.arrays
    one = (~model.R.any(axis=1))[:, None, None] * np.eye(model.n_orbitals)
    external = External(B + step * model.position, C + step * as_vector(F - np.swapaxes(F, 3, 4)), F)
    return replace(model, hamiltonian=model.hamiltonian + step * one, external=external)


CHANGES = {
    "origin": (lambda m: moved_origin(m, np.array([0.7, -0.4, 0.9])), 0.0),
    "functions": (moved_functions, 0.0),
    "energies": (lambda m: shifted_energies(m, 5.0), 5.0),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dimension", [2, 3])
def test_what_must_not_matter(dimension, change):
    """The origin, which copy of a function is taken, and the zero of energy, for every band of the kept subspace."""
    large, k, _ = setup(dimension, False)
    model = large.small()
    function, step = CHANGES[change]
    here = Bands(model, k, window=(LEVEL, LEVEL))
    there = Bands(function(model), k, window=(LEVEL + step, LEVEL + step))
    for name in COMPLETED:
        a, b = (evaluate(get(name), bands) for bands in (here, there))
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-9 * np.abs(a).max(), err_msg=name)


def test_degenerate_levels():
    """Two copies of a model, mixed by a unitary: every level twice, every weight the same in any gauge."""
    large, k, _ = setup(2, False)
    model = large.small()
    U = unitary(np.random.default_rng(8), 2 * KEPT)

    def twice(X):
        double = np.zeros((len(X), 2 * KEPT, 2 * KEPT, *X.shape[3:]), dtype=complex)
        double[:, :KEPT, :KEPT], double[:, KEPT:, KEPT:] = X, X
        return np.einsum("ia,rab...,jb->rij...", U, double, np.conj(U), optimize=True)

    double = replace(
        model,
        hamiltonian=twice(model.hamiltonian),
        position=twice(model.position),
        external=External(*map(twice, model.external.arrays)),
    )
    single, pair = (Bands(m, k, window=(LEVEL, LEVEL)) for m in (model, double))
    for name in COMPLETED:
        a, b = (evaluate(get(name), bands) for bands in (single, pair))
        b = b.reshape(*a.shape[:2], 2, *a.shape[2:])
        if name.endswith("crossgap") or name == "quantum_metric":  # sums over the occupied bands mean something
            a, b = a[:, :OCCUPIED].sum(1), b[:, :OCCUPIED].sum((1, 2)) / 2
        else:
            b = b.mean(2)
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-9 * np.abs(a).max(), err_msg=name)


def test_the_parts_that_are_given_are_used():
    """Without FF moments are complete all the same (the curvature of A stands in); without BB and CC the metric alone is."""
    large, k, _ = setup(2, False)
    whole, moments, metric, nothing = (
        Bands(large.small(external, fields or ("FF",)), k)
        for external, fields in ((True, ("BB", "CC", "FF")), (True, ("BB", "CC")), (True, ("FF",)), (False, None))
    )
    for name, other, same in (
        ("extrinsic", moments, whole),
        ("local_crossgap", moments, whole),
        ("quantum_metric", moments, nothing),
        ("extrinsic", metric, nothing),
        ("metric_curl", metric, whole),
    ):
        a, b = (evaluate(get(name), bands) for bands in (other, same))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * np.abs(b).max(), err_msg=name)


def test_the_result_says_what_is_left_out():
    large = large_model(2, True)
    for fields, included, missing in (
        ((), "", "states outside the basis"),
        (("BB", "CC", "FF"), "moments, metric", "mixed in by the field"),
        (("FF",), "metric", "moments by way of states outside the basis"),
        (("BB", "CC"), "moments", "metric of states outside the basis"),
    ):
        model = large.small(bool(fields), fields)
        result = ome.compute(model, (2, 2, 1), ["total"], LEVEL)
        assert missing in result.attrs["left_out"]
        assert result.attrs["external_terms"] == (included or "none")


@pytest.mark.filterwarnings("ignore:a net current flows")
def test_sums_do_not_depend_on_the_batches():
    """compute is the sum of the same weights, bit by bit the same whatever the memory."""
    model = large_model(2, False).small()
    names, kT = ["orbital_moment", "interband", "metric_curl", "extrinsic"], 0.1
    one, two = (
        ome.compute(model, (16, 16, 1), names, [LEVEL, 1.0], temperature=kT / ome.units.KB, memory=memory)
        for memory in (2**22, 2**30)
    )
    for name in names:
        assert np.abs(one[name]).max() > 0
        np.testing.assert_array_equal(one[name].values, two[name].values)


def test_hash_and_refusals():
    large = large_model(2, True)
    model = large.small()
    B, C, F = model.external.arrays
    bare = replace(model, external=None)
    assert len({model.sha256, bare.sha256, replace(model, external=External(B, C)).sha256}) == 3
    with pytest.raises(ModelError, match="BB alone: a moment needs both BB and CC"):
        External(BB=B)
    with pytest.raises(ModelError, match="holds no matrices"):
        External()
    with pytest.raises(ModelError, match="external CC has shape"):
        replace(model, external=External(B, C[..., :2], F))
    with pytest.raises(ModelError, match="external CC is not Hermitian"):
        replace(model, external=External(B, 1j * C, F))
    with pytest.raises(ModelError, match="external is given without position"):
        replace(model, position=None, centres=np.zeros((KEPT, 3)))
