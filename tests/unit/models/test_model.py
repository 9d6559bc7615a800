"""Hamiltonians: Fourier sums and derivatives against brute force, and every way in which a model can be refused."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from toys import LATTICE_2D, LATTICE_3D, SIGMA, TOYS, negative, r_vectors, random_arrays, random_model, rebuilt, tilted_dirac

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.bands.outside_basis import basis_curvature
from ome_wannier.errors import ModelError, OMEError
from ome_wannier.integration.kpoints.mesh import KMesh
from ome_wannier.models.fourier import FourierSeries
from ome_wannier.models.real_space_checks import HERMITICITY_TOLERANCE

# ---- Fourier sums ---------------------------------------------------------------------------------------------------


def brute_force(lattice, R, X, k, axes):
    """sum_R exp(ik.R) X_R and its first and second Cartesian derivatives at one k, one R at a time."""
    value, first, second = 0, np.zeros((len(axes), *X.shape[1:]), complex), np.zeros((len(axes),) * 2 + X.shape[1:], complex)
    for r, x in zip(R, X, strict=True):
        term = np.exp(2j * np.pi * (k @ r)) * x
        d = 1j * (r @ lattice)[list(axes)]
        value = value + term
        first += d.reshape(-1, *[1] * x.ndim) * term
        second += np.multiply.outer(d, d).reshape(len(d), len(d), *[1] * x.ndim) * term
    return value, first, second


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(
    ("periodic", "axes", "mesh"),
    [
        ((True, True, True), (0, 1, 2), (3, 4, 5)),
        ((True, True, True), (0, 1, 2), (5, 4, 3)),
        ((True, True, True), (2,), (2, 6, 2)),
        ((True, True, False), (0, 1), (4, 3, 1)),
        ((False, True, True), (0, 1, 2), (1, 3, 4)),
        ((True, False, False), (0,), (6, 1, 1)),
        ((False, False, False), (0, 1), (1, 1, 1)),
    ],
)
def test_fourier_sums(rng, order, periodic, axes, mesh):
    """Rows of meshes, scattered points and brute force agree; R not symmetric about 0, X not square."""
    R = r_vectors(periodic, 1) + np.array(periodic) * [1, 0, -2]
    X = rng.normal(size=(len(R), 2, 3)) + 1j * rng.normal(size=(len(R), 2, 3))
    series = FourierSeries(LATTICE_3D, R, X)
    kmesh = KMesh(mesh, shift=(0.3, 0.1, 0.7))
    n = mesh[kmesh.row_axis]
    rows, _ = kmesh.rows(0, len(kmesh) // n, n)
    together = series(rows, order, axes)
    scattered = series(kmesh.points(), order, axes)
    for x, k in enumerate(kmesh.points()):
        expected = brute_force(LATTICE_3D, R, X, k, axes)[: order + 1]
        # 27 terms of size |X||R|^2 < 500, each with a phase good to eps x 2 pi |k R| < 1e-14
        for got in (together, scattered):
            for a, b in zip(got[: order + 1], expected, strict=True):
                np.testing.assert_allclose(a[x], b, rtol=0, atol=1e-11)
    assert together[order + 1 :] == (None,) * (2 - order)


def test_rows_do_not_depend_on_their_company(rng):
    """A row asked for alone has the bits of the same row among others: the basis of chunk-independent results."""
    model = TOYS["matrix_metal_3d"].model
    mesh = KMesh((6, 5, 8))
    rows, _ = mesh.rows(0, 30, 8)
    together = model.matrices(rows, 2, True)
    for i in (0, 7, 29):
        alone = model.matrices(rows[i : i + 1], 2, True)
        for a, b in ((a, b) for a, b in zip(together, alone, strict=True) if b is not None):
            assert np.array_equal(a[8 * i : 8 * (i + 1)], b)


@pytest.mark.parametrize("toy", [t for t in TOYS.values() if not t.degenerate], ids=lambda t: t.name)
def test_covariant_derivatives(toy, rng):
    """V, W and F from the definitions of physics.md section 2, with derivatives of H(k) and A(k) by finite differences.

    Sixth-order differences with h = 0.02/Angstrom: truncation (h |R|)^6 |R| / 140 < 1e-7, second ones (product rule applied to
    first ones) alike; hence 1e-6 of the largest element.
    """
    model = toy.model
    axes = list(model.axes)
    home = int(np.flatnonzero(~model.R.any(axis=1))[0])
    position = model.position
    if position is None:
        position = np.zeros((*model.hamiltonian.shape, 3), complex)
        position[home] = np.einsum("ij,ia->ija", np.eye(model.n_orbitals), model.centres)

    def series(X, kc):
        phase = np.exp(1j * (model.R @ model.lattice) @ kc)
        return np.tensordot(phase, X, 1)

    def D(f, kc, b):
        """Covariant derivative along axis b of a matrix function of k."""
        A = series(position, kc)[..., b]
        X = f(kc)
        return derivative(f, kc, b) - 1j * (A @ X - X @ A)

    def derivative(f, kc, b, h=0.02):
        e = np.eye(3)[b] * h
        weights = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
        return sum(c * (f(kc + m * e) - f(kc - m * e)) for m, c in weights) / h

    def H(kc):
        return series(model.hamiltonian, kc)

    k = rng.uniform(-0.5, 0.5, (3, 3)) * np.array(model.periodic)
    got = model.matrices(k, 2, True)
    for x in range(len(k)):
        kc = 2 * np.pi * np.linalg.inv(model.lattice) @ k[x]
        np.testing.assert_allclose(got.H[x], H(kc), rtol=0, atol=1e-12)
        V = np.array([D(H, kc, a) for a in axes])
        W = np.array([[D(lambda q, a=a: D(H, q, a), kc, b) for a in axes] for b in axes])
        np.testing.assert_allclose(got.velocities()[x], V, rtol=0, atol=1e-6 * np.abs(V).max())
        np.testing.assert_allclose(got.W[x], W, rtol=0, atol=1e-6 * np.abs(W).max())
        if model.position is not None:
            A = series(position, kc)
            F = np.array(
                [
                    [
                        derivative(lambda q, b=b: series(position, q)[..., b], kc, a)
                        - derivative(lambda q, a=a: series(position, q)[..., a], kc, b)
                        - 1j * (A[..., a] @ A[..., b] - A[..., b] @ A[..., a])
                        for b in axes
                    ]
                    for a in axes
                ]
            )
            np.testing.assert_allclose(got.curvatures()[x], F, rtol=0, atol=1e-6 * np.abs(F).max())


@pytest.mark.parametrize("name", ["metal_2d", "metal_3d", "slab", "plane_yz", "pt_2d"])
def test_centres_are_a_diagonal_position_matrix(name):
    """The elementwise path of `centres` equals the matrix path with the centres on the diagonal at R = 0."""
    model = TOYS[name].model
    r = np.zeros((*model.hamiltonian.shape, 3), dtype=complex)
    home = int(np.flatnonzero(~model.R.any(axis=1))[0])
    r[home] = np.einsum("ij,ia->ija", np.eye(model.n_orbitals), model.centres)
    full = rebuilt(model, centres=None, position=r)
    k = KMesh((3, 4, 2)).points() * np.array(model.periodic)
    a, b = model.matrices(k, 2), full.matrices(k, 2, True)
    for x, y in ((a.H, b.H), (a.velocities(), b.velocities()), (a.W, b.W)):
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-12 * np.abs(x).max())
    assert np.abs(b.curvatures()).max() < 1e-13  # commuting positions: no curvature of the basis
    assert model.exact_position
    assert not full.exact_position
    np.testing.assert_allclose(full.wannier_centres, model.centres)
    assert np.array_equal(model.wannier_centres, model.centres)


@pytest.mark.parametrize("dimension", [2, 3])
def test_curvature_of_the_basis_with_and_without_second_derivatives(rng, dimension):
    # curls summed as such, or from the derivatives of the position
    model, k = random_model(4, dimension, 5, position="matrix"), rng.random((6, 3))
    alone, among = (model.matrices(k, order, curvature=True).curvatures() for order in (1, 2))
    np.testing.assert_allclose(alone, among, atol=1e-13)
    assert np.abs(alone).max() > 0.1


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("asked", [True, False])  # at first, or when needed
def test_curvature_of_the_basis_in_the_eigenbasis(rng, dimension, order, asked):
    model, k = random_model(9, dimension, 5, position="matrix"), rng.random((6, 3))
    bands, axes = Bands(model, k, order=order, curvature=asked), range(dimension)
    U = np.linalg.eigh(model.matrices(k, 0).H)[1]
    F = model.matrices(k, order, curvature=True).curvatures()
    for a, b in product(axes, axes):
        expected = np.einsum("kin,kij,kjn->kn", U.conj(), F[:, a, b], U)
        np.testing.assert_allclose(basis_curvature(bands, a, b), expected, atol=1e-13 * np.abs(F).max(initial=1.0))


def test_matrices_are_hermitian_and_periodic(rng):
    """H, V_a and W_ab + W_ba of a model are Hermitian; H(k + G) = H(k)."""
    for name in ("matrix_metal_3d", "metal_2d"):
        model = TOYS[name].model
        k = rng.uniform(-1, 1, (4, 3)) * np.array(model.periodic)
        m = model.matrices(k, 2)
        for X in (m.H, m.velocities(), m.W + np.swapaxes(m.W, 1, 2)):
            np.testing.assert_allclose(X, np.conj(np.swapaxes(X, -1, -2)), atol=1e-11)
        shifted = model.matrices(k + np.array(model.periodic) * [1, -2, 1], 2)
        for X, Y in ((m.H, shifted.H), (m.velocities(), shifted.velocities()), (m.W, shifted.W)):
            np.testing.assert_allclose(X, Y, atol=1e-11)


# ---- refusals -------------------------------------------------------------------------------------------------------


def arguments(n=2):
    """A valid set of arguments, to spoil one at a time."""
    rng = np.random.default_rng(1)
    R = r_vectors((True, True, False))
    return {
        "lattice": LATTICE_2D.copy(),
        "R": R,
        "hamiltonian": random_arrays(rng, R, n),
        "centres": rng.normal(size=(n, 3)),
    }


def spoiled(key, change):
    def spoil(a):
        a[key] = change(a[key])

    return spoil


def drop(index):
    def spoil(a):
        keep = np.arange(len(a["R"])) != index
        a["R"], a["hamiltonian"] = a["R"][keep], a["hamiltonian"][keep]

    return spoil


def changed(X, where, amount):
    X = X.copy()
    X[where] += amount
    return X


def no_origin(a):
    drop(4)(a)


def both(a):
    a["position"] = np.zeros((9, 2, 2, 3))


def neither(a):
    del a["centres"]


def bad_position(a):
    del a["centres"]
    a["position"] = random_arrays(np.random.default_rng(2), a["R"], 2, extra=(3,))
    a["position"][0, 0, 1, 2] += 0.001


def position_of_other_shape(a):
    del a["centres"]
    a["position"] = np.zeros((9, 2, 2))


REFUSED = {
    "lattice 2x2": (spoiled("lattice", lambda x: x[:2, :2]), "lattice has shape (2, 2): expected (3, 3)"),
    "lattice singular": (spoiled("lattice", lambda x: x[[0, 0, 2]]), "linearly independent"),
    "lattice nan": (spoiled("lattice", lambda x: changed(x, (0, 0), np.nan)), "lattice contains values that are not finite"),
    "lattice text": (spoiled("lattice", lambda x: "abc"), "lattice is not an array of float"),
    "lattice ragged": (spoiled("lattice", lambda x: [[1, 2], [3]]), "lattice is not an array of float"),
    "R not integer": (spoiled("R", lambda x: x + 0.5), "R must be integers"),
    "R flat": (spoiled("R", lambda x: x.ravel()), "R has shape (27,): expected (any, 3)"),
    "R twice": (
        spoiled("R", lambda x: np.concatenate([x[:1], x[:1], x[2:]])),
        "R = (-1, -1, 0) stands twice (entries 0 and 1)",
    ),
    "R partner": (drop(8), "R = (-1, -1, 0) has no partner -R = (1, 1, 0)"),
    "R origin": (no_origin, "R = (0, 0, 0) is missing"),
    "R and H": (spoiled("hamiltonian", lambda x: x[:-1]), "hamiltonian has shape (8, 2, 2): expected (9, any, any)"),
    "H not square": (spoiled("hamiltonian", lambda x: x[:, :, :1]), "the matrices must be square"),
    "H empty": (spoiled("hamiltonian", lambda x: x[:, :0, :0]), "no orbitals"),
    "H inf": (
        spoiled("hamiltonian", lambda x: changed(x, (0, 0, 0), np.inf)),
        "hamiltonian contains values that are not finite",
    ),
    "H not Hermitian": (
        spoiled("hamiltonian", lambda x: changed(x, (3, 0, 1), 1e-3)),
        "hamiltonian is not Hermitian: X(R) and X(-R)^+ differ by 0.001 eV at R = (0, -1, 0)",
    ),
    "r not Hermitian": (
        bad_position,
        "position is not Hermitian: X(R) and X(-R)^+ differ by 0.001 Angstrom at R = (-1, -1, 0)",
    ),
    "r shape": (position_of_other_shape, "position has shape (9, 2, 2): expected (9, 2, 2, 3)"),
    "centres shape": (spoiled("centres", lambda x: x[:1]), "centres has shape (1, 3): expected (2, 3)"),
    "both": (both, "give exactly one of position (nR, n, n, 3) and centres (n, 3)"),
    "neither": (neither, "orbital magnetization depends on where the orbitals are"),
    "periodic length": (lambda a: a.update(periodic=(True, True)), "three truth values"),
    "periodic contradicts R": (
        lambda a: a.update(periodic=(True, False, True)),
        "direction 2 is declared not periodic, but R = (-1, -1, 0) has a component along it",
    ),
    "spin": (lambda a: a.update(spin_degeneracy=3), "spin_degeneracy is 3: it must be 1 or 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    """Every inconsistency is a ModelError that names the argument (and the R vector)."""
    spoil, message = REFUSED[case]
    given = arguments()
    ome.TightBinding(**given)  # valid before
    spoil(given)
    with pytest.raises(ModelError, match=re.escape(message)) as info:
        ome.TightBinding(**given)
    assert isinstance(info.value, OMEError)
    assert isinstance(info.value, ValueError)


def test_small_violations_are_averaged():
    """Files carry six decimals: non-Hermitian parts below the tolerance are averaged away and reported."""
    given = arguments()
    given["hamiltonian"][3, 0, 1] += HERMITICITY_TOLERANCE / 2
    model = ome.TightBinding(**given)
    assert model.hermiticity_error == pytest.approx(HERMITICITY_TOLERANCE / 2)
    H = model.hamiltonian
    assert np.array_equal(H, np.conj(np.swapaxes(H[negative(model.R)], 1, 2)))


def test_arguments_are_copied_and_frozen():
    """What a user does to their arrays later does not change the model, and the model's own cannot be changed."""
    given = arguments()
    model = ome.TightBinding(**given)
    before = model.hamiltonian.copy(), model.sha256
    given["hamiltonian"][:] = 0
    given["lattice"][:] = 0
    assert np.array_equal(model.hamiltonian, before[0])
    for a in (model.hamiltonian, model.lattice, model.R, model.centres):
        with pytest.raises(ValueError, match="read-only"):
            a[0] = 0


