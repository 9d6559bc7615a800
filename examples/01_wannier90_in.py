"""Wannier90 files in, response tensor out: ferromagnetic VSe2 under strain, from the library that comes with the package."""

import ome_wannier as ome

model = ome.load("vse2")  # or the path of your own files: "some/folder/seedname"
result = ome.compute(
    model,
    kmesh=(48, 48, 1),  # coarse, for speed: the error says what that costs
    calculators=["total", "extrinsic"],
    fermi=[-0.60, -0.28, 0.10],  # eV: in the valence band, in the gap, in the conduction band
    temperature=300.0,  # K
    tau=10.0,  # fs
)
for name in ("total", "extrinsic"):
    print(f"{name}: {result[name].attrs['long_name']}, in {result[name].attrs['units']}")
    for level in result.fermi.values:
        here = result.sel(fermi=level, moment="z")
        for field in ("x", "y"):
            value, error = here[name].sel(field=field).item(), here[f"{name}_error"].sel(field=field).item()
            print(f"  E_F = {level:5.2f} eV   M_z per E_{field}: {value:10.2e} +- {error:.1e}")

ome.save(result, "vse2.nc")
print("to cite:\n" + ome.cite("vse2"))
