"""Rays to infinity for k.p models."""
