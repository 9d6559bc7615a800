"""`python -m ome_wannier` is the command line."""

from .cli import main

main()
