"""What numbers may mean less than they seem to, in words."""

from __future__ import annotations

from ..bands.degeneracy import Degeneracy
from ..common.errors import warn
from ..integration.integral import Integral

#: a part of the split that exceeds the total by this factor has lost the digits of the total: a warning names it
SPLIT_LIMIT = 100.0


#: quantities that a warning names; the attribute has all
NAMED = 2


def _first(listed: str) -> str:
    """The first few of a list with commas."""
    parts = listed.split(", ")
    return ", ".join(parts[:NAMED] + ["..."] * (len(parts) > NAMED))


def warn_of(found: Integral, degeneracy: Degeneracy) -> None:
    """Warn where the numbers mean less than they seem to."""
    values, widest = found.raw or found.values, found.attrs["widest_degenerate_group_eV"]
    if widest > degeneracy.widest:
        warn(
            f"a degenerate group spreads over {widest:.2g} eV, more than {degeneracy.widest:g} eV: lower degeneracy_tol, which "
            f"is {degeneracy.tol:g} eV"
        )
    changed = _first(found.attrs["levels_in_doubt"])
    if changed and degeneracy.splits_pairs:
        warn(
            f"all levels come in pairs, up to {1e3 * degeneracy.noise:.2g} meV apart, which is taken for noise: give "
            f"degeneracy_tol, less if it is real, more if not (real, it would change {changed}, which is in the errors)"
        )
    elif changed:
        warn(
            f"levels {1e3 * degeneracy.tol:.2g} to {1e3 * degeneracy.doubt:.2g} meV apart may be one: give degeneracy_tol, "
            f"more if symmetry makes them so, less if not (as one, they would change {changed}, which is in the errors)"
        )
    if "total" not in values or not values["total"].size:
        return
    total = abs(values["total"]).max()
    worst = max(
        ((abs(values[name]).max(), name) for name in ("dipole", "local", "itinerant", "itinerant_sea") if name in values),
        default=(0.0, ""),
    )
    if worst[0] > SPLIT_LIMIT * total > 0:
        warn(
            f"the split is dominated by nearly degenerate occupied pairs: {worst[1]} exceeds the total "
            f"{worst[0] / total:.1g} times and cancels; trust total and the cross-gap parts, or raise degeneracy_tol"
        )
