"""Screening: many materials into one table that can be trusted and continued.

`listing` and `plan` say what is to be computed, `step` is what a worker does with one material, `descriptors` are the
numbers that a row is chosen by, `run` has the workers do it all and stores what they find, `table` reads it back.
"""

from __future__ import annotations

from .descriptors import DESCRIPTORS, describe
from .listing import Item, items
from .run import Counts, run, screen
from .table import export, frame, rank

__all__ = ["DESCRIPTORS", "Counts", "Item", "describe", "export", "frame", "items", "rank", "run", "screen"]
