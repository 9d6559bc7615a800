"""How states are occupied: Fermi functions, histograms, levels."""
