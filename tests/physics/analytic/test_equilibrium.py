"""Magnetization, its slope, Drude weight and conductivity against closed forms and differences."""

from __future__ import annotations

import numpy as np
import pytest
from toys import TOYS, fermi, rebuilt

import ome_wannier as ome
from ome_wannier import units
from ome_wannier.lattices.honeycomb import haldane

#: e/h in A/eV
E_OVER_H = units.E2_OVER_H


@pytest.mark.parametrize(("phi", "chern"), [(np.pi / 2, 1), (-np.pi / 2, -1)])
def test_slope_in_a_gap_is_quantised(phi, chern):
    """dM/dmu = C e/h, C = 2 pi W of the package's curvature, and M is linear in mu there (Ceresoli et al., PRB 74, 024408).

    A flake of the same model has the sign (finite_samples/test_magnetization.py).
    """
    model = haldane(phi=phi)
    levels = np.array([-0.2, 0.0, 0.1])
    found = ome.compute(model, (48, 48, 1), ["magnetization", "magnetization_dmu", "berry_curvature"], levels, temperature=0.0)
    number = found.berry_curvature.sel(axis="z").values * (2 * np.pi)
    np.testing.assert_allclose(np.abs(number), 1, atol=1e-9)
    np.testing.assert_allclose(found.magnetization_dmu.sel(moment="z").values, number * E_OVER_H, rtol=1e-9)
    np.testing.assert_allclose(
        np.diff(found.magnetization.sel(moment="z").values) / np.diff(levels), number[1:] * E_OVER_H, rtol=1e-9
    )
    assert np.sign(number[0]) == -chern


@pytest.mark.parametrize(
    ("name", "kind"),
    [("metal_2d", "magnetization"), ("matrix_metal_3d", "magnetization"), ("insulator_3d", "spin_magnetization")],
)
def test_slope_is_the_difference(name, kind):
    """dM/dmu against (M(mu + d) - M(mu - d)) / 2d on the same mesh, at a finite temperature."""
    toy, step = TOYS[name], 1e-3
    settings = {"temperature": 3000.0, "symmetry": "off"}
    levels = toy.fermi + step * np.arange(-2, 3)
    found = ome.compute(toy.model, toy.mesh, [kind, f"{kind}_dmu", "quantum_metric"], levels, **settings)
    M = found[kind].values
    slope = (8 * (M[3] - M[1]) - (M[4] - M[0])) / (12 * step)
    # interpolation: 5e-8 kT of every weight, over the step
    size = np.abs(found[f"{kind}_dmu"].values).max() + 1e-3 * np.abs(M).max()
    np.testing.assert_allclose(found[f"{kind}_dmu"].values[2], slope, rtol=0, atol=1e-4 * size)


def test_zero_of_energy_and_time_reversal():
    """M does not depend on the zero of energy; it vanishes with time reversal."""
    model = TOYS["matrix_metal_2d"].model
    zero = np.flatnonzero(~model.R.any(axis=1))[0]
    H = np.array(model.hamiltonian)
    H[zero] += 7.0 * np.eye(model.n_orbitals)
    a = ome.compute(model, (12, 12, 1), ["magnetization"], 0.2, temperature=500.0).magnetization.values
    b = ome.compute(rebuilt(model, hamiltonian=H), (12, 12, 1), ["magnetization"], 7.2, temperature=500.0).magnetization.values
    np.testing.assert_allclose(a, b, rtol=1e-8)
    kramers = TOYS["kramers_2d"]
    found = ome.compute(kramers.model, kramers.mesh, ["magnetization", "orbital_moment"], kramers.fermi, symmetry="off")
    assert np.abs(found.magnetization.values).max() < 1e-12 * units.E2_OVER_HBAR


