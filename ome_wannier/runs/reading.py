"""Settings from a TOML file and from options, which outweigh it; a mistake is named with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from ..common.errors import SettingsError
from ..common.toml import read_toml
from .settings import TABLE, Settings, outweighed
from .values import text

if TYPE_CHECKING:
    from pydantic import BaseModel

PATHS = tuple(name for name, setting in TABLE.items() if setting.path)


def resolve(options: Mapping[str, Any], file: str | Path | None = None) -> Settings:
    """Settings of a TOML file, overridden by options (None counts as not given).

    Raises
    ------
    SettingsError : an unknown or unusable setting, with the file, its line and the key, or the option.
    FileFormatError : a file that is not TOML. OSError : a file that cannot be read.
    """
    given = {key: value for key, value in options.items() if value is not None}
    stored = {} if file is None else joined(read_toml(file), Path(file).parent)
    refuse_code(stored, file)
    validate(stored, file)
    settings = validate(outweighed(stored, given) | given)
    if settings.seed is None and settings.material is None:
        raise SettingsError(f"{file or 'nothing to run'}: give seed (path of Wannier90 files) or material (library entry)")
    return settings


def refuse_code(stored: Mapping[str, Any], file: str | Path | None, table: int | None = None) -> None:
    """SettingsError for a calculator "module:name" in a file: a file of settings runs nothing."""
    from ..calculators.others import names_code  # brings the compiled part of the package, which --help does without

    asked = stored.get("calculators")
    for name in [asked] if isinstance(asked, str) else asked if isinstance(asked, list) else []:
        if isinstance(name, str) and names_code(name):
            place = place_of(file, "calculators", table)
            raise SettingsError(f"{place}calculators: {name!r} is code: give it as --calculators, or install its package")


def joined(stored: Mapping[str, Any], folder: Path, paths: tuple[str, ...] = PATHS) -> dict[str, Any]:
    """What a file says, its paths, which are relative to its folder, made relative to the current one."""
    return {k: str(folder / v) if k in paths and isinstance(v, str) and v else v for k, v in stored.items()}


def validate(values: Mapping[str, Any], file: str | Path | None = None) -> Settings:
    """Checked settings; SettingsError that names the key, and its place in the file where they come from one."""
    from pydantic import ValidationError

    try:
        found = _model().model_validate(dict(values))
        return Settings(**{name: getattr(found, name) for name in TABLE})
    except ValidationError as error:
        said = (place_of(file, str(e["loc"][0])) + text(e, TABLE) for e in error.errors())
        raise SettingsError("; ".join(said)) from None
    except ValueError as error:  # of settings that exclude each other
        raise SettingsError(place_of(file, "") + str(error)) from None


@cache
def _model() -> type[BaseModel]:
    """What pydantic makes of the table."""
    from pydantic import BeforeValidator, ConfigDict, create_model

    types = get_type_hints(Settings)
    rows: dict[str, Any] = {
        name: (Annotated[types[name], BeforeValidator(s.check)] if s.check else types[name], s.default)
        for name, s in TABLE.items()
    }
    return create_model("Settings", __config__=ConfigDict(extra="forbid"), **rows)


def place_of(file: str | Path | None, key: str, table: int | None = None) -> str:
    """Where a key stands in a file, as an error begins: in its n-th table [[model]], or before the first (0), or anywhere."""
    if file is None or not key:
        return f"{file}: " if file else ""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    heads = [i for i, line in enumerate(lines) if re.match(r"\s*\[\[\s*model\s*\]\]", line)]
    bounds = [0, *heads, *[len(lines)] * (2 + (table or 0))]
    start, stop = (0, len(lines)) if table is None else bounds[table : table + 2]
    wanted = re.compile(rf"\s*\[*\s*(model\.)?[\"']?{re.escape(key)}\b")
    found = next((i for i in range(start, stop) if wanted.match(lines[i])), None if table is None else start)
    return f"{file}: " if found is None else f"{file}, line {found + 1}: "
