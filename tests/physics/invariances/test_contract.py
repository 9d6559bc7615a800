"""What every calculator has to obey on every model: invariances, parities, and a second representation of the same model.

Every test compares a sum over the same k points on two sides, so nothing here depends on the convergence of a mesh. The
tolerance of each comparison follows from the model: an eigenvector loses eps ||H|| / gap of its digits, gap being the
smallest distance between two degenerate groups, and a weight is a product of at most ten factors (four denominators, three
velocities with two eigenvectors each), judged relative to the product of the norms of these matrices (`natural_size`).
`AMPLIFICATION` is 10 factors x 10 for the constants in these bounds (a dozen terms per element, up to 8 orbitals).
"""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
import pytest
from toys import CYCLIC, TOYS, Toy, natural_size, negative, occupied_sum, rebuilt, rotated, weights_of

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.calculators import Combination, Observable, get, names
from ome_wannier.calculators.weights import component_axes
from ome_wannier.errors import SettingsError
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.symmetry.operations import Operation
from ome_wannier.symmetry.tensors import transform

AMPLIFICATION = 100
KT = 0.12

OBSERVABLES = {o.name: o for o in map(get, names()) if isinstance(o, Observable)}
#: one toy and observable after the other; those of the spin where the model has one
PAIRS = [(t, o) for t in TOYS.values() for o in OBSERVABLES.values() if t.model.has_spin or not o.needs_spin]
every_pair = pytest.mark.parametrize(("toy", "observable"), PAIRS, ids=[f"{o.name}-{t.name}" for t, o in PAIRS])
every_observable = pytest.mark.parametrize("observable", OBSERVABLES.values(), ids=OBSERVABLES)


@cache
def bands_of(toy: Toy, change=None, *settings) -> Bands:
    """Bands on the toy's mesh, of the toy or of `change(toy, *settings)`: kept, for every observable asks for them."""
    model = toy.model if change is None else change(toy, *settings)
    return bands_on(model, toy.mesh)


def bands_on(model, mesh, kind=Bands) -> Bands:
    return kind(model, KMesh(mesh).points(), order=2, curvature=True)


def tolerance(*all_bands: Bands) -> float:
    """Relative rounding error of a sum, see the module's text."""
    worst = 0.0
    for bands in all_bands:
        gaps = 1 / np.abs(bands.inverse).max()
        worst = max(worst, np.abs(bands.energies).max() / gaps)
    return float(AMPLIFICATION * np.finfo(float).eps * worst)


def value_of(observable, bands, toy):
    return occupied_sum(observable, bands, toy.fermi, KT)


def assert_same(observable, toy, bands, expected=None, factor=1.0):
    """The sum on `bands` times `factor` equals `expected` (default: the one of the toy) up to rounding."""
    value, scale = value_of(observable, bands_of(toy), toy)
    other, other_scale = value_of(observable, bands, toy)
    expected = value if expected is None else expected
    bound = tolerance(bands_of(toy), bands) * max(scale, other_scale * factor)
    np.testing.assert_allclose(other * factor, expected, rtol=0, atol=bound)


class RandomGauge(Bands):
    """Bands whose eigenvectors are rotated by a random unitary inside every degenerate group (a phase where there is none)."""

    @cached_property
    def _eigh(self):
        e, U = np.linalg.eigh(self.matrices.H)
        rng = np.random.default_rng(3)
        U = U.copy()
        for k in range(len(e)):
            edges = np.flatnonzero(np.diff(e[k]) > self._degeneracy.tol) + 1
            for group in np.split(np.arange(e.shape[1]), edges):
                X = rng.normal(size=(len(group),) * 2) + 1j * rng.normal(size=(len(group),) * 2)
                U[k][:, group] = U[k][:, group] @ np.linalg.qr(X)[0]
        return e, U


@cache
def randomised(toy):
    return bands_on(toy.model, toy.mesh, RandomGauge)


@every_pair
def test_gauge_invariance(toy, observable):
    """Every per-band weight, averaged over its group, is the same for other eigenvectors of the same groups."""
    bands = randomised(toy)
    here, there = weights_of(observable, bands_of(toy)), weights_of(observable, bands)
    assert_same(observable, toy, bands)
    np.testing.assert_allclose(there, here, rtol=0, atol=tolerance(bands) * natural_size(observable, bands).max())


