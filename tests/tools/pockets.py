"""Small pockets: is what `compute(rtol=...)` calls converged, converged, and are its errors large enough?

    python tests/tools/pockets.py --problems 500 --seed 0 [--only NUMBER ...] [--page]

Random problems (pocket_problems.py) with truths that share no code with the package (pocket_truths.py). Prints every claim
that is false, every error that is understated, and a table by kind; `--page` writes POCKETS.md, as `make validation` does.
Exits with 1 if there was one of either.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import numpy as np  # noqa: E402
from pocket_problems import Problem, draw  # noqa: E402
from pocket_truths import COARSE, FINE, TAU, by_mesh, by_rays, could_be, mesh_size  # noqa: E402
from toys import split  # noqa: E402

import ome_wannier as ome  # noqa: E402

Array = np.ndarray

PAGE = HERE / "POCKETS.md"
SOURCES = tuple(HERE / f"{name}.py" for name in ("pockets", "pocket_problems", "pocket_truths"))
RTOLS = (1e-2, 1e-3)
#: a truth counts whose two rules agree to this part of the smallest rtol
SURE = 0.1
#: quantities below this share of what they could be are nothing
EMPTY = 1e-9
#: points and seconds that a run may take
POINTS, SECONDS = 2_000_000, 10.0
#: errors are understated where the value is off by more than this many of them
UNDERSTATED = 2.0


class Truth(NamedTuple):
    """By quantity: values (levels, temperatures, components), what they are sure to (temperatures,), and what counts as nothing
    (temperatures,), all in SI units."""

    values: dict[str, Array]
    accuracy: dict[str, Array]
    nothing: dict[str, Array]


class Verdict(NamedTuple):
    """Of one quantity of one run. claimed : converged, and not counted as zero. off, ratio : the largest deviation, beyond the
    truth's own uncertainty, in units of rtol times the largest element, and of the reported error."""

    kind: str
    number: int
    rtol: float
    name: str
    claimed: bool
    off: float
    ratio: float
    points: int
    seconds: float
    words: str

    @property
    def false(self) -> bool:
        return self.claimed and self.off > 1

    @property
    def understated(self) -> bool:
        return self.ratio > UNDERSTATED

    def __str__(self) -> str:
        what = "false" if self.false else "understated" if self.understated else "holds"
        claimed = "claimed" if self.claimed else "not claimed"
        return (
            f"{what}: problem {self.number}, {self.name}, rtol {self.rtol:g}, {claimed}: off by {self.off:.2g} rtol, "
            f"{self.ratio:.2g} times the error, {self.points} points in {self.seconds:.1f} s: {self.kind}, {self.words}"
        )


class Item(NamedTuple):
    """What a process needs to know of a problem: its seed and number, tolerances, how many points a mesh may have that checks
    the truth, and how many seconds a run may take."""

    seed: int
    number: int
    rtols: tuple[float, ...]
    mesh: int
    seconds: float


class Studied(NamedTuple):
    """What became of a problem: verdicts, and how far a uniform mesh is from the truth, where it was affordable."""

    verdicts: list[Verdict]
    on_mesh: float | None


# ---- truths ------------------------------------------------------------------------------------------------------------


def truth(problem: Problem) -> Truth | None:
    """What the problem's quantities are; None where two rules differ by more than a tenth of the smallest tolerance."""
    rules = [x[problem.model.dimension] for x in (FINE, COARSE)]
    values, coarse = (
        by_rays(problem.model, problem.levels, problem.names, problem.boxes, x._replace(pieces=x.pieces * problem.directions))
        for x in rules
    )
    accuracy = {n: abs(values[n] - coarse[n]).max(axis=(0, 2)) for n in values}
    nothing = {n: EMPTY * x for n, x in could_be(problem.model, problem.levels, problem.names).items()}
    for n in problem.zero:
        if n in values:
            values[n], accuracy[n] = np.zeros_like(values[n]), np.zeros_like(accuracy[n])
    sure = {n: np.maximum(SURE * min(RTOLS) * abs(x).max(axis=(0, 2)), SURE * nothing[n]) for n, x in values.items()}
    return Truth(values, accuracy, nothing) if all((accuracy[n] <= sure[n]).all() for n in values) else None


