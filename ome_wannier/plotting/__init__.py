"""Pictures: of a result (`fermi_scan`, `tensor`) and in k space (`zone_map`, `bands` along a `standard_path`).

Every function returns a matplotlib figure that belongs to no global state, and writes it if given a `path`.
"""

from __future__ import annotations

from .bandplot import bands, standard_path
from .scan import fermi_scan
from .table import tensor
from .zone import zone_map

__all__ = ["bands", "fermi_scan", "standard_path", "tensor", "zone_map"]
