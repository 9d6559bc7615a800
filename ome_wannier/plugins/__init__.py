"""The calculators inside other packages' runs: one module per host."""
