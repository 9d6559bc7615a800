"""What a column of the table is."""

from __future__ import annotations

from typing import NamedTuple


class Descriptor(NamedTuple):
    """A column of the table."""

    name: str
    unit: str
    meaning: str
