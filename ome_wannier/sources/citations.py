"""What to cite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.errors import ModelError
from . import library
from .library import entry
from .library_entry import PREFIX, Entry

if TYPE_CHECKING:
    import xarray as xr

PAPER = (
    "J. H. Cullen, D. P. Arovas, R. Raimondi, D. Culcer, Quantum geometry and dipolar dynamics in the orbital "
    "magneto-electric effect (2025), https://doi.org/10.48550/arXiv.2505.02911"
)


WANNIER90 = (
    "G. Pizzi et al., Wannier90 as a community code: new features and applications, J. Phys.: Condens. Matter 32, 165902 "
    "(2020), https://doi.org/10.1088/1361-648X/ab51ff"
)


WANNIERBERRI = (
    "S. S. Tsirkin, High performance Wannier interpolation of Berry curvature and related quantities with WannierBerri code, "
    "npj Comput. Mater. 7, 33 (2021), https://doi.org/10.1038/s41524-021-00498-5"
)


def cite(what: str | xr.Dataset) -> str:
    """What to cite for a result, or for an entry of the library: one work per line.

    For a result these are the theory, the programs whose output it came from, the entry it was computed with, and the
    references of the quantities in it.

    Raises
    ------
    ModelError : a name that the library does not have, or what is neither a name nor a result.
    """
    if not isinstance(what, str) and not (hasattr(what, "attrs") and hasattr(what, "data_vars")):
        raise ModelError(f"cite({what!r}): give a result of compute() or the name of a library entry, such as 'te'")
    if isinstance(what, str):
        found = entry(what)
        works = [PAPER, *([WANNIER90] if found.seed else []), *_of_entry(found)]
    else:
        about = what.attrs
        made = str(about.get("model", "")).removeprefix(PREFIX).split(" (")[0]
        known = str(about.get("model", "")).startswith(PREFIX) and made in library.names()
        works = [PAPER]
        computed = entry(made).seed if known else "source" in about
        if computed or "Wannier functions" in str(about.get("position", "")):
            works.append(WANNIER90)
        if "wannierberri" in str(about.get("software", "")).lower():
            works.append(WANNIERBERRI)
        works += _of_entry(entry(made)) if known else []
        works += [f"{v.attrs['reference']} [{name}]" for name, v in what.data_vars.items() if v.attrs.get("reference")]
    return "\n".join(dict.fromkeys(works))


def _of_entry(found: Entry) -> list[str]:
    return [str(c) for c in found.citations] + [f"{found.title}: {found.source} [{found.licence}]"]
