"""All sums over k."""
