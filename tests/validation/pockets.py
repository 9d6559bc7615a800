"""Small pockets: is what `compute(rtol=...)` calls converged, converged, and are the errors errors?

    python tests/validation/pockets.py --problems 500 --seed 0 [--only NUMBER ...] [--page]

Random problems (pocket_problems.py) with truths that share no code with the package (pocket_truths.py). Prints every claim that
is false and every error that is understated, and a table by kind. `--page` writes POCKETS.md, as `make validation` does.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
from pocket_problems import Problem, draw  # noqa: E402
from pocket_truths import COARSE, FINE, KB, SURFACE, TAU, Levels, by_mesh, by_rays, mesh_size  # noqa: E402

import ome_wannier as ome  # noqa: E402

Array = np.ndarray

PAGE = Path(__file__).resolve().parent / "POCKETS.md"
RTOLS = (1e-2, 1e-3)
#: a truth counts whose rules agree to this part of the smallest rtol
SURE = 0.1
#: quantities below this share of what all states at the Fermi level would give are empty: the package says so of 1e-9
EMPTY = 1e-9
#: points and seconds that a problem may take
POINTS, SECONDS = 2_000_000, 20.0


class Truth(NamedTuple):
    """By quantity: values (levels, temperatures, components), what they are sure to (temperatures,), and what counts as nothing
    (temperatures,), all in SI units."""

    values: dict[str, Array]
    accuracy: dict[str, Array]
    nothing: dict[str, Array]


class Verdict(NamedTuple):
    """Of one quantity of one run: off is the largest deviation beyond the truth's accuracy in units of rtol, ratio in units of
    the reported error; claimed: converged, and not counted as zero."""

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
        return self.ratio > 2


# ---- truths ------------------------------------------------------------------------------------------------------------


def truth(problem: Problem) -> Truth | None:
    """What the problem's quantities are, or None where two rules differ by more than a tenth of the smallest tolerance."""
    d = problem.model.dimension
    fine, coarse = (by_rays(problem.model, problem.levels, problem.names, problem.boxes, x[d]) for x in (FINE, COARSE))
    accuracy = {n: abs(fine[n] - coarse[n]).max(axis=(0, 2)) for n in fine}
    nothing = _nothing(problem)
    for n in fine:
        if n in problem.zero:
            fine[n], accuracy[n] = np.zeros_like(fine[n]), np.zeros_like(accuracy[n])
        size = abs(fine[n]).max(axis=(0, 2))
        if (accuracy[n] > np.maximum(SURE * min(RTOLS) * size, 1e-3 * nothing[n])).any():
            return None
    return Truth(fine, accuracy, nothing)


def _nothing(problem: Problem) -> dict[str, Array]:
    """EMPTY times the largest element were every state half filled, and at the Fermi level, from a coarse mesh."""
    from pocket_truths import _grid, sea_weights, si, simple, surface_weights

    model, levels = problem.model, problem.levels
    n = {2: 30, 3: 12}[model.dimension]
    e, v = model.states(_grid((n,) * model.dimension, 0, n**model.dimension) + 0.317 / n)
    peaks = [1 / (4 * KB * T) if T else 1 / max(np.diff(levels.edges).min(initial=1.0), 1e-9) for T in levels.temperature]
    found = {}
    for name in problem.names:
        total = 0.0
        for part in simple([name]):
            weights = (surface_weights if part in SURFACE else sea_weights)(part, e, v)
            mean = abs(weights).sum(axis=1).mean(axis=0).max() * si(part, model)
            total = total + mean * (np.array(peaks) if part in SURFACE else np.ones(len(peaks)))
        found[name] = EMPTY * total
    return found


def checked_on_mesh(problem: Problem, found: Truth, most: int) -> float | None:
    """The largest deviation of a uniform mesh from the truth, relative to the largest element of a quantity and temperature; None
    where it takes more points than allowed."""
    if problem.levels.temperature.min() == 0:
        return None
    size = mesh_size(problem.model, problem.levels)
    if np.prod(size) > most:
        return None
    mesh = by_mesh(problem.model, problem.levels, problem.names, size)
    worst = 0.0
    for n in problem.names:
        if n not in problem.zero:
            off, size_of = (abs(x).max(axis=(0, 2)) for x in (mesh[n] - found.values[n], found.values[n]))
            worst = max(worst, float((off / np.maximum(size_of, found.nothing[n])).max()))
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


def run(problem: Problem, rtol: float) -> tuple[object, float]:
    """The package's result, and how long it took."""
    levels: Levels = problem.levels
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = ome.compute(
            model_of(problem),
            fermi=levels.fermi,
            temperature=levels.temperature,
            tau=TAU,
            calculators=problem.names,
            rtol=rtol,
            max_points=POINTS,
            max_time=SECONDS,
        )
    return result, time.perf_counter() - began


