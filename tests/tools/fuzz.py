"""Damaged files of every format, thousands of them: one line and exit code 2, or the right answer.

    python tests/tools/fuzz.py --runs 5000 --seed 0 [--only chk] [--show]

Each run damages one file (`fuzz_damage`, `fuzz_containers`) and asks what is usually asked of it (`fuzz_formats`), in a child
forked from this one process, where everything is imported and compiled. What is right:

- exit code 2, and one line on standard error besides warnings; no line longer than 2,000 characters; no traceback; no file;
- or exit code 0 and the answer of the whole file. Damage that only changes what numbers say (`NUMBERS`) may change the answer,
  to one of finite numbers. Damage of the STRUCTURE may not: what is cut, lost, doubled or moved is refused, or makes no
  difference;
- the memory grows by less than 1 GiB (`ru_maxrss` beyond what this process takes), and the processor works for less than 10 s.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import fuzz_formats  # noqa: E402
from fuzz_damage import NUMBERS, STRUCTURE, Damaged, same_tokens  # noqa: E402
from fuzz_formats import FORMATS, Asked, Format  # noqa: E402

MOST_BYTES = 2**30
MOST_SECONDS = 10.0
MOST_CHARACTERS = 2000
#: seconds after which a run that waits is ended, on a machine that does other things too
PATIENCE = 60
#: relative to the largest number of an answer: sums in another order
SAME = 1e-6


#: files that are asked for
ANSWERS = {"o.csv", "r.html", "out.hdf5"}


@dataclass(frozen=True)
class Outcome:
    """How a run ended: exit code (negative: a signal), what it said, its answer, and what it took."""

    code: int
    said: str
    answer: str
    seconds: float
    bytes: int
    left: tuple[str, ...]


def outcome_of(folder: Path, asked: Asked) -> Outcome:
    """Ask in a child of this process, whose current folder is `folder`."""
    before = {p.name for p in folder.iterdir()}
    with tempfile.TemporaryFile() as err, tempfile.NamedTemporaryFile() as answer:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _ask(folder, asked, err.fileno(), Path(answer.name))
        _, status, usage = os.wait4(pid, 0)
        err.seek(0)
        said = err.read().decode("utf-8", "replace")
        base, _, found = Path(answer.name).read_text().partition("\n")
    code = os.waitstatus_to_exitcode(status)
    left = tuple(sorted({p.name for p in folder.iterdir()} - before - (ANSWERS if code == 0 else set())))
    grown = (usage.ru_maxrss - int(base)) * 1024
    return Outcome(code, said, found, usage.ru_utime + usage.ru_stime, grown, left)


def _ask(folder: Path, asked: Asked, err: int, answer: Path) -> None:
    """What the child does."""
    code = 99
    answer.write_text(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")
    try:
        os.setsid()
        signal.alarm(PATIENCE)
        resource.setrlimit(resource.RLIMIT_CPU, (int(3 * MOST_SECONDS), -1))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(err, 2)
        os.chdir(folder)
        code = _command(asked, answer) if isinstance(asked, tuple) else _function(asked, answer)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _command(asked: tuple[str, ...], answer: Path) -> int:
    from ome_wannier import cli

    try:
        cli.main(asked)
    except SystemExit as end:
        code = int(end.code or 0)
    if code == 0 and "o.csv" in asked:
        _answered(answer, fuzz_formats.numbers_in(Path("o.csv")))
    return code


def _function(asked: object, answer: Path) -> int:
    """A function of the package, with its warnings and errors as the command line prints them."""
    from ome_wannier.cli import _note, _one_line, _plain_warnings

    try:
        with _plain_warnings():
            _answered(answer, asked())  # type: ignore[operator]
    except Exception as error:
        said = _one_line(error)
        if said is None:
            raise
        _note(f"error: {said}")
        return 2
    return 0


def _answered(file: Path, answer: object) -> None:
    with file.open("a") as out:
        out.write(fuzz_formats.kept(answer))


def fault(found: Outcome, whole: Outcome, damaged: Damaged) -> str:
    """What is wrong with how a run ended, or nothing."""
    lines = found.said.splitlines()
    rest = [line for line in lines if not line.startswith(("warning: ", "failed: ", "no --", "kept ", "wrote "))]
    if found.code not in (0, 2):
        return f"exit code {found.code}: {lines[-1][:300] if lines else ''}"
    if any(len(line) > MOST_CHARACTERS for line in lines):
        return f"a line of {max(map(len, lines))} characters: {max(lines, key=len)[:100]}"
    if "encountered in" in found.said or "Traceback" in found.said:
        return f"said {found.said[:300]!r}"
    if found.code == 2 and not (len(rest) == 1 and rest[0].startswith("error: ")):
        return f"not one line: {rest}"[:600]
    if found.code == 0 and rest:
        return f"said besides warnings: {rest}"[:600]
    if found.left:
        return f"left {', '.join(found.left)}"
    if found.seconds > MOST_SECONDS:
        return f"{found.seconds:.1f} s"
    if found.bytes > MOST_BYTES:
        return f"{found.bytes / 2**20:.0f} MiB"
    return _wrong_answer(found, whole, damaged) if found.code == 0 else ""


def _wrong_answer(found: Outcome, whole: Outcome, damaged: Damaged) -> str:
    """What is wrong with an answer, or nothing."""
    if found.answer == whole.answer or not found.answer:
        return ""
    here, there = json.loads(found.answer), json.loads(whole.answer)
    if not isinstance(here, dict):
        return "" if damaged.kind != STRUCTURE else f"another answer: {str(here)[:200]}"
    a, b = (np.array(x["parts"][0]) + 1j * np.array(x["parts"][1]) for x in (here, there))
    if not np.isfinite(a).all():
        return "numbers that are not finite"
    if damaged.kind != STRUCTURE:
        return ""
    same = here["shape"] == there["shape"] and np.abs(a - b).max(initial=0.0) <= SAME * np.abs(b).max(initial=0.0)
    return "" if same else f"another answer: {a[:4]} for {b[:4]}"


@dataclass(frozen=True)
class Run:
    """One damaged file and what came of it; `fault` is empty where that is right."""

    number: int
    format: str
    damaged: Damaged
    asked: Asked
    outcome: Outcome
    fault: str


def runs(numbers: range, formats: tuple[Format, ...], whole: dict[str, Path], scratch: Path) -> Iterator[Run]:
    """Runs of these numbers, each a seed: the same damage whatever is run besides."""
    answers: dict[tuple[str, Asked], Outcome] = {}
    gc.collect()
    gc.freeze()  # or each child would write to, and so copy, everything that there is
    for number in numbers:
        rng, f = np.random.default_rng([number, 20]), formats[number % len(formats)]
        asked, data = f.asked[int(rng.integers(0, len(f.asked)))], (whole[f.name] / f.file).read_bytes()
        if (f.name, asked) not in answers:
            answers[f.name, asked] = _tried(whole[f.name], scratch / "at work", f, data, asked)
            assert answers[f.name, asked].code == 0, f"{f.name}: {answers[f.name, asked].said}"
        damaged = damage(f, data, rng)
        found = _tried(whole[f.name], scratch / "at work", f, damaged.data, asked)
        yield Run(number, f.name, damaged, asked, found, fault(found, answers[f.name, asked], damaged))


def damage(f: Format, data: bytes, rng: np.random.Generator) -> Damaged:
    """The bytes of a file, damaged; of text that keeps its words in their places only numbers count as changed."""
    found = f.damages[int(rng.integers(0, len(f.damages)))](data, rng)
    if not f.counted or (f.damages is fuzz_formats.TEXT and same_tokens(data, found.data)):
        return Damaged(found.data, found.what, NUMBERS)
    return found


def _tried(whole: Path, work: Path, f: Format, data: bytes, asked: Asked) -> Outcome:
    """Ask with this content of the file."""
    shutil.copytree(whole, work)
    try:
        (work / f.file).write_bytes(data)
        return outcome_of(work, asked)
    finally:
        shutil.rmtree(work)


def built(formats: tuple[Format, ...], scratch: Path) -> dict[str, Path]:
    """Folders with whole files, by the name of the format."""
    folders: dict[str, Path] = {}
    for f in formats:
        folders[f.name] = scratch / f"whole {f.name}"
        folders[f.name].mkdir()
        with _silent():
            f.build(folders[f.name])
    return folders


def warm(formats: tuple[Format, ...], whole: dict[str, Path], scratch: Path) -> None:
    """Ask everything once in this process, so that nothing is imported or compiled in children: the first thing that is asked
    of each file, and each command."""
    here = os.getcwd()
    done = set()
    for f in formats:
        for asked in f.asked:
            what = (f.build, asked) if asked == f.asked[0] or callable(asked) else asked[0]
            if what in done:
                continue
            done.add(what)
            shutil.copytree(whole[f.name], scratch / "warm")
            os.chdir(scratch / "warm")
            with _silent():
                (_command if isinstance(asked, tuple) else _function)(asked, scratch / "answer")  # type: ignore[arg-type]
            os.chdir(here)
            shutil.rmtree(scratch / "warm")


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing is printed, by whomever."""
    streams = (os.dup(1), os.dup(2))
    try:
        for number in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, stream in zip((1, 2), streams, strict=True):
            os.dup2(stream, number)


