"""The multiband engine: eigenproblem, velocities, off-diagonal connections, degenerate groups."""
