"""Where models come from and go: load, convert, the library of materials, citations."""
