"""
A magnet in the gap: VSe2
=========================

Ferromagnetic 1H-VSe2 under strain has neither time reversal nor inversion: an electric field makes an orbital moment even
where no current flows. How large is it, and by which mechanism?
"""

import ome_wannier as ome
from ome_wannier import plotting

# %%
# The library has its Wannier functions; your own files are loaded by their seedname.
model = ome.load("vse2")
print(model)

# %%
# One Fermi level, in the gap. A mesh of 24 x 24 points is coarse, and the errors say so.
result = ome.compute(model, (24, 24, 1), fermi=-0.28)
ome.summary(result)

# %%
# The mirror normal to x, combined with time reversal, forbids the moment from a field along x. What the Wannier functions,
# which obey their crystal but for noise, have of it is kept in the result, and is no answer.
print(result["total"].attrs["forbidden"], result["total"].attrs["forbidden_by"])

# %%
# The parts itinerant and local are large, of opposite sign, and uncertain where occupied bands come close; their sum is not.
# The cross-gap form of the same split has no such pairs.
for name in ("itinerant_crossgap", "local_crossgap", "interband"):
    value, error = (float(result[n].sel(moment="z", field="y").squeeze()) for n in (name, f"{name}_error"))
    print(f"{name:20} {value * 1e18:8.2f} +- {error * 1e18:.2f} aA m/V")

# %%
# The same as bars with errors, in another unit.
plotting.mechanisms(result, units="mu_B/nm^2 per V/nm").savefig("bars.png")
