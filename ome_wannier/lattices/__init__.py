"""Builders of Hamiltonians: each returns a model, parameters are keyword arguments with units."""