def test_toys_contain_degenerate_groups():
    """The gauge tests mean something: pairs at every k in the PT models, at the invariant momenta in the Kramers ones."""
    for toy in TOYS.values():
        groups = np.rint((1 / bands_of(toy).same.sum(axis=2)).sum(axis=1))
        if toy.degenerate:
            assert (groups == toy.model.n_orbitals / 2).all()
        elif "kramers" in toy.name:
            assert sorted(set(groups)) == [toy.model.n_orbitals / 2, toy.model.n_orbitals]
            assert (groups == toy.model.n_orbitals / 2).sum() == 2 ** sum(toy.model.periodic)
        else:
            assert (groups == toy.model.n_orbitals).all()


def moved_orbitals(toy):
    """Orbital i replaced by its copy in the cell L_i: <0i'|X|Rj'> = <0i|X|R + L_j - L_i, j>, plus L_i in r."""
    model = toy.model
    n = model.n_orbitals
    shifts = np.random.default_rng(4).integers(-2, 3, (n, 3)) * np.array(model.periodic)
    H, r, sigma = {}, {}, {}
    for x, R in enumerate(model.R):
        for i in range(n):
            for j in range(n):
                key = tuple(R - shifts[j] + shifts[i])
                H.setdefault(key, np.zeros((n, n), complex))[i, j] = model.hamiltonian[x, i, j]
                if model.position is not None:
                    r.setdefault(key, np.zeros((n, n, 3), complex))[i, j] = model.position[x, i, j]
                if model.has_spin:
                    sigma.setdefault(key, np.zeros((n, n, 3), complex))[i, j] = model.spin[x, i, j]
    move = shifts @ model.lattice
    if model.position is None:
        where = {"centres": model.centres + move}
    else:
        for i in range(n):
            r[0, 0, 0][i, i] += move[i]
        where = {"position": np.array(list(r.values()))}
    if model.has_spin:
        where["spin"] = np.array(list(sigma.values()))
    return rebuilt(model, R=np.array(list(H)), hamiltonian=np.array(list(H.values())), **where)


@every_pair
def test_orbitals_moved_by_lattice_vectors(toy, observable):
    """Which copy of an orbital is called its home is a matter of naming."""
    assert_same(observable, toy, bands_of(toy, moved_orbitals))


def shifted_origin(toy):
    d = np.array([1.3, -0.7, 2.1])
    if toy.model.position is None:
        return rebuilt(toy.model, centres=toy.model.centres + d)
    r = toy.model.position.copy()
    r[np.flatnonzero(~toy.model.R.any(axis=1))[0]] += np.eye(toy.model.n_orbitals)[:, :, None] * d
    return rebuilt(toy.model, position=r)


@every_pair
def test_origin(toy, observable):
    """A shift of the origin changes nothing: no net current and no net force in the bulk."""
    assert_same(observable, toy, bands_of(toy, shifted_origin))


def indices(bands, dim):
    """Cartesian axes of a dimension: an orbital moment needs two periodic directions, a spin none."""
    return {"moment": bands.moments, "axis": bands.moments, "spin_moment": (0, 1, 2), "operator_component": (0, 1, 2)}.get(
        dim, bands.axes
    )


def turned(observable, tensor, Q, before, after):
    """A tensor in axes turned by an orthogonal Q: polar indices turn with Q, axial ones with det(Q) Q. Written out."""
    full = np.zeros((3,) * len(observable.dims))
    full[np.ix_(*[indices(before, dim) for dim in observable.dims])] = tensor
    for i, dim in enumerate(observable.dims):
        sign = np.linalg.det(Q) if dim in ("moment", "axis", "spin_moment", "operator_component") else 1.0
        full = np.moveaxis(np.tensordot(sign * Q, full, axes=(1, i)), 0, i)
    return full[np.ix_(*[indices(after, dim) for dim in observable.dims])]


