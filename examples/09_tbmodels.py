"""TBmodels files: write a model, read it as TBmodels would, compute. TBmodels itself need not be installed."""

from importlib.util import find_spec

import numpy as np

import ome_wannier as ome
from ome_wannier.adapters import tbmodels as adapter

hopping = np.array([[-0.5, 0.2j], [0.1, 0.4]])
R = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)]
H = np.array([np.diag([1.0, -1.0]), hopping, hopping.conj().T, 1j * hopping, -1j * hopping.conj().T])
model = ome.TightBinding(np.diag([3.0, 3.0, 10.0]), R, H, centres=[(0.0, 0.0, 0.0), (1.5, 1.0, 0.3)])
adapter.write(model, "model.hdf5")

if find_spec("tbmodels"):
    import tbmodels

    there = tbmodels.Model.from_hdf5_file("model.hdf5")
    print("TBmodels finds", there.eigenval([0.1, 0.2, 0.0]).round(6), "eV at (0.1, 0.2, 0)")
    loaded = ome.load(there)  # a live object
else:
    loaded = ome.load("model.hdf5")
print("here:", np.linalg.eigvalsh(loaded.matrices(np.array([[0.1, 0.2, 0.0]]), 0).H[0]).round(6), "eV")
result = ome.compute(loaded, (60, 60, 1), ["total", "extrinsic"], fermi=-1.0)
for name in ("total", "extrinsic"):
    x, y = result[name].sel(moment="z", field=["x", "y"]).values.ravel()
    print(f"{name}: alpha_zx = {x:9.2e}, alpha_zy = {y:9.2e} {result[name].attrs['units']}")
