"""How many electrons a band of a Wannier90 calculation holds, as its files say it or as it is assumed."""

from __future__ import annotations

import re
from pathlib import Path

from ...common.errors import FileFormatError, warn
from .win import Win

_UP, _DOWN = ("up", "u", "alpha", "maj", "1"), ("dn", "dw", "down", "do", "d", "beta", "min", "2")
_PACKED = ("", ".gz", ".bz2", ".xz")
_ENDINGS = ("_tb.dat", "_hr.dat", ".win")


def spin_degeneracy(seed: Path, win: Win | None) -> int:
    """Electrons per band: 1 for spinors, for num_elec_per_state = 1 and for one spin channel, otherwise 2.

    Raises
    ------
    FileFormatError : spinors, or one spin channel, with num_elec_per_state = 2.

    Warns
    -----
    AccuracyWarning : no `.win`; one of two seeds that are named as spin channels, where nothing is said.
    """
    if win is None:
        warn(f"no {seed.name}.win: each band is taken to hold one electron; pass spin_degeneracy=2 for a spinless calculation")
        return 1
    one = "spinors = true" if win.spinors else f"spin = {win.channel}" if win.channel else ""
    if one and win.per_state == 2:
        raise FileFormatError(win.path, None, f"num_elec_per_state = 1 with {one} (or pass spin_degeneracy)", "2")
    if one or win.per_state:
        return 1 if one else win.per_state or 2
    other = other_channel(seed)
    if other is None:
        return 2
    warn(
        f"{seed.name} and {other} lie together: they are taken for two spin channels, so each band holds one electron; "
        "pass spin_degeneracy=2 if that is not so"
    )
    return 1


def other_channel(seed: Path) -> str | None:
    """Name of the seed beside this one that is its other spin channel by its name (X_up and X_dn), or None."""
    match = re.fullmatch(r"(.+?)([_.-]?)(up|u|alpha|maj|1|dn|dw|down|do|d|beta|min|2)", seed.name, re.IGNORECASE)
    if match is None:
        return None
    stem, separator, own = match.groups()
    if not separator and own.lower() not in ("up", "dn", "dw", "down"):  # Bi2 and Bi1 are no spin channels
        return None
    others = [stem + separator + word for word in (_DOWN if own.lower() in _UP else _UP)]
    try:
        names = [file.name for file in seed.parent.iterdir()]
    except OSError:
        return None
    present = {n.lower().removesuffix(packed) for n in names for packed in _PACKED}
    return next((o for o in others if any((o + ending).lower() in present for ending in _ENDINGS)), None)
