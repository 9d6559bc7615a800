"""Checkpoints: the sum so far in a file, from which the same run goes on to the same last bit."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from pathlib import Path
from types import CodeType
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...common.checked_input import regular
from ...common.errors import FileFormatError, SettingsError
from ...common.safe_write import whole
from ..integral import Integrand
from ..kpoints.irreducible import IrreducibleMesh
from ..kpoints.mesh import KMesh
from .unseen import Unseen

#: seconds between two checkpoints, and the least multiple of the time that writing one takes
INTERVAL = 30.0
COST = 20.0


class State(NamedTuple):
    """The sum over the first `done` blocks, what their points may miss, and the widest degenerate group in eV among them."""

    total: NDArray[np.float64]
    unseen: Unseen
    done: int
    widest: float


class Checkpoint:
    """The file that a run leaves its state in.

    Parameters
    ----------
    path : the file; it is written whole or not at all.
    run : digest of everything that the sum depends on, see `digest`.
    resume : go on from the file if it is there.

    Raises
    ------
    SettingsError : a file of another run, or one that is there without `resume`; a folder that is missing.
    FileFormatError : a file that is no checkpoint.
    """

    def __init__(self, path: str | Path, run: str, resume: bool) -> None:
        self.path, self._run = Path(path), run
        self._state: State | None = None
        self._written, self._pause = time.monotonic(), INTERVAL
        if not self.path.parent.is_dir():
            raise SettingsError(f"checkpoint {self.path}: there is no folder {self.path.parent}")
        if not os.access(self.path.parent, os.W_OK) or self.path.is_dir():
            raise SettingsError(f"checkpoint {self.path}: this is a folder, or in one that is not writable")
        if self.path.exists():
            if not resume:
                raise SettingsError(f"checkpoint {self.path} exists: resume continues it, or remove it to begin anew")
            self._state = self._read()

    def _read(self) -> State:
        try:
            with regular(self.path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                unseen = Unseen(file["unseen"][0], file["unseen"][1], float(file["coarsest"]))
                run, state = str(file["run"]), State(file["total"], unseen, int(file["done"]), float(file["widest"]))
        except (ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise FileFormatError(self.path, None, "a checkpoint", str(error)) from error
        if run != self._run:
            raise SettingsError(
                f"checkpoint {self.path} belongs to another run: model, mesh, symmetry, Fermi levels, temperatures, "
                "calculators, degeneracy_tol and version must be the same; give another file, or remove it to begin anew"
            )
        return state

    @property
    def state(self) -> State | None:
        """Where the run that left the file had come to, or None at the beginning."""
        return self._state

    def keep(self, state: State) -> None:
        """Write the state, if the last one is old enough."""
        if time.monotonic() - self._written > self._pause:
            self.write(state)

    def write(self, state: State) -> None:
        """Write the state now."""
        start = time.monotonic()

        total, (size, variance, coarsest), done, widest = state
        run, unseen = np.array(self._run), np.stack([size, variance])

        def fill(file: IO[bytes]) -> None:
            np.savez(file, run=run, total=total, unseen=unseen, coarsest=coarsest, done=done, widest=widest)

        whole(self.path, fill)
        self._written = time.monotonic()
        self._pause = max(INTERVAL, COST * (self._written - start))


def digest(integrand: Integrand, points: KMesh | IrreducibleMesh, version: str) -> str:
    """SHA-256 of all that the bits of a sum depend on, but for the processor.

    Of a calculator's function its own code counts, not that of functions it calls, nor values that it took from around.
    """
    mesh = points if isinstance(points, KMesh) else points.mesh
    about = (version, np.__version__, integrand.model.sha256, mesh.size, mesh.shift, integrand.degeneracy)
    hashed = hashlib.sha256(repr(about).encode())
    if isinstance(points, IrreducibleMesh):
        for left in (points.row, points.star, points.orbit):
            hashed.update(repr((left.dtype.str, left.shape)).encode() + left.tobytes())
    for a in (integrand.occupation.fermi, integrand.occupation.temperature):
        hashed.update(repr(np.asarray(a, dtype=float).tolist()).encode())
    for o in integrand.observables:
        hashed.update(repr((o.name, o.occupation, o.dims, o.order, o.curvature)).encode())
        hashed.update(_fingerprint(getattr(o.weights, "__code__", None)).encode())
    return hashed.hexdigest()


def _fingerprint(code: CodeType | None) -> str:
    """What a function does, whatever file and line it stands in."""
    if code is None:
        return "-"
    constants = [
        _fingerprint(c) if isinstance(c, CodeType) else repr(sorted(map(repr, c)) if isinstance(c, frozenset) else c)
        for c in code.co_consts
    ]
    return repr((code.co_code, code.co_names, constants))
