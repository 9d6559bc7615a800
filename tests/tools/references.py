"""Reference values of the library: computes them and writes them at the end of each material.toml (`make references`)."""

from __future__ import annotations

import sys
from pathlib import Path

import ome_wannier as ome
from ome_wannier.sources.library import entry, library, load
from ome_wannier.sources.library_entry import Reference

MARK = "# below: written by tests/tools/references.py"

#: name: quantity, element, Fermi level (eV), temperature (K), mesh
WANTED: dict[str, list[tuple[str, str, float, float, tuple[int, int, int] | None]]] = {
    "anisotropic-dirac": [("total", "zx", 0.0, 0.0, None)],
    "bernal-graphene": [("extrinsic", "zx", 0.03, 100.0, (1440, 1440, 1))],
    "bi2se3-slab": [("total", "zy", 0.03, 100.0, (192, 192, 1))],
    "carbon-nanotube": [("extrinsic", "zz", 1.2, 300.0, (1, 1, 768))],
    "cr2o3": [("total", "xx", 8.2379, 300.0, (6, 6, 6)), ("total", "zz", 8.2379, 300.0, (6, 6, 6))],
    "cumnas": [("total", "xz", 8.7045, 300.0, (12, 12, 8)), ("total", "zx", 8.7045, 300.0, (12, 12, 8))],
    "cumnas-minimal": [("total", "zx", -1.0, 300.0, (192, 192, 1))],
    "graphene": [("extrinsic", "zx", -0.2, 300.0, (576, 576, 1))],
    "haldane": [("total", "zy", 0.0, 300.0, (96, 96, 1)), ("extrinsic", "zx", -1.0, 300.0, (144, 144, 1))],
    "hbn": [("extrinsic", "zx", -3.4, 300.0, (288, 288, 1))],
    "kane-mele": [("extrinsic", "zx", -0.3, 300.0, (288, 288, 1))],
    "malashevich-cube": [("total", "zz", -3.0, 100.0, (18, 18, 18)), ("total", "xy", -3.0, 100.0, (18, 18, 18))],
    "mnbi2te4-slab": [("total", "zy", 0.0, 100.0, (192, 192, 1))],
    "mos2": [("extrinsic", "zx", -0.5, 300.0, (144, 144, 1))],
    "mote2-twisted": [("total", "zy", 0.018, 50.0, (64, 64, 1))],
    "stacked-honeycomb": [("extrinsic", "zz", 1.0, 300.0, (96, 96, 96)), ("extrinsic", "xx", 1.0, 300.0, (96, 96, 96))],
    "tbg": [("extrinsic", "zy", 0.02, 100.0, (36, 36, 1))],
    "tbg-atomistic": [("extrinsic", "zx", 0.5, 600.0, (144, 144, 1))],
    "tmd-three-band": [("extrinsic", "zx", -0.1, 300.0, (96, 96, 1))],
    "te": [("extrinsic", "xx", 5.9, 300.0, (64, 64, 52)), ("extrinsic", "zz", 5.9, 300.0, (64, 64, 52))],
    "tilted-dirac": [("total", "zy", 0.0, 0.0, None), ("total", "zy", 0.02, 0.0, None)],
    "tilted-dirac-lattice": [("total", "zy", 0.0, 300.0, (288, 288, 1))],
    "vse2": [("total", "zy", -0.281, 300.0, (48, 48, 1)), ("extrinsic", "zx", -0.5, 300.0, (96, 96, 1))],
}


def computed(name: str, quantity: str, element: str, fermi: float, T: float, mesh: tuple[int, int, int] | None) -> Reference:
    """One value of the library's model as it is."""
    result = ome.compute(load(name), mesh, [quantity], fermi, temperature=T, tau=10.0)
    value, error = (float(result[key].sel(moment=element[0], field=element[1])[0]) for key in (quantity, f"{quantity}_error"))
    unit = result[quantity].attrs["units"]
    return Reference(
        quantity=quantity, element=element, fermi=fermi, temperature=T, value=value, error=error, unit=unit, kmesh=mesh
    )


def block(reference: Reference) -> str:
    """The reference as TOML."""
    lines = ["[[reference]]", f'quantity = "{reference.quantity}"', f'element = "{reference.element}"']
    lines += [f"{key} = {getattr(reference, key)!r}" for key in ("fermi", "temperature")]
    lines += [f"value = {reference.value:.8e}", f"error = {reference.error:.1e}", f'unit = "{reference.unit}"']
    return "\n".join(lines + ([f"kmesh = {list(reference.kmesh)}"] if reference.kmesh else []))


def main(names: list[str]) -> None:
    """Write the values of these entries, or of all."""
    for name in names or WANTED:
        assert entry(name)
        path: Path = library() / name / "material.toml"
        blocks = [block(computed(name, *what)) for what in WANTED[name]]
        head = path.read_text(encoding="utf-8").split(MARK)[0].rstrip()
        path.write_text("\n\n".join([head, MARK, *blocks]) + "\n", encoding="utf-8")
        print(f"== {path}", *blocks, sep="\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
