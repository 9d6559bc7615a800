"""Pictures: of results (`fermi_scan`, `compare`, `convergence`, `mechanisms`, `tensor`; `picture` chooses)
and in k space (`zone_map`, `bands` along a `standard_path`).

Every function returns a matplotlib figure that belongs to no global state, and writes it if given a `path`.
"""

from __future__ import annotations

from .bandplot import bands, standard_path
from .bars import mechanisms
from .compare import compare
from .convergence import convergence
from .part_bars import parts
from .picture import picture
from .scan import fermi_scan
from .table import tensor
from .zone import zone_map

__all__ = [
    "bands",
    "compare",
    "convergence",
    "fermi_scan",
    "mechanisms",
    "parts",
    "picture",
    "standard_path",
    "tensor",
    "zone_map",
]
