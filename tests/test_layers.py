"""The dependency direction of the package, read off its import statements, and what importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ome_wannier

PACKAGE = Path(ome_wannier.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

#: what each module may import of the package, itself aside; a folder stands for all of its files
BASE = {"units", "errors", "files", "kernels"}
MODEL = BASE | {"fourier", "validation", "external", "model", "kdotp", "planewaves", "sparse"}
BANDS = MODEL | {"crossgap", "degeneracy", "bands"}
CALCULATORS = BANDS | {"calculators"}
GROUPS = {"pointgroup", "tensors", "irreducible", "symmetry"}
PARTS = (
    CALCULATORS
    | GROUPS
    | {"integral", "chosen"}
    | {"occupation", "kmesh", "unseen", "radial", "progress", "executors", "checkpoint", "result"}
)
SELF_CONVERGING = {"cubature", "cells", "adaptive", "tolerance", "converge", "rays"}
SUMS = {"version", "integral", "chosen", "sums", "info", "doping", "imposed", "axion", "asked", "provenance", "integrals"}
COMPUTE = PARTS | SELF_CONVERGING | SUMS | {"compute", "tabulate"}
LOAD = MODEL | {"adapters", "lattices", "materials", "loading"}
PLOTTING = COMPUTE | {"plotting"}
ALLOWED = {
    "units": set(),
    "version": set(),
    "integral": CALCULATORS | GROUPS | {"kmesh", "occupation"},
    "chosen": MODEL | GROUPS | {"kmesh"},
    "errors": set(),
    "files": {"errors"},
    "kernels": set(),
    "crossgap": {"kernels"},
    "progress": set(),
    "fourier": {"errors"},
    "validation": {"errors"},
    "external": {"errors", "fourier", "validation"},
    "model": BASE | {"fourier", "validation", "external"},
    "kdotp": MODEL,
    "planewaves": BASE | {"validation", "model"},
    "sparse": BASE | {"validation", "model"},
    "cutoff": COMPUTE,
    "kmesh": BASE,
    "adapters": MODEL,
    "lattices": MODEL,
    "materials": LOAD,
    "loading": LOAD,
    "convert": LOAD,
    "degeneracy": MODEL,
    "bands": MODEL | {"crossgap", "degeneracy"},
    "calculators": BANDS,
    "occupation": BASE,
    "symmetry": CALCULATORS | {"kmesh", "occupation", "pointgroup", "tensors"},
    "radial": CALCULATORS | {"kmesh", "occupation"},
    "executors": BASE,
    "unseen": BASE | {"kmesh", "occupation"},
    "checkpoint": CALCULATORS | {"irreducible", "kmesh", "occupation", "unseen"},
    "result": BASE | {"calculators"},
    "tabulate": COMPUTE,
    "pointgroup": BASE,
    "tensors": CALCULATORS | {"pointgroup"},
    "irreducible": {"kmesh", "pointgroup"},
    "imposed": PARTS,
    "cubature": set(),
    "cells": PARTS | {"sums", "cubature"},
    "adaptive": PARTS | {"cells"},
    "tolerance": PARTS | {"sums", "cells"},
    "converge": PARTS | {"sums", "cubature", "cells", "adaptive", "tolerance"},
    "rays": PARTS | {"tolerance", "converge"},
    "sums": PARTS,
    "axion": BANDS | {"kmesh", "sums"},
    "asked": PARTS | {"sums"},
    "info": PARTS | {"sums"},
    "doping": PARTS | {"sums", "info", "tolerance"},
    "provenance": MODEL | {"sums"},
    "integrals": PARTS | {"sums", "info", "doping", "axion", "asked"} | SELF_CONVERGING,
    "compute": COMPUTE - {"compute", "tabulate"},
    "plotting": COMPUTE,
    "reproduce": PLOTTING | {"lattices"},
    "report": PLOTTING | LOAD | {"screening", "plugins"},
    "plugins": COMPUTE | LOAD,
    "runs": COMPUTE | LOAD,
    "screening": COMPUTE | LOAD | {"plugins", "runs"},
}
for _home, _more in {
    "asked": {"info"}, "checkpoint": {"integral"}, "integrals": {"version"}, "provenance": {"version"},
    "radial": {"integral"}, "result": {"model", "integral"},
}.items():  # fmt: skip
    ALLOWED[_home] = ALLOWED[_home] | _more
#: these see everything
TOP = {"__init__", "__main__", "cli"}

#: packages that cost time or may be missing: imported inside the function that needs them
HEAVY = {
    "ase", "cloudpickle", "dask", "distributed", "h5netcdf", "loky", "matplotlib", "mpi4py", "pandas", "plotly", "pydantic",
    "pythtb", "rich", "spglib", "tbmodels", "typer", "wannierberri", "xarray",
}  # fmt: skip
AT_TOP_ANYWAY = {"cli", "plugins"}


def module_name(path: Path) -> str:
    """Dotted name inside the package: adapters/wannier90.py is adapters.wannier90, __init__ is the folder."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def statements(tree: ast.Module, everywhere: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements: of the module's top level, or of its functions too; never those under TYPE_CHECKING."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))


