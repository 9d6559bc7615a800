"""A calculator of one's own: the Chern number per band, integrated over the zone, scanned over the Fermi level.

A calculator is a name, what it is, and a function from the bands at some k points to weights per band. It then works wherever
the built-in ones do: compute, tabulate, pictures.
"""

import numpy as np

import ome_wannier as ome
from ome_wannier.calculators import Observable


def chern_weights(bands) -> np.ndarray:
    """The Berry curvature -2 Im sum_p R_x,np R_y,pn: (nk, band, 1) in Angstrom^2."""
    curvature = -2 * np.einsum("knp,kpn->kn", bands.connection(0), bands.connection(1)).imag
    return curvature[:, :, None]


chern = Observable(
    name="chern",
    long_name="Chern number of the occupied bands",
    kind="own",
    unit="1",
    factor=2 * np.pi,  # the integral over d^2k/(2 pi)^2, times 2 pi: a pure number
    occupation="sea",
    time_reversal=-1,
    inversion=+1,
    equation="C = 1/2pi int d^2k sum_n f_n Omega_n",
    reference="Thouless, Kohmoto, Nightingale, den Nijs, Phys. Rev. Lett. 49, 405 (1982)",
    weights=chern_weights,
    dims=("axis",),
)

# Qi, Wu and Zhang's model on a square lattice: s_z (u + cos kx + cos ky) + s_x sin kx + s_y sin ky, u = -1.2
s_x, s_y, s_z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
x, y = (s_z - 1j * s_x) / 2, (s_z - 1j * s_y) / 2  # hopping along +x and +y
R = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
H = np.array([-1.2 * s_z, x, x.conj().T, y, y.conj().T])
model = ome.TightBinding(np.diag([3.0, 3.0, 10.0]), R, H, centres=np.zeros((2, 3)), name="Qi-Wu-Zhang")

result = ome.compute(model, (60, 60, 1), [chern, "orbital_moment"], fermi=np.linspace(-2, 2, 9), temperature=0.0)
for level, value, error in zip(
    result.fermi.values, result["chern"].values[:, 0], result["chern_error"].values[:, 0], strict=True
):
    print(f"E_F = {level:4.1f} eV   C = {value:9.6f} +- {error:.1e}")
assert abs(abs(result["chern"].sel(fermi=0.0).item()) - 1) < 1e-6  # quantised in the gap
