"""A gradient of the temperature in place of a field: it shifts the electrons of a Fermi surface too.

To first order in the relaxation time the electrons of band n are changed by tau v_b (df/de) times e E_b in a field, and times
((e_n - mu)/T) d_b T in a gradient at a uniform electrochemical potential (physics.md eq. 75).
"""

from __future__ import annotations

from dataclasses import replace

from .quantity import OF_GRADIENTS, Observable

REFERENCE = "Ashcroft, Mermin, Solid State Physics (1976), chapter 13"


def thermal_of(observable: Observable, equation: str) -> Observable:
    """The response to a gradient of the temperature of what this is the response to a field of: <name>_thermal."""
    return replace(
        observable,
        name=f"{observable.name}_thermal",
        long_name=f"{observable.long_name.replace(' to an electric field', '')}, to a gradient of the temperature",
        kind=OF_GRADIENTS[observable.kind],
        occupation="thermal",
        equation=equation,
        reference=f"{observable.reference}; {REFERENCE}",
    )
