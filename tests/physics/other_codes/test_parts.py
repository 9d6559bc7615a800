"""Shares of parts of the material against dense matrices in plain numpy, sums, and layers that do not couple."""

import warnings

import numpy as np
import pytest
from test_operators import KT, MU, NAMES, STEP, in_field, operator_of
from toys import TOYS

import ome_wannier as ome
from ome_wannier.bands.bands import Bands
from ome_wannier.bands.degeneracy import Degeneracy
from ome_wannier.calculators.parts import TRACES, shares, trace_of
from ome_wannier.calculators.registry import first_observable, get
from ome_wannier.calculators.weights import evaluate

#: what is resolved, without the spin, which random models need not know
RESOLVED = [name for name in TRACES if not name.startswith("spin")]


def eigenbasis(model, k):
    """Energies, velocities and eigenvectors at one k, of the model's series in R alone."""
    phase = np.exp(2j * np.pi * model.R @ k)
    x = (model.R @ model.lattice)[:, list(model.axes)]
    H = np.einsum("r,rij->ij", phase, model.hamiltonian)
    dH = np.einsum("r,ra,rij->aij", phase, 1j * x, model.hamiltonian)
    if model.position is None:
        r = np.stack([np.diag(model.centres[:, a]).astype(complex) for a in model.axes])
    else:
        r = np.einsum("r,rija->aij", phase, model.position[..., list(model.axes)])
    e, U = np.linalg.eigh(H)
    return e, np.conj(U.T) @ (dH - 1j * (r @ H - H @ r)) @ U, U


def anticommutator(X, Y):
    """1/2 {X, Y}."""
    return (X @ Y + Y @ X) / 2


def dense(model, name, k, members):
    """The share of the orbitals `members` in a quantity at one k, occupied at MU and KT: full matrices, one after the other."""
    e, v, U = eigenbasis(model, k)
    same = np.abs(e[:, None] - e) < 1e-6
    gap = np.where(same, 1.0, e[:, None] - e)
    R = np.where(same, 0.0, -1j * v / gap)
    f = 1 / (1 + np.exp((e - MU) / KT))
    rho = R / gap * (f[:, None] - f)
    P = np.conj(U.T) @ np.diag(members) @ U
    inside, pairs = v * same, [(m, n) for m, n in model_pairs(model)]
    curl = {
        "dipole": lambda m, n: (anticommutator(inside[m], R[n]) - anticommutator(inside[n], R[m])) / 2,
        "local": lambda m, n: (anticommutator(v[m] - inside[m], R[n]) - anticommutator(v[n] - inside[n], R[m])) / 2,
        "moment": lambda m, n: (anticommutator(v[m], R[n]) - anticommutator(v[n], R[m])) / 2,
    }
    if name in ("dos", "electrons"):
        return np.einsum("p,pp->", f if name == "electrons" else f * (1 - f) / KT, P).real
    if name == "dipole_polarizability":
        return np.einsum("bpq,aqp->ab", rho, [anticommutator(P, r) for r in R]).real
    if name in ("dipole", "local_intraband", "local"):
        of = curl["local" if name == "local" else "dipole"]
        return np.einsum("bpq,iqp->ib", rho, [anticommutator(P, of(m, n)) for m, n in pairs]).real
    O = np.array([anticommutator(P, curl["moment"](m, n)) for m, n in pairs])
    if name == "orbital_moment":
        return np.einsum("p,ipp->i", f, O).real
    return -np.einsum("p,bpq,iqp->ib", f * (1 - f) / KT, inside, O).real


def model_pairs(model):
    """The axes (m, n) of each moment, as positions among the axes of the field."""
    return [(model.axes.index((i + 1) % 3), model.axes.index((i + 2) % 3)) for i in model.moments]