def deviation_of_mesh(problem: Problem, found: Truth, most: int) -> float | None:
    """The largest deviation of a uniform mesh from the truth, relative to the largest element of a quantity at a temperature;
    None at T = 0, and where it takes more points than allowed."""
    if problem.levels.temperature.min() == 0:
        return None
    size = mesh_size(problem.model, problem.levels)
    if math.prod(size) > most:
        return None
    mesh = by_mesh(problem.model, problem.levels, problem.names, size)
    worst = 0.0
    for n in set(problem.names) - set(problem.zero):
        off, largest = (abs(x).max(axis=(0, 2)) for x in (mesh[n] - found.values[n], found.values[n]))
        worst = max(worst, float((off / np.maximum(largest, found.nothing[n] / min(RTOLS))).max()))
    return worst


# ---- the package -------------------------------------------------------------------------------------------------------


def model_of(problem: Problem) -> ome.TightBinding:
    """The package's model, a layer in the xy plane where there are two directions."""
    m, d = problem.model, problem.model.dimension
    lattice, R, centres = np.eye(3) * 15.0, np.zeros((len(m.R), 3), dtype=int), np.zeros((len(m.centres), 3))
    lattice[:d, :d], R[:, :d], centres[:, :d] = m.lattice, m.R, m.centres
    given = {"lattice": lattice, "R": R, "hamiltonian": m.H, "periodic": (True, True, d == 3)}
    if not problem.positions:
        return ome.TightBinding(**given, centres=centres)
    n = len(centres)
    position = np.zeros((len(R), n, n, 3), dtype=complex)
    position[np.flatnonzero(~R.any(axis=1))[0], range(n), range(n)] = centres
    return ome.TightBinding(**given, position=position)


def judge(problem: Problem, found: Truth, item: Item, rtol: float) -> list[Verdict]:
    """Run the package; one verdict for each quantity."""
    model, levels, began = model_of(problem), problem.levels, time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"calculators": problem.names, "tau": TAU, "max_points": POINTS, "max_time": item.seconds}
        result = ome.compute(model, fermi=levels.fermi, temperature=levels.temperature, rtol=rtol, **settings)
    seconds = time.perf_counter() - began
    unclaimed = {entry.split(" ")[0] for x in ("not_converged", "counted_as_zero") for entry in result.attrs[x].split("; ")}
    out = []
    for name in problem.names:
        true, nothing = found.values[name], found.nothing[name]
        value, error = (split(model, result[q]).values.reshape(true.shape) for q in (name, f"{name}_error"))
        off = np.maximum(abs(value - true) - found.accuracy[name][:, None], 0.0)
        allowed = rtol * np.maximum(abs(true).max(axis=(0, 2)), nothing)
        counts = off > rtol * nothing[:, None]
        ratio = float((np.where(counts, off, 0.0) / np.maximum(error, np.finfo(float).tiny)).max())
        worst = float((off.max(axis=(0, 2)) / allowed).max())
        points = int(result.attrs["k_points"])
        claimed = name not in unclaimed
        out.append(Verdict(problem.kind, item.number, rtol, name, claimed, worst, ratio, points, seconds, problem.words))
    return out


def study(item: Item) -> Studied | None:
    """All verdicts on a problem; None without a truth."""
    problem = draw(item.seed, item.number)
    found = truth(problem)
    if found is None:
        return None
    verdicts = [v for rtol in item.rtols for v in judge(problem, found, item, rtol)]
    return Studied(verdicts, deviation_of_mesh(problem, found, item.mesh))


def warm() -> None:
    """Compiled code is there before a run is timed: with position matrices and without."""
    problems = {p.positions: p for p in map(partial(draw, 0), range(20))}
    for problem in problems.values():
        settings = {"fermi": problem.levels.fermi, "temperature": problem.levels.temperature, "calculators": problem.names}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ome.compute(model_of(problem), **settings, rtol=0.5, max_points=100)


def studies(items: Iterator[Item], workers: int) -> Iterator[Studied | None]:
    """What became of the problems, in order; `workers` processes."""
    if workers == 1:
        warm()
        yield from map(study, items)
    with ProcessPoolExecutor(workers, initializer=warm) if workers > 1 else nullcontext() as pool:
        while pool is not None and (some := list(islice(items, 8 * workers))):
            yield from pool.map(study, some)


# ---- the table ---------------------------------------------------------------------------------------------------------

HEADER = ("kind", "problems", "claims", "false", "worst, in rtol", "understated", "worst ratio", "points, 1e-2", "1e-3")


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """One row for each kind, and one for all."""
    kinds = sorted({v.kind for v in verdicts})
    rows = [HEADER, ("---",) * len(HEADER), *(_row(k, [v for v in verdicts if v.kind == k]) for k in kinds)]
    return [f"| {' | '.join(row)} |" for row in (*rows, _row("all", verdicts))]


