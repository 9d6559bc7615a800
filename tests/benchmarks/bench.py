"""Measure, and write handbook/speed.md (`make bench`, a quarter of an hour on a quiet machine).

`--small` prints instead, from sizes that take seconds: what they say of times means nothing, but numbers are compared.
`--only NAME` prints one section.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import tempfile
import time
import warnings
from datetime import date
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
PAGE = Path(__file__).resolve().parents[2] / "ome_wannier" / "handbook" / "speed.md"

import measure  # noqa: E402

#: module with `section(small)`: its heading, and what is said before its table
SECTIONS = {
    "cold_start": (
        "The first run",
        """
`ome-wannier run vse2 --kmesh 24 24 1` with an empty cache, and again: seconds of processor time, and on the clock.""",
    ),
    "cores": (
        "Cores",
        """
Seconds on the clock for `total` and `extrinsic` of te, 201 Fermi levels, all points, with no option given. Results have the
same bits.""",
    ),
    "bands": (
        "Points per second, by number of bands",
        """
201 Fermi levels within 1 eV (two and four bands: over all of them), T = 0, all points, processor time of one process; what
does not grow with the number of points is taken out. From 18 bands on in units of numpy's eigh of the same matrices as well,
taken in turn.""",
    ),
    "beside_wannierberri": (
        "Beside WannierBerri, on the same points",
        """
201 Fermi levels within 1 eV (Cr2O3: over all bands, less those where levels are near the tolerance of degeneracy), T = 0, all
points; models with diagonal positions, for which WannierBerri needs no more files.
Of a layer ours are all nine elements, its two. Its kinetic moment refers to the Fermi level: what that adds within a step of
levels is computed besides, so that the numbers are the same. It has nothing like `total`.""",
    ),
    "irreducible": (
        "Irreducible meshes",
        """
Te, symmetrised, each Wannier function at its atom: the kinetic response as above on 24 x 24 x 24 points, in both codes on
all points and on one of each star of 321'.""",
    ),
    "refinement": (
        "`rtol` beside WannierBerri's refinement",
        """
The anomalous Hall conductivity (`berry_curvature`) at 27 levels in the bands of `haldane` at T = 0, and at 17 of `vse2` at
300 K, which WannierBerri convolves from levels 0.5 meV apart. True errors are the largest differences from a fine mesh,
relative to the largest value. Its time is the least in which it came as near as ours, of several first meshes and numbers of
refinements (`adpt_num_iter`).""",
    ),
    "beside_pythtb": (
        "Beside PythTB",
        """
Two bands, all points. PythTB's flux is that through plaquettes, whose sum is an integer; ours is the mean curvature, which
converges to it.""",
    ),
    "beside_postw90": (
        "Beside postw90",
        """
Its K from files made of the model, 201 Fermi levels, Fermi functions 0.1 eV wide.""",
    ),
    "scale": (
        "Many orbitals, many points",
        """
Processor time per point of two meshes, and by how much the memory of the process grows; default calculators where none are
named.""",
    ),
}

HEAD = """# Speed, measured

Written by `make bench` on {date}. {machine}

Ours include the errors of the numbers: what levels do between points is looked up at a quarter of the points, on meshes of
some hundred points at as many again. Times are medians, ratios are medians of ratios of times taken in turn. Of every pair of
codes the numbers are compared first: the page is not written where they differ by more than rounding.
"""


def written(name: str, small: bool) -> str:
    """A section of the page."""
    heading, text = SECTIONS[name]
    start = time.monotonic()
    body = importlib.import_module(name).section(small)
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return f"## {heading}\n{text}\n\n{body}\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", choices=SECTIONS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    head = HEAD.format(date=date.today(), machine=measure.machine())
    names = [given.only] if given.only else list(SECTIONS)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # WannierBerri writes into the current one
        page = "\n".join([head, *(written(name, given.small) for name in names)])
    if given.small or given.only:
        print(page)
    else:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
