"""The page: the template, with the content as text and as data, and the scripts, all in one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from ..presentation.numbers import prefixed, rounded
from ..screening.table import units
from .content import MINUS, Content

#: what the scatter plot needs of a row
DRAWN = ("name", "detail", "metric", "total_max", "total_max_error", "extrinsic_max", "extrinsic_max_error", "dimension")
#: columns whose numbers are in one unit for layers and in another for crystals
_RESPONSES = ("_max", "_gap")


def render(content: Content) -> str:
    """The HTML text. Everything that is not ours is escaped, in text and in data."""
    from plotly.offline import get_plotlyjs

    return Template(_part("page.html")).substitute(
        title=escape(content.title),
        subtitle=escape(content.subtitle),
        style=_part("page.css"),
        table=_table(content),
        failures=_failures(content.failures),
        meanings=_meanings(content.meanings),
        data=_data(content),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        script=_part("page.js"),
        several="" if content.rows else "hidden",
    )


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _data(content: Content) -> str:
    """What the script draws, as JSON that cannot end the element it stands in."""
    keep = [{key: row.get(key) for key in DRAWN} for row in content.rows]
    text = json.dumps({"rows": keep, "details": asdict(content)["details"]}, allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _table(content: Content) -> str:
    """The ranked table; each cell carries the number that it is sorted by."""
    if not content.rows:
        return ""
    heads = [_head("#", ""), _head("material", "name")]
    heads += [_head(text, key) for key, text in content.columns]
    lines = [f"<tr>{''.join(heads)}</tr>"]
    body = []
    for i, row in enumerate(content.rows):
        label = escape(str(row["name"]))
        if row["detail"] is not None:
            label = f'<button type="button" class="pick" data-detail="{row["detail"]}" aria-pressed="false">{label}</button>'
        cells = [f'<td data-value="{i + 1}">{i + 1}</td>']
        cells += [f'<th scope="row" data-value="{escape(str(row["name"]))}">{label}</th>']
        cells += [_cell(row, key) for key, _ in content.columns]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table id="ranked"><thead>{"".join(lines)}</thead><tbody>{"".join(body)}</tbody></table>'


def _head(text: str, key: str) -> str:
    unit = "" if key.endswith(_RESPONSES) else units([key]).get(key, "")
    title = f' title="{escape(unit)}"' if unit else ""
    return f'<th scope="col" aria-sort="none"{title}><button type="button" class="sort">{escape(text)}</button></th>'


def _cell(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None or value == "none":
        text = "forbidden" if value == "none" else ""
        return f'<td data-value="{text}">{text}</td>'
    if isinstance(value, str):
        return f'<td data-value="{escape(value)}">{escape(value)}</td>'
    if not key.endswith(_RESPONSES):
        return f'<td data-value="{value!r}">{f"{value:.4g}".replace("-", MINUS)}</td>'
    if value == 0:
        return '<td data-value="0">0</td>'
    error = row.get(f"{key}_error")
    factor, unit = prefixed([value], "A/V" if row.get("dimension") == 3 else "A m/V")
    shown = rounded(value * factor, math.nan if error is None else error * factor).replace("-", MINUS)
    weak = ' class="weak" title="not larger than its error"' if error is not None and error >= abs(value) else ""
    return f'<td data-value="{value!r}"{weak}>{escape(f"{shown} {unit}")}</td>'


def _failures(failures: Sequence[tuple[str, str]]) -> str:
    if not failures:
        return ""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(reason)}</dd>" for name, reason in failures)
    return f"<details><summary>{len(failures)} failed</summary><dl>{lines}</dl></details>"


def _meanings(meanings: Sequence[tuple[str, str, str]]) -> str:
    if not meanings:
        return ""
    lines = "".join(
        f"<dt>{escape(name)}{f' ({escape(unit)})' if unit else ''}</dt><dd>{escape(meaning)}</dd>"
        for name, unit, meaning in meanings
    )
    return f"<details><summary>What the columns of the database mean</summary><dl>{lines}</dl></details>"