@pytest.mark.parametrize("quantity", RESOLVED)
@pytest.mark.parametrize("name", NAMES)
def test_shares_are_those_of_dense_matrices(name, quantity):
    """At random points, to 1e-10 of the largest; and they add up to the whole."""
    model = TOYS[name].model
    n = model.n_orbitals
    parts = {"first": np.arange(n // 3 + 1), "rest": np.arange(n // 3 + 1, n)}
    k = np.random.default_rng(4).uniform(-0.5, 0.5, (4, 3)) * np.array(model.periodic)
    bands = Bands(model, k, degeneracy=Degeneracy(1e-6))
    f = 1 / (1 + np.exp((bands.energies - MU) / KT))
    calculator = get(quantity)
    occupied = f if first_observable(calculator).occupation == "sea" else f * (1 - f) / KT
    found = [
        np.einsum("kn,kn...->k...", occupied, evaluate(o, bands))
        for o in shares(calculator, trace_of(calculator, False), parts, n)
    ]
    whole = np.einsum("kn,kn...->k...", occupied, evaluate(first_observable(calculator), bands))
    size = max(np.abs(x).max() for x in (*found, whole))
    for share, inside in zip(found, parts.values(), strict=True):
        expected = np.array([dense(model, quantity, q, np.isin(np.arange(n), inside).astype(float)) for q in k])
        np.testing.assert_allclose(share, expected, rtol=0, atol=1e-10 * size)
    np.testing.assert_allclose(sum(found), whole, rtol=0, atol=1e-11 * size)


def test_shares_of_operators_are_operators():
    """The share of a part in an operator is the operator 1/2 {P, O}, which a user can give himself."""
    plain = TOYS["matrix_insulator_2d"].model
    n = plain.n_orbitals
    O = operator_of(plain, 5, 3)
    s = np.isin(np.arange(n), [0, 2]).astype(float)
    half = (s[:, None] + s)[None, :, :, None] / 2 * O
    model = plain.with_operator("L", O, time_reversal=-1).with_operator("M", half, time_reversal=-1)
    names = [f"{which}_{what}" for which in "LM" for what in ("expectation", "response", "extrinsic")]
    found = ome.compute(
        model, (12, 12, 1), names, fermi=[0.1], temperature=2000.0, by={"a": [0, 2], "b": [1, 3]}, symmetry="off"
    )
    for what in ("expectation", "response", "extrinsic"):
        share, whole = found[f"L_{what}_by_part"].sel(part="a").values, found[f"M_{what}"].values
        known = np.isfinite(share)  # fields in the plane of a layer
        assert known.any()
        np.testing.assert_allclose(share[known], whole[known], atol=1e-10 * np.nanmax(np.abs(found[f"L_{what}"].values)))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"a": [0, 1]}, "by: orbitals 2, 3 are in no part: the shares do not add up to the whole"),
        ({"a": [0, 1], "b": [1, 2, 3]}, "by: orbitals 1 are in several parts: the shares do not add up to the whole"),
        (
            {"a": [1], "b": [1]},
            "by: orbitals 0, 2, 3 are in no part, orbitals 1 are in several parts: the shares do not add up",
        ),
        ({"a": [0, 1], "b": [2, 3]}, ""),
    ],
)
def test_parts_that_leave_orbitals_out_or_share_them_are_said(parts, said):
    """Each has what its orbitals have one by one; the sum is the whole where nothing is said."""
    model = TOYS["matrix_insulator_2d"].model
    settings = {"kmesh": (8, 8, 1), "calculators": "extrinsic", "fermi": 0.1, "temperature": 3000.0, "symmetry": "off"}
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = ome.compute(model, by=parts, **settings)
        single = ome.compute(model, by="orbital", **settings).extrinsic_by_orbital
    told = [str(w.message) for w in heard if str(w.message).startswith("by: ")]
    assert len(told) == bool(said)
    assert all(text.startswith(said) for text in told)
    assert [w for w in found.attrs.get("warnings", []) if w.startswith("by: ")] == told
    size = np.nanmax(np.abs(found.extrinsic.values))
    for label, inside in parts.items():
        expected = single.isel(orbital=inside).sum("orbital", skipna=False).values
        np.testing.assert_allclose(found.extrinsic_by_part.sel(part=label).values, expected, atol=1e-12 * size)
    total, whole = found.extrinsic_by_part.sum("part", skipna=False).values, found.extrinsic.values
    known = np.isfinite(total)  # of moments in the plane there are no shares
    assert known.any()
    adds_up = np.allclose(total[known], whole[known], rtol=0, atol=1e-9 * size)
    assert adds_up == (not said)


