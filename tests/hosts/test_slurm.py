"""What the handbook says to do under SLURM, word by word, with stand-ins for sbatch, srun and scancel that run jobs here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ome_wannier as ome

pytestmark = [pytest.mark.long, pytest.mark.outside]
STAND_INS = Path(__file__).parent / "slurm"


def block(root: Path, name: str) -> str:
    """The one block of code with this name in it that the handbook has on its page of clusters."""
    page = (root / "ome_wannier" / "handbook" / "clusters.md").read_text(encoding="utf-8")
    (found,) = [code for code in re.findall(r"```\w+\n(.*?)```", page, re.DOTALL) if name in code]
    return found


@pytest.fixture
def cluster(tmp_path: Path, root: Path) -> dict[str, str]:
    """An environment in which the commands of SLURM are stand-ins, and `python` is this one."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    # mpiexec of this environment first: the one whose library mpi4py loads
    path = [str(STAND_INS), str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    return os.environ | {
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": os.pathsep.join([str(root), *sys.path]),
        "SLURM_STAND_IN": str(tmp_path),
        "MPIEXEC_OPTIONS": "--oversubscribe --allow-run-as-root",
    }


def result_is_that_of_one_process(path: Path) -> None:
    found = ome.load_result(path)
    here = ome.compute(ome.load("te"), (24, 24, 24), ["total"], fermi=6.0)
    assert found["total"].values.tobytes() == here["total"].values.tobytes()


def test_script_of_a_job(tmp_path: Path, root: Path, cluster: dict[str, str]) -> None:
    (tmp_path / "job.sh").write_text(block(root, "#SBATCH"))
    subprocess.run(["sbatch", "job.sh"], cwd=tmp_path, env=cluster, check=True, timeout=30)
    deadline = time.monotonic() + 180
    while not (tmp_path / "te.nc").exists():
        assert time.monotonic() < deadline, [p.read_text() for p in tmp_path.glob("out.*")]
        time.sleep(0.2)
    result_is_that_of_one_process(tmp_path / "te.nc")


def test_workers_as_jobs(tmp_path: Path, root: Path, cluster: dict[str, str]) -> None:
    """Two jobs are submitted, do the work, and are cancelled at the end."""
    pytest.importorskip("dask_jobqueue")
    (tmp_path / "script.py").write_text(block(root, "SLURMCluster"))
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=cluster, check=True, timeout=180)
    result_is_that_of_one_process(tmp_path / "te.nc")
    jobs, cancelled = ((tmp_path / name).read_text().split() for name in ("jobs", "cancelled"))
    assert len(jobs) == 2
    assert sorted(cancelled) == sorted(jobs)
