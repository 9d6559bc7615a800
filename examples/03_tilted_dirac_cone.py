"""A k.p model, against the closed form: the tilted massive Dirac cone H = v_t k_x + m s_z + a (k_y s_x - k_x s_y).

With the Fermi level in the gap alpha_zy = -v_t / (12 pi m) in units of e^2/hbar Angstrom, for any tilt.
"""

import numpy as np

import ome_wannier as ome
from ome_wannier.units import convert_alpha

a, m, v_t = 4.0, 0.01, 0.8  # eV Angstrom, eV, eV Angstrom
s_x, s_y, s_z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])


def hamiltonian(k: np.ndarray) -> np.ndarray:
    """(nk, 2, 2) in eV from k (nk, 2) in 1/Angstrom; derivatives are taken by the package."""
    kx, ky = k[:, 0, None, None], k[:, 1, None, None]
    return v_t * kx * np.eye(2) + m * s_z + a * (ky * s_x - kx * s_y)


cone = ome.KDotP(hamiltonian, scale=m / a, name="tilted Dirac cone")
levels = [0.0, 0.0101, 0.015, 0.03]  # eV; the first in the gap
result = ome.compute(cone, ome.PolarMesh(), ["dipole", "itinerant", "total", "extrinsic"], levels, temperature=0.0, tau=10.0)

print("E_F (eV)   dipole zy   itinerant zy   total zy   (e^2/hbar Angstrom)")
for level in levels:
    here = result.sel(fermi=level, moment="z", field="y")
    numbers = [convert_alpha(here[name].item(), "e2/hbar", dimension=2) for name in ("dipole", "itinerant", "total")]
    print(f"{level:8.4f} {numbers[0]:11.6f} {numbers[1]:14.6f} {numbers[2]:10.6f}")

closed_form = -v_t / (12 * np.pi * m)
computed = convert_alpha(result["total"].sel(fermi=0.0, moment="z", field="y").item(), "e2/hbar", dimension=2)
print(f"in the gap: {computed:.12f}, closed form {closed_form:.12f}")
assert abs(computed / closed_form - 1) < 1e-9