def test_layers_that_do_not_couple_have_what_each_has_alone():
    """Two layers far apart, at other energies: shares by layer, and by the orbitals of each."""
    lower = TOYS["insulator_2d"].model
    R = lower.R
    n, shift = lower.n_orbitals, 0.37
    H = np.zeros((len(R), 2 * n, 2 * n), dtype=complex)
    H[:, :n, :n], H[:, n:, n:] = lower.hamiltonian, -1.3 * lower.hamiltonian
    H[~R.any(axis=1), n:, n:] += shift * np.eye(n)
    centres = np.concatenate([lower.centres, lower.centres + np.array([0.1, 0.2, 6.0])])
    both = ome.TightBinding(lower.lattice, R, H, centres=centres, periodic=lower.periodic)
    other = ome.TightBinding(lower.lattice, R, H[:, n:, n:], centres=centres[n:], periodic=lower.periodic)
    names = ["dipole", "local", "dipole_polarizability", "extrinsic", "orbital_moment"]
    settings = {"kmesh": (14, 14, 1), "calculators": names, "fermi": [0.1], "temperature": 2000.0}
    found = ome.compute(both, by="layer", **settings)
    assert found.layer.values.tolist() == ["1", "2"]
    for label, model in (("1", lower), ("2", other)):
        alone = ome.compute(model, **settings)
        for name in names:
            share, value = found[f"{name}_by_layer"].sel(layer=label).values, alone[name].values
            known = np.isfinite(share)  # of a layer: moments along its normal, fields in its plane
            assert known.any()
            np.testing.assert_allclose(share[known], value[known], atol=1e-9 * np.nanmax(np.abs(value)))
            error = found[f"{name}_by_layer_error"].sel(layer=label).values
            assert (error[known] >= 0).all()


def test_what_has_no_shares_is_named_and_files_keep_them(tmp_path):
    """`total` has none; a file gives back what was saved, the table has a row for each part."""
    model = TOYS["insulator_2d"].model
    found = ome.compute(model, (8, 8, 1), ["total", "dipole"], fermi=[0.1], temperature=2000.0, by="site")
    assert found.attrs["without_shares"] == "total"
    assert "total_by_site" not in found
    ome.save(found, tmp_path / "r.nc")
    again = ome.load_result(tmp_path / "r.nc")
    assert np.array_equal(again.dipole_by_site.values, found.dipole_by_site.values, equal_nan=True)
    moved = ome.compute(model, (8, 8, 1), "extrinsic", fermi=[0.1], temperature=2000.0, by="site").extrinsic_by_site
    assert moved.sel(moment=["x", "y"]).isnull().all()
    assert moved.sel(moment="z", field=["x", "y"]).notnull().all()
    assert "need positions across" in moved.attrs["missing"]
    assert "missing" not in found.dipole_by_site.attrs
    rows = ome.table(again).query("quantity == 'dipole_by_site'")
    assert set(rows["site"]) == set(found.site.values.tolist())
    assert "dipole by site" in str(ome.summary(again))


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("atom", "one of site, layer, orbital"),
        ({"a": [0, 99]}, "numbers of orbitals from 0"),
        ({"a": []}, "numbers of orbitals from 0"),
        ({"a": [0, 0]}, "numbers of orbitals from 0"),
        ({"a": "x"}, "numbers of orbitals from 0"),
        ({"a": [True, False, True, False]}, "numbers of orbitals from 0"),
        ({"a": [True, False]}, "numbers of orbitals from 0"),
        ({}, "no part is given"),
        (3, "one of site, layer, orbital"),
    ],
)
def test_parts_that_cannot_be(by, said):
    """One line each."""
    with pytest.raises(ome.errors.OMEError, match=said):
        ome.compute(TOYS["insulator_2d"].model, (4, 4, 1), "dipole", fermi=0.1, temperature=900.0, by=by)


