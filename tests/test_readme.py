"""README and how-to pages of the handbook are true: Python and commands run, the table of quantities is complete.

Run as a script it prints the table.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from ome_wannier import calculators
from ome_wannier.calculators import Calculator, first_observable
from ome_wannier.calculators.reported_units import unit_of

ROOT = Path(__file__).parents[1]
HANDBOOK = ROOT / "ome_wannier" / "handbook"
#: pages that a user follows, in the order in which their lines are carried out
PAGES = [
    ROOT / "README.md",
    *(HANDBOOK / f"{name}.md" for name in ("first_result", "calculators", "models", "results", "screening", "hosts")),
    *(HANDBOOK / f"{name}.md" for name in ("conventions", "errors", "checked", "left_out", "performance")),
]
README = PAGES[0].read_text(encoding="utf-8")
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
HEADER = [
    "| name | what it is | formula | zero with | unit in 3D, 2D | dimensions |",
    "| --- | --- | --- | --- | --- | --- |",
]


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def row(calculator: Calculator) -> str:
    """The table's line of a calculator, from what it says of itself."""
    observable = first_observable(calculator)
    star = "" if calculator.name in calculators.defaults(has_spin=True) else " *"
    zero = [name for name, parity in (("T", observable.time_reversal), ("I", observable.inversion)) if parity == -1]
    units = [unit_of(observable, d, 1.0)[1].replace("angstrom", "Å") for d in (3, 2)]
    formula = calculator.equation.replace("|", r"\|")
    cells = [f"`{calculator.name}`{star}", calculator.long_name, f"`{formula}`", ", ".join(zero) or "-", ", ".join(units)]
    cells.append(", ".join(observable.dims))
    return f"| {' | '.join(cells)} |"


def table() -> list[str]:
    return [*HEADER, *(row(calculators.get(name)) for name in calculators.names())]


def test_table_lists_every_calculator_as_it_describes_itself() -> None:
    page = (HANDBOOK / "calculators.md").read_text(encoding="utf-8")
    found = [line for line in page.splitlines() if line.startswith("|")]
    assert found == table(), "the table of calculators.md is old: python tests/test_readme.py prints the new one"


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 100
    assert max(map(len, README.splitlines())) <= 100


def test_python_blocks_run(tmp_path: Path) -> None:
    """In the order of the text, each with the names of those before it, warnings being errors."""
    assert len(blocks("python")) >= 3
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks("python")), encoding="utf-8")
    done = run([sys.executable, "-W", "error", script.name], tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"scan.png", "map.png", "vse2.nc", "vse2.csv"} <= {p.name for p in tmp_path.iterdir()}


def test_block_of_the_host_runs(tmp_path: Path) -> None:
    """Inside WannierBerri, whose own warnings are its own, with fewer points."""
    (block,) = blocks("python host")
    for path in (ROOT / "materials" / "te").glob("Te*"):
        shutil.copy(path, tmp_path)
    script = tmp_path / "host.py"
    checks = "assert alpha.shape == (61, 3, 3)\nassert alpha.any()\n"
    script.write_text(f"import numpy as np\n{block.replace('NK=24', 'NK=4')}\n{checks}")
    done = run([sys.executable, script.name], tmp_path)
    assert done.returncode == 0, done.stderr


def test_commands_run(tmp_path: Path) -> None:
    """`ome-wannier` lines, on the files that they name; they write what they say."""
    work = tmp_path / "work"
    work.mkdir()
    for path in (ROOT / "materials" / "te").glob("Te*"):
        shutil.copy(path, work)
    for name, block in zip(("job.toml", "list.toml"), blocks("toml"), strict=True):
        (tmp_path / name).write_text(block, encoding="utf-8")
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("ome-wannier ")]
    assert len(lines) >= 2
    for line in [*lines, "ome-wannier run job.toml", "ome-wannier materials"]:
        done = run([sys.executable, "-m", "ome_wannier", *shlex.split(line)[1:]], tmp_path)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout.strip()
    written = {"te.nc", "te.png", "scan.png", "both.png", "scan.html", "job.nc", "screening.db", "screening.csv", "report.html"}
    assert written <= {p.name for p in tmp_path.iterdir()}


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)`", TEXT, re.MULTILINE))))
def test_make_targets_exist(target: tuple[str, str]) -> None:
    assert re.search(rf"^{''.join(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_options_exist() -> None:
    commands = ("info", "run", "plot", "map", "convert", "screen", "rank", "export", "report")
    known = "".join(run([sys.executable, "-m", "ome_wannier", c, "--help"], ROOT).stdout for c in commands)
    named = set(re.findall(r"--[a-z][a-z-]+", TEXT))
    assert named
    assert all(option in known for option in named)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(page: Path) -> None:
    local = [link for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")) if not link.startswith("http")]
    assert not [link for link in local if not (page.parent / link.partition("#")[0]).exists()]


def test_names_exist() -> None:
    """Every `ome.something` of the text is there, and every `ome_wannier.module.something`."""
    import ome_wannier

    for name in set(re.findall(r"\bome\.([A-Za-z_]+)", TEXT)):
        assert getattr(ome_wannier, name)
    for name in set(re.findall(r"\bome_wannier\.[a-z_.]*[a-z]", TEXT)):
        assert resolve_name(name)


if __name__ == "__main__":
    print("\n".join(table()))
