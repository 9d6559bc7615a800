"""Checkpoints of sums over a mesh: what the file is and how it is written, for programs that run the sums."""

from .integration.mesh.checkpoint import Checkpoint, State, digest

__all__ = ["Checkpoint", "State", "digest"]