def random_orthogonal(toy, determinant):
    """A random orthogonal matrix; for a layer one that turns its plane in itself and then onto another Cartesian plane."""
    rng = np.random.default_rng(8)
    model = toy.model
    if len(model.axes) == 3:
        Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        return Q * determinant / np.linalg.det(Q)
    a, b = model.axes
    c, s = np.cos(0.7), np.sin(0.7)
    Q = np.eye(3)
    Q[np.ix_((a, b), (a, b))] = [[c, -s], [s, c]] if determinant > 0 else [[c, s], [s, -c]]
    return CYCLIC @ Q


def turned_axes(toy, determinant):
    return rotated(toy.model, random_orthogonal(toy, determinant))


@every_pair
@pytest.mark.parametrize("determinant", [1, -1])
def test_rotated_axes(toy, observable, determinant):
    """Turning the axes (also improperly: a mirror image) turns the tensor; M and Omega are axial, E and r polar."""
    bands = bands_of(toy, turned_axes, determinant)
    value, _ = value_of(observable, bands_of(toy), toy)
    expected = turned(observable, value, random_orthogonal(toy, determinant), toy.model, bands)
    assert_same(observable, toy, bands, expected)


def mirror_image(toy):
    return rotated(toy.model, -np.eye(3))


@every_pair
def test_declared_parity_under_inversion(toy, observable):
    """The mirror image r -> -r of the crystal has the tensor times the declared parity, index by index."""
    value, _ = value_of(observable, bands_of(toy), toy)
    assert_same(observable, toy, bands_of(toy, mirror_image), observable.inversion * value)


def conjugate(toy):
    where = {} if toy.model.position is None else {"position": np.conj(toy.model.position)}
    if toy.model.has_spin:
        where["spin"] = -np.conj(toy.model.spin)
    return rebuilt(toy.model, hamiltonian=np.conj(toy.model.hamiltonian), **where)


@every_pair
def test_declared_parity_under_time_reversal(toy, observable):
    """Complex conjugates of Hamiltonian and position (minus that of the spin) have the tensor times the declared parity."""
    value, _ = value_of(observable, bands_of(toy), toy)
    assert_same(observable, toy, bands_of(toy, conjugate), observable.time_reversal * value)


@every_pair
def test_zero_by_symmetry(toy, observable):
    """What time reversal, inversion or their product forbids vanishes; everything else does not (the test can fail)."""
    value, scale = value_of(observable, bands_of(toy), toy)
    if toy.vanishes(observable):
        assert np.abs(value).max() <= tolerance(bands_of(toy)) * scale
    elif not _vanishes_otherwise(toy, observable):
        assert np.abs(value).max() > 1e-6 * scale


def _vanishes_otherwise(toy, observable):
    """Some parts need three different bands or groups; Haldane's threefold axis forbids a linear response in the plane, and
    as many levels lie above its Fermi level as below."""
    if toy.name == "haldane" and observable.occupation == "thermal":
        return True
    three_bands = observable.name in ("local", "three_band_circulation")
    return (three_bands and toy.model.n_orbitals == 2) or (toy.name == "haldane" and "moment" in observable.dims)


def supercell(model, direction):
    """The cell doubled along one direction: orbitals i at R = 0 and, as n + i, at the lattice vector."""
    n = model.n_orbitals
    step = np.eye(3, dtype=int)[direction]
    found = {}

    def put(X, key, i, j, extra):
        found.setdefault(key, np.zeros((2, 2, n, n, *extra), dtype=complex))[i, j] = X

    data = model.hamiltonian[..., None]
    if model.position is not None:
        data = np.concatenate([data, model.position], axis=-1)
    if model.has_spin:
        data = np.concatenate([data, model.spin], axis=-1)
    for R, X in zip(model.R, data, strict=True):
        for i in range(2):
            whole = R + i * step  # the vector from the cell's home to the other end
            j = whole[direction] % 2
            key = whole.copy()
            key[direction] = (whole[direction] - j) // 2
            put(X, tuple(key), i, j, X.shape[2:])
    R = np.array(list(found))
    X = np.array(list(found.values()))
    X = np.swapaxes(X, 2, 3).reshape(len(R), 2 * n, 2 * n, -1)  # (nR, i, j, a, b) -> (nR, ia, jb)
    lattice = model.lattice.copy()
    lattice[direction] *= 2
    if model.position is None:
        where = {"centres": np.concatenate([model.centres, model.centres + model.lattice[direction]])}
    else:
        r = X[..., 1:4].copy()
        home = int(np.flatnonzero(~R.any(axis=1))[0])
        r[home] += np.diag(np.repeat([0, 1], n))[:, :, None] * model.lattice[direction]
        where = {"position": r}
    if model.has_spin:
        where["spin"] = X[..., -3:]
    return rebuilt(model, lattice=lattice, R=R, hamiltonian=X[..., 0], **where)


