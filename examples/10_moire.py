"""Moire continuum models: strained twisted bilayer graphene against filling, a twisted semiconductor against filling and field.

One valley each. Both valleys of graphene are filled alike: their extrinsic responses are equal and add, their intrinsic ones
cancel. Holes of the semiconductor are taken to polarise into one valley, which then has an intrinsic response. Threefold
rotations forbid a moment along z; strain breaks them. No number here is compared with a published one.
"""

from functools import partial

import numpy as np

import ome_wannier as ome
from ome_wannier.lattices.moire import twisted_bilayer_graphene, twisted_tmd
from ome_wannier.units import convert_alpha

in_angstrom = partial(convert_alpha, unit="e2/hbar", dimension=2)  # A m/V to Angstrom e^2/hbar

print("Twisted bilayer graphene, 1.2 degrees, 0.3% heterostrain, 17 meV on one layer: extrinsic z<-x, z<-y of both valleys")
print("(nm e^2/hbar, tau = 1 ps, 20 K) against electrons per moire cell")
mesh, fillings = (36, 36, 1), np.array([-2.0, -1.0, 1.0, 2.0])
print("strain angle" + "".join(f"{n:>18.0f}" for n in fillings))
for angle in (0.0, 15.0, 30.0):
    graphene = twisted_bilayer_graphene(
        theta=1.2, strain=0.003, strain_angle=angle, sublattice=0.017, w_aa=0.0797, w_ab=0.0975, cutoff=2
    )
    levels = ome.fermi_levels(graphene, mesh, fillings / 2, 20.0)  # half of the electrons are in this valley
    result = ome.compute(graphene, mesh, ["extrinsic"], levels, temperature=20.0, tau=1000.0)
    result = result.sel(moment="z", field=["x", "y"])
    both = 0.2 * in_angstrom(result.extrinsic.values)  # two valleys, ten Angstrom in a nanometre
    error = 0.2 * in_angstrom(result.extrinsic_error.values).max()
    print(f"{angle:9.0f}   " + "".join(f"{x:9.1f},{y:8.1f}" for x, y in both) + f"   errors of the mesh up to {error:.1f}")

print("\nTwisted MoTe2, 2 degrees, 0.5% strain, one valley, 10 K: intrinsic z<-y (Angstrom e^2/hbar) against holes per cell,")
print("and the parts of the response at one hole")
mesh, fillings = (24, 24, 1), np.array([-1.5, -1.0, -0.5])
parts = ["total", "dipole", "local_intraband", "itinerant", "local"]
build = partial(twisted_tmd, theta=2.0, strain=0.005, cutoff=3)
print("layer potential (meV)" + "".join(f"{-n:>13.1f}" for n in fillings) + "".join(f"{name:>17}" for name in parts[1:]))
for u in (0.0, 0.005, 0.01, 0.02):
    model = build(displacement=u)
    levels = ome.fermi_levels(model, mesh, fillings, 10.0)
    here = ome.compute(model, mesh, parts, levels, temperature=10.0).sel(moment="z", field="y")
    totals = zip(in_angstrom(here.total.values), in_angstrom(here.total_error.values), strict=True)
    print(f"{1000 * u:13.0f}        " + "".join(f"{x:7.3f}+-{e:.2f}" + "  " for x, e in totals), end="")
    print("".join(f"{in_angstrom(here[name].values[1]):17.3f}" for name in parts[1:]))

print("\nAt 20 meV and one hole most of it is the local part. With intermediate states among the highest bands alone it is")
numbers = (2, 3, 4, 6, 10, 20)
within = [ome.local_within(-n) for n in numbers]
model = build(displacement=0.02)
result = ome.compute(model, mesh, ["total", "local", *within], filling=-1, temperature=10.0).isel(fermi=0)
print("bands " + "".join(f"{n:9d}" for n in numbers) + "      all    total")
names = [*(o.name for o in within), "local", "total"]
print("      " + "".join(f"{in_angstrom(result[name].sel(moment='z', field='y').item()):9.4f}" for name in names))

checked = ome.check_cutoff(
    partial(twisted_tmd, theta=2.0, strain=0.005, displacement=0.02), 3, kmesh=(12, 12, 1), calculators=["total", "local"],
    filling=-1, temperature=10.0,
)  # fmt: skip
for name in ("total", "local"):
    moved, error = (np.nanmax(abs(in_angstrom(checked[f"{name}_{what}"].values))) for what in ("cutoff_change", "error"))
    print(f"{name}: one more shell of plane waves changes it by {moved:.1e}, error estimate {error:.1e}")