def test_all_that_is_computed_by_default_is_divided():
    """Quantities that are equal, or made of one another, too: each has shares of its own name, which add up to it."""
    model = TOYS["matrix_insulator_2d"].model
    found = ome.compute(model, (8, 8, 1), fermi=[0.1], temperature=2000.0, by="orbital")
    there = [name for name in RESOLVED if name in found]
    assert {"dipole", "local_intraband", "local", "extrinsic", "dipole_polarizability"} <= set(there)
    for name in there:
        sums = found[f"{name}_by_orbital"].sum("orbital", skipna=False).values
        known = np.isfinite(sums)
        assert known.any()
        size = np.nanmax(np.abs(found[f"{name}_by_orbital"].values))
        np.testing.assert_allclose(sums[known], found[name].values[known], rtol=0, atol=1e-11 * size)


def test_quantities_without_shares_alone_are_refused():
    """A moment between different bands belongs to no place."""
    with pytest.raises(ome.errors.SettingsError, match="no part has a share of its own in total"):
        ome.compute(TOYS["insulator_2d"].model, (4, 4, 1), "total", fermi=0.1, temperature=900.0, by="site")


def test_warnings_name_the_quantity_and_no_share():
    """A coarse mesh is said of what was asked for."""
    with pytest.warns(ome.errors.AccuracyWarning, match="Fermi surfaces") as said:
        ome.compute(TOYS["metal_2d"].model, (6, 6, 1), "extrinsic", fermi=0.0, temperature=50.0, by="orbital")
    assert not any("__part_" in str(w.message) for w in said)
    model = ome.operators.with_height(TOYS["matrix_metal_2d"].model)
    with pytest.warns(ome.errors.AccuracyWarning, match="Fermi surfaces of height_response:") as said:
        ome.compute(model, (6, 6, 1), "height_response", fermi=0.0, temperature=50.0, by="orbital", degeneracy_tol=1e-9)
    assert not any("__part_" in str(w.message) or "_gate_" in str(w.message) for w in said)


