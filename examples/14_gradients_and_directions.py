"""What a gradient of the temperature makes, and what turning the magnetization changes: a strained dichalcogenide.

The Seebeck coefficient has its sign from the carriers, the Mott formula its size at low temperatures. The exchange field of a
magnetic substrate is turned from the normal into the plane; a `SystemSOC` of WannierBerri may stand in place of the function.
"""

import numpy as np

import ome_wannier as ome
from ome_wannier.lattices.tmd import tmd


def magnet(theta: float, phi: float) -> ome.TightBinding:
    """0.1 eV of exchange along the direction in degrees."""
    t, p = np.deg2rad([theta, phi])
    return tmd(strain=0.03, exchange=tuple(0.1 * np.array([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)])))


levels = [-0.2, -0.19, -0.18]
names = ["ohmic", "ohmic_thermal", "extrinsic", "extrinsic_thermal"]
T = 150.0
result = ome.compute(tmd(strain=0.03), (240, 240, 1), names, levels, temperature=T)
print(ome.summary(result, fermi=-0.19))
seebeck = -(result["ohmic_thermal"] / result["ohmic"]).sel(position="x", field="x")
slope = np.log(result["ohmic"].sel(position="x", field="x")).differentiate("fermi")
mott = -(np.pi**2) / 3 * ome.units.KB**2 * T * slope  # below zero of electrons
found, expected = (1e6 * float(x.sel(fermi=-0.19)) for x in (seebeck, mott))
print(f"Seebeck coefficient along x: {found:.2f} µV/K, Mott's formula {expected:.2f} µV/K")
assert abs(found / expected - 1) < 0.05

angles = [0.0, 30.0, 60.0, 90.0]
turned = ome.spin_directions(magnet, angles, kmesh=(96, 96, 1), calculators=["total", "spin"], fermi=-0.19, temperature=600.0)
print("theta   total zy (A m/V)")
for theta, value in zip(angles, turned["total"].sel(moment="z", field="y").values[:, 0], strict=True):
    print(f"{theta:5.0f} {value:17.4e}")
