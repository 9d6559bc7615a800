"""What an experiment compares with: density of states, electrons, carriers, relaxation times of states."""

from dataclasses import replace

import numpy as np
import pytest
from toys import TOYS

import ome_wannier as ome
from ome_wannier.common.units import HBAR_EV_FS, KB
from ome_wannier.errors import SettingsError
from ome_wannier.lattices.hopping import from_hoppings

HOPPING, LENGTH = -0.7, 3.1


def square():
    """One band e = 2 t (cos kx a + cos ky a), two electrons."""
    R = [(1, 0, 0), (0, 1, 0)]
    lattice = np.diag([LENGTH, LENGTH, 10.0])
    return from_hoppings(
        lattice, np.zeros((1, 3)), np.zeros((1, 1)), [(r, [[HOPPING]]) for r in R], spin_degeneracy=2, name="square"
    )


def fermi(e, mu, T):
    """f and -df/de."""
    f = 1 / (1 + np.exp((e - mu) / (KB * T)))
    return f, f * (1 - f) / (KB * T)


def test_density_of_states_and_electrons_are_those_of_levels():
    """Sums over the same points of a band in closed form, and the slope of the electrons by the level."""
    T, mu, n = 1500.0, -0.4, 60
    found = ome.compute(square(), (n, n, 1), ["dos", "electrons"], fermi=[mu, mu + 1e-4], temperature=T)
    k = 2 * np.pi * np.arange(n) / n
    e = 2 * HOPPING * (np.cos(k)[:, None] + np.cos(k))
    f, surface = fermi(e, mu, T)
    per_area = 2 / (LENGTH * 1e-10) ** 2
    np.testing.assert_allclose(found.electrons[0], per_area * f.mean(), rtol=1e-6)
    np.testing.assert_allclose(found.dos[0], per_area * surface.mean(), rtol=1e-5)
    assert (found.dos.units, found.electrons.units) == ("1/eV/m^2", "1/m^2")
    slope = float(found.electrons[1] - found.electrons[0]) / 1e-4
    np.testing.assert_allclose(slope, found.dos.mean(), rtol=1e-4)


def test_carriers_are_added_to_a_filling():
    """In electrons per cm^2; holes are negative. Of a crystal per cm^3."""
    settings = {"kmesh": (40, 40, 1), "calculators": "electrons", "temperature": 1000.0, "filling": 0.8}
    without = ome.compute(square(), **settings)
    for carriers in (3e13, -2e13):
        found = ome.compute(square(), carriers=carriers, **settings)
        np.testing.assert_allclose((found.electrons - without.electrons.values).values * 1e-4, carriers, rtol=1e-5)
    model = TOYS["insulator_3d"].model
    settings = {"kmesh": (8, 8, 8), "calculators": "electrons", "temperature": 3000.0, "filling": 1.1}
    change = (ome.compute(model, carriers=2e20, **settings).electrons - ome.compute(model, **settings).electrons.values).values
    np.testing.assert_allclose(change * 1e-6, 2e20, rtol=1e-5)


def test_relaxation_times_of_states():
    """sigma of tau(e) against the sum over the same points; a constant function is the number, an array one for each band."""
    T, mu, n = 1500.0, -0.4, 60
    model = square()
    settings = {"kmesh": (n, n, 1), "calculators": "ohmic", "fermi": mu, "temperature": T}
    found = ome.compute(model, tau=lambda e: 5.0 + 3.0 * e**2, **settings)
    k = 2 * np.pi * np.arange(n) / n
    e = 2 * HOPPING * (np.cos(k)[:, None] + np.cos(k))
    v = -2 * HOPPING * LENGTH * np.sin(k)[:, None] + np.zeros_like(e)
    expected = 2.434134807664281e-4 * 2 * (fermi(e, mu, T)[1] * v**2 * (5 + 3 * e**2)).mean() / LENGTH**2 / HBAR_EV_FS
    np.testing.assert_allclose(found.ohmic.sel(position="x", field="x").item(), expected, rtol=1e-5)
    np.testing.assert_allclose(found.attrs["tau_fs"], 5 + 3 * mu**2)
    assert "function" in found.attrs["tau_of_energy"]
    assert "a function of the energy" in str(ome.summary(found))
    toy = TOYS["insulator_2d"].model
    settings = {"kmesh": (12, 12, 1), "calculators": ["extrinsic", "total"], "fermi": 0.3, "temperature": 2000.0}
    number = ome.compute(toy, tau=4.0, **settings)
    for tau in (lambda e: 4.0, lambda e: np.full(e.shape[1], 4.0)):
        same = ome.compute(toy, tau=tau, **settings)
        for name in ("extrinsic", "total"):
            np.testing.assert_allclose(same[name].values, number[name].values, rtol=1e-12)


