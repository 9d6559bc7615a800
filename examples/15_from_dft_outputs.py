"""From the outputs of a DFT calculation to a response and its doubts: VSe2, whose calculation is materials/vse2/dft/run.py.

For Cr2O3 the scripts of materials/cr2o3/dft do this for several meshes of k points; the handbook's page from_dft says what came
of it.
"""

import ome_wannier as ome

model = ome.load("vse2")  # VSe2_tb.dat and what lies beside it; a seed of yours goes here as well
exact = ome.symmetrize(model).model
asked = {"kmesh": (60, 60, 1), "calculators": ["total"], "fermi": -0.28, "temperature": 300.0}
as_it_is, result = ome.compute(model, **asked), ome.compute(exact, **asked, basis=18)

here = {"moment": "z", "field": "y"}
value, error, noisy = (float(x.sel(here)[0]) for x in (result["total"], result["total_error"], as_it_is["total"]))
doubts = {
    "points of the sum over k": error,
    "symmetry that the functions break": abs(value - noisy),
    "bands above the lowest 18": abs(value) * result["total"].attrs["basis_change"],
}
print(f"VSe2 at -0.28 eV, total, {here['moment']}{here['field']}: {value:.3g} {result['total'].attrs['units']}")
for of, size in doubts.items():
    print(f"{of:34} {size:.1g}")
print("not among them: k points and cutoff of the DFT calculation, its functional, states outside the functions")
