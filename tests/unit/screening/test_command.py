"""The commands, as processes that are killed: what a resume finds, and the exit status. The long tests are the issue's own."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from screens import Here, numbers, table, whole, write_list

from ome_wannier import cli, screening
from ome_wannier.cli import ranking
from ome_wannier.screening.store import DONE, FAILED, Store

SEEDS = list(range(1, 6))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ome_wannier", *map(str, arguments)]


def run(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=timeout)


def count(db: Path, status: str = DONE) -> int:
    return sum(row["status"] == status for row in Store(db).rows()) if db.exists() else 0


def killed(path: Path, db: Path, when: float, at_least: int = 0, workers: int = 2) -> None:
    """Start a screening, and kill it after `when` seconds and once there are so many rows."""
    process = subprocess.Popen(command("screen", path, "--db", db, "--workers", workers), stderr=subprocess.DEVNULL)
    try:
        time.sleep(when)
        stop = time.monotonic() + 60
        while count(db) < at_least and process.poll() is None and time.monotonic() < stop:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_killed_and_resumed_it_is_as_if_undisturbed(tmp_path: Path) -> None:
    """One death, two failures, an exit status that says so, a second run that does nothing."""
    path = write_list(tmp_path, table("lattice", SEEDS), table("damaged", [0, 1]))
    screening.screen(path, tmp_path / "calm.db", executor=Here())
    db = tmp_path / "s.db"
    killed(path, db, 0.0, at_least=2, workers=1)
    assert whole(db) == "ok"
    assert 2 <= count(db) < len(SEEDS)
    done = run("screen", path, "--db", db)
    assert done.returncode == 3, done.stderr
    assert "2 failed" in done.stdout
    assert "7 materials" in done.stdout
    assert "ZeroDivisionError: of the user" in done.stderr
    assert "Traceback" not in done.stderr
    assert numbers(db) == numbers(tmp_path / "calm.db")


def test_what_did_not_converge_is_said_and_shown(tmp_path: Path) -> None:
    """By the command that computed it, and beside the number in the ranking."""
    head = 'fermi = 0.0\ncalculators = "total"\ntemperature = 1000\nrtol = 0.05\n'
    path = write_list(tmp_path, table("lattice", [1]), "rtol = 1e-6\nmax_points = 100\n" + table("lattice", [2]), head=head)
    planned = run("screen", path, "--db", tmp_path / "s.db", "--dry-run", "--max-time", "60", "--workers", "2")
    assert "2 converge by themselves, which can take longer: max_time allows them 60 s" in planned.stdout, planned.stderr
    done = run("screen", path, "--db", tmp_path / "s.db")
    assert done.returncode == 0, done.stderr
    assert "rtol not reached for 1 " in done.stderr
    assert "seed=2" in done.stderr
    ranked = run("rank", tmp_path / "s.db", "--columns", "name,converged").stdout
    assert re.search(r"seed=1.* yes\s*$", ranked, re.MULTILINE), ranked
    assert re.search(r"seed=2.* NO\s*$", ranked, re.MULTILINE), ranked
    assert "converged" in run("rank", tmp_path / "s.db").stdout


def test_a_ranking_names_what_is_all_error(tmp_path: Path) -> None:
    head = 'fermi = 0.0\ncalculators = "total"\ntemperature = 50\n'
    path = write_list(tmp_path, "kmesh = [2, 2, 1]\n" + table("lattice", [1, 2, 3]), head=head)
    run("screen", path, "--db", tmp_path / "s.db")
    found = screening.rank(tmp_path / "s.db")
    vague = set(found["name"][found["total_max_error"] > found["total_max"]])
    assert vague
    (said,) = [line for line in run("rank", tmp_path / "s.db").stderr.splitlines() if "errors larger" in line]
    assert set(re.findall(r"models[^)]*\)", said)) == vague


@pytest.mark.long
def test_ten_deaths_at_random_moments(tmp_path: Path) -> None:
    """200 materials, the parent killed ten times, and resumed."""
    sizes = [2, 3, 5, 8]
    path = write_list(tmp_path, table("lattice", list(range(50)), sizes))
    screening.screen(path, tmp_path / "calm.db", executor=Here())
    db = tmp_path / "s.db"
    moments = random.Random(7)
    seen = [0]
    for _ in range(10):
        killed(path, db, moments.uniform(0.0, 8.0), at_least=min(seen[-1] + moments.randrange(12), 195))
        assert whole(db) == "ok" if db.exists() else True
        seen.append(count(db))
    print("rows after each death:", seen)
    assert seen[-1] < 200, "it was done before it was killed: nothing was tested"
    done = run("screen", path, "--db", db, "--workers", 2, timeout=600)
    assert done.returncode == 0, done.stderr
    found = numbers(db)
    assert len(found) == 200
    assert found == numbers(tmp_path / "calm.db")
    assert whole(db) == "ok"


@pytest.mark.long
def test_fifty_damaged_inputs_among_two_hundred(tmp_path: Path) -> None:
    """Wannier90 files cut short, garbled, missing, and models that raise; the others come out as if alone."""
    good = table("lattice", list(range(150)))
    bad = []
    for i in range(30):
        seed = f"files/bad{i}"
        file = tmp_path / f"{seed}_tb.dat"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(random.Random(i).choice([b"", b"\0\xff" * 200, b"comment\n1 0 0\n0 1 0\n", b"x\n" * 50]))
        bad.append(f'seed = "{seed}"')
    path = write_list(tmp_path, good, *bad, table("damaged", list(range(20))))
    db = tmp_path / "s.db"
    done = run("screen", path, "--db", db, "--workers", 2, timeout=600)
    assert done.returncode == 3, done.stderr
    assert "200 materials: 150 computed, 50 failed" in done.stdout
    assert "Traceback" not in done.stderr
    rows = Store(db).rows()
    reasons = [r["reason"] for r in rows if r["status"] == FAILED]
    assert len(reasons) == 50
    assert all(reason.strip() and "\n" not in reason for reason in reasons)
    alone = write_list(tmp_path, good)
    screening.screen(alone, tmp_path / "calm.db", executor=Here())
    found = numbers(db)
    assert {n: r for n, r in found.items() if r["status"] == DONE} == numbers(tmp_path / "calm.db")


@pytest.mark.long
def test_two_screeners_on_one_database(tmp_path: Path) -> None:
    """Every material is computed by one of them: the seconds of neither are spent twice."""
    path = write_list(tmp_path, table("lattice", list(range(60)), [2, 4]))
    db = tmp_path / "s.db"
    processes = [subprocess.Popen(command("screen", path, "--db", db), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [p.communicate(timeout=600)[0] for p in processes]
    computed = [int(text.split("materials: ")[1].split(" computed")[0]) for text in said]
    print(said)
    assert sum(computed) == 120
    assert all(n > 0 for n in computed)
    assert len(numbers(db)) == 120


@pytest.mark.long
@pytest.mark.alone
def test_two_workers_are_nearly_twice_as_fast(tmp_path: Path) -> None:
    """500 models of 2 to 11 bands. Measured beside what the machine gives others."""
    path = write_list(tmp_path, table("lattice", list(range(50)), list(range(2, 12))), head=_HEAD)
    walls, spent = [], []
    for workers in (1, 2):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = run("screen", path, "--db", tmp_path / f"s{workers}.db", "--workers", workers, timeout=3600)
        assert done.returncode == 0, done.stderr
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.monotonic() - start)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    share = [c / w / n for c, w, n in zip(spent, walls, (1, 2), strict=True)]
    print(json.dumps({"wall": walls, "cpu": spent, "ratio": walls[0] / walls[1], "share": share, "load": os.getloadavg()}))
    assert numbers(tmp_path / "s1.db") == numbers(tmp_path / "s2.db")
    if min(share) < 0.9:
        pytest.skip(f"the machine is busy: processor shares of {share[0]:.2f} and {share[1]:.2f} say nothing of the workers")
    assert walls[0] / walls[1] > 1.8


@pytest.mark.long
@pytest.mark.alone
def test_what_of_the_time_is_the_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a twentieth, of materials that converge as they do by default, beside 500 that are there already."""
    db = tmp_path / "s.db"
    path = write_list(tmp_path, table("lattice", list(range(50)), list(range(2, 12))), head="kmesh = [2, 2, 1]\nfermi = 0.0\n")
    screening.screen(path, db, executor=Here())
    spent: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent.append(time.perf_counter() - start)

        return call

    for name in ("claim", "finish"):
        monkeypatch.setattr(Store, name, timed(getattr(Store, name)))
    (tmp_path / "default").mkdir()
    some = write_list(tmp_path / "default", table("lattice", list(range(2)), list(range(2, 12, 3))), head=_LEVELS)
    start = time.perf_counter()
    assert screening.screen(some, db, executor=Here()).done == 8
    whole_time = time.perf_counter() - start
    print(json.dumps({"store": sum(spent), "all": whole_time, "ms per material": 125 * sum(spent)}))
    assert len(spent) == 16
    assert sum(spent) < 0.05 * whole_time


