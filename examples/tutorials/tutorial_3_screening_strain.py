"""
Many materials: strained dichalcogenides
========================================

A list of materials and parameters becomes rows of a database, computed once, ranked by what exceeds its error.
"""

import tempfile
from pathlib import Path

import ome_wannier as ome

# %%
# The list: a built entry of the library with two chemistries and three strains. The keys are those of a run.
LIST = """
kmesh = [24, 24, 1]
around = {start = -0.2, stop = 0.2, number = 9}
calculators = ["total", "extrinsic"]

[[model]]
material = "tmd-three-band"
parameters = {material = ["MoS2", "WS2"], strain = {start = 0.0, stop = 0.04, number = 3}}
"""
folder = Path(tempfile.mkdtemp())
(folder / "list.toml").write_text(LIST)
counts = ome.screen(folder / "list.toml", folder / "screening.db")
print(counts)

# %%
# Without strain the threefold axis forbids every element: nothing is integrated, and the row says "none".
ranked = ome.rank(folder / "screening.db", "max|extrinsic|")
print(ranked[["name", "extrinsic_max", "extrinsic_max_error", "extrinsic_element", "p_strain"]].to_string())
