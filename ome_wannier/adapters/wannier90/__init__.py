"""The files of Wannier90: reading a seedname, writing a model."""

from .loader import load

__all__ = ["load"]
