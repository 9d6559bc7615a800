"""Operators of a model against a Kubo sum in plain numpy over all states, with nothing of the package but its matrices.

The sum is of the perturbed density matrix, pair by pair, with phases and velocities of its own: i [H, r] from the series in R,
and Fermi functions whose differences at equal energies are dropped.
"""

from dataclasses import replace

import numpy as np
import pytest
from toys import TOYS

import ome_wannier as ome
from ome_wannier.bands.degeneracy import Degeneracy
from ome_wannier.calculators.operators import calculators_of
from ome_wannier.calculators.weights import evaluate_at, unpacked
from ome_wannier.common.units import E2_OVER_HBAR, MU_B
from ome_wannier.lattices.honeycomb import haldane
from ome_wannier.models.operators import Operator

KT, MU = 0.2, 0.1
#: random models with positions diagonal or not, degenerate (Kramers, inversion x time reversal) or not, and of all dimensions
NAMES = ("insulator_2d", "matrix_insulator_2d", "kramers_2d", "pt_matrix_2d", "insulator_3d", "pt_3d", "kramers_matrix_3d")


def operator_of(model, seed, components):
    """Random Hermitian matrices on the R vectors of a model, (nR, n, n, components)."""
    rng = np.random.default_rng(seed)
    n, R = model.n_orbitals, model.R
    X = rng.normal(size=(len(R), n, n, components)) + 1j * rng.normal(size=(len(R), n, n, components))
    X *= np.exp(-np.linalg.norm(R, axis=1))[:, None, None, None]
    partner = [int(np.flatnonzero((-r == R).all(axis=1))[0]) for r in R]
    return (X + np.conj(np.swapaxes(X[partner], 1, 2))) / 2


def kubo(model, k, O):
    """Of one k: sum, intrinsic and extrinsic response, current, and response to a gradient of the temperature of
    O (nR, n, n, c), with Fermi functions at MU and KT."""
    phase = np.exp(2j * np.pi * model.R @ k)
    x = (model.R @ model.lattice)[:, list(model.axes)]
    H = np.einsum("r,rij->ij", phase, model.hamiltonian)
    dH = np.einsum("r,ra,rij->aij", phase, 1j * x, model.hamiltonian)
    if model.position is None:
        r = np.stack([np.diag(model.centres[:, a]).astype(complex) for a in model.axes])
    else:
        r = np.einsum("r,rija->aij", phase, model.position[..., list(model.axes)])
    v = dH - 1j * (r @ H - H @ r)
    Ok = np.einsum("r,rijc->cij", phase, O)
    e, U = np.linalg.eigh(H)
    v, Ok = (np.conj(U.T) @ X @ U for X in (v, Ok))
    f = 1 / (1 + np.exp((e - MU) / KT))
    surface = f * (1 - f) / KT
    n = len(e)
    rho, same = np.zeros_like(v), np.abs(e[:, None] - e) < 1e-6
    for p in range(n):
        for q in range(n):
            if not same[p, q]:  # H' = e E r, r between states is -i v / (e_p - e_q)
                rho[:, p, q] = -1j * v[:, p, q] / (e[p] - e[q]) ** 2 * (f[p] - f[q])
    inside = v * same
    J = (v[None] @ Ok[:, None] + Ok[:, None] @ v[None]) / 2
    return (
        np.einsum("n,cnn->c", f, Ok).real,
        np.einsum("bpq,cqp->cb", rho, Ok).real,
        -np.einsum("p,bpq,cqp->cb", surface, inside, Ok).real,
        np.einsum("bpq,caqp->cab", rho, J).real,
        -np.einsum("p,bpq,cqp->cb", surface * (e - MU) / KT, inside, Ok).real,
    )


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_kubo_sums(name, components):
    """All calculators of an operator at random points, to 1e-10 of the largest."""
    plain = TOYS[name].model
    O = operator_of(plain, 5, components)
    model = plain.with_operator("L", O if components == 3 else O[..., 0], unit="hbar", time_reversal=-1)
    observables = calculators_of(model.operators[0])
    k = np.random.default_rng(4).uniform(-0.5, 0.5, (5, 3)) * np.array(model.periodic)
    bands, weights = evaluate_at(model, observables, k, Degeneracy(1e-6))
    f = 1 / (1 + np.exp((bands.energies - MU) / KT))
    occupations = {"sea": f, "surface": f * (1 - f) / KT, "thermal": f * (1 - f) * (bands.energies - MU) / KT**2}
    first = (components,) if components == 3 else ()
    d = len(model.axes)
    shapes = dict(
        zip([o.name for o in observables], [first, (*first, d), (*first, d), (*first, d, d), (*first, d)], strict=True)
    )
    parts = unpacked(weights, shapes)
    expected = [np.array(x) for x in zip(*(kubo(model, q, O) for q in k), strict=True)]
    for observable, theirs in zip(observables, expected, strict=True):
        ours = np.einsum("kn,kn...->k...", occupations[observable.occupation], parts[observable.name])
        np.testing.assert_allclose(ours, theirs.reshape(ours.shape), rtol=0, atol=1e-10 * np.abs(theirs).max())


