"""One HTML page that needs nothing else: of a screening, its ranked table and every material; of a result, that alone.

`content` collects what is shown, `page` puts it into the template with the scripts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..common.errors import SettingsError
from ..common.safe_write import whole
from ..response.result_files import load_result

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["report"]

#: materials that are shown in detail, the best of the table
DETAILS = 200


def report(
    source: str | Path | xr.Dataset,
    path: str | Path,
    by: str = "max|total|",
    where: str | None = None,
    details: int = DETAILS,
    units: str | None = None,
) -> Path:
    """Write the report of a screening or of a result.

    Parameters
    ----------
    source : a database of `screen`, a result or its file (`.nc`).
    path : where to write it, `.html`. by, where : what the table is sorted by, and which rows it has, see `rank`.
    details : how many materials have their scans and tensors in the page. units : of the responses, see `summary`.

    Raises
    ------
    SettingsError : another ending of the path, an unknown column, a unit that there is not. StoreError, FileFormatError :
        nothing there to report on.
    """
    from . import content, page

    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise SettingsError(f"{path}: the name must end in .html")
    if isinstance(source, str | Path) and not str(source).endswith(".nc"):
        found = content.of_database(source, by, where, details, units)
    else:
        result = load_result(source) if isinstance(source, str | Path) else source
        found = content.of_result(result, Path(source).name if isinstance(source, str | Path) else "", units)
    text = page.render(found)
    whole(target, lambda file: file.write(text.encode()))
    return target