def _row(name: str, some: Sequence[Verdict]) -> tuple[str, ...]:
    claims = [v for v in some if v.claimed]
    means = [np.exp(np.mean([np.log(v.points) for v in some if v.rtol == rtol] or [0.0])) for rtol in RTOLS]
    return (
        name,
        str(len({v.number for v in some})),
        f"{len(claims)} of {len(some)}",
        str(sum(v.false for v in some)),
        f"{max((v.off for v in claims), default=0.0):.2g}",
        str(sum(v.understated for v in some)),
        f"{max((v.ratio for v in some), default=0.0):.2g}",
        *(f"{mean:.0f}" for mean in means),
    )


ABOUT = """\
# Small pockets

Written by [pockets.py](pockets.py): `make validation` writes this page again. Random models with small Fermi pockets anywhere
in the zone ([pocket_problems.py](pocket_problems.py)) are integrated to rtol = 1e-2 and 1e-3, and compared with truths that
share no code with the package ([pocket_truths.py](pocket_truths.py)): rays from the pocket, broken where bands cross levels.
A truth counts if a second, coarser rule agrees to a tenth of the smaller tolerance.

A claim is a quantity that a run calls converged and does not count as zero; it is false where it is off by more than rtol times
its largest element. An error is understated where the value is off by more than twice as much, claimed or not. Points are
geometric means. Problem N of the seed alone: `python tests/tools/pockets.py --seed SEED --only N`.
"""


def fingerprint() -> str:
    """Of the scripts: the page names those that wrote it."""
    return hashlib.sha256("".join(x.read_text(encoding="utf-8") for x in SOURCES).encode()).hexdigest()[:16]


def page(command: str, verdicts: Sequence[Verdict], dropped: int, meshes: Sequence[float], seconds: float) -> list[str]:
    """The lines of the page."""
    bad = [f"- {v}" for v in verdicts if v.false or v.understated]
    slowest = max(verdicts, key=lambda v: v.seconds)
    late = max(0.0, slowest.seconds - seconds)
    agree = f"Uniform meshes, affordable for {len(meshes)} of the truths, agree with them to {max(meshes, default=0.0):.1g}"
    return [
        ABOUT,
        f"`{command}`, ome_wannier {ome.__version__}, sha256 of the scripts {fingerprint()}.",
        "",
        *table(verdicts),
        "",
        f"{dropped} more problems had no truth good enough. {agree} of the largest element.",
        f"The slowest run, of problem {slowest.number}, took {late:.1f} s longer than its `max_time` of {seconds:g} s.",
        "",
        *(["False claims and understated errors:", "", *bad] if bad else ["No claim is false, and no error is understated."]),
        "",
    ]


def arguments() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--problems", type=int, default=500, help="with a truth (500)")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--start", type=int, default=0, help="the first number (0)")
    ask.add_argument("--only", type=int, nargs="+", help="numbers of problems; every verdict on them is printed")
    ask.add_argument("--rtol", type=float, nargs="+", default=list(RTOLS))
    ask.add_argument("--workers", type=int, default=2, help="processes (2)")
    ask.add_argument("--mesh", type=int, default=400_000, help="points of meshes that check the truths, at the most")
    ask.add_argument("--seconds", type=float, default=SECONDS, help=f"that a run may take ({SECONDS:g})")
    ask.add_argument("--verbose", action="store_true", help="print every verdict")
    ask.add_argument("--page", action="store_true", help="write POCKETS.md")
    return ask.parse_args()


def main() -> None:
    given = arguments()
    numbers: Iterable[int] = given.only or count(given.start)
    items = (Item(given.seed, n, tuple(given.rtol), given.mesh, given.seconds) for n in numbers)
    wanted = len(given.only) if given.only else given.problems
    verdicts: list[Verdict] = []
    meshes: list[float] = []
    done = dropped = 0
    for found in studies(items, given.workers):
        if found is None:
            dropped += 1
            continue
        done += 1
        verdicts += found.verdicts
        meshes += [] if found.on_mesh is None else [found.on_mesh]
        for v in found.verdicts:
            if given.verbose or given.only or v.false or v.understated:
                print(v, flush=True)
        if done == wanted:
            break
    command = " ".join(["python tests/tools/pockets.py", *sys.argv[1:]])
    text = page(command, verdicts, dropped, meshes, given.seconds)
    if given.page:
        PAGE.write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text[1:]))
    sys.exit(any(v.false or v.understated for v in verdicts))


if __name__ == "__main__":
    main()