_LEVELS = 'fermi = 0.0\naround = "-0.5:0.5:21"\n'
_HEAD = "kmesh = [24, 24, 1]\n" + _LEVELS


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small screening."""
    folder = tmp_path_factory.mktemp("screen")
    path = write_list(folder, table("lattice", [1, 2], 3), 'material = "stacked-honeycomb"\nkmesh = [2, 2, 2]')
    screening.screen(path, folder / "s.db", executor=Here())
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(a) for a in arguments])
    out = capsys.readouterr()
    assert caught.value.code == code, out.err
    return out.out + out.err


def test_coefficients_of_either_sign_are_ranked_by_size_with_error_and_unit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mesh that tells nothing of the error: every row is open, also in the file."""
    materials = ('material = "tmd-three-band"\nfermi = -0.1', 'material = "graphene"\nfermi = 0.3')
    head = 'kmesh = [12, 12, 1]\ntemperature = 600\ncalculators = ["ohmic", "ohmic_thermal"]\n'
    db, file = tmp_path / "s.db", tmp_path / "out.csv"
    screening.screen(write_list(tmp_path, *materials, head=head), db, executor=Here())
    out = printed(capsys, "rank", db, "--by", "seebeck")
    assert "seebeck (µV/K)" in out
    assert out.count("± ? (open)") == 2
    assert re.search(r"graphene +-1\.6e\+03 ± \?.*\n.*tmd-three-band +\d", out), out
    assert "warning: errors larger than the values, or not known: graphene, tmd-three-band" in out
    printed(capsys, "export", db, "--csv", file)
    written = pd.read_csv(file)
    assert list(written["seebeck_unit"]) == ["uV/K"] * 2
    assert written["seebeck_error"].isna().all()


