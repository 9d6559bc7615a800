"""A Hamiltonian and its k derivatives at a batch of k points."""
