"""Wannier functions with the states outside them, wherever the files of their calculation that know these are there.

What stands in the way of it is said, and never stops what works without.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters.wannierberri.external import FILES, with_external_terms
from ..adapters.wannierberri.packed import companion
from ..common.errors import OMEError, warn
from ..common.limits import current
from ..models.tight_binding import TightBinding

#: eV (root mean square) by which bands between the k points of the calculation may differ: Te's do by 0.5 meV, and by 34 meV
#: from those without its `_wsvec.dat`, which are another interpolation
SAME_BANDS = 5e-3


def completed(model: TightBinding, seed: str | Path, options: Mapping[str, Any]) -> TightBinding:
    """The model with external terms where `.chk`, `.eig`, `.mmn` and `.uHu` are beside it and fit; else as it is, and why.

    Parameters
    ----------
    seed : path that the names of these files begin with. options : that the model was loaded with.

    Warns
    -----
    AccuracyWarning : files that are there and cannot be used, with the reason.
    """
    files = [companion(seed, ending) for ending in FILES]
    if None in files:
        return model
    try:
        return _fitting(model, seed, options, sum(file.stat().st_size for file in files if file is not None))
    except (OMEError, OSError) as error:
        warn(f"external terms left out: {error} (external=off, --external off, leaves them out without a word)")
        return model


def _fitting(model: TightBinding, seed: str | Path, options: Mapping[str, Any], size: int) -> TightBinding:
    """The same, or an OMEError."""
    if options.get("centres") is not None:
        raise OMEError(f"{seed}.uHu: centres asks for other positions than its calculation has")
    if size > current().unpacked:
        raise OMEError(f"{seed}.uHu and the files with it have {size / 2**30:.3g} GiB: raise unpack_size to have them read")
    found = with_external_terms(model, seed)
    k = np.random.default_rng(7).uniform(-0.5, 0.5, (16, 3)) * np.array(model.periodic)
    new, old = (np.linalg.eigvalsh(m.matrices(k, 0).H) for m in (found, model))
    if (apart := float(np.sqrt(((new - old) ** 2).mean()))) > SAME_BANDS:
        raise OMEError(f"{seed}.uHu: bands between the k points would move by {1e3 * apart:.2g} meV: is _wsvec.dat missing?")
    return found
