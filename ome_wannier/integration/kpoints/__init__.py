"""Sets of k points: meshes, what symmetry leaves of them, rays."""
