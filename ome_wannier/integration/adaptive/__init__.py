"""Cells that are halved until the integrals have converged."""