def judge(problem: Problem, number: int, found: Truth, rtol: float) -> list[Verdict]:
    """One verdict for each quantity."""
    result, seconds = run(problem, rtol)
    counted = set(re.findall(r"\w+", str(result.attrs.get("counted_as_zero", ""))))
    out = []
    for name in problem.names:
        value, error = (result[q].values.reshape(found.values[name].shape) for q in (name, f"{name}_error"))
        off = np.maximum(abs(value - found.values[name]).max(axis=2) - found.accuracy[name], 0.0)
        allowed = rtol * np.maximum(abs(found.values[name]).max(axis=(0, 2)), found.nothing[name])
        each = np.maximum(abs(value - found.values[name]) - found.accuracy[name][:, None], 0.0)
        # what is nothing at all may be off by the same
        each = np.where(each > rtol * found.nothing[name][:, None], each, 0.0)
        ratio = (each / np.maximum(error, 1e-300)).max()
        claimed = bool(result.attrs["converged"]) and name not in counted
        points = int(result.attrs["k_points"])
        worst = float((off / np.maximum(allowed, 1e-300)).max())
        out.append(Verdict(problem.kind, number, rtol, name, claimed, worst, float(ratio), points, seconds, problem.words))
    return out


def study(item: tuple[int, int, tuple[float, ...], int]) -> tuple[list[Verdict], float | None] | None:
    """All verdicts on a problem (seed, number, tolerances, points of the mesh that checks the truth); None without a truth."""
    seed, number, rtols, mesh = item
    problem = draw(seed, number)
    found = truth(problem)
    if found is None:
        return None
    on_mesh = checked_on_mesh(problem, found, mesh)
    return [v for rtol in rtols for v in judge(problem, number, found, rtol)], on_mesh


# ---- the table ---------------------------------------------------------------------------------------------------------

HEADER = ("kind", "problems", "claims", "false", "worst, in rtol", "understated", "worst ratio", "points, 1e-2", "1e-3")


def table(verdicts: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """One row for each kind, and one for all."""
    kinds = sorted({v.kind for v in verdicts})
    return [HEADER, *(_row(k, [v for v in verdicts if v.kind == k]) for k in kinds), _row("all", verdicts)]


def _row(name: str, some: Sequence[Verdict]) -> tuple[str, ...]:
    claims = [v for v in some if v.claimed]
    points = [np.exp(np.mean([np.log(v.points) for v in some if v.rtol == r] or [0.0])) for r in RTOLS]
    return (
        name,
        str(len({v.number for v in some})),
        f"{len(claims)} of {len(some)}",
        str(sum(v.false for v in some)),
        f"{max((v.off for v in claims), default=0.0):.2g}",
        str(sum(v.understated for v in some)),
        f"{max((v.ratio for v in some), default=0.0):.2g}",
        *(f"{p:.0f}" for p in points),
    )


def lines(rows: Iterable[tuple[str, ...]]) -> list[str]:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return [head, "|" + " --- |" * len(HEADER), *rest]


def told(v: Verdict) -> str:
    """A line about a verdict."""
    what = "FALSE" if v.false else "understated" if v.understated else "ok"
    claimed = "claimed" if v.claimed else "not claimed"
    return (
        f"{what}: number {v.number}, {v.kind}, {v.name}, rtol {v.rtol:g}, {claimed}: off by {v.off:.3g} rtol, {v.ratio:.3g} times "
        f"the error; {v.points} points, {v.seconds:.1f} s: {v.words}"
    )


def verdicts_of(items: Iterator[tuple[int, int, tuple[float, ...], int]], wanted: int, workers: int) -> Iterator[object]:
    """Studies of problems in order until so many had a truth."""
    done = 0
    with ProcessPoolExecutor(workers) if workers > 1 else _Here() as pool:
        while done < wanted:
            for found in pool.map(study, list(islice(items, 4 * workers))):
                if found is not None and done < wanted:
                    done += 1
                    yield found
                elif found is None:
                    yield None


class _Here:
    """An executor that is this process."""

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    map = staticmethod(map)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--problems", type=int, default=500)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--only", type=int, nargs="+", help="numbers of problems, all that is found of them")
    ask.add_argument("--rtol", type=float, nargs="+", default=list(RTOLS))
    ask.add_argument("--workers", type=int, default=2)
    ask.add_argument("--mesh", type=int, default=400_000, help="points of uniform meshes that truths are checked with")
    ask.add_argument("--start", type=int, default=0, help="the first number")
    ask.add_argument("--page", action="store_true", help="write POCKETS.md")
    ask.add_argument("--all", action="store_true", help="print every verdict")
    given = ask.parse_args()
    numbers = iter(given.only) if given.only else count(given.start)
    items = ((given.seed, n, tuple(given.rtol), given.mesh) for n in numbers)
    verdicts: list[Verdict] = []
    meshes: list[float] = []
    dropped = 0
    for found in verdicts_of(items, len(given.only) if given.only else given.problems, given.workers):
        if found is None:
            dropped += 1
            continue
        verdicts += found[0]
        meshes += [found[1]] if found[1] is not None else []
        for v in found[0]:
            if given.all or given.only or v.false or v.understated:
                print(told(v), flush=True)
    print("\n".join(lines(table(verdicts))))
    print(f"dropped {dropped}; {len(meshes)} truths agree with meshes to {max(meshes, default=0):.2g}; slowest {max(v.seconds for v in verdicts):.1f} s")
    sys.exit(any(v.false or v.understated for v in verdicts))


if __name__ == "__main__":
    main()