@pytest.mark.parametrize("how", [{"kmesh": (300, 300, 1)}, {"rtol": 1e-4}])
def test_relaxation_times_over_the_density_of_states(how):
    """tau(e) = tau g(level) / g(e) with g as wide as the lower temperature, against sums of a band in closed form."""
    T, mu, level, n = [600.0, 900.0], [-0.6, 0.3], -0.9, 600
    settings = {"fermi": mu, "temperature": T, "tau": 7.0, "tau_level": level, **how}
    found = ome.compute(square(), calculators=["ohmic", "dos"], **settings)
    k = 2 * np.pi * np.arange(n) / n
    e = 2 * HOPPING * (np.cos(k)[:, None] + np.cos(k))
    v2 = (2 * HOPPING * LENGTH * np.sin(k)[:, None]) ** 2 + np.zeros_like(e)
    edges = np.linspace(-2.9, 2.9, 5801)  # states and weights by energy, much finer than k_B T
    middle = (edges[1:] + edges[:-1]) / 2
    states, weights = (np.histogram(e, edges, weights=w)[0] / n**2 for w in (np.ones_like(e), v2))
    g = lambda x: fermi(middle, x, min(T))[1] @ states  # noqa: E731
    tau = np.array([7.0 * g(level) / g(x) if abs(x) < 2.8 else 0.0 for x in middle])
    for i, m in enumerate(mu):
        for j, t in enumerate(T):
            expected = 2.434134807664281e-4 * 2 * (fermi(middle, m, t)[1] * weights * tau).sum() / LENGTH**2 / HBAR_EV_FS
            value = found.ohmic.isel(fermi=i, temperature=j).sel(position="x", field="x").item()
            np.testing.assert_allclose(value, expected, rtol=5e-4)
    assert found.attrs["tau_fs"] == pytest.approx(7.0 * g(level) / g(mu[0]), rel=1e-3)
    assert "tau is 7 fs at -0.9 eV, and proportional to 1/DOS (as wide as 600 K" in " ".join(str(ome.summary(found)).split())
    assert "tau_fs" not in found.dos.attrs


def test_one_level_of_a_constant_density_of_states():
    """Free electrons in a layer have one density of states, so tau is a number, except at the bottom of the band."""
    model = ome.KDotP(lambda k: (3.81 * (k**2).sum(axis=1))[:, None, None], dimension=2, scale=0.1)
    settings = {"kmesh": ome.PolarMesh(n_angle=12), "calculators": "ohmic", "fermi": 0.5, "temperature": 100.0, "tau": 4.0}
    number = ome.compute(model, **settings).ohmic.values
    np.testing.assert_allclose(ome.compute(model, tau_level=0.4, **settings).ohmic.values, number, rtol=1e-9, atol=1e-18)
    said = " ".join(str(ome.summary(ome.compute(model, tau_level=0.4, **settings))).split())
    assert said.count("4 fs") == 1
    assert "100 K; tau is 4 fs at 0.4 eV, and proportional to 1/DOS" in said
    with pytest.raises(SettingsError, match=r"tau_level: -0\.2 eV has hardly any states: give a level in a band"):
        ome.compute(model, tau_level=-0.2, **settings)


def test_what_one_band_gives_another_adds_up_to_nothing():
    """The velocities of an isolated band over each energy shell cancel, in a crystal without symmetries: why relaxation times
    between groups of bands, off the diagonal of their matrix, change nothing (left_out.md)."""
    toy = TOYS["matrix_metal_2d"]

    def of_lowest(bands):
        v = np.stack([np.einsum("knn->kn", bands.velocities[:, a]).real for a in range(2)], axis=-1)
        return v * (np.arange(v.shape[1]) == 0)[:, None]

    lowest = ome.calculators.Observable("lowest", "", "own", "surface", 1, 1, "", "", of_lowest, dims=("field",), unit="1")
    size = replace(lowest, name="size", weights=lambda bands: np.abs(of_lowest(bands)))
    bottom = np.linalg.eigvalsh(toy.model.matrices(np.random.default_rng(1).uniform(size=(500, 3)) * [1, 1, 0]).H)[:, 0]
    levels = np.quantile(bottom, [0.2, 0.5, 0.8])
    found = ome.compute(toy.model, (120, 120, 1), [lowest, size], levels, temperature=900.0, symmetry="off")
    assert (np.abs(found.lowest.values) < 1e-5 * found["size"].values.min()).all()


