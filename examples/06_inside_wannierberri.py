"""Inside WannierBerri: the orbital magneto-electric response beside WannierBerri's own calculators, in one run."""

import numpy as np
import wannierberri as wb

import ome_wannier as ome
from ome_wannier.adapters.wannierberri import export
from ome_wannier.plugins.wannierberri import OME, OMETabulator

# any System_R does, such as System_R.from_tb_dat(tb_file="Te_tb.dat", berry=True); this one is from the library
system = export(ome.load("te"))
system.set_pointgroup(["C3z", "C2x", "TimeReversal"])
grid = wb.Grid(system, NKdiv=6, NKFFT=2)
levels = np.linspace(5.6, 6.4, 9)  # eV

result = wb.run(
    system,
    grid,
    calculators={
        "dos": wb.calculators.static.DOS(Efermi=levels, save_mode="bin"),
        "ome": OME(Efermi=levels, calculators=["extrinsic", "total"], temperature=300.0, tau=10.0),
    },
    parallel=False,
)
alpha = result.results["ome"]["extrinsic"].data  # (Efermi, 3, 3): axis of the moment, axis of the field

print("Te, 12 x 12 x 12 points by symmetry; extrinsic response in A/V at 300 K, tau = 10 fs")
print("Fermi level (eV)   states (1/eV)     alpha_xx     alpha_zz")
for level, states, tensor in zip(levels, result.results["dos"].data, alpha, strict=True):
    print(f"{level:16.2f} {states:15.3f} {tensor[0, 0]:12.3e} {tensor[2, 2]:12.3e}")
print("time reversal forbids the intrinsic part:", np.abs(result.results["ome"]["total"].data).max(), "A/V")

path, bands = wb.evaluate_k_path(
    system,
    nodes=[[1 / 3, 1 / 3, 0.5], [0.0, 0.0, 0.5]],
    labels=["H", "A"],
    length=200,
    tabulators={"moment": OMETabulator("orbital_moment")},
    parallel=False,
)
moment = bands.results["moment"].data[:, 17, 2]
print(f"highest of the 18 bands between H and A: moment along z {moment.min():.3f} to {moment.max():.3f} e/hbar eV Angstrom^2")
