"""The library of materials."""

from .sources.citations import cite
from .sources.library import entry, library, load, names, read
from .sources.library_entry import Entry, Parameter, Scan

__all__ = ["Entry", "Parameter", "Scan", "cite", "entry", "library", "load", "names", "read"]