def test_levels_in_doubt_are_said_of_no_share():
    """MoS2's levels a noise apart decide about shares: in their errors, and no name of a part is printed."""
    model = ome.operators.with_height(ome.load("mos2"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = ome.compute(model, (24, 24, 1), "height_response", fermi=-0.5, temperature=300.0, by="site")
    assert said
    assert "__part_" not in found.attrs["levels_in_doubt"] + " ".join(str(w.message) for w in said)


def test_shares_at_a_filling():
    """The level of a filling is uncertain on a mesh: shares are those at the level itself, their errors have the change too."""
    model = TOYS["metal_2d"].model
    names = ["electrons", "extrinsic"]
    settings = {"kmesh": (8, 8, 1), "calculators": names, "temperature": 900.0, "symmetry": "off"}
    found = ome.compute(model, filling=2.3, by="orbital", **settings)
    assert found.attrs["fermi_error_eV"] > 0
    there = ome.compute(model, fermi=found.fermi.values, by="orbital", **settings)
    for name in names:
        share, expected = found[f"{name}_by_orbital"], there[f"{name}_by_orbital"]
        np.testing.assert_allclose(share.values, expected.values, rtol=1e-6)
        wrong = found[f"{name}_by_orbital_error"].values - there[f"{name}_by_orbital_error"].values
        assert (wrong[np.isfinite(wrong)] > 0).all()
        whole, known = found[name].values, np.isfinite(share.values).all(axis=1)  # none in the plane of a layer
        assert known.any()
        np.testing.assert_allclose(share.sum("orbital").values[known], whole[known], rtol=1e-9)
    loose = ome.compute(model, filling=2.3, by="orbital", rtol=1e-2, calculators=["electrons"], temperature=900.0)
    assert "__part" not in str(loose.attrs.get("not_converged", ""))


@pytest.mark.parametrize("gate", ["density", "level"])
@pytest.mark.parametrize("name", ["insulator_2d", "matrix_insulator_2d", "metal_2d", "matrix_metal_2d"])
def test_shares_under_fields_across_are_finite_differences_of_equilibrium(name, gate):
    """Of a vector and a number: `X_expectation_by_part` of the model with the field in its Hamiltonian."""
    plain = TOYS[name].model
    n = plain.n_orbitals
    model = plain.with_operator("L", operator_of(plain, 8, 3), time_reversal=-1).with_operator("s", np.diag(np.arange(n) % 2.0))
    by = {"a": [1], "b": [0, *range(2, n)]}
    settings = {"kmesh": (14, 12, 1), "temperature": 2500.0, "symmetry": "off", "degeneracy_tol": 1e-7, "by": by}
    found = ome.compute(model, calculators=["L_response", "s_response", "electrons"], gate=gate, fermi=[0.2], **settings)
    fixed = {"filling": float(found.electrons[0]) * model.cell * 1e-20} if gate == "density" else {"fermi": [0.2]}
    names = ["L_expectation", "s_expectation"]
    up, down = (ome.compute(in_field(model, e), calculators=names, **fixed, **settings) for e in (STEP, -STEP))
    for key in "Ls":
        sides = [side[f"{key}_expectation_by_part"].isel(fermi=side.sizes["fermi"] // 2).values for side in (up, down)]
        slope = (sides[0] - sides[1]) / (2 * STEP) * 1e-10  # per V/m
        ours = found[f"{key}_response_by_part"].isel(fermi=0).sel(field="z")
        np.testing.assert_allclose(ours.values, slope, rtol=0, atol=2e-5 * np.abs(slope).max())
        whole, error = (found[f"{key}_response{end}"].isel(fermi=0).sel(field="z").values for end in ("", "_error"))
        np.testing.assert_allclose(ours.sum("part").values, whole, rtol=0, atol=1e-12 * np.abs(slope).max())
        unsure = found[f"{key}_response_by_part_error"].isel(fermi=0).sel(field="z").sum("part").values
        assert (unsure >= (1 - 1e-9) * error).all()


@pytest.mark.parametrize("seed", range(3))
def test_shares_in_rotated_layers_and_across_chains(seed):
    """The sums of shares are the whole along all axes: of a layer whose normal is none of them, and of the spin of a chain."""
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    flat = TOYS["insulator_2d"].model
    tilted = ome.TightBinding(flat.lattice @ Q.T, flat.R, flat.hamiltonian, centres=flat.centres @ Q.T, periodic=flat.periodic)
    assert tilted.frame is not None
    tilted = tilted.with_operator("L", operator_of(tilted, seed, 3), time_reversal=-1)
    chain = ome.load("carbon-nanotube")
    chain = chain.with_operator("L", operator_of(chain, seed, 3), time_reversal=-1)
    for model, mesh in ((tilted, (8, 8, 1)), (chain, None)):
        settings = {"fermi": [0.1], "temperature": 2500.0, "by": "orbital", "origin": [0.3, -0.2, 0.5]}
        found = ome.compute(model, mesh or tuple(12 if p else 1 for p in model.periodic), "L_response", **settings)
        whole, sums = found.L_response.values, found.L_response_by_orbital.sum("orbital", skipna=False).values
        assert np.isfinite(whole).all()
        np.testing.assert_allclose(sums, whole, rtol=0, atol=1e-12 * np.abs(found.L_response_by_orbital.values).max())
