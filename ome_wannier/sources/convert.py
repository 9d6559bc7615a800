"""Models of one program as files or objects of another. What is lost on the way is said, one warning for each thing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..adapters import tbmodels
from ..adapters.wannier90 import write as wannier90_write
from ..adapters.wannierberri import npz as wannierberri_npz
from ..common.errors import ModelError, warn
from ..models.tight_binding import TightBinding, is_tight_binding
from .load import adapter, load

#: what can be written, with how the names end
KINDS = {**wannier90_write.KINDS, "tbmodels": ".hdf5", "wannierberri": "/"}
_HDF5 = (".hdf5", ".h5")


def convert(
    source: Any,
    target: str | os.PathLike[str],
    kind: str | None = None,
    *,
    write_spin_order: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> list[Path]:
    """Load a model and write it for another program.

    Parameters
    ----------
    source : whatever `ome_wannier.load` takes, with its `options`.
    target : "x_tb.dat", "x_hr.dat" (Wannier90's formats, with "x_centres.xyz" and "x.win" beside them), "x.hdf5" (TBmodels), or
        "x/", a folder as of WannierBerri's `to_npz`.
    kind : "tb", "hr", "sparse" (WannierTools' variant of `_hr.dat`), "tbmodels" or "wannierberri"; default: by the name.
    write_spin_order : "block" or "interlaced", how spin-pure functions are sorted in what is written; default: as they come.
    overwrite : replace what was written there before. Input files of a calculation are never replaced.

    Returns
    -------
    paths of what was written.

    Raises
    ------
    ModelError : a model, name or place that cannot be written, files in the way, an order of spins that is not known; and
        what `load` raises.

    Warns
    -----
    AccuracyWarning : for everything that the format cannot hold.
    """
    if not isinstance(target, str | os.PathLike) or not isinstance(name := os.fspath(target), str):
        raise ModelError(f"cannot write to {target!r}: give the name of a file, or of a folder as x/")
    kind = kind or _kind(name)
    if kind not in KINDS:
        raise ModelError(f"cannot write a model as {kind!r}: one of {', '.join(KINDS)}")
    path, model = Path(target), _loaded(source, options)
    lost, model = list(_losses(model, kind, write_spin_order)), replace(model, external=None)
    try:
        written = _written(model, path, kind, write_spin_order, overwrite)
    except OSError as error:
        shown = str(path) if len(str(path)) < 200 else f"...{str(path)[-60:]}"
        raise ModelError(f"cannot write {shown}: {error.strerror or error}") from error
    for text in lost:
        warn(f"{path.name}: {text}")
    return written


def _written(model: TightBinding, path: Path, kind: str, order: str | None, overwrite: bool) -> list[Path]:
    """Write a model as one kind; the paths."""
    if kind != "wannierberri" and path.is_dir():
        raise ModelError(f"cannot write {path}: a folder of that name is in the way; move it, or give another name")
    if kind in wannier90_write.KINDS:
        return wannier90_write.write(model, path, kind, spin_order=order, overwrite=overwrite)
    model = model if order is None else wannier90_write.reordered(model, order)
    write = wannierberri_npz.write if kind == "wannierberri" else _write_tbmodels
    return [write(model, path, overwrite)]


def to_pythtb(source: Any, **options: Any) -> Any:
    """A PythTB model (of the installed generation) of what `load` takes; see `adapters.pythtb.export`."""
    return _exported("pythtb", source, options)


def to_wannierberri(source: Any, **options: Any) -> Any:
    """A WannierBerri `System_R` of what `load` takes; see `adapters.wannierberri.export`."""
    return _exported("wannierberri", source, options)


def to_tbmodels(source: Any, **options: Any) -> Any:
    """A `tbmodels.Model` of what `load` takes; see `adapters.tbmodels.export`."""
    return _exported("tbmodels", source, options)


def _exported(name: str, source: Any, options: dict[str, Any]) -> Any:
    model = _loaded(source, options)
    for text in _losses(model, name, None):
        warn(f"{name}: {text}")
    return adapter(name).export(replace(model, external=None))


def _write_tbmodels(model: TightBinding, path: Path, overwrite: bool) -> Path:
    if path.suffix.lower() not in _HDF5:
        raise ModelError(f"cannot write {path}: the name must end in {' or '.join(_HDF5)}")
    if not path.parent.is_dir():
        raise ModelError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not overwrite:
        raise ModelError(f"cannot write {path}: it exists already; pass overwrite=True (--overwrite) to replace it")
    tbmodels.write(model, path)
    return path


def _kind(target: str) -> str:
    """What a name stands for."""
    if target.endswith(("/", os.sep)):
        return "wannierberri"
    name = os.path.basename(target)
    if name.lower().endswith(_HDF5):
        return "tbmodels"
    for kind, ending in wannier90_write.KINDS.items():
        if name.endswith(ending):
            return kind
    if os.path.isdir(target):
        return "wannierberri"
    names = ", ".join(f"x{ending} ({kind})" for kind, ending in KINDS.items() if kind != "sparse")
    names += f', x{KINDS["sparse"]} with kind="sparse" (--sparse)'
    shown = target if len(target) < 200 else f"...{target[-60:]}"
    raise ModelError(f"cannot write {shown}: the name says what it is to be, {names}")


def _loaded(source: Any, options: dict[str, Any]) -> TightBinding:
    if isinstance(source, str | os.PathLike):  # no format has a place for external terms
        options = {"external": "off"} | options
    model = load(source, **options)
    if not is_tight_binding(model):
        raise ModelError(f"a {type(model).__name__} cannot be written: it has no Hamiltonian on R vectors")
    return model


def _losses(model: TightBinding, kind: str, order: str | None) -> Iterator[str]:
    """One line for each loss that the adapter of this kind does not speak of itself."""
    if model.external is not None:
        yield "the format has no place for matrix elements with states outside the basis (external)"
    if model.operators:
        yield f"the format has no place for the operators ({', '.join(o.name for o in model.operators)})"
    if model.frame is not None:
        yield "the layer or chain lies in no Cartesian plane or line and was rotated: what is written has the rotated axes"
    if model.structure is not None and kind in ("tbmodels", "pythtb"):
        yield "the format has no place for the atoms"
    if model.spin_degeneracy == 2 and kind == "tbmodels":
        yield "the format does not say that each band holds two electrons; load(..., spin_degeneracy=2) makes it so again"
    if kind != "tbmodels":
        return
    if model.has_spin:
        order = order or wannier90_write.spin_order_of(model)
        again = f"; load(..., spin_order={order!r}) makes it again" if order else ""
        yield f"the format has no place for the spin operator{again}"
    idle = [j for j in range(3) if model.periodic[j] and not model.R[:, j].any()]
    if idle:
        which = f"direction {', '.join(str(j + 1) for j in idle)}, which has no hopping,"
        yield f"the format cannot say that {which} is periodic; load(..., periodic={model.periodic}) makes it so again"
