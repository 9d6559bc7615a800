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

#: the folders of the package, each of which may import those before it; what a user types stands above all
FOLDERS = (
    "common",
    "models",
    "bands",
    "symmetry", "adapters", "lattices",
    "calculators", "sources",
    "integration",
    "response", "runs",
    "presentation",
    "plotting", "plugins", "screening", "report",
    "cli",
)  # fmt: skip
#: files beside the folders, at most six
FACES = {"__init__", "__main__", "checkpoint", "errors", "materials", "units"}

#: packages that cost time or may be missing: imported inside the function that needs them
HEAVY = {
    "ase", "cloudpickle", "dask", "distributed", "h5netcdf", "loky", "matplotlib", "mpi4py", "pandas", "plotly", "pydantic",
    "pythtb", "rich", "spglib", "tbmodels", "typer", "wannierberri", "xarray",
}  # fmt: skip
AT_TOP_ANYWAY = {"cli", "runs", "plugins"}


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


def own_imports(path: Path, everywhere: bool = True) -> set[str]:
    """Modules of the package that a file imports, in its functions too or not, as dotted names inside the package."""
    name = module_name(path)
    package = name.split(".") if path.stem == "__init__" and name != "__init__" else name.split(".")[:-1]
    known = {module_name(p) for p in MODULES}
    found = set()
    for node in statements(ast.parse(path.read_text()), everywhere):
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
def test_imports_run_downward(path: Path) -> None:
    name = module_name(path)
    home, *inside = name.split(".")
    if not inside and home not in FOLDERS:
        assert home in FACES, f"{name} stands beside the folders: give it a room"
        return
    below = FOLDERS[: FOLDERS.index(home) + 1]
    wrong = {i for i in own_imports(path) if i.split(".")[0] not in below}
    assert not wrong, f"{name} imports {sorted(wrong)}, which is above it"


def test_no_circles() -> None:
    """Modules that import each other at their top level, in whatever number of steps."""
    imports = {module_name(path): own_imports(path, everywhere=False) for path in MODULES}
    left = dict(imports)
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left


@pytest.mark.parametrize("path", sorted((PACKAGE / "adapters").rglob("*.py")), ids=module_name)
def test_adapters_do_not_know_each_other(path: Path) -> None:
    parts = module_name(path).split(".")
    others = {i.split(".")[1] for i in own_imports(path) if i.startswith("adapters.")}
    assert others <= set(parts[1:2])


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
    assert {"calculators.registry", "integration.kpoints.mesh"} <= own_imports(PACKAGE / "response" / "compute.py")
    assert "calculators.quantity" in own_imports(PACKAGE / "calculators" / "dipole.py")


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
