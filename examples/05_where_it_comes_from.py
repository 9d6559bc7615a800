"""Where in k space a response comes from: a map of the Brillouin zone and bands coloured by their orbital moment."""

import ome_wannier as ome
from ome_wannier import plotting

model = ome.load("vse2")
fermi = -0.55  # eV, in the valence band

plotting.zone_map(model, "total", fermi, component="zy", shape=(80, 80), path="vse2_map.png")
plotting.bands(model, calculator="orbital_moment", component="z", fermi=fermi, n=160, path="vse2_bands.png")

# the numbers behind the pictures: energies and weights per band at any k points
table = ome.tabulate(model, [[0.0, 0.0, 0.0], [1 / 3, 1 / 3, 0.0]], ["orbital_moment"])
print("band energy (eV) and orbital moment (e/hbar eV Angstrom^2) of the highest occupied band, at Gamma and K")
for energy, moment in zip(table["energy"].values[:, 12], table["orbital_moment"].values[:, 12, 0], strict=True):
    print(f"{energy:8.3f} {moment:8.3f}")
print("wrote vse2_map.png and vse2_bands.png")