def test_an_operator_without_a_symmetry_has_none_with_times_by_energy():
    """The occupation of one of two layers that inversion swaps, with a function of the energy and with a number."""
    toy = TOYS["inversion_2d"]
    model = toy.model.with_operator("first", np.diag([1.0, 0, 0, 0]), time_reversal=1, inversion=1)
    settings = {"kmesh": (12, 12, 1), "calculators": "first_extrinsic", "fermi": toy.fermi, "temperature": 2000.0}
    number = ome.compute(model, tau=3.0, **settings)
    assert np.abs(number.first_extrinsic.values).max() > 0
    found = ome.compute(model, tau=lambda e: 3.0, **settings)
    np.testing.assert_allclose(found.first_extrinsic.values, number.first_extrinsic.values, rtol=1e-12)
    assert found.attrs["symmetry_of_operators"] == number.attrs["symmetry_of_operators"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fermi": 0.0, "tau": lambda e: -1.0}, "negative"),
        ({"fermi": 0.0, "tau": lambda e: 1j * e}, "failed: TypeError: complex numbers"),
        ({"fermi": 0.0, "tau": lambda e: e[:, :0]}, "failed"),
        ({"fermi": 0.0, "tau": lambda e: 1 / 0}, "failed: ZeroDivisionError"),
        ({"fermi": 0.0, "tau": lambda e: e, "tau_level": 0.1}, "tau is a function"),
        ({"fermi": 0.0, "tau_level": [0.1, 0.2]}, "one number"),
        ({"fermi": 0.0, "tau_level": "top"}, "tau_level is 'top'"),
        ({"fermi": 0.0, "tau_level": np.nan}, "^tau_level is nan: give finite numbers, in eV"),
        ({"fermi": 0.0, "tau_level": True}, "^tau_level is True: give finite numbers, in eV"),
        ({"fermi": 0.0, "tau_level": 5.0}, "tau_level: 5 eV has hardly any states"),
        ({"fermi": 0.0, "tau_level": 0.0, "temperature": 50.0}, "the density of states at 0 eV is known to"),
        ({"fermi": 0.0, "tau_level": 0.1, "checkpoint": "x.npz"}, "checkpoint: relaxation times by energy"),
        ({"fermi": 0.0, "carriers": 1e12}, "give filling as well"),
        ({"filling": 1.0, "carriers": "many"}, "one number"),
        ({"filling": 1.0, "carriers": [1e12, 2e12]}, "one number"),
        ({"filling": 1.0, "carriers": np.inf}, "one number"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """One line each."""
    with pytest.raises(SettingsError, match=said):
        ome.compute(square(), (6, 6, 1), "ohmic", **({"temperature": 1000.0} | settings))
    if "fermi" in settings:
        with pytest.raises(SettingsError, match="tau_level: the density of states is as wide as the temperature"):
            ome.compute(square(), (6, 6, 1), "ohmic", fermi=[0.0, 0.1], temperature=0.0, tau_level=0.1)


@pytest.mark.parametrize("name", ["two_band", "haldane", "insulator_3d"])
def test_the_dipole_is_a_velocity_times_a_time(name):
    """Of two bands the displacement over the quantum-metric velocity is hbar / gap at every k, of more between the extremes;
    the integral is that of the quantum metric."""
    toy = TOYS[name]
    model, names = toy.model, ["metric_velocity", "dipole_polarizability"]
    k = np.random.default_rng(6).uniform(-0.5, 0.5, (7, 3)) * np.array(model.periodic)
    found = ome.tabulate(model, k, names)
    energies = found.energy.values
    for a in "xy":
        v, d = (found[n].sel(position=a, field=a).values[:, 0] for n in names)
        time = -d / v  # of the lowest band: the field pushes it down the pairs
        gaps = energies[:, 1:] - energies[:, :1]
        assert (time <= 1 / gaps.min(axis=1) * (1 + 1e-9)).all()
        assert (time >= 1 / gaps.max(axis=1) * (1 - 1e-9)).all()
    settings = {"kmesh": toy.mesh, "fermi": toy.fermi, "temperature": 600.0, "symmetry": "off"}
    whole = ome.compute(model, calculators=["metric_velocity", "quantum_metric"], **settings)
    d = sum(model.periodic)
    # 2 e / hbar times the metric, from 1/angstrom^(d - 2) to m^2/m^d
    factor = 2 / (HBAR_EV_FS * 1e-15) * 1e-10 ** (2 - d)
    np.testing.assert_allclose(whole.metric_velocity.values, factor * whole.quantum_metric.values, rtol=1e-12)
    assert whole.metric_velocity.units == {2: "m/s/m/V", 3: "m/s/m^2/V"}[d]