def test_rank_prints_the_largest_first(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "rank", filled / "s.db", "--where", "orbitals == 3", "-n", "1")
    best = screening.rank(filled / "s.db", where="orbitals == 3").iloc[0]
    assert best["name"] in out
    unit = re.search(r"total_max \((\wA m/V)\)", out).group(1)
    value = re.search(r" ([\d.]+) ± \S+", out).group(1)
    factor = {"a": 1e18, "f": 1e15, "p": 1e12}[unit[0]]
    assert float(value) == pytest.approx(best["total_max"] * factor, abs=0.06 * best["total_max_error"] * factor)
    assert "1 of 2 rows" in out
    assert "total_fermi: Fermi level at which total is so large, in eV" in out
    assert "seed" in printed(capsys, "rank", filled / "s.db", "--columns", "name,p_seed", "--by", "gap")
    heading = next(x for x in printed(capsys, "rank", filled / "s.db", "--columns", "all").splitlines() if x.strip())
    assert heading.split() == list(screening.rank(filled / "s.db").columns)  # nothing is cut off for a file
    assert "no column 'gapp': did you mean gap, " in printed(capsys, "rank", filled / "s.db", "--by", "gapp", code=2)
    assert "no such database" in printed(capsys, "rank", filled / "none.db", code=2)


