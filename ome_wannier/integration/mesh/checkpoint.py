"""Checkpoints: the sum so far in a file, from which the same run goes on to the same last bit."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import CodeType
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...common.errors import FileFormatError, SettingsError
from ...common.npz import read_npz
from ...common.safe_write import whole
from ..integral import Integrand
from ..kpoints.irreducible import IrreducibleMesh
from ..kpoints.mesh import KMesh
from .scatter import Planes
from .unseen import Unseen

#: seconds between two checkpoints, and the least multiple of the time that writing one takes
INTERVAL = 30.0
COST = 20.0


class State(NamedTuple):
    """The sum over the first `done` blocks, what their points may miss, sums over planes of these points, and the widest
    degenerate group in eV among them."""

    total: NDArray[np.float64]
    unseen: Unseen
    planes: Planes
    done: int
    widest: float


#: arrays of the file: kind of dtype, and number of dimensions
_CONTENT = {
    "run": ("U", 0), "state": ("U", 0), "total": ("f", 3), "unseen": ("f", 4), "sums": ("f", 4), "share": ("f", 1),
    "number": ("f", 1), "coarsest": ("f", 0), "done": ("i", 0), "widest": ("f", 0),
}  # fmt: skip


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
        file = read_npz(self.path, "a checkpoint")
        for name, (kind, dimension) in _CONTENT.items():
            found = file.get(name)
            if found is None or found.dtype.kind != kind or found.ndim != dimension:
                shown = "none" if found is None else f"{found.dtype.name} of {found.ndim} dimensions"
                raise FileFormatError(self.path, None, f"a checkpoint with an array {name}", shown)
        if str(file["run"]) != self._run:
            raise SettingsError(
                f"checkpoint {self.path} belongs to another run: model, mesh, symmetry, Fermi levels, temperatures, "
                "calculators, degeneracy_tol and version must be the same; give another file, or remove it to begin anew"
            )
        if len(file["unseen"]) != 2:
            raise FileFormatError(self.path, None, "a checkpoint, unseen of two parts", f"shape {file['unseen'].shape}")
        unseen = Unseen(file["unseen"][0], file["unseen"][1], float(file["coarsest"]))
        planes = Planes(file["sums"], file["share"], file["number"])
        state = State(file["total"], unseen, planes, int(file["done"]), float(file["widest"]))
        if str(file["state"]) != _state_digest(self._run, state):
            raise FileFormatError(
                self.path, None, "a checkpoint with the digest of its sums", "another digest: it was changed; remove it"
            )
        return state

    def state_like(self, empty: State, blocks: int) -> State:
        """Where the run that left the file had come to; `empty` at the beginning.

        Raises
        ------
        FileFormatError : sums of other shapes than `empty` has, that are not finite, or of a number of blocks that is none.
        """
        if self._state is None:
            return empty
        found = self._state
        pairs = list(zip(_arrays(found), _arrays(empty), strict=True))
        same = all(a.shape == b.shape and a.dtype == b.dtype for a, b in pairs)
        if not same or not 0 < found.done <= blocks:
            expected = f"a checkpoint of 1 to {blocks} blocks with sums of shape {empty.total.shape}"
            raise FileFormatError(self.path, None, expected, f"{found.done} blocks of shape {found.total.shape}")
        finite = np.isfinite([found.widest, found.unseen.coarsest]).all() and all(np.isfinite(a).all() for a, _ in pairs)
        if not finite or min(found.widest, found.unseen.coarsest) < 0:
            raise FileFormatError(self.path, None, "a checkpoint of finite sums", "some that are not: remove it to begin anew")
        return found

    @property
    def state(self) -> State | None:
        """Where the run that left the file had come to, as the file says, or None at the beginning; see `state_like`."""
        return self._state

    def keep(self, state: State) -> None:
        """Write the state, if the last one is old enough."""
        if time.monotonic() - self._written > self._pause:
            self.write(state)

    def write(self, state: State) -> None:
        """Write the state now."""
        start = time.monotonic()

        total, (size, variance, coarsest), planes, done, widest = state
        run, unseen = np.array(self._run), np.stack([size, variance])
        digest = np.array(_state_digest(self._run, state))
        more: dict[str, Any] = planes._asdict() | {"coarsest": float(coarsest), "done": int(done), "widest": float(widest)}

        def fill(file: IO[bytes]) -> None:
            """Write run, state and digest."""
            np.savez(file, run=run, state=digest, total=total, unseen=unseen, **more)

        whole(self.path, fill)
        self._written = time.monotonic()
        self._pause = max(INTERVAL, COST * (self._written - start))


def _arrays(state: State) -> tuple[NDArray[np.float64], ...]:
    """The sums of a state."""
    return state.total, *state.unseen[:2], *state.planes


def _state_digest(run: str, state: State) -> str:
    """SHA-256 of a state of a run."""
    hashed = hashlib.sha256(repr((run, int(state.done), float(state.widest), float(state.unseen.coarsest))).encode())
    for a in _arrays(state):
        hashed.update(repr((a.dtype.str, a.shape)).encode() + np.ascontiguousarray(a).tobytes())
    return hashed.hexdigest()


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
