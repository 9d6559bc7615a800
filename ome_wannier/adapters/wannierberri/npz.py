"""Writing the folder that WannierBerri's `System_R.from_npz` reads; `wannierberri.load` reads it here."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import warnings
from pathlib import Path

from ...common.errors import ModelError
from ...models.tight_binding import TightBinding
from .folder import ELECTRONS
from .system import export

#: the file by which such a folder is known
HAMILTONIAN = "_XX_R_Ham.npz"
#: besides what WannierBerri takes for essential: without the first, models that have only centres would be asked for AA
_MORE = ("force_internal_terms_only", ELECTRONS)


def write(model: TightBinding, folder: str | Path, overwrite: bool = False) -> Path:
    """Write a model as `System_R.to_npz` does, into a folder that appears when it is complete; see `wannierberri.export`.

    Parameters
    ----------
    overwrite : replace a folder with another system. It is replaced as a whole: WannierBerri reads every matrix that it
        finds, also one that an earlier system left there.

    Raises
    ------
    ModelError : a folder that is there and may not be replaced, because it holds other things or for lack of `overwrite`.
    """
    target = Path(folder).resolve()
    _check_way(target, Path(folder), overwrite)
    new = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    old = new.with_name(new.name + ".old")
    try:
        # a silent system opens the null device at every line, and leaves it open
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            system = export(model)
            system.silent = False
            system.to_npz(str(new), extra_properties=_MORE)
        umask = os.umask(0)
        os.umask(umask)
        new.chmod(0o777 & ~umask)
        if target.exists():
            target.rename(old)
        new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        elif old.exists():  # the new one did not come in its place
            old.rename(target)
    return Path(folder)


def _check_way(target: Path, folder: Path, overwrite: bool) -> None:
    """Make sure that nothing is lost but a system that may be replaced."""
    if not target.parent.is_dir():
        raise ModelError(f"cannot write {folder}: there is no folder {target.parent}")
    if not target.exists():
        return
    if not target.is_dir():
        raise ModelError(f"cannot write {folder}: it is a file, and WannierBerri's systems are folders")
    names = sorted(file.name for file in target.iterdir())
    strangers = [name for name in names if not name.endswith(".npz")]
    if names and (strangers or HAMILTONIAN not in names):
        found = (strangers or names)[0]
        raise ModelError(f"cannot write {folder}: it holds other things than a system of WannierBerri ({found})")
    if names and not overwrite:
        raise ModelError(f"cannot write {folder}: it holds a system already; pass overwrite=True (--overwrite) to replace it")
