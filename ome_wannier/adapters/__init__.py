"""Adapters: each module turns one foreign thing (a set of files, an object of another package) into a Model.

A foreign package is imported inside the function that needs it, never at the top of a module.
"""
