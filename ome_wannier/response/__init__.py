"""A request becomes a labelled result."""