def test_models_print_as_one_line():
    assert repr(ome.load("te")) == "<TightBinding library/te: 18 orbitals, 1 electron(s) per band, periodic along 1, 2, 3>"
    assert repr(ome.load("mote2-twisted")).startswith("<PlaneWaves library/mote2-twisted: 108 orbitals")
    assert repr(ome.load("tbg-atomistic", m=16)).startswith(
        "<SparseTightBinding library/tbg-atomistic (m=16): 3268 orbitals, a window of 80 bands, "
    )
    cone = "<KDotP library/tilted-dirac: k.p in 2 dimensions, 1 electron(s) per band>"
    assert repr(ome.load("tilted-dirac")) == cone


def test_periodic_directions():
    """By default those in which some R has a component; a direction may be periodic without one; axes follow the lattice."""
    given = arguments()
    assert ome.TightBinding(**given).periodic == (True, True, False)
    solid = ome.TightBinding(**given, periodic=(True, True, True))
    assert (solid.dimension, solid.axes, solid.moments) == (3, (0, 1, 2), (0, 1, 2))
    layer = ome.TightBinding(**given)
    assert (layer.dimension, layer.axes, layer.moments) == (2, (0, 1), (2,))
    assert layer.cell == pytest.approx(2.9 * 2.4)
    assert solid.cell == pytest.approx(2.9 * 2.4 * 9)
    assert TOYS["plane_yz"].model.axes == (1, 2)
    assert TOYS["plane_yz"].model.moments == (0,)
    assert TOYS["plane_zx_matrix"].model.axes == (0, 2)
    assert TOYS["plane_zx_matrix"].model.moments == (1,)
    R = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0]])
    chain = ome.TightBinding(np.diag([2.0, 5, 5]), R, np.ones((3, 1, 1)), centres=np.zeros((1, 3)))
    assert (chain.dimension, chain.axes, chain.moments, chain.cell) == (1, (0,), (), pytest.approx(2))
    molecule = ome.TightBinding(np.eye(3), R[:1], np.ones((1, 1, 1)), centres=np.zeros((1, 3)))
    assert (molecule.dimension, molecule.axes, molecule.moments, molecule.cell) == (0, (), (), 1.0)