def test_a_folder_of_archives_and_seeds_is_one_command(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Archives, one calculation each, and folders of seeds: all are computed or say why not, in the ranking as well."""
    many, library = tmp_path / "many", root / "materials"
    (many / "MX2" / "wannier").mkdir(parents=True)
    for file in (library / "vse2").glob("VSe2*"):
        shutil.copy(file, many / "MX2" / "wannier" / file.name.replace("VSe2", "wannier90"))
    with zipfile.ZipFile(many / "JVASP-1.zip", "w") as archive:
        for file in (library / "hbn").glob("hBN*"):
            archive.write(file, f"calculation/{file.name.replace('hBN', 'wannier90')}")
    (many / "JVASP-2.zip").write_bytes(b"PK cut off")
    with zipfile.ZipFile(many / "JVASP-3.zip", "w") as archive:
        archive.writestr("POSCAR", "only a structure")
    (many / "wannier90.win").write_text("num_wann = 2\n")
    how = ("--kmesh", "12", "12", "1", "--fermi", "-3.4", "--calculators", "extrinsic")
    out = printed(capsys, "screen", many, "--db", tmp_path / "s.db", *how, code=3)
    assert "5 materials: 2 computed, 3 failed" in out
    reasons = [f"failed: {many}/{name}" for name in ("JVASP-2.zip: ", "JVASP-3.zip: ", "wannier90: there is a .win, but no ")]
    assert all(reason in out for reason in reasons)
    ranked = printed(capsys, "rank", tmp_path / "s.db", "--by", "max|extrinsic|", "--columns", "formula,extrinsic_max")
    assert all(reason in ranked for reason in reasons)
    found = screening.rank(tmp_path / "s.db", "max|extrinsic|")
    assert sorted(found["name"]) == [f"{many}/JVASP-1.zip", f"{many}/MX2/wannier/wannier90"]
    assert sorted(found["formula"]) == ["BN", "VSe2"]


def test_more_failures_than_fit_are_counted() -> None:
    names = [f"m{i}" for i in range(ranking.SHOWN + 2)]
    every = pd.DataFrame({"name": names, "status": "failed", "reason": "none\x1b[2J"})
    lines = ranking.failures(every)
    assert lines[0] == "failed: m0: none\N{REPLACEMENT CHARACTER}[2J"
    assert lines[ranking.SHOWN :] == ["... and 2 more: ome-wannier export shows all, with status failed"]


def test_export_writes_all_rows(filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "3 rows" in printed(capsys, "export", filled / "s.db", "--csv", tmp_path / "t.csv")
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 4
    assert "2 rows" in printed(capsys, "export", filled / "s.db", "--csv", tmp_path / "t.csv", "--where", "orbitals==3")
    assert "must end in .csv" in printed(capsys, "export", filled / "s.db", "--csv", tmp_path / "t.txt", code=2)
    assert "give --csv" in printed(capsys, "export", filled / "s.db", code=2)


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_lists_that_run_code_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], how: tuple[str, ...]) -> None:
    """One line, before anything runs; a list without code says nothing of it."""
    (tmp_path / "mine.py").write_text("import ome_wannier as ome\n\n\ndef made(n):\n    return ome.load('haldane')\n")
    code = 'python = "mine.py:made"\nkmesh = [4, 4, 1]\nfermi = 0.0\nparameters = {n = [1, 2]}'
    out = printed(capsys, "screen", write_list(tmp_path, code), "--db", tmp_path / "s.db", *how)
    assert out.count("this list runs code: ") == 1
    assert "mine.py:made" in out.split("this list runs code: ")[1].splitlines()[0]
    plain = write_list(tmp_path, 'material = "haldane"\nkmesh = [4, 4, 1]')
    assert "runs code" not in printed(capsys, "screen", plain, "--db", tmp_path / "s.db", *how)


def test_dry_run_says_what_would_be_done_and_does_nothing(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_list(tmp_path, table("lattice", [1, 2, 3], 3), table("damaged", [0]))
    (tmp_path / "models.py").write_text((filled / "models.py").read_text())
    before = numbers(filled / "s.db")
    out = printed(capsys, "screen", path, "--db", filled / "s.db", "--dry-run", "--workers", "2")
    assert "4 materials" in out
    assert "1 to compute, 2 there already, 0 failed before, 1 that cannot be loaded" in out
    assert "with 2 workers" in out
    assert "cannot be loaded: models.py:damaged" in out
    assert numbers(filled / "s.db") == before
    printed(capsys, "screen", path, "--db", tmp_path / "new.db", "--dry-run")
    assert not (tmp_path / "new.db").exists()


def test_a_list_that_makes_no_sense_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_list(tmp_path, 'material = "te"\nkmehs = 3')
    out = printed(capsys, "screen", path, "--db", tmp_path / "s.db", code=2)
    assert out.startswith(f"error: {path}, line ")
    assert out.count("\n") == 1
    assert not (tmp_path / "s.db").exists()