def test_drude_weight_by_parts():
    """sum (-f') v_a v_b = sum f d_a d_b e, with second differences of the eigenvalues: neither velocity nor -df/de.

    At k_B T = 0.5 eV both sums converge exponentially with the mesh; differences err by h^4.
    """
    model, mu, kT, n = TOYS["metal_2d"].model, 0.2, 0.5, 80
    found = ome.compute(model, (n, n, 1), ["drude_weight"], mu, temperature=kT / units.KB)
    k = ome.KMesh((n, n, 1)).points() @ (2 * np.pi * np.linalg.inv(model.lattice).T)
    h = 0.005 / np.linalg.norm(model.lattice[0])

    def energies(shift):
        return np.linalg.eigvalsh(model.matrices((k + shift) @ model.lattice.T / (2 * np.pi), 0).H)

    e0 = energies(np.zeros(3))
    D = np.empty((2, 2))
    for a in range(2):
        for b in range(2):
            u, w = h * np.eye(3)[a], h * np.eye(3)[b]

            def second(s, u=u, w=w):
                return energies(s * (u + w)) - energies(s * (u - w)) - energies(s * (w - u)) + energies(-s * (u + w))

            curved = (16 * second(1.0) - second(2.0)) / (48 * h * h)
            D[a, b] = model.spin_degeneracy * (fermi(e0, mu, kT) * curved).sum() / len(k) / model.cell
    unit = units.E2_OVER_HBAR / (units.HBAR_EV_FS * 1e-15)
    np.testing.assert_allclose(found.drude_weight.values[0] / unit, D, rtol=0, atol=1e-6 * np.abs(D).max())


@pytest.mark.parametrize("temperature", [0.0, 300.0])
def test_free_electrons(temperature):
    """D = n e^2/m and sigma = n e^2 tau/m of a parabola, in SI, from constants of nature; n from the same mu and T."""
    from scipy import constants as c

    mass = 0.3
    scale = (c.hbar**2 / (2 * mass * c.m_e) / c.e) * 1e20  # eV Angstrom^2
    model = ome.KDotP(lambda k: scale * (k**2).sum(axis=1)[:, None, None] * np.eye(1), dimension=2, scale=0.1)
    mu = 0.1
    found = ome.compute(model, calculators=["drude_weight", "ohmic"], fermi=mu, temperature=temperature, tau=20.0)
    kT = temperature * units.KB
    filled = mu if kT == 0 else kT * np.log1p(np.exp(mu / kT))
    n = filled * c.e * mass * c.m_e / (2 * np.pi * c.hbar**2)
    D = n * c.e**2 / (mass * c.m_e)
    np.testing.assert_allclose(found.drude_weight.values[0], D * np.eye(2), rtol=1e-6, atol=1e-9 * D)
    np.testing.assert_allclose(found.ohmic.values[0], D * 20e-15 * np.eye(2), rtol=1e-6, atol=1e-9 * D * 20e-15)
    assert found.drude_weight.attrs["units"] == "S/s"
    assert found.ohmic.attrs["units"] == "S"
    assert found.ohmic.attrs["tau_fs"] == 20.0


@pytest.mark.parametrize(("temperature", "rtol"), [(0.0, None), (300.0, 1e-5)])
def test_dirac_cone(temperature, rtol):
    """M = mu e/2h in the gap of a massive cone and +-(gap/2) e/2h beyond, along rays to infinity: (e_v + e_c - 2 mu) Omega.

    At 300 K the mean of that with -df/de of a function of the level.
    """
    mass, v, x = 0.05, 4.0, np.linspace(-40, 40, 40001)
    sx, sy, sz = (np.array(s) for s in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
    model = ome.KDotP(lambda k: v * (k[:, 0, None, None] * sx + k[:, 1, None, None] * sy) + mass * sz, scale=mass / v)
    levels = np.array([-0.1, 0.0, 0.03])
    found = ome.compute(model, calculators=["magnetization"], fermi=levels, temperature=temperature, rtol=rtol)
    at = levels[:, None] + temperature * units.KB * x
    expected = (np.clip(at, -mass, mass) / (4 * np.cosh(x / 2) ** 2)).sum(axis=1) * (x[1] - x[0]) * E_OVER_H / 2
    np.testing.assert_allclose(found.magnetization.values[:, 0], expected, rtol=0, atol=1e-6 * mass * E_OVER_H)


def test_adaptive_and_mesh_agree():
    """The weight g in cells that converge by themselves: within the errors that both state."""
    toy = TOYS["metal_2d"]
    asked = ["magnetization", "magnetization_dmu", "drude_weight"]
    fine = ome.compute(toy.model, (96, 96, 1), asked, toy.fermi, temperature=300.0)
    cells = ome.compute(toy.model, calculators=asked, fermi=toy.fermi, temperature=300.0, rtol=1e-3)
    assert cells.attrs["converged"] == 1
    for name in asked:
        error = fine[f"{name}_error"] + cells[f"{name}_error"]
        assert (np.abs(fine[name] - cells[name]) <= error).all()
        assert (cells[f"{name}_error"].max() <= 1e-3 * np.abs(cells[name]).max()).all()
