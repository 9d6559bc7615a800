"""WannierBerri's systems and files: to a model and back."""

from .system import export, load, recognises

__all__ = ["export", "load", "recognises"]