@every_pair
def test_supercell(toy, observable):
    """A doubled cell on half the mesh holds the same states: quantities per area or volume do not change.

    Folding makes bands of different k degenerate wherever a symmetry relates them, which tests the groups once more.
    """
    # per area or volume: a doubled cell has twice the sum
    assert_same(observable, toy, doubled(toy), factor=0.5)


@cache
def doubled(toy):
    direction = int(np.flatnonzero(toy.model.periodic)[0])
    mesh = list(toy.mesh)
    mesh[direction] //= 2
    return bands_on(supercell(toy.model, direction), tuple(mesh))


class ConventionOne:
    """H(k) with the orbital positions in the phase, exp(ik.(R + t_j - t_i)), and its derivatives by Cauchy's formula.

    The elements are entire functions of k, so that f^(m)(k) is the mean of m! f(k + r w) / (r w)^m over the N-th roots of
    unity w: nothing of the package's Fourier sums or covariant derivatives enters. With |R + t_j - t_i| < 10 Angstrom and
    r = 0.1 / Angstrom the error is below (r |R|)^N / N! = 5e-14 for N = 16, beside eps / r^2 = 2e-14 from rounding.
    """

    exact_position = has_zone = True
    external = None
    radius, roots = 0.1, np.exp(2j * np.pi * np.arange(16) / 16)

    def __init__(self, model):
        self.model = model
        self.axes, self.moments, self.n_orbitals = model.axes, model.moments, model.n_orbitals
        self.reciprocal = 2 * np.pi * np.linalg.inv(model.lattice).T
        t = model.centres
        self.vectors = (model.R @ model.lattice)[:, None, None, :] + t[None, None, :, :] - t[None, :, None, :]

    def H(self, cartesian):
        phase = np.exp(1j * np.einsum("ka,rija->krij", cartesian, self.vectors))
        return np.einsum("krij,rij->kij", phase, self.model.hamiltonian)

    def matrices(self, k, order=1, curvature=False):
        from ome_wannier.models.base import Matrices

        k = np.asarray(k).reshape(-1, 3) @ self.reciprocal
        e = np.eye(3)[list(self.axes)]
        d = len(e)
        r, w = self.radius, self.roots
        V = np.stack([np.mean([self.H(k + r * z * e[a]) / (r * z) for z in w], axis=0) for a in range(d)], axis=1)
        W = np.empty((len(k), d, d, *V.shape[2:]), dtype=complex)
        # second derivatives along e_a, and along e_a + e_b for the mixed ones
        along = {}
        for a in range(d):
            for b in range(a, d):
                u = e[a] if a == b else e[a] + e[b]
                along[a, b] = np.mean([2 * self.H(k + r * z * u) / (r * z) ** 2 for z in w], axis=0)
        for a in range(d):
            for b in range(d):
                i, j = min(a, b), max(a, b)
                W[:, a, b] = along[i, i] if i == j else (along[i, j] - along[i, i] - along[j, j]) / 2
        return Matrices(self.H(k), V, W)

    def operator(self, name, k):
        k = np.asarray(k).reshape(-1, 3) @ self.reciprocal
        phase = np.exp(1j * np.einsum("ka,rija->krij", k, self.vectors))
        return np.einsum("krij,rija->kaij", phase, self.model.spin)


@cache
def convention_one_bands(toy):
    return bands_on(ConventionOne(toy.model), toy.mesh)


