"""Moire continuum models: strained twisted bilayer graphene against filling, a twisted semiconductor against the field.

One valley each. Both valleys of graphene are filled alike: their extrinsic responses are equal and add, their intrinsic ones
cancel. Holes of the semiconductor are taken to polarise into one valley, which then has an intrinsic response. Threefold
rotations forbid a moment along z; strain breaks them. No number here is compared with a published one.
"""

from functools import partial

import numpy as np

import ome_wannier as ome
from ome_wannier.bands import Bands
from ome_wannier.calculators import Observable
from ome_wannier.lattices.moire import twisted_bilayer_graphene, twisted_tmd
from ome_wannier.units import convert_alpha

in_angstrom = partial(convert_alpha, unit="e2/hbar", dimension=2)  # A m/V to Angstrom e^2/hbar

print("Twisted bilayer graphene, 1.2 degrees, 0.3% heterostrain, 17 meV on one layer: extrinsic z<-x, z<-y of both valleys")
print("(nm e^2/hbar, tau = 1 ps, 20 K) against electrons per moire cell")
fillings = np.array([-2.0, -1.0, 1.0, 2.0])
print("strain angle" + "".join(f"{n:>18.0f}" for n in fillings))
for angle in (0.0, 15.0, 30.0):
    graphene = twisted_bilayer_graphene(
        theta=1.2, strain=0.003, strain_angle=angle, sublattice=0.017, w_aa=0.0797, w_ab=0.0975, cutoff=2
    )
    line, errors = [], []
    for n in fillings:  # half of them in this valley
        result = ome.compute(graphene, (30, 30, 1), ["extrinsic"], filling=n / 2, temperature=20.0, tau=1000.0)
        line.append("{:9.1f},{:8.1f}".format(*0.2 * in_angstrom(result.extrinsic.values[0, 0])))
        errors.append(0.2 * in_angstrom(result.extrinsic_error.values).max())
    print(f"{angle:9.0f}   " + "".join(line) + f"   errors of the mesh up to {max(errors):.1f}")

print("\nTwisted MoTe2, 2 degrees, 0.5% strain, one hole per cell in one valley, 10 K: intrinsic z<-y (Angstrom e^2/hbar)")
parts = ["total", "dipole", "local_intraband", "itinerant", "local"]
build = partial(twisted_tmd, theta=2.0, strain=0.005)
print("layer potential (meV) " + "".join(f"{name:>17}" for name in parts) + "   error of total")
for u in (0.0, 0.005, 0.01, 0.02, 0.04):
    result = ome.compute(build(displacement=u, cutoff=3), (24, 24, 1), parts, filling=-1, temperature=10.0)
    here = result.isel(fermi=0).sel(moment="z", field="y")
    print(f"{1000 * u:13.0f}         " + "".join(f"{in_angstrom(here[name].item()):17.3f}" for name in parts), end="")
    print(f"{in_angstrom(here.total_error.item()):17.3f}")


def of_highest(number: int) -> Observable:
    """The local part (field y) with intermediate states among the highest bands alone."""

    def weights(bands: Bands) -> np.ndarray:
        kept = np.arange(bands.energies.shape[1]) >= bands.energies.shape[1] - number
        inside = kept[:, None] & kept

        def circulation(m: int, n: int) -> np.ndarray:
            R = bands.connection(n) * inside
            P = (bands.velocity(m) * inside) @ R
            return (P + np.conj(np.swapaxes(P, 1, 2)) - bands.anticommute_with_group_velocity(m, R)) / 2

        operator = circulation(0, 1) - circulation(1, 0)
        return np.stack([bands.level_weights(bands.response(b) * inside, operator) for b in (0, 1)], axis=-1)[:, :, None]

    name = f"local_of_{number}"
    return Observable(name, name, "alpha", "sea", -1, -1, "local of the highest bands", "this example", weights)


print("\nThe local part at 20 meV against the number of bands that take part (60 there are)")
numbers = (2, 3, 4, 6, 10, 16, 30, 60)
result = ome.compute(
    build(displacement=0.02, cutoff=3), (24, 24, 1), [*map(of_highest, numbers), "local"], filling=-1, temperature=10.0
)
for number in numbers:
    print(f"{number:4d} bands {in_angstrom(result[f'local_of_{number}'].values[0, 0, 1]):10.4f}")
assert np.allclose(result["local_of_60"], result["local"], rtol=1e-6, atol=1e-30)

checked = ome.check_cutoff(
    partial(build, displacement=0.02), 3, kmesh=(12, 12, 1), calculators=["total", "local"], filling=-1, temperature=10.0
)
for name in ("total", "local"):
    moved, error = (abs(in_angstrom(checked[f"{name}_{what}"].values)).max() for what in ("cutoff_change", "error"))
    print(f"{name}: one more shell of plane waves changes it by {moved:.1e}, error estimate {error:.1e}")
