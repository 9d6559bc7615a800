"""Files of a calculation that WannierBerri reads itself, unpacked into a temporary folder where they are compressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ...common.errors import FileFormatError, ModelError
from ...common.packed import read_bytes

_PACKED = (".gz", ".bz2", ".xz")


def companion(seed: str | Path, ending: str) -> Path | None:
    """The file seed + ending, plain or else compressed, or None; a link that leads nowhere is one, whoever reads it says so."""
    names = (Path(f"{seed}{ending}{packed}") for packed in ("", *_PACKED))
    return next((name for name in names if name.is_file() or name.is_symlink()), None)


@contextmanager
def unpacked(seed: str | Path, endings: Sequence[str], what: str) -> Iterator[Path]:
    """A seed beside which all files with these endings stand plain; the same one where they do already.

    What is said of an unpacked file inside this context is said of the packed one.

    Parameters
    ----------
    seed : path that the names begin with. what : what needs the files, for the message.

    Raises
    ------
    ModelError : a missing file. FileFormatError : a damaged compressed file.
    """
    found = {ending: companion(seed, ending) for ending in endings}
    for ending, file in found.items():
        if file is None:
            raise ModelError(f"no file {seed}{ending}: {what} {', '.join(endings)} (plain, .gz, .bz2 or .xz)")
    if all(file is not None and file.name.endswith(ending) for ending, file in found.items()):
        yield Path(seed)
        return
    with TemporaryDirectory(prefix="ome_wannier_") as folder:
        inside = Path(folder) / Path(seed).name
        for ending, file in found.items():
            assert file is not None
            target = Path(f"{inside}{ending}")
            if file.name.endswith(ending):
                target.symlink_to(file.absolute())
            else:
                target.write_bytes(read_bytes(file))
        try:
            yield inside
        except FileFormatError as error:
            of = found.get(str(error.path).removeprefix(str(inside)))
            raise FileFormatError(of or seed, error.line, error.expected, error.found) from None