def test_hash():
    """The digest changes with everything that a result depends on, and with nothing else."""
    rng = np.random.default_rng(0)
    model, matrix = TOYS["metal_2d"].model, TOYS["matrix_metal_2d"].model
    same = rebuilt(model, name="other name")
    assert same.sha256 == model.sha256
    digests = {
        model.sha256,
        matrix.sha256,
        rebuilt(model, lattice=model.lattice * (1 + 1e-12)).sha256,
        rebuilt(model, hamiltonian=model.hamiltonian * (1 + 1e-12)).sha256,
        rebuilt(model, centres=model.centres + 1e-12).sha256,
        rebuilt(model, periodic=(True, True, True)).sha256,
        rebuilt(model, spin_degeneracy=1).sha256,
        rebuilt(matrix, position=matrix.position * (1 + 1e-12)).sha256,
        random_model(int(rng.integers(1000)), 2, 3).sha256,
    }
    assert len(digests) == 9
    assert len({tilted_dirac(v).sha256 for v in (0.1, 0.2)} | {tilted_dirac(0.1, spin_degeneracy=2).sha256}) == 3
    assert tilted_dirac(0.1).sha256 == tilted_dirac(0.1).sha256


# ---- k.p ------------------------------------------------------------------------------------------------------------


def warped(**given):
    """A 3D k.p model with cubic terms, with analytic first and second derivatives."""

    def H(k):
        x, y, z = k.T
        d = np.array([2 * x + x * y * z, 3 * y - x**3, 0.1 + z**2 + x * y])
        return np.einsum("ak,aij->kij", d, SIGMA) + (0.3 * z)[:, None, None] * np.eye(2)

    def gradient(k):
        x, y, z = k.T
        o = np.zeros_like(x)
        d = np.array([[2 + y * z, -3 * x**2, y], [x * z, 3 + o, x], [x * y, o, 2 * z]])  # [a, component]
        out = np.einsum("ack,cij->kaij", d, SIGMA)
        out[:, 2] += 0.3 * np.eye(2)
        return out

    def hessian(k):
        x, y, z = k.T
        out = np.zeros((len(k), 3, 3, 2, 2), dtype=complex)
        for a, b, c, f in ((0, 1, 0, z), (0, 2, 0, y), (1, 2, 0, x), (0, 1, 2, 1 + 0 * x)):
            out[:, a, b] += f[:, None, None] * SIGMA[c]
            out[:, b, a] += f[:, None, None] * SIGMA[c]
        out[:, 0, 0] += (-6 * x)[:, None, None] * SIGMA[1]
        out[:, 2, 2] += 2 * SIGMA[2]
        return out

    return ome.KDotP(H, dimension=3, scale=0.05, **given), gradient, hessian