def main() -> None:
    """Do the runs, print those that ended wrongly; exit code 1 if there are any."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="number of the first run")
    parser.add_argument("--only", help="formats whose names hold this")
    parser.add_argument("--show", action="store_true", help="print every run")
    given = parser.parse_args()
    formats = tuple(f for f in FORMATS if given.only is None or given.only in f.name)
    start, counts, wrong = time.monotonic(), Counter[str](), 0
    slowest, largest = 0.0, 0
    with tempfile.TemporaryDirectory(prefix="ome_wannier_fuzz_") as folder:
        scratch = Path(folder)
        whole = built(formats, scratch)
        warm(formats, whole, scratch)
        print(f"{len(formats)} formats, warm after {time.monotonic() - start:.0f} s", flush=True)
        for run in runs(range(given.seed, given.seed + given.runs), formats, whole, scratch):
            counts[f"exit {run.outcome.code}"] += 1
            slowest, largest = max(slowest, run.outcome.seconds), max(largest, run.outcome.bytes)
            wrong += bool(run.fault)
            if run.fault or given.show:
                asked = " ".join(run.asked) if isinstance(run.asked, tuple) else run.asked.__name__
                said = run.fault or run.outcome.said.strip()[-300:] or "the same, or an honest answer"
                print(f"{run.number} {run.format}: {run.damaged.what} [{asked[:40]}]: {said}", flush=True)
    taken = f"{slowest:.1f} s and {largest / 2**20:.0f} MiB at the most"
    print(f"{given.runs} runs in {time.monotonic() - start:.0f} s, {dict(counts)}, {taken}; {wrong} ended wrongly")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