@pytest.mark.parametrize(
    ("toy", "observable"),
    [pair for pair in PAIRS if pair[0].model.position is None],
    ids=[f"{o.name}-{t.name}" for t, o in PAIRS if t.model.position is None],
)
def test_convention_one(toy, observable):
    """The orbital positions in the phases and numerical derivatives give the same, per band and k."""
    bands = convention_one_bands(toy)
    assert_same(observable, toy, bands)
    here, there = weights_of(observable, bands_of(toy)), weights_of(observable, bands)
    np.testing.assert_allclose(there, here, rtol=0, atol=tolerance(bands) * natural_size(observable, bands).max())


@pytest.mark.filterwarnings("ignore:kmesh .* say nothing of direction:ome_wannier.errors.AccuracyWarning")
@pytest.mark.parametrize(
    ("name", "mesh"),
    [
        ("metal_2d", (130, 131, 1)),
        ("slab", (132, 130, 1)),
        ("pt_3d", (10, 12, 12)),
        ("matrix_metal_3d", (12, 12, 14)),
        ("plane_yz", (130, 132, 1)),
    ],
)
def test_memory_changes_no_bit(name, mesh, monkeypatch):
    """The chunk size (from few rows of the mesh at a time to everything) changes nothing, not even the rounding."""
    model = TOYS[name].model
    assert tuple(n > 1 for n in mesh) == model.periodic
    batches = []
    matrices = ome.TightBinding.matrices

    def recorded(self, k, *settings):
        batches[-1].append(np.shape(k))
        return matrices(self, k, *settings)

    monkeypatch.setattr(ome.TightBinding, "matrices", recorded)
    results = []
    for memory in 2 ** np.arange(14, 31):
        batches.append([])
        try:
            results.append(ome.compute(model, mesh, fermi=[-1.0, 0.0, 0.4], temperature=0.0, memory=int(memory)))
        except SettingsError:  # less than one row
            assert not results
            batches.pop()
        if len(results) > 2:
            break
    results.append(ome.compute(model, mesh, fermi=[-1.0, 0.0, 0.4], temperature=0.0))
    assert len(set(map(len, batches[:3]))) > 1, "nothing was cut differently"
    for other in results[1:]:
        for variable in results[0].data_vars:
            assert np.array_equal(other[variable].values, results[0][variable].values, equal_nan=True), variable


@pytest.mark.parametrize("name", [n for n in names() if isinstance(get(n), Combination)])
def test_combinations_are_sums_of_one_kind(name):
    """All terms of a combination share kind, parities and components; the combination is linear, hence obeys all the above."""
    terms = [get(term) for term, _ in get(name).terms]
    assert len({(t.kind, t.time_reversal, t.inversion, t.dims) for t in terms}) == 1


@every_observable
def test_order_and_curvature_are_declared(observable):
    """A calculator that declares order 1 never asks for second derivatives of H, nor for the basis' curvature undeclared."""
    bands = Bands(TOYS["matrix_insulator_2d"].model, KMesh((2, 2, 1)).points(), order=1, curvature=False)
    observable(bands)
    assert (bands.matrices.W is not None) == (observable.order == 2)
    assert (bands.matrices.curl is not None) == observable.curvature


@every_pair
def test_transform_agrees_with_rotated_model(toy, observable):
    """symmetry.transform (which symmetrises and fills the error) is the rule of physics.md section 9, written out above."""
    Q = np.eye(3)
    model = toy.model
    if len(model.axes) == 3:
        Q = random_orthogonal(toy, -1)
    else:
        a, b = model.axes
        Q[np.ix_((a, b), (a, b))] = [[0.6, 0.8], [0.8, -0.6]]
    value, scale = value_of(observable, bands_of(toy), toy)
    along = component_axes(model.axes, model.moments)
    for s in (1, -1):
        expected = turned(observable, value, Q, model, model) * (observable.time_reversal if s < 0 else 1)
        got = transform(value[None], observable, Operation(Q, s, 0.0, 0.0), along)[0]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14 * scale)


def test_negative_finds_partners():
    """The helper that the random models rest on."""
    R = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0]])
    assert negative(R).tolist() == [0, 2, 1]