def test_finite_differences(rng):
    """Without derivatives given, those of a cubic k.p model: exact in truncation, so only rounding is left.

    Steps of 1% of max(|k|, scale): eps x 100 / scale x |H| = 1e-12 for the first, squared for the second derivative.
    """
    model, gradient, hessian = warped()
    given, _, _ = warped(gradient=gradient, hessian=hessian)
    k = rng.normal(size=(20, 3)) * np.geomspace(0.01, 30, 20)[:, None]
    a, b = model.matrices(k, 2), given.matrices(k, 2)
    size = np.linalg.norm(k, axis=1)
    h = 0.01 * np.maximum(size, 0.05)
    norm = np.abs(a.H).reshape(20, -1).max(axis=1)
    eps = 10 * np.finfo(float).eps
    assert (np.abs(a.velocities() - b.velocities()).reshape(20, -1).max(axis=1) <= eps * norm / h + 1e-14).all()
    assert (np.abs(a.W - b.W).reshape(20, -1).max(axis=1) <= 10 * eps * norm / h**2 + 1e-14).all()
    np.testing.assert_array_equal(b.W, hessian(k))


def test_points_with_three_coordinates():
    """A 2D k.p model takes (nk, 3) points and ignores the third coordinate."""
    model = tilted_dirac()
    k = np.array([[0.1, 0.2, 0.7]])
    assert np.array_equal(model.matrices(k, 1).velocities(), model.matrices(k[:, :2], 1).velocities())


