"""Cr2O3 from DFT to the orbital response, with its error budget.

    python tensor.py dft 2 3             GPAW and Wannier90: folders mesh2, mesh3 (`pip install gpaw ase scipy`)
    python tensor.py alpha mesh2 mesh3   the tensors of all folders, and the budget of the last one (`ome_wannier[spn]`)

`dft --chromium 14` has Cr 3s and 3p among the states, in folders mesh2_14 and so on. budget.txt is what `alpha` printed.
The budget has what a variant of a folder changes, mesh2_14 against mesh2. espresso.py makes folders of Quantum ESPRESSO.
The functions of the library, which are older (no dipoles of the spheres in the overlaps), come from run.py.
"""

import argparse
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from overlaps import SEED, prepare, write_sums

#: bands per spin that are kept, up to 60 eV; k points of the interpolated sum; share of the bands in the shorter sums
BANDS, POINTS, SHARE = 150, 6, 2 / 3
NAMES = {"LC": "local_crossgap", "IC": "itinerant_crossgap", "LC+IC": "total"}


def dft(mesh: int, chromium: str) -> None:
    from states import density, states

    folder = Path(f"mesh{mesh}" + ("" if chromium == "paw" else f"_{chromium}"))
    folder.mkdir(exist_ok=True)
    states(density(chromium), mesh, BANDS + (16 if chromium == "14" else 0), folder / "states.gpw")
    prepare(folder / "states.gpw", folder)


def fermi(folder: Path) -> float:
    """eV, the middle of the gap."""
    return float((folder / f"{SEED}.win").read_text().split("fermi_energy =")[1].split()[0])


def tensor(model, level: float) -> dict[str, np.ndarray]:
    """LC, IC, their sum and its error by k points, across and along the axis: (2,) in ps/m each."""
    import ome_wannier as ome

    result = ome.compute(model, (POINTS,) * 3, list(NAMES.values()), level, temperature=0)
    of = NAMES | {"k points": "total_error"}
    found = {key: np.diag(ome.units.convert_alpha(result[name].values[0], "ps/m", 3)).real for key, name in of.items()}
    return {key: np.array([(x[0] + x[1]) / 2, x[2]]) for key, x in found.items()}


def alpha(folders: list[Path]) -> None:
    import ome_wannier as ome

    warnings.simplefilter("ignore", ome.errors.AccuracyWarning)
    print(f"ps/m, across the axis and along it{'':4}", *(f"{key:>19}" for key in NAMES), flush=True)
    sums = {}
    for folder in folders:
        whole, level = ome.load(folder / SEED), fermi(folder)
        symmetric = ome.symmetrize(whole).model
        sums[folder.name] = tensor(symmetric, level)
        say(f"{folder}, with external terms", sums[folder.name])
        say(f"{folder}, without", tensor(replace(symmetric, external=None), level))
    value, raw = sums[folder.name], tensor(whole, level)
    say(f"{folder}, not symmetrised", raw)
    others = {"symmetry": (raw, value)}
    if (folder / "overlaps.npz").exists():
        write_sums(folder, folder / "shorter", SHARE)
        shorter = tensor(ome.symmetrize(ome.load(folder / "shorter" / SEED)).model, level)
        say(f"{folder}, {SHARE:.2f} of the bands", shorter)
        others["bands in external terms"] = (shorter, value)
    variants = [name.rsplit("_", 1) for name in sums if "_" in name]
    others |= {f"{what}, {name}": (sums[f"{name}_{what}"], sums[name]) for name, what in variants if name in sums}
    meshes = [x for x in sums if "_" not in x]
    if len(meshes) > 1:
        others["mesh of the functions"] = (sums[meshes[-1]], sums[meshes[-2]])
    parts = {"k points": value["k points"]}
    parts |= {key: np.abs(x["LC+IC"] - y["LC+IC"]) for key, (x, y) in others.items()}
    parts["all"] = np.sqrt(sum(part**2 for part in parts.values()))
    print(f"\nbudget of LC+IC of {folder}")
    for key, part in parts.items():
        print(f"{key:38}", "{:9.4f} {:9.4f}".format(*part))


def say(label: str, found: dict[str, np.ndarray]) -> None:
    print(f"{label:38}", *("{:9.4f} {:9.4f}".format(*found[key]) for key in NAMES), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["dft", "alpha"])
    parser.add_argument("of", nargs="+")
    parser.add_argument("--chromium", choices=["paw", "14"], default="paw")
    given = parser.parse_args(sys.argv[1:])
    if given.what == "dft":
        for mesh in map(int, given.of):
            dft(mesh, given.chromium)
    else:
        alpha([Path(folder) for folder in given.of])
