"""What ASE finds in its entry-point group `ase.plugins`: that there is a calculator `ome`. It imports this when it looks."""

from __future__ import annotations

from typing import Any

#: read by ASE
__ase_plugins__: set[Any] = set()

try:  # of ASE 3.29; versions before have no such plugins, and later ones may have them elsewhere
    from ase._4.plugins.plugin import CalculatorPlugin
except ImportError:
    pass
else:
    __ase_plugins__.add(CalculatorPlugin("ome", implementation="ome_wannier.plugins.ase.OMECalculator"))
