"""Kernels: what they are given, that each function of theirs is compiled once, and that a wheel brings them compiled."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ome_wannier.bands import compiled
from ome_wannier.common import machine_code, object_code
from ome_wannier.common.kernels import INNER, KERNELS, inner, kernel
from ome_wannier.integration.occupation.compiled import share

#: nothing may be compiled, nor numba be imported, and machine code is there
WITHOUT_NUMBA = """
import json, pathlib, sys
sys.modules["numba"] = None
from ome_wannier.common import object_code
object_code.FOLDER = pathlib.Path(sys.argv[1])
"""
#: prints a result that all default calculators take part in
RUN = """
import warnings
warnings.simplefilter("ignore")
import ome_wannier as ome
result = ome.compute(ome.load(sys.argv[2]), json.loads(sys.argv[3]), fermi=[-0.1, 0.3], temperature=300.0)
print(json.dumps({name: x.values.ravel().tolist() for name, x in result.data_vars.items() if x.dtype == float}))
"""
#: prints which functions numba compiles, of the package
COUNTED = """
import importlib, json, sys
from numba.core import event
from ome_wannier.common import jit, object_code
from ome_wannier.common.kernels import KERNELS
found = []
class Heard(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("ome_wannier"):
            found.append(f"{function.__module__}.{function.__name__}")
    def on_end(self, event):
        pass
event.register("numba:compile", Heard())
for module in object_code.MODULES:
    importlib.import_module(f"ome_wannier.{module}")
for name in sys.argv[1:]:
    jit.object_code(KERNELS[name])
print(json.dumps(found))
"""


def python(code: str, *arguments: str, **environment: str) -> Any:
    """What a program prints, as JSON."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs import the package from here."""
    monkeypatch.setenv("PYTHONPATH", str(root))


def test_what_does_not_fit_is_copied_or_refused() -> None:
    energies = np.arange(12.0).reshape(2, 6)[:, ::2]  # not in one piece
    energies.flags.writeable = False
    first, end = compiled.groups(energies, 1)
    assert first.tolist() == [[0, 1, 2]] * 2
    assert end.tolist() == [[1, 2, 3]] * 2
    with pytest.raises(TypeError, match="f2"):
        compiled.groups(energies[0], 1.0)
    with pytest.raises(TypeError, match="complex"):
        compiled.groups(energies + 0j, 1.0)
    with pytest.raises(ValueError, match="argument"):
        compiled.groups(energies)


@pytest.mark.parametrize("histogram", [np.zeros((4, 2)).T, np.zeros((2, 4), np.float32)])
def test_what_is_changed_in_place_is_not_copied(histogram: np.ndarray) -> None:
    with pytest.raises(TypeError):
        share(histogram, np.zeros(1, int), np.ones(1), np.ones((1, 4)), 0.0, 1.0, 2, 0, 0.0)
    assert not histogram.any()


def test_types_are_of_all_arguments() -> None:
    with pytest.raises(TypeError, match="other arguments"):
        kernel("f1 -> f1", lambda x: (x.shape,))(lambda x: None)
    with pytest.raises(TypeError, match="other arguments"):
        inner("f1")(lambda x, y: None)


def test_a_wheel_brings_every_kernel() -> None:
    """All that is compiled stands in the modules that are named, and the digest is of all of these."""
    found = {k.function.__module__.removeprefix("ome_wannier.") for k in KERNELS.values()}
    assert found == set(object_code.MODULES)
    assert {f.__module__.removeprefix("ome_wannier.") for f in INNER} <= {*object_code.MODULES, "common.compiled"}


def test_machine_code_needs_no_numba(tmp_path: Path, path: None) -> None:
    """Of one kind of processor and two kernels, made as for a wheel and used where numba cannot be imported."""
    level = object_code.levels()[-1]
    place = tmp_path / object_code.level_folder(level).name
    made = """
import pathlib, sys
from ome_wannier.bands import compiled
from ome_wannier.common import compiled_cache, jit
pathlib.Path(sys.argv[1]).mkdir()
for kernel in (compiled.groups, compiled.multiply):
    compiled_cache.write(pathlib.Path(sys.argv[1]) / kernel.name, jit.object_code(kernel))
print(1)
"""
    python(made, str(place), **{k: v for k, v in machine_code.told(level).items() if k.startswith("NUMBA")})
    used = """
import numpy as np
from ome_wannier.bands.compiled import groups, multiply
X = np.arange(128.0).reshape(1, 2, 8, 8) * (1 + 2j)
exact = np.array_equal(multiply(X, 0, X, 1), X[:, 0] @ X[:, 1])
print(json.dumps([exact, groups(np.array([[0.0, 0.1, 1.0]]), 0.2)[1].tolist()]))
"""
    assert python(WITHOUT_NUMBA + used, str(tmp_path)) == [True, [[2, 2, 3]]]


def test_each_function_is_compiled_once(path: None) -> None:
    """Not for numbers that stand in a call, layouts or types: that is most of the time of a first run without machine code."""
    names = [
        "bands_cross_gap_interband",
        "bands_compiled_multiply",
        "integration_mesh_compiled_at_points",
        "bands_rotations_rotate",
    ]
    found = python(COUNTED, *names)
    assert sorted(found) == sorted(set(found))
    assert {KERNELS[name].function.__name__ for name in names} < {name.rpartition(".")[2] for name in found}
    assert {"ome_wannier.common.compiled.product", "ome_wannier.common.compiled.block_product"} < set(found)


@pytest.fixture(scope="module")
def brought(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine code of a wheel, as the hook of its build gives it, without hatchling, which is not installed here."""
    folder, names = tmp_path_factory.mktemp("brought"), ["hatchling", "builders", "hooks", "plugin", "interface"]
    with pytest.MonkeyPatch.context() as patch:
        for i in range(len(names)):
            module = ModuleType(".".join(names[: i + 1]))
            module.BuildHookInterface = object  # type: ignore[attr-defined]
            patch.setitem(sys.modules, module.__name__, module)
        spec = importlib.util.spec_from_file_location("wheel_hook", root / "tests" / "tools" / "wheel_hook.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    hook, data = module.MachineCode(), {"force_include": {}, "pure_python": True}
    hook.root, hook.target_name, hook.app = str(root), "wheel", SimpleNamespace(display_warning=pytest.fail)
    hook.initialize("standard", data)
    assert data["pure_python"] is False
    assert data["tag"].startswith("py3-none-")
    for source, inside in data["force_include"].items():
        target = folder / Path(inside).relative_to(object_code.FOLDER.relative_to(root))
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(Path(source).read_bytes())
    hook.finalize("standard", data, "")
    return folder


@pytest.mark.long
@pytest.mark.skipif(not object_code.levels(), reason="no machine code for this system")
@pytest.mark.parametrize(("model", "mesh"), [("vse2", "[6, 6, 1]"), ("te", "[3, 3, 3]"), ("haldane", "[8, 8, 1]")])
def test_a_first_run_from_a_wheel_compiles_nothing(brought: Path, path: None, model: str, mesh: str) -> None:
    """For every kind of processor that this one is: the numbers of code made here to rounding."""
    here = python("import json, sys" + RUN, "", model, mesh)
    for level in sorted(brought.iterdir()):
        alone = level.parent.with_name(f"only-{level.name}-{model}")
        alone.mkdir()
        (alone / level.name).symlink_to(level)
        found = python(WITHOUT_NUMBA + RUN, str(alone), model, mesh)
        assert found.keys() == here.keys()
        for name, values in here.items():
            if not name.endswith("_error"):  # which hold differences of nothing but rounding
                scale = np.nanmax(np.abs(values), initial=1e-300)  # nan where a pole is open
                np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-9 * scale)


def test_threads_load_a_kernel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ask for the same code at the same time: one loads it, all get it."""
    loaded = []
    monkeypatch.setattr(object_code, "_LOADED", {})
    monkeypatch.setattr(object_code, "_code", lambda name, make: make())

    def load(name: str, code: bytes) -> int:
        time.sleep(0.01)
        loaded.append(name)
        return 7

    monkeypatch.setattr(object_code, "_load", load)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: object_code.address("some", bytes), range(16)))
    assert found == [7] * 16
    assert loaded == ["some"]
