"""Magnetic point groups: operations, what they do to tensors, and those that a crystal may have."""

from .operations import Operation, from_fractional

__all__ = ["Operation", "from_fractional"]
