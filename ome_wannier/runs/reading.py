"""Settings from a TOML file and from options, which outweigh it; a mistake is named with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from ..errors import FileFormatError, SettingsError
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
    stored = {} if file is None else joined(read(file), Path(file).parent)
    validate(stored, file)
    settings = validate(outweighed(stored, given) | given)
    if settings.seed is None and settings.material is None:
        raise SettingsError(f"{file or 'nothing to run'}: give seed (path of Wannier90 files) or material (library entry)")
    return settings


def read(file: str | Path) -> dict[str, Any]:
    """The contents of a TOML file.

    Raises
    ------
    FileFormatError : not TOML; the line is in the message. OSError : a file that cannot be read.
    """
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r" \(at line (\d+), column \d+\)", str(error))
        message = str(error).replace(line[0], "") if line else str(error)
        raise FileFormatError(file, int(line[1]) if line else None, "TOML", message) from error


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
        raise SettingsError("; ".join(_place(e["loc"], file) + text(e, tuple(TABLE)) for e in error.errors())) from None
    except ValueError as error:  # of settings that exclude each other
        raise SettingsError(_place((), file) + str(error)) from None


@cache
def _model() -> type[BaseModel]:
    """What pydantic makes of the table."""
    from pydantic import BeforeValidator, ConfigDict, create_model

    types = get_type_hints(Settings)
    checked = {name: Annotated[types[name], BeforeValidator(s.check)] if s.check else types[name] for name, s in TABLE.items()}
    fields: dict[str, Any] = {name: (checked[name], setting.default) for name, setting in TABLE.items()}
    return create_model("Settings", __config__=ConfigDict(extra="forbid"), **fields)


def _place(where: tuple[int | str, ...], file: str | Path | None) -> str:
    """Where a setting stands in a file: its line, if it is found."""
    if file is None:
        return ""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    key = re.compile(rf"\s*\[*\s*[\"']?{re.escape(str(where[0]))}\b" if where else "(?!)")
    number = next((i for i, line in enumerate(lines, 1) if key.match(line)), None)
    return f"{file}: " if number is None else f"{file}, line {number}: "
