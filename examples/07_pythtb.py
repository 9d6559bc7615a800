"""From PythTB and back: Haldane's model with one strong bond, built with PythTB 1.8 or 2, and its magnetoelectric response."""

import pythtb

import ome_wannier as ome

lattice, orbitals = [[2.5, 0.0], [1.25, 2.165]], [[1 / 3, 1 / 3], [2 / 3, 2 / 3]]  # lengths are taken as Angstrom
if hasattr(pythtb, "TBModel"):
    haldane = pythtb.TBModel(pythtb.Lattice(lattice, orbitals, periodic_dirs=[0, 1]))
else:
    haldane = pythtb.tb_model(2, 2, lattice, orbitals)
haldane.set_onsite([1.0, -1.0])
haldane.set_hop(-1.3, 0, 1, [0, 0])
for R in ([-1, 0], [0, -1]):
    haldane.set_hop(-1.0, 0, 1, R)
for R in ([1, 0], [-1, 1], [0, -1]):
    haldane.set_hop(0.1 + 0.1j, 0, 0, R)
    haldane.set_hop(0.1 - 0.1j, 1, 1, R)

model = ome.load(haldane)
result = ome.compute(model, (60, 60, 1), ["total"], fermi=-0.3)
for field in ("x", "y"):
    value, error = (result[name].sel(moment="z", field=field).item() for name in ("total", "total_error"))
    print(f"alpha_z{field} = {value:9.2e} +- {error:.1e} {result['total'].attrs['units']}")

# any model without position matrix elements goes to PythTB as it is: here the same one
back = ome.load(ome.to_pythtb(model))
again = ome.compute(back, (60, 60, 1), ["total"], fermi=-0.3)
print(f"through PythTB and back: changed by {abs(again['total'] - result['total']).max().item():.0e}")
