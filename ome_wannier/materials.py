"""The library of materials."""

from .sources.citations import cite
from .sources.library import Entry, Parameter, Scan, entry, library, load, names, read

__all__ = ["Entry", "Parameter", "Scan", "cite", "entry", "library", "load", "names", "read"]
