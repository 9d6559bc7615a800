"""What an HDF5 file of anybody holds, judged by its headers before data are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import FileFormatError


def stored_bytes(path: Path, file: Any) -> dict[str, int]:
    """Bytes in memory of every array of an open h5py file, by name.

    Raises
    ------
    FileFormatError : data that lie in other files.
    """
    import h5py

    sizes: dict[str, int] = {}

    def leaves(name: str, link: Any) -> str | None:
        """Links are judged without being followed: the file that one leads to is not opened."""
        return name if isinstance(link, h5py.ExternalLink) else None

    def add(name: str, found: Any) -> None:
        """Add what a node of the file takes in memory."""
        if not isinstance(found, h5py.Dataset):
            return
        if found.external or found.is_virtual:
            raise FileFormatError(path, None, "data in this file", f"{name[:60]} in another one")
        sizes[name] = 0 if found.shape is None else found.size * found.dtype.itemsize

    if outside := file.visititems_links(leaves):
        raise FileFormatError(path, None, "data in this file", f"{outside[:60]} in another one")
    file.visititems(add)
    return sizes
