"""
A metal without magnetism: tellurium, tau and the current
=========================================================

Trigonal tellurium is chiral and not magnetic: time reversal forbids the intrinsic response. A current magnetises it all the
same, in proportion to the relaxation time: the extrinsic, or kinetic, response.
"""

import numpy as np

import ome_wannier as ome
from ome_wannier import plotting

# %%
# Levels from the valence band into the gap that PBE closes; two temperatures.
model = ome.load("te")
levels = np.linspace(5.7, 6.1, 21)
result = ome.compute(model, (24, 24, 24), ["total", "extrinsic"], fermi=levels, temperature=[300.0, 600.0], tau=10.0)
ome.summary(result, units="ps/m")

# %%
# A Fermi surface is sharp: at 300 K such a mesh does not resolve it everywhere, and the grey bands say where.
plotting.compare(result, units="ps/m").savefig("te.png")

# %%
# tau multiplies the response, and nothing else: what is measured per current does not depend on it. Twice the relaxation time
# is twice the moment per field, at twice the current.
at = result["extrinsic"].sel(moment="z", field="z", temperature=300.0).isel(fermi=3)
print(f"alpha_zz / tau = {float(at) / 10.0 * 1e6:.3g} uA/V per fs")
