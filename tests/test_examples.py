"""Every example runs as a newcomer would run it: its own process, its own folder, under a minute, without a warning.

A minute of processor time, which a busy machine does not stretch.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

#: ASE 3.29 sets shapes in place, of which NumPy 2.5 warns: no failure of ours, as in pyproject.toml
ASE = ("ase.db.sqlite", "ase.db.core", "ase.atoms", "ase.geometry.geometry")
WARNINGS = ["-W", "error", "-W", "ignore:a net current flows"]  # which it does in most metals
for _module in ASE:
    WARNINGS += ["-W", f"ignore:Setting the shape on a NumPy array:DeprecationWarning:{_module}"]
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


def test_there_are_examples() -> None:
    assert [p.name[:3] for p in EXAMPLES] == [f"{i:02}_" for i in range(1, len(EXAMPLES) + 1)]


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *WARNINGS, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60
    assert done.stdout.strip(), "an example prints what it found"
    said = [word for word in done.stdout.split() if word.endswith((".nc", ".png"))]
    assert all((tmp_path / name).stat().st_size > 0 for name in said)
