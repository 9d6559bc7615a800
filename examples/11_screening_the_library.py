"""All materials of the library into one database, then a table and a page to look at.

The meshes are far too small for numbers that one would quote, so that it ends within a minute: the errors say so. What is
in the database is not computed again: run it twice.
"""

from pathlib import Path

import ome_wannier as ome
from ome_wannier.report import report

tables = ['calculators = ["total", "extrinsic", "quantum_metric", "dipole_polarizability"]']
for entry in map(ome.materials.entry, ome.materials.names()):
    around, mesh = "-0.2:0.2:5", ""  # Fermi levels in eV, from that of the material
    if entry.kmesh is None:  # k.p models are integrated along rays, each level for itself
        around = "-0.02:0.02:2"
    else:
        mesh = f"kmesh = {[4, 4, 4] if entry.kmesh[2] > 1 else [6, 6, 1]}"
    tables.append(f'[[model]]\nmaterial = "{entry.name}"\naround = "{around}"\n{mesh}')
Path("library.toml").write_text("\n".join(tables))
print(ome.screen("library.toml", "library.db", workers=2))

for dimension, unit in ((2, "A m/V"), (3, "A/V")):
    table = ome.rank("library.db", by="max|total|", where=f"dimension == {dimension}")
    print(f"\nlargest intrinsic response of {dimension}D materials, {unit}")
    columns = ["name", "total_max", "total_max_error", "total_element", "extrinsic_max", "gap", "metric", "bands_needed"]
    print(table[columns].to_string(index=False, float_format="{:.3g}".format, na_rep=""))

print(f"\nwrote {report('library.db', 'library.html')}")