def own_imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, as dotted names inside the package."""
    name = module_name(path)
    package = name.split(".") if path.stem == "__init__" and name != "__init__" else name.split(".")[:-1]
    known = {module_name(p) for p in MODULES}
    found = set()
    for node in statements(ast.parse(path.read_text()), everywhere=True):
        if isinstance(node, ast.Import):
            targets = [a.name for a in node.names if a.name.split(".")[0] == "ome_wannier"]
            found |= {t.removeprefix("ome_wannier").lstrip(".") or "__init__" for t in targets}
            continue
        if node.level:
            base = package[: len(package) - node.level + 1]
        elif node.module and node.module.split(".")[0] == "ome_wannier":
            base = []
        else:
            continue
        tail = (node.module or "").removeprefix("ome_wannier").lstrip(".") if not node.level else node.module or ""
        target = ".".join([*base, *([tail] if tail else [])])
        for alias in node.names:
            inner = f"{target}.{alias.name}" if target else alias.name
            found.add(inner if inner in known else target or "__init__")
    return found - {name}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_dependency_direction(path: Path) -> None:
    name = module_name(path)
    home = name.split(".")[0]
    if home in TOP:
        return
    assert home in ALLOWED, f"{name} is new: say in tests/test_layers.py what it may import"
    wrong = {i for i in own_imports(path) if i.split(".")[0] not in ALLOWED[home] | {home}}
    if home in ("integrals", "provenance", "screening"):
        wrong -= {"__init__"}  # the version number
    assert not wrong, f"{name} imports {sorted(wrong)}, which is above it"


@pytest.mark.parametrize("path", sorted((PACKAGE / "adapters").glob("*.py")), ids=module_name)
def test_adapters_do_not_know_each_other(path: Path) -> None:
    """wannier90.py may use wannier90_text.py, not pythtb.py."""
    family = path.stem.split("_")[0]
    others = {i.split(".")[1].split("_")[0] for i in own_imports(path) if i.startswith("adapters.")}
    if path.stem != "__init__":
        assert others <= {family}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_heavy_packages_are_imported_where_used(path: Path) -> None:
    if module_name(path).split(".")[0] in AT_TOP_ANYWAY:
        return
    at_top = set()
    for node in statements(ast.parse(path.read_text()), everywhere=False):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""] if not node.level else []
        at_top |= {n.split(".")[0] for n in names}
    assert not at_top & HEAVY


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_foreign_hosts_stay_outside(path: Path) -> None:
    """Packages that hold Hamiltonians of their own are known to adapters, plugins and lattices alone."""
    hosts = {"pythtb", "tbmodels", "wannierberri"}
    used = set()
    for node in statements(ast.parse(path.read_text()), everywhere=True):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""] if not node.level else []
        used |= {n.split(".")[0] for n in names}
    assert not used & hosts or module_name(path).split(".")[0] in {"adapters", "plugins", "lattices"}


def test_the_reader_of_imports_sees_them(tmp_path: Path) -> None:
    """The test's own tool, on imports of every form."""
    tree = ast.parse(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import xarray\nimport numpy\n"
        "class A:\n    import rich\n    def f(self):\n        import ase\n"
    )
    top = {a.name for node in statements(tree, everywhere=False) for a in node.names}
    assert top == {"TYPE_CHECKING", "numpy", "rich"}
    assert {a.name for node in statements(tree, everywhere=True) for a in node.names} == top | {"ase"}
    assert {"calculators", "kmesh", "result"} <= own_imports(PACKAGE / "compute.py")
    assert "bands" in own_imports(PACKAGE / "calculators" / "dipole.py")
    assert "calculators.base" in own_imports(PACKAGE / "calculators" / "dipole.py")


def test_import_is_quick() -> None:
    """`import ome_wannier` in a fresh interpreter: at most 7 times `import numpy`, the best of five in turns.

    Half a second on the machine where NumPy's takes 0.07 s. Processor time, so that other work on the machine counts little.
    """
    modules = ("numpy", "ome_wannier")
    code = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
    commands = {name: [sys.executable, "-c", code.format(name)] for name in modules}
    times = [
        [float(subprocess.run(commands[name], capture_output=True, text=True, check=True).stdout) for name in modules]
        for _ in range(5)
    ]
    numpy, ours = (min(column) for column in zip(*times, strict=True))
    assert ours < 7 * numpy
