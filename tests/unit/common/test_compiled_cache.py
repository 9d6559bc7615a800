"""Compiled code that cannot be kept or read back costs time and one line, nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ome_wannier.common import compiled_cache
from ome_wannier.common.compiled_cache import Lenient

#: a function that is compiled into the folder that is named, and what it gives
LINE = "import numba, ome_wannier.common.compiled_cache as c\nf = c.cached(numba.njit(lambda x: x + 1))\nprint(f(2))"


class Broken:
    """A cache of numba that raises the same error whatever it is asked."""

    name = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def load_overload(self, *_: Any) -> Any:
        raise self.error

    save_overload = load_overload


@pytest.fixture(autouse=True)
def unsaid() -> Iterator[None]:
    """What was said in this process does not count."""
    compiled_cache._say_unsaved.cache_clear()
    yield
    compiled_cache._say_unsaved.cache_clear()


@pytest.mark.parametrize(
    "error", [EOFError(), ValueError("bad pickle"), OSError(errno.EIO, "Input/output error"), KeyError("x")]
)
def test_what_cannot_be_read_is_compiled_again(error: Exception) -> None:
    assert Lenient(Broken(error)).load_overload("signature", None) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), r"\(No space left on device\)"), (EOFError(), r"\(EOFError\)")],
)
def test_what_cannot_be_kept_is_said_once(error: Exception, said: str) -> None:
    cache = Lenient(Broken(error))
    with pytest.warns(RuntimeWarning, match=f"{said}.*set NUMBA_CACHE_DIR to a folder that you can write to"):
        cache.save_overload("signature", None)
    cache.save_overload("another", None)  # a second warning would be an error
    assert cache.name == "broken"


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_damaged_cache_is_no_loss(tmp_path: Path, root: Path, ending: str) -> None:
    """An index or code of numba that is cut in the middle: the same number, one line at the most."""
    file = tmp_path / "f.py"
    file.write_text(LINE)
    given = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def printed() -> tuple[list[str], str]:
        done = subprocess.run([sys.executable, file], env=given, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split(), done.stderr

    assert printed()[0][0] == "3"
    (kept,) = (tmp_path / "cache").rglob(f"*.{ending}")
    kept.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    found, said = printed()
    assert found[0] == "3"
    assert "Traceback" not in said
    assert said.count("NUMBA_CACHE_DIR") <= 1