def test_spin_moments_are_an_operator():
    """The Pauli matrices as an operator: `spin` and `spin_extrinsic` are its responses times -(g/2) mu_B, `spin_magnetization`
    its sum, and `spin_hall` its current times a half."""
    plain = TOYS["matrix_insulator_2d"].model
    model = plain.with_operator("sigma", plain.spin, time_reversal=-1)
    settings = {"kmesh": (12, 12, 1), "fermi": [0.1, 0.4], "temperature": 2000.0}
    names = ("spin", "spin_extrinsic", "spin_magnetization", "spin_hall")
    more = [f"sigma_{x}" for x in ("response", "extrinsic", "expectation", "hall")]
    ours = ome.compute(model, calculators=[*names, *more], **settings)
    moment = -2.00231930436092 / 2 * MU_B
    for name, other, factor in (
        ("spin", "sigma_response", moment),
        ("spin_extrinsic", "sigma_extrinsic", moment),
        ("spin_magnetization", "sigma_expectation", moment),
        ("spin_hall", "sigma_hall", 0.5),
    ):
        plane = {"field": list("xy")} if "field" in ours[name].dims else {}
        left, right = ours[name].sel(plane).values, factor * ours[other].sel(plane).values
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12 * np.abs(right).max())


def test_the_identity_counts_electrons():
    """The operator 1: its sum is the density, its response nothing, its current minus the anomalous Hall conductivity."""
    model = haldane().with_operator("one", np.eye(2))
    found = ome.compute(model, (60, 60, 1), ["one_expectation", "one_response", "one_hall", "berry_curvature"], fermi=0.0)
    area = model.cell * 1e-20
    np.testing.assert_allclose(found.one_expectation.values, model.spin_degeneracy / area, rtol=1e-12)
    assert np.abs(found.one_response.values).max() < 1e-3  # per V/m and square metre, of 1e10 that a moment would give
    curvature = found.berry_curvature.values[0, 0]
    np.testing.assert_allclose(found.one_hall.values[0, 0, 1], E2_OVER_HBAR * curvature, rtol=1e-12)
    assert found.one_hall.attrs["units"] == "1/e S"


def test_moved_and_turned_models_keep_their_operators():
    """An operator of a tilted layer at the end of its cell: vectors come back in the user's axes, whichever cells orbitals are
    in."""
    plain = TOYS["insulator_2d"].model
    O = operator_of(plain, 6, 3)
    flat = plain.with_operator("L", O, time_reversal=-1)
    axis = np.array([0.3, -0.5, 0.2])
    angle = np.linalg.norm(axis)
    K = np.cross(np.eye(3), -axis / angle)
    Q = np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
    names = ["L_response", "L_expectation", "L_extrinsic"]
    settings = {"kmesh": (10, 10, 1), "fermi": 0.2, "temperature": 3000.0, "calculators": names}
    tilted = ome.TightBinding(
        plain.lattice @ Q.T, plain.R, plain.hamiltonian, centres=plain.centres @ Q.T, periodic=plain.periodic
    )
    assert tilted.frame is not None
    tilted = tilted.with_operator("L", O @ Q.T, time_reversal=-1)
    a, b = ome.compute(flat, **settings), ome.compute(tilted, **settings)
    P = Q @ np.diag([1.0, 1.0, 0.0]) @ Q.T  # a field along the normal drives no current
    for name in names:
        before = a[name].values[0]
        if name == "L_expectation":
            expected = Q @ before
        else:
            expected = Q @ np.nan_to_num(before) @ Q.T
            if name == "L_extrinsic":
                expected = expected @ P
        np.testing.assert_allclose(b[name].values[0], expected, atol=1e-9 * np.abs(expected).max())


