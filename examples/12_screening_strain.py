"""Six dichalcogenides, doped with holes, against strain and exchange: which moves most moment per field?

A list with ranges, as `ome-wannier screen list.toml` takes it; each row of the database is one material at one strain and
one exchange field. Without strain the threefold axis forbids the response: such rows are recorded, not integrated.
"""

from pathlib import Path

import matplotlib.pyplot as plt

import ome_wannier as ome

Path("list.toml").write_text(
    """
kmesh = [96, 96, 1]
calculators = ["total", "extrinsic", "quantum_metric"]
temperature = 300

[[model]]
material = "tmd-three-band"
filling = 1.9                       # of six bands two are full without holes
combine = "grid"                    # every combination of

[model.parameters]
material = ["MoS2", "WS2", "MoSe2", "WSe2", "MoTe2", "WTe2"]
strain = {start = 0.0, stop = 0.04, number = 2}
exchange = [0.0, 0.05]              # eV
"""
)
print(ome.screen("list.toml", "strain.db", workers=2))

table = ome.rank("strain.db", by="max|extrinsic|", where="extrinsic_max > 0")
columns = ["p_material", "p_strain", "p_exchange", "extrinsic_max", "extrinsic_max_error", "extrinsic_element", "total_max"]
print(table[columns].to_string(index=False, float_format="{:.3g}".format))

figure, axes = plt.subplots(figsize=(6.5, 6.5), layout="constrained")
labels = [f"{r.p_material}, strain {r.p_strain:.0%}, exchange {r.p_exchange * 1e3:.0f} meV" for r in table.itertuples()]
colours = ["#0072B2" if exchange else "#56B4E9" for exchange in table["p_exchange"]]
axes.barh(labels, table["extrinsic_max"] * 1e15, xerr=table["extrinsic_max_error"] * 1e15, color=colours, ecolor="0.4")
axes.invert_yaxis()
axes.set_xlabel(r"largest extrinsic $|\alpha|$ (fA m/V)")
axes.set_title("0.1 holes per cell, 300 K, relaxation time 10 fs", fontsize="medium")
figure.savefig("strain.png", dpi=150)
print("wrote strain.png")
