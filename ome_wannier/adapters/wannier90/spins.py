"""How many electrons a band of a Wannier90 calculation holds, as its files say it or as it is assumed."""

from __future__ import annotations

import re
from pathlib import Path

from ...common.errors import FileFormatError, warn
from .win import Win

#: words for channels, and numbers, each with those of the other channel
_UP, _DOWN = ("up", "u", "alpha", "maj", "majority"), ("dn", "dw", "down", "do", "d", "beta", "min", "minority")
_NUMBERS = {"1": ("2",), "2": ("1",)}
_SPIN_NUMBERS = {"0": ("1",), "1": ("2", "0"), "2": ("1",)}
#: words that mean nothing else, also where nothing sets them apart
_CLEAR = ("up", "dn", "dw", "down")
_WORDS = "|".join(sorted((*_UP, *_DOWN, *_SPIN_NUMBERS), key=len, reverse=True))
_BEHIND = re.compile(rf"(.*?)([_.-]?)(spin[_.-]?)?({_WORDS})", re.IGNORECASE)
_BEFORE = re.compile(rf"(spin[_.-]?)?({'|'.join(_CLEAR)})([_.-].+)", re.IGNORECASE)
_PACKED = ("", ".gz", ".bz2", ".xz")
_ENDINGS = ("_tb.dat", "_hr.dat", ".win")


def spin_degeneracy(seed: Path, win: Win | None) -> int:
    """Electrons per band: 1 for spinors, for num_elec_per_state = 1 and for one spin channel, otherwise 2.

    Raises
    ------
    FileFormatError : spinors, or one spin channel, with num_elec_per_state = 2.

    Warns
    -----
    AccuracyWarning : no `.win`; a seed that is named as a spin channel, where nothing is said.
    """
    if win is None:
        warn(f"no {seed.name}.win: each band is taken to hold one electron; pass spin_degeneracy=2 for a spinless calculation")
        return 1
    one = "spinors = true" if win.spinors else f"spin = {win.channel}" if win.channel else ""
    if one and win.per_state == 2:
        raise FileFormatError(win.path, None, f"num_elec_per_state = 1 with {one} (or pass spin_degeneracy)", "2")
    if one or win.per_state:
        return 1 if one else win.per_state or 2
    names = other_names(seed.name)
    other = next((found for name in names if (found := _lies_in(seed.parent, name))), None)
    if other is None:
        other = _in_another_folder(seed.absolute())
    if other:
        warn(
            f"{seed.name} and {other} lie together: they are taken for two spin channels, so each band holds one electron; "
            "pass spin_degeneracy=2 if that is not so"
        )
        return 1
    if names and _clear(seed.name):
        warn(
            f"{seed.name} is named as one spin channel, but there is no other, and {win.path.name} has no spin: each band is "
            "taken to hold two electrons; pass spin_degeneracy=1 if it is one"
        )
    return 2


def other_names(name: str) -> list[str]:
    """How the other spin channel of a seed may be called, by its name (X_up: X_dn, X_down ...); none if it is no channel."""
    if match := _BEFORE.fullmatch(name):
        spin, word, rest = match.groups()
        return [f"{spin or ''}{other}{rest}" for other in _others(word, bool(spin)) if other in _CLEAR]
    match = _BEHIND.fullmatch(name)
    if match is None:
        return []
    stem, separator, spin, word = match.groups()
    apart = separator or spin or word.lower() in _CLEAR  # Bi2 and Bi1 are no spin channels
    if not apart or not (stem or spin) or (word.isdigit() and not spin and separator != "."):
        return []  # Si_1 and Si_2 are two runs; VASP numbers spin channels behind a point
    return [f"{stem}{separator}{spin or ''}{other}" for other in _others(word, bool(spin))]


def _others(word: str, spin: bool) -> tuple[str, ...]:
    """The words for the other channel."""
    small = word.lower()
    if small.isdigit():
        return (_SPIN_NUMBERS if spin else _NUMBERS).get(small, ())
    return _DOWN if small in _UP else _UP


def _clear(name: str) -> bool:
    """Whether a name has a word that means a spin channel, and not only a letter or a number that may mean anything."""
    words = "|".join(_CLEAR)
    return bool(re.search(rf"spin[_.-]?\w+$|[_.-]({words})$|^({words})[_.-]", name, re.IGNORECASE))


def _in_another_folder(seed: Path) -> str | None:
    """The same seed in a folder of the other channel, where that of the seed is called up, spin_up, Fe_up or so."""
    folder = seed.parent.name
    names = _others(folder, False) if folder.lower() in _CLEAR else other_names(folder) if _clear(folder) else ()
    wanted = {name.lower() for name in names}
    beside = [name for name in _listed(seed.parents[1]) if name.lower() in wanted] if wanted else []
    return next((f"{name}/{found}" for name in beside if (found := _lies_in(seed.parents[1] / name, seed.name))), None)


def _lies_in(folder: Path, seed: str) -> str | None:
    """The name, as it is spelled, of a seed with files in a folder, which may be asked for in letters of any size."""
    endings = [ending + packed for ending in _ENDINGS for packed in _PACKED]
    wanted = {(seed + ending).lower(): len(ending) for ending in endings}
    return next((name[: -wanted[name.lower()]] for name in _listed(folder) if name.lower() in wanted), None)


def _listed(folder: Path) -> list[str]:
    """What lies in a folder, as far as one may look."""
    try:
        return sorted(file.name for file in folder.iterdir())
    except OSError:
        return []
