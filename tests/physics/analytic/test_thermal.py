"""Responses to a gradient of the temperature against closed forms, the Mott limit, and sums of plain numpy (eqs. 75, 76)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from toys import TOYS, minus_derivative

import ome_wannier as ome
from ome_wannier.common.units import E2_OVER_HBAR, HBAR_EV_FS, KB, MU_B
from ome_wannier.errors import SettingsError
from ome_wannier.lattices.hopping import from_hoppings
from ome_wannier.presentation.ratios import of_result, seebeck

#: hbar^2/m in eV Angstrom^2
H2M = 7.62
#: J s, C
HBAR, E = 1.054571817e-34, 1.602176634e-19


def parabola(factor, dimension=2, spin_degeneracy=1):
    """One band e = factor k^2."""
    return ome.KDotP(
        lambda k: (factor * (k**2).sum(axis=1))[:, None, None],
        dimension=dimension,
        scale=0.1,
        spin_degeneracy=spin_degeneracy,
    )


@pytest.mark.parametrize(("dimension", "T"), [(2, 40.0), (2, 900.0), (3, 300.0)])
def test_free_electrons(dimension, T):
    """Of e = k^2/2m the conductivity at an energy is n(e) e^2 tau/m: the integral of (-df/de) ((e - mu)/eT) over it, in SI; far
    above the bottom of the band pi^2 k^2 T/3e times its slope."""
    model = parabola(H2M / 2, dimension, 2)
    mu, tau = 0.08, 7.0
    found = ome.compute(model, ome.PolarMesh(n_angle=12), ["ohmic", "ohmic_thermal"], mu, temperature=T, tau=tau)
    mass = HBAR**2 / (H2M * E * 1e-20)

    def conductivity(e):
        k = np.sqrt(2 * mass * e * E) / HBAR
        density = k**2 / (2 * np.pi) if dimension == 2 else k**3 / (3 * np.pi**2)
        return density * E**2 * tau * 1e-15 / mass

    kT, edges = KB * T, np.array([max(0.0, mu - 40 * KB * T), mu, mu + 40 * KB * T])
    exact = sum(
        quad(lambda e: minus_derivative(e, mu, kT) * (e - mu) / T * conductivity(e), *p, epsabs=0)[0] for p in pairwise(edges)
    )
    names = [str(x) for x in found.ohmic_thermal.position.values]
    for i, a in enumerate(names):
        assert found.ohmic_thermal.sel(position=a, field=a).item() == pytest.approx(exact, rel=1e-6)
        assert abs(found.ohmic_thermal.values[0, i, i - 1]) < 1e-9 * exact
    if T < 100:
        slope = dimension / 2 * conductivity(mu) / mu
        assert exact == pytest.approx(np.pi**2 / 3 * KB**2 * T * slope, rel=1e-9 if dimension == 2 else 1e-2)
    assert found.ohmic_thermal.units == {2: "A/K", 3: "A/m/K"}[dimension]
    assert found.ohmic_thermal.attrs["tau_fs"] == tau


def test_seebeck_coefficient_of_electrons_and_holes():
    """S = -thermal/ohmic: below zero of electrons, above zero of holes, -(pi^2/3) (k/e) kT/e_F of free electrons in a layer."""
    T, mu = 100.0, 0.3
    for sign in (1, -1):
        found = ome.compute(
            parabola(sign * H2M / 2), ome.PolarMesh(n_angle=12), ["ohmic", "ohmic_thermal"], sign * mu, temperature=T
        )
        expected = -sign * np.pi**2 / 3 * KB**2 * T / mu
        ratio = -(found.ohmic_thermal / found.ohmic).sel(position="x", field="x").item()
        assert ratio == pytest.approx(expected, rel=1e-5)
        table = of_result(found)
        assert table["seebeck"] == pytest.approx(expected * 1e6, rel=1e-5)
        assert table["seebeck_element"] in ("xx", "yy")
        assert abs(table["seebeck"] - expected * 1e6) <= table["seebeck_error"] + 1e-9
        (line,) = [line for line in str(ome.summary(found)).splitlines() if line.startswith("Seebeck")]
        assert float(line.split()[2]) == pytest.approx(expected * 1e6, rel=1e-3)
        assert line.endswith("µV/K")


def test_seebeck_tensor_solves_for_no_current():
    """sigma S + thermal = 0 of matrices that do not commute, and errors cover every corner of theirs."""
    rng = np.random.default_rng(3)
    sigma = np.eye(3) + 0.3 * rng.uniform(size=(2, 3, 3))
    thermal, wrong = rng.normal(size=(2, 3, 3)), 1e-5
    S, error = seebeck(thermal, np.full_like(sigma, wrong), sigma, np.full_like(sigma, wrong))
    np.testing.assert_allclose(np.einsum("lij,ljk->lik", sigma, S), -thermal, atol=1e-14)
    most = np.zeros_like(S)
    for _ in range(200):
        a, b = (wrong * rng.choice([-1, 1], size=(2, 3, 3)) for _ in range(2))
        most = np.maximum(most, abs(np.linalg.solve(sigma + a, -thermal - b) - S))
    assert (most < error * 1.001).all()
    assert (error < 4 * most).all()


def square():
    """One band e = 2 t (cos kx a + cos ky a)."""
    lattice = np.diag([3.1, 3.1, 10.0])
    return from_hoppings(lattice, np.zeros((1, 3)), np.zeros((1, 1)), [((1, 0, 0), [[-0.7]]), ((0, 1, 0), [[-0.7]])])


@pytest.mark.parametrize("how", [{"kmesh": (300, 300, 1)}, {"rtol": 1e-4}])
def test_levels_and_temperatures(how):
    """A band in closed form, three levels and two temperatures at once: a sum over more points than either; errors cover."""
    T, mu, n = [700.0, 1500.0], [-1.0, -0.4, 0.3], 1000
    found = ome.compute(square(), calculators=["ohmic_thermal", "electrons"], fermi=mu, temperature=T, tau=3.0, **how)
    k = 2 * np.pi * np.arange(n) / n
    e = -1.4 * (np.cos(k)[:, None] + np.cos(k))
    v = 1.4 * 3.1 * np.sin(k)[:, None] + np.zeros_like(e)
    for i, m in enumerate(mu):
        for j, t in enumerate(T):
            weight = minus_derivative(e, m, KB * t) * (e - m) / t
            exact = E2_OVER_HBAR * (weight * v**2).mean() / 3.1**2 * 3.0 / HBAR_EV_FS
            got = found.isel(fermi=i, temperature=j)
            value, error = (got[x].sel(position="x", field="x").item() for x in ("ohmic_thermal", "ohmic_thermal_error"))
            assert value == pytest.approx(exact, rel=2e-6)
            assert abs(value - exact) <= error + 1e-6 * abs(exact)


def field_and_gradient(model):
    """Names of responses to a field, and of both."""
    names = ["extrinsic", "spin_extrinsic", "ohmic"] if model.has_spin else ["extrinsic", "ohmic"]
    return names, [*names, *(f"{n}_thermal" for n in names)]


def derivative(values, step):
    """Of five values that are so far apart, at the middle one."""
    return (8 * (values[3] - values[1]) - (values[4] - values[0])) / (12 * step)


@pytest.mark.parametrize("name", ["metal_2d", "matrix_metal_2d", "kramers_2d", "metal_3d", "plane_yz"])
def test_temperature_changes_one_as_the_level_the_other(name):
    """d/dT of a response to a field is d/dmu of that to a gradient, at every temperature and on every mesh: df/dT is
    ((e - mu)/T) (-df/de)."""
    toy, mu_step, T_step = TOYS[name], 2e-3, 5.0
    names, both = field_and_gradient(toy.model)
    levels, temperatures = toy.fermi + mu_step * np.arange(-2, 3), 900.0 + T_step * np.arange(-2, 3)
    found = ome.compute(toy.model, tuple(np.minimum(toy.mesh, 20)), both, levels, temperature=temperatures)
    for n in names:
        a, b = (np.nan_to_num(found[x].values) for x in (n, f"{n}_thermal"))
        expected = derivative(a[2], T_step)
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(derivative(b[:, 2], mu_step), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "shift"), [("matrix_metal_2d", 0.15), ("matrix_metal_2d", -0.15), ("kramers_2d", 0.0)])
def test_mott_limit(name, shift):
    """pi^2 k^2 T/3e times the slope of the response to a field, by differences of levels; corrections are of T^2."""
    toy, step, T = TOYS[name], 4e-3, 150.0
    names, both = field_and_gradient(toy.model)
    found = ome.compute(toy.model, (1000, 1000, 1), both, toy.fermi + shift + step * np.arange(-2, 3), temperature=T)
    for n in names:
        slope = derivative(np.nan_to_num(found[n].values), step)
        thermal = np.nan_to_num(found[f"{n}_thermal"].values[2])
        np.testing.assert_allclose(thermal, np.pi**2 / 3 * KB**2 * T * slope, rtol=0, atol=1e-2 * np.abs(thermal).max())
        assert found[f"{n}_thermal"].units == {"A m/V": "A m/K", "S": "A/K"}[found[n].units]


@pytest.mark.parametrize("name", ["insulator_2d", "kramers_matrix_3d"])
def test_relaxation_times_parts_and_operators(name):
    """Times that differ by 10 fs in all states give responses that differ by that to 10 fs; shares add up; the spin as an
    operator is its moment over -(g/2) mu_B."""
    toy = TOYS[name]
    model = toy.model.with_operator("sigma", toy.model.spin, time_reversal=-1) if toy.model.has_spin else toy.model
    names = ["ohmic_thermal", "extrinsic_thermal"] + ["sigma_extrinsic_thermal", "spin_extrinsic_thermal"] * model.has_spin
    settings = {"kmesh": toy.mesh, "calculators": names, "fermi": toy.fermi + 0.2, "temperature": 3000.0}
    tens = ome.compute(model, tau=10.0, **settings, by="orbital")
    level = ome.compute(model, tau=lambda e: np.abs(e - toy.fermi + 30), **settings)
    plain = ome.compute(model, tau=lambda e: np.abs(e - toy.fermi + 20), **settings)
    for n in names:
        largest = np.nanmax(np.abs(tens[n].values))
        np.testing.assert_allclose((level[n] - plain[n]).values, tens[n].values, rtol=1e-9, atol=1e-10 * largest)
        if n != "ohmic_thermal":
            whole = tens[f"{n}_by_orbital"].sum("orbital", skipna=False).values
            known = np.isfinite(whole)
            assert known.any()
            np.testing.assert_allclose(whole[known], tens[n].values[known], rtol=0, atol=1e-10 * largest)
    if model.has_spin:
        ratio = -2.00231930436092 / 2 * MU_B * tens.sigma_extrinsic_thermal.sel(field=list("xy")).values
        moments = tens.spin_extrinsic_thermal.sel(field=list("xy")).values
        np.testing.assert_allclose(moments, ratio, rtol=1e-9, atol=1e-12 * np.abs(moments).max())


def test_no_temperature_no_gradient():
    """One line at T = 0, of lattices and k.p models, and at several temperatures."""
    for model, more in ((square(), {"kmesh": (6, 6, 1)}), (ome.load("tilted-dirac"), {})):
        for T in (0.0, [0.0, 300.0]):
            with pytest.raises(SettingsError, match="at T = 0: give temperatures above zero"):
                ome.compute(model, calculators="ohmic_thermal", fermi=[0.1, 0.2], temperature=T, **more)
