"""Machine code of kernels for the wheel, made by numba: no compiler is needed, here or where the wheel is installed.

Where this fails, or is left out (HATCH_BUILD_NO_HOOKS=1), the wheel is for every platform, and kernels are compiled when they
are first used.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

MODULE = "ome_wannier.common.machine_code"


class MachineCode(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the folder of machine code to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the code, unless the sources are used where they are: there they change."""
        if self.target_name != "wheel" or version == "editable":
            return
        made = self.folder = tempfile.TemporaryDirectory(prefix="ome_wannier-wheel-")
        command = [
            sys.executable,
            "-c",
            f"import sys, pathlib, {MODULE} as m; m.make_all(pathlib.Path(sys.argv[1]))",
            made.name,
        ]
        env = {**os.environ, "PYTHONPATH": self.root}
        done = subprocess.run(command, env=env, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode:
            self.app.display_warning(
                f"no machine code in this wheel, kernels are compiled at first use:\n{done.stderr[-2000:]}"
            )
            return
        files = [path for path in Path(made.name).rglob("*") if path.is_file()]
        for path in files:
            inside = path.relative_to(made.name).as_posix()
            build_data["force_include"][str(path)] = f"ome_wannier/common/machine_code_files/{inside}"
        if files:
            plain = (tag.platform for tag in sys_tags() if not tag.platform.startswith(("manylinux", "musllinux")))
            build_data["pure_python"], build_data["tag"] = False, f"py3-none-{next(plain)}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made."""
        if hasattr(self, "folder"):
            self.folder.cleanup()