def test_operations_that_an_operator_breaks_are_not_used():
    """Inversion takes the upper of two layers to the lower: the occupation of one obeys nothing of it, and is not made to."""
    one = TOYS["insulator_2d"].model
    n, R = one.n_orbitals, one.R
    partner = [int(np.flatnonzero((-r == R).all(axis=1))[0]) for r in R]
    H = np.zeros((len(R), 2 * n, 2 * n), dtype=complex)
    H[:, :n, :n], H[:, n:, n:] = one.hamiltonian, one.hamiltonian[partner]
    H[~R.any(axis=1), :n, n:] = H[~R.any(axis=1), n:, :n] = 0.3 * np.eye(n)
    upper = one.centres + np.array([0, 0, 3.0])
    centres = np.concatenate([upper, -upper])
    model = ome.TightBinding(one.lattice, R, H, centres=centres, periodic=one.periodic)
    top = model.with_operator("top", np.diag(np.repeat([1.0, 0.0], n)))
    found = ome.compute(top, (20, 20, 1), "top_expectation", fermi=0.1, temperature=2000.0)
    whole = ome.compute(top, (20, 20, 1), "top_expectation", fermi=0.1, temperature=2000.0, symmetry="off")
    np.testing.assert_allclose(found.top_expectation.values, whole.top_expectation.values, rtol=1e-12)
    assert "top" in found.attrs["symmetry_of_operators"]
    alone = ome.compute(top, (20, 20, 1), "berry_curvature", fermi=0.1, temperature=2000.0)
    assert (alone.attrs["symmetry_group"], found.attrs["symmetry_group"]) == ("-1", "1")
    both = model.with_operator("top", np.diag(np.repeat([1.0, -1.0], n)), inversion=-1)
    odd = ome.compute(both, (20, 20, 1), "top_expectation", fermi=0.1, temperature=2000.0)
    assert odd.top_expectation.values == 0
    assert "inversion" in odd.top_expectation.attrs["forbidden_by"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "a b"}, "cannot be named"),
        ({"name": "spin"}, "cannot be named"),
        ({"matrices": np.ones((3, 3))}, "shape"),
        ({"matrices": np.array([[0, 1], [0, 0]])}, "not Hermitian"),
        ({"matrices": np.array([[np.nan, 1], [1, 0]])}, "not finite"),
        ({"time_reversal": 0}, "time_reversal"),
        ({"inversion": True}, "inversion"),
        ({"unit": ""}, "unit"),
    ],
)
def test_operators_that_cannot_be(arguments, said):
    """One line each."""
    model = haldane()
    given = {"name": "L", "matrices": np.eye(2)} | arguments
    with pytest.raises(ome.errors.ModelError, match=said):
        model.with_operator(**given)


def test_two_of_one_name_and_none():
    """A name twice, and a calculator of an operator that is not there."""
    model = haldane().with_operator("L", np.eye(2))
    with pytest.raises(ome.errors.ModelError, match="two operators"):
        model.with_operator("L", np.eye(2))
    with pytest.raises(ome.errors.SettingsError, match=r"no calculator 'M_response': of .* has L$"):
        ome.compute(model, (4, 4, 1), "M_response", fermi=0.0)
    assert isinstance(model.operators[0], Operator)


#: eV/Angstrom, of central differences: their error is that of the third derivative, 1e-6 of the response here
STEP = 2e-3


def in_field(model, E):
    """The model with e E (z - mean) in its Hamiltonian, of a layer with diagonal or full positions."""
    axis = model.bounded[0]
    H = model.hamiltonian.copy()
    home = ~model.R.any(axis=1)
    if model.position is None:
        H[home] += E * np.diag(model.centres[:, axis] - model.centre[axis])
    else:
        H += E * (model.position[..., axis] - home[:, None, None] * np.eye(model.n_orbitals) * model.centre[axis])
    return replace(model, hamiltonian=H)