def test_failing_function_is_reported_as_the_users():
    """The message says whose function failed, at which k, and why; the original error is its cause."""

    def H(k):
        if (k[:, 0] > 0.5).any():
            raise ZeroDivisionError("bad luck")
        return np.zeros((len(k), 2, 2))

    model = ome.KDotP(H)
    points = np.array([[0.1, 0.0], [0.625, -0.25], [0.2, 0.0]])
    with pytest.raises(ModelError, match=re.escape("your hamiltonian function failed at k = (0.625, -0.25)")) as info:
        model.matrices(points, 0)
    assert "ZeroDivisionError: bad luck" in str(info.value)
    assert isinstance(info.value.__cause__, ZeroDivisionError)

    def only_batches(k):
        if len(k) > 1:
            raise RuntimeError("too many")
        return np.zeros((len(k), 2, 2))

    with pytest.raises(ModelError, match=re.escape("on 3 points from k = (0.1, 0) to (0.2, 0)")):
        ome.KDotP(only_batches).matrices(points, 0)

    def gradient(k):
        raise KeyError("v")

    with pytest.raises(ModelError, match=r"your gradient function failed at k = \(0.1, 0\).*KeyError"):
        ome.KDotP(lambda k: np.zeros((len(k), 2, 2)), gradient).matrices(points, 1)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda k: np.zeros((len(k), 2)), "returned shape (1, 2) at k = (0.1, 0.2): expected (1, 'n', 'n')"),
        (lambda k: np.zeros((len(k), 2, 3)), "returned shape (1, 2, 3)"),
        (lambda k: np.zeros((7, 2, 2)), "returned shape (7, 2, 2)"),
        (lambda k: np.array([[[0, 1], [0, 0]]] * len(k)), "is not Hermitian or not finite at k = (0.1, 0.2)"),
        (lambda k: np.full((len(k), 2, 2), np.nan), "is not Hermitian or not finite at k = (0.1, 0.2)"),
        (lambda k: "text", "your hamiltonian function failed at k = (0.1, 0.2)"),
    ],
)
def test_wrong_answers_of_functions(function, message):
    """Shapes, matrices that are not Hermitian or not finite, things that are no arrays."""
    with pytest.raises(ModelError, match=re.escape(message)):
        ome.KDotP(function).matrices(np.array([[0.1, 0.2]]), 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimension": 1}, "dimension is 1"),
        ({"dimension": 4}, "dimension is 4"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"spin_degeneracy": 0}, "spin_degeneracy is 0"),
    ],
)
def test_wrong_settings_of_kdotp(settings, message):
    """Every argument is checked when the model is made."""
    with pytest.raises(ModelError, match=re.escape(message)):
        ome.KDotP(lambda k: np.zeros((len(k), 2, 2)), **settings)


def test_kdotp_properties():
    """Directions, number of bands, exact positions."""
    layer, solid = tilted_dirac(), warped()[0]
    assert (layer.periodic, layer.axes, layer.moments, layer.n_orbitals) == ((True, True, False), (0, 1), (2,), 2)
    assert (solid.periodic, solid.axes, solid.moments, solid.n_orbitals) == ((True,) * 3, (0, 1, 2), (0, 1, 2), 2)
    assert layer.exact_position
