"""A tight-binding model of one's own: Haldane's honeycomb lattice, with one bond of the three stronger.

Equal bonds leave a three-fold axis, which forbids a response of M_z to fields in the plane; a stronger bond breaks it.
"""

import numpy as np

import ome_wannier as ome

PARTS = ["dipole", "local_intraband", "itinerant", "local"]


def honeycomb(bond: float) -> ome.TightBinding:
    """Sites A and B with energies +-0.6 eV, bonds -1 eV (one of them times `bond`), 0.15 exp(+-i pi/4) eV around hexagons."""
    lattice = np.array([[2.5, 0, 0], [1.25, 2.165, 0], [0, 0, 10.0]])  # rows, Angstrom
    from_B_to_A = np.array([[0, -1.0], [0, 0]])
    around = 0.15 * np.diag(np.exp([0.25j * np.pi, -0.25j * np.pi]))
    R, H = [(0, 0, 0)], [np.diag([0.6, -0.6]) + bond * (from_B_to_A + from_B_to_A.T)]
    for vector, matrix in [((-1, 0, 0), from_B_to_A + around.conj()), ((0, -1, 0), from_B_to_A + around), ((-1, 1, 0), around)]:
        R += [vector, (-vector[0], -vector[1], 0)]
        H += [matrix, matrix.conj().T]  # H(-R) = H(R)^+
    centres = np.array([[1 / 3, 1 / 3, 0], [2 / 3, 2 / 3, 0]]) @ lattice
    return ome.TightBinding(lattice, R, np.array(H), centres=centres)


for bond in (1.0, 1.3):
    result = ome.compute(honeycomb(bond), (60, 60, 1), [*PARTS, "total"], fermi=-0.3)  # in the gap
    result = result.sel(moment="z", field=["x", "y"])  # the elements that are split; all others of a flat layer are zero
    print(f"one bond {bond:g} times the others: alpha_zx, alpha_zy in {result['total'].attrs['units']}")
    for name in [*PARTS, "total"]:
        print(f"  {name:16}", *(f"{value:10.2e}" for value in result[name].values.ravel()))
    parts = sum(result[name] for name in PARTS)
    assert np.allclose(parts, result["total"], rtol=1e-9, atol=1e-25)  # A m/V