@pytest.mark.parametrize("gate", ["density", "level"])
@pytest.mark.parametrize("name", ["insulator_2d", "matrix_insulator_2d", "metal_2d", "matrix_metal_2d"])
def test_fields_across_a_layer_are_finite_differences_of_equilibrium(name, gate):
    """A vector and a number, of insulators and metals, with the electrons or the level fixed: `X_expectation` of the model with
    the field in its Hamiltonian, which knows nothing of responses."""
    plain = TOYS[name].model
    O, s = operator_of(plain, 8, 3), np.diag(np.arange(plain.n_orbitals) % 2).astype(float)
    model = plain.with_operator("L", O, time_reversal=-1).with_operator("s", s)
    settings = {"kmesh": (14, 12, 1), "temperature": 2500.0, "symmetry": "off", "degeneracy_tol": 1e-7}
    level = {"fermi": [0.2]}
    found = ome.compute(model, calculators=["L_response", "s_response", "electrons"], gate=gate, **level, **settings)
    assert found.attrs["gate"].startswith(gate)
    cell = model.cell * 1e-20
    fixed = {"filling": float(found.electrons[0]) * cell} if gate == "density" else level
    sides = [
        ome.compute(in_field(model, e), calculators=["L_expectation", "s_expectation"], **fixed, **settings)
        for e in (STEP, -STEP)
    ]
    for key, of in (("L", "operator_component"), ("s", None)):
        up, down = (side[f"{key}_expectation"].isel(fermi=side.sizes["fermi"] // 2).values for side in sides)
        slope = (up - down) / (2 * STEP) * 1e-10  # per V/m
        ours = found[f"{key}_response"].isel(fermi=0).sel(field="z").values
        assert (of is None) == (np.ndim(ours) == 0)
        size = np.abs(slope).max()
        np.testing.assert_allclose(ours, slope, rtol=0, atol=2e-5 * size)


def test_layers_polarize_as_their_positions_say():
    """The response of `height` to a field across is minus the polarizability: finite differences, with the level fixed."""
    model = ome.operators.with_height(TOYS["insulator_2d"].model)
    settings = {"kmesh": (12, 12, 1), "temperature": 3000.0, "symmetry": "off", "fermi": 0.1}
    normal = {"operator_component": "z"}
    sides = [
        ome.compute(in_field(model, e), calculators="height_expectation", **settings).height_expectation.sel(normal).item()
        for e in (STEP, -STEP)
    ]
    found = ome.compute(model, calculators="height_response", gate="level", **settings).height_response.sel(field="z")
    slope = (sides[0] - sides[1]) / (2 * STEP) * 1e-10
    np.testing.assert_allclose(found.sel(normal).item(), slope, rtol=2e-5)
    assert slope < 0  # electrons are pushed against the field
    np.testing.assert_allclose(found.sel(operator_component=["x", "y"]).values, 0, atol=1e-12 * abs(slope))


def test_operators_without_a_model():
    """Matrices of fewer dimensions are within a cell, or on R vectors; what may be both is refused."""
    eye = np.eye(2)
    shapes = {(2, 2): eye, (5, 2, 2): np.stack([eye] * 5), (2, 2, 3): np.stack([eye] * 3, axis=-1)}
    made = {shape: Operator("X", X) for shape, X in shapes.items()}
    assert [o.matrices.shape for o in made.values()] == [(1, 2, 2, 1), (5, 2, 2, 1), (1, 2, 2, 3)]
    assert [o.is_vector for o in made.values()] == [False, False, True]
    for wrong in (np.ones((3, 3, 3)), np.ones(3), np.ones((1, 2, 3, 1)), np.ones((1, 2, 2, 2))):
        with pytest.raises(ome.errors.ModelError, match=r"give \(1, n, n, c\)"):
            Operator("X", wrong)
    with pytest.raises(ome.errors.ModelError, match="is no Operator"):
        ome.TightBinding(np.eye(3), [[0, 0, 0]], np.zeros((1, 1, 1)), centres=np.zeros((1, 3)), operators=("L",))
