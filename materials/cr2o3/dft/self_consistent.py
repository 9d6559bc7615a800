"""What the orbital response of Cr2O3 gains where density and exchange field follow the electric field.

    python espresso.py ...                                    folders density40, density70, states70_2, mesh2, as there
    python screening.py 40 2                                  electrons and m_z in a field: folder screening40_2
    python tilt.py screening40_2 states70_2                   m_x and m_y: tilt.npy
    python moved.py mesh2 states70_2 screening40_2 0.005      functions of the Hamiltonian that these make: folder mesh2_moved
    python self_consistent.py mesh2_moved 0.005               LC and IC

To first order the response is that of the states at a fixed Hamiltonian, which the package and finite_field.py have, and

    [M(H[rho(E)]) - M(H[rho(0)])] / E ,

M the orbital magnetization of the states of no field. M of rho(0) is zero. Fields are along x and z together: M_x / E is the
response across the threefold axis, M_z / E that along it. The part of M_x by tilted moments stands turned by 120 degrees.
"""

import sys
from pathlib import Path

import numpy as np
from espresso import ELECTRONS, SEED, points

#: mu_0 e^2/2hbar in ps/m; V/Angstrom of a field of 1 Ry/bohr
PS_PER_M, FIELD = 152.944, 25.7110


def moments(model, k: np.ndarray, occupied: int) -> np.ndarray:
    """LC and IC (2, 3) of the magnetization, in e/2hbar eV/Angstrom, the mean over k, from functions and what is outside.

    LC = eps_cab Im sum_o <D_a o|H|D_b o>, IC = eps_cab Im sum_o e_o <D_a o|D_b o>, where |D_a o> is |d_a o> without what is
    occupied: -i R_a,xo in the empty bands x of the functions, and what is outside (physics.md eqs. 60 to 62).
    """
    from ome_wannier.bands.bands import Bands
    from ome_wannier.bands.degeneracy import Degeneracy
    from ome_wannier.bands.outside_basis import outside_moments

    found, o, x = np.zeros((2, 3)), slice(0, occupied), slice(occupied, None)
    for some in np.array_split(k, len(k) // 8 + 1):
        bands = Bands(model, some, curvature=True, degeneracy=Degeneracy(1e-7))
        e, R, outside = bands.energies, bands.connections[:, :, x, o], outside_moments(bands)
        for c, (a, b) in enumerate(bands.pairs):
            N = {d: outside.N[d][:, x, o] for d in (a, b)}
            RHR = np.einsum("kxo,kx,kxo->", R[:, a].conj(), e[:, x], R[:, b])
            RHR += np.einsum("kxo,kxo->", R[:, a].conj(), N[b]) - np.einsum("kxo,kxo->", R[:, b].conj(), N[a])
            RRe = np.einsum("kxo,kxo,ko->", R[:, a].conj(), R[:, b], e[:, o])
            K, F = (np.einsum("koo->ko", X[a, b][:, o, o]).real for X in (outside.K, outside.F))
            found[:, c] += 2 * RHR.imag - K.sum(), 2 * RRe.imag - (e[:, o] * F).sum()
    return found / len(k) / abs(np.linalg.det(model.lattice))


if __name__ == "__main__":
    import ome_wannier as ome

    folder, field = Path(sys.argv[1]), float(sys.argv[2]) * FIELD
    x, y, z = (PS_PER_M * moments(ome.load(folder / SEED), np.array(points(6)), ELECTRONS) / field).T
    tilt = y / np.sqrt(0.75)
    for name, M in (("electrons, m_z", x + tilt / 2), ("tilt", tilt), ("both", x + 1.5 * tilt), ("along, without tilt", z)):
        print(f"{name:20}", "LC {:8.4f} IC {:8.4f} LC+IC {:8.4f}".format(*M, M.sum()))
