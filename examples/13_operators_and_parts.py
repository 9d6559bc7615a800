"""Which atoms make a response, by which operator, and how it turns with the magnetization."""

import numpy as np

import ome_wannier as ome
from ome_wannier.lattices.tmd import tmd

# tellurium: the orbital magnetization of a current, what each atom has of it, and the angular momentum around the atoms
te = ome.load("te")
pz, px, py = 0, 1, 2
p_shells = [ome.operators.Orbital(1, m, (atom,), spin=s) for atom in range(3) for m in (pz, px, py) for s in "ud"]
te = ome.operators.with_angular_momentum(te, p_shells)  # or a seedname, whose projections say the same
result = ome.compute(te, (24, 24, 20), ["extrinsic", "L_extrinsic"], fermi=5.8, temperature=1500.0, by="site")
print(ome.summary(result))

# a hole-doped ferromagnetic monolayer: spin and torque that a current makes, as the exchange field turns from z to x
print("angle   spin_z per E_x (A m/V)   torque_y per E_x (eV/m/V)")
for degrees in np.linspace(0, 90, 4):
    angle = np.radians(degrees)
    model = tmd(material="WSe2", strain=0.03, exchange=(0.1 * np.sin(angle), 0.0, 0.1 * np.cos(angle)))
    model = ome.operators.with_torque(model)
    at = ome.compute(model, (48, 48, 1), ["spin_extrinsic", "torque_extrinsic"], fermi=-0.05, temperature=1000.0).isel(fermi=0)
    spin, torque = {"spin_moment": "z", "field": "x"}, {"operator_component": "y", "field": "x"}
    numbers = [at[f"spin_extrinsic{end}"].sel(spin).item() for end in ("", "_error")]
    numbers += [at[f"torque_extrinsic{end}"].sel(torque).item() for end in ("", "_error")]
    print("{:5.0f}   {:9.2e} +- {:.0e}       {:9.2e} +- {:.0e}".format(degrees, *numbers))
