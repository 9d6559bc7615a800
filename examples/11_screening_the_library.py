"""All materials of the library into one database, then a table and a page to look at.

The meshes are far too small for numbers that one would quote, so that it ends within a minute: the errors say so. What is
in the database is not computed again: run it twice.
"""

from pathlib import Path

import ome_wannier as ome
from ome_wannier.report import report

tables = ['calculators = ["total", "extrinsic", "quantum_metric", "dipole_polarizability"]']
for entry in map(ome.materials.entry, ome.materials.names()):
    few = 2 if entry.kmesh and min(entry.kmesh) > 1 else 4
    mesh = [min(n, few) for n in entry.kmesh or (4, 4, 1)]  # without one, or rtol, they would converge
    around = "-0.2:0.2:3" if entry.kmesh else "-0.02:0.02:2"  # eV from the Fermi level; k.p models take each level for itself
    tables.append(f'[[model]]\nmaterial = "{entry.name}"\naround = "{around}"\nkmesh = {mesh}')
Path("library.toml").write_text("\n".join(tables))
print(ome.screen("library.toml", "library.db", workers=2))

for dimension, unit in ((2, "A m/V"), (3, "A/V")):
    table = ome.rank("library.db", by="max|total|", where=f"dimension == {dimension}")
    print(f"\nlargest intrinsic response of {dimension}D materials, {unit}")
    columns = ["name", "total_max", "total_max_error", "total_element", "extrinsic_max", "gap", "metric", "bands_needed"]
    print(table[columns].to_string(index=False, float_format="{:.3g}".format, na_rep=""))

print(f"\nwrote {report('library.db', 'library.html')}")
