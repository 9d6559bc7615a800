"""The page: the template, with the content as text and as data, and the scripts, all in one."""

from __future__ import annotations

import base64
import gzip
import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from ..common.units import ALPHA_UNIT
from ..presentation.html import fragment
from ..presentation.numbers import NEGLIGIBLE, prefixed, pretty, rounded
from ..screening.operator_columns import unit_column
from ..screening.table import least, still_grows, units
from .content import MINUS, Content

#: what the scatter plot needs of a row
DRAWN = (
    "name", "detail", "metric", "total_max", "total_max_error", "extrinsic_max", "extrinsic_max_error", "dimension",
    "response_unit",
)  # fmt: skip
#: columns whose numbers are in one unit for layers and in another for crystals
_RESPONSES = ("_max", "_gap")


@dataclass(frozen=True)
class Cell:
    """A cell of the table: the number that it is sorted by, what is shown, and whether it is not larger than its error."""

    value: str
    text: str
    weak: bool = False


def render(content: Content) -> str:
    """The HTML text. Everything that is not ours is escaped: in text by the template, in data by `_data`."""
    from markupsafe import Markup

    rows = [
        {"name": str(row["name"]), "detail": row["detail"], "cells": [_cell(row, key) for key, _ in content.columns]}
        for row in content.rows
    ]
    return str(
        _template().render(
            content=content,
            summary=Markup("" if content.summary is None else fragment(content.summary)),
            drawn=any(_is_drawn(row) for row in content.rows),
            heads=[("#", ""), ("material", ""), *((text, _unit(key)) for key, text in content.columns)],
            rows=rows,
            style=Markup(_part("page.css")),
            data=Markup(_data(content)),
            plotly=_packed_plotly(),
            script=Markup(_part("page.js")),
        )
    )


@cache
def _packed_plotly() -> str:
    """The library that draws, a third as long as it is: gzip in base64, which the page unpacks."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


@cache
def _template() -> Any:
    from jinja2 import Environment

    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_part("page.html"))


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _data(content: Content) -> str:
    """What the script draws, as JSON that cannot end the element it stands in."""
    keep = [{key: row.get(key) for key in DRAWN} for row in content.rows]
    details = asdict(replace(content, summary=None))["details"]
    text = json.dumps({"rows": keep, "details": details}, allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _is_drawn(row: dict[str, Any]) -> bool:
    """Whether the scatter plot has a point for it."""
    return row.get("metric") is not None and any((row.get(f"{name}_max") or 0) > 0 for name in ("total", "extrinsic"))


def _unit(key: str) -> str:
    return "" if key.endswith(_RESPONSES) else units([key]).get(key, "").removeprefix(f"that of {key}_unit")


def _cell(row: dict[str, Any], key: str) -> Cell:
    value = row.get(key)
    if key.endswith("_fermi") and row.get(f"{key.removesuffix('_fermi')}_element") == "none":
        value = None  # of what is forbidden there is no level
    if value is None or value == "none":
        text = "forbidden" if value == "none" else ""
        return Cell(text, text)
    if isinstance(value, str):
        return Cell(value, value)
    error = row.get(f"{key}_error")
    own = row.get(unit_column(key))
    if not key.endswith(_RESPONSES) and own is None:
        uncertain = f"{key}_error" in row  # perhaps by an amount that is not known
        weak = uncertain and (error is None or error >= abs(value))
        said = rounded(value, math.nan if error is None else error) if uncertain else f"{value:.4g}"
        text = f"{said} {pretty(units([key]).get(key, ''))}" if uncertain else said
        text += " (still grows)" if still_grows(row, key) else ""
        return Cell(repr(value), text.replace("-", MINUS), weak)
    element = row.get(f"{key.rpartition('_')[0]}_element")
    if value == 0:
        return Cell("0", "forbidden" if element == "none" else "0")
    asked = None if own else row.get("response_unit")
    own = own or ALPHA_UNIT.get(int(row.get("dimension") or 3), "A/V")
    factor, unit = (1.0, asked) if asked else prefixed([value], own)
    shown = rounded(value * factor, math.nan if error is None else error * factor, least=least(row, key) * factor)
    text = shown if shown == NEGLIGIBLE else f"{shown} {unit}".replace("-", MINUS)
    return Cell(repr(value), text, error is not None and error >= abs(value))
