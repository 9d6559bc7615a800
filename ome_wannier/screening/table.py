"""The table of a screening: read, selected, sorted, written."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..calculators.reported_units import negligible
from ..common.errors import SettingsError, warn
from ..common.safe_write import whole
from ..common.sqlite_file import check_length
from ..common.units import ALPHA_UNIT
from ..presentation.ratios import CONDUCTIVITY, RATIOS, SUFFIX
from .descriptors import describe
from .operator_columns import calculator_of
from .store import DONE, Store

if TYPE_CHECKING:
    import pandas as pd

#: of claims, not of materials
_HIDDEN = ("owner", "beat", "claim")
#: what a condition may consist of: names of columns, numbers, texts, comparisons, and, or, not, parentheses, signs
_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.Compare, ast.Name, ast.Load,
    ast.Constant, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.List, ast.Tuple,
)  # fmt: skip
#: a condition that is longer is none
MOST = 2000
#: columns that come last
_TECHNICAL = ("seconds", "points", "model_sha256", "settings_sha256", "software", "source", "key")
#: what stands for the element of a response all of whose elements symmetry forbids
FORBIDDEN = "forbidden"
EXPORTS = (".csv", ".parquet")


def frame(db: str | Path) -> pd.DataFrame:
    """All rows of a database, the columns of `descriptors` first; numbers that a row does not have are nan.

    Raises
    ------
    StoreError : no such database, one that is cut, or that cannot be read.
    """
    import pandas as pd

    if str(db).endswith(".db") and Path(db).is_file():
        check_length(db)
    rows = [{k: v for k, v in row.items() if k not in _HIDDEN} for row in Store(db).rows()]
    described = [d.name for d in describe(dict.fromkeys(k for row in rows for k in row))]
    _without_foreign(rows, set(described))
    table = _with_errors(pd.DataFrame(rows, columns=None if rows else ["name", "status", "key"]))
    known = [name for name in described if name in table]
    every = [str(c) for c in table]
    parameters = sorted(c for c in every if c.startswith("p_"))
    about = ("name", "status", "reason")
    technical = [c for c in ("warning", *_TECHNICAL) if c in table]
    numbers = [c for c in known if c not in about and c not in technical]
    rest = sorted(set(every) - {*about, *parameters, *technical, *numbers})
    return table[[*(c for c in about if c in table), *parameters, *numbers, *rest, *technical]]


def _with_errors(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column of errors beside each ratio to the conductivity: one that is known in no row is in no row."""
    missing = [f"{one.column}_error" for one in RATIOS if one.column in table and f"{one.column}_error" not in table]
    return table.assign(**dict.fromkeys(missing, float("nan")))


def _without_foreign(rows: list[dict[str, Any]], known: set[str]) -> None:
    """Take out what no column can hold: containers, and texts in columns of numbers; a warning names each. A row without a
    name is called by its key."""
    numbers = {k for row in rows for k, v in row.items() if k in known and isinstance(v, int | float)}
    for row in rows:
        row["name"] = str(row.get("name", row.get("key")))
        for key, value in list(row.items()):
            if not isinstance(value, str | int | float | None) or (key in numbers and isinstance(value, str)):
                warn(f"{str(row.get('name', 'a row'))[:60]}: {key[:60]} is {str(value)[:60]!r}, which is left out")
                del row[key]


def rank(
    db: str | Path | pd.DataFrame, by: str = "max|total|", where: str | None = None, *, ascending: bool = False
) -> pd.DataFrame:
    """The materials that were computed, sorted by a column, largest first; rows without that number are left out.

    A number with an error counts for what it exceeds its error by.

    Parameters
    ----------
    db : a database, or a table from `frame`.
    by : name of a column; "max|total|" is `total_max`, "extrinsic/sigma" is `extrinsic_per_current`.
    where : condition on the columns, such as "gap > 0.1 and p_material == 'WS2'".

    Raises
    ------
    SettingsError : no such column, a condition that is none.
    """
    table = frame(db) if isinstance(db, str | Path) else db
    column = _column(by, table)
    chosen = table[table["status"] != "failed"] if "status" in table else table
    chosen = chosen[chosen["status"] != "running"] if "status" in chosen else chosen
    if where is not None:
        chosen = chosen[select(chosen, where)]
    chosen = chosen[chosen[column].notna()]
    if f"{column}_error" in chosen:  # those whose errors are not known are as sure as each other: by size
        chosen = chosen.sort_values(column, key=abs, ascending=ascending, kind="stable")
    order = sure(chosen, column).sort_values(ascending=ascending, kind="stable").index
    return chosen.loc[order].reset_index(drop=True)


def sure(table: pd.DataFrame, column: str) -> pd.Series[float]:
    """What rows are ranked by: by how much a number exceeds its error, where it has one. An error that is not known is larger
    than any; what symmetry forbids, zero, comes after all that."""
    if f"{column}_error" not in table:
        return table[column]
    beyond = table[column].abs() - table[f"{column}_error"].fillna(float("inf"))
    return beyond.clip(lower=-sys.float_info.max).where(table[column] != 0, float("-inf"))


def column_of(by: str) -> str:
    """The column that is meant: "max|total|" is total_max, "extrinsic/sigma" extrinsic_per_current."""
    if ratio := re.fullmatch(r"\s*(\w+)/sigma\s*", by):
        return f"{ratio[1]}{SUFFIX}"
    match = re.fullmatch(r"\s*(max|gap)\|(\w+)\|\s*", by)
    return f"{match[2]}_{match[1]}" if match else by.strip()


def _column(by: str, table: pd.DataFrame) -> str:
    name = column_of(by)
    if name in table:
        return name
    meaning = next((d.meaning for d in describe([name]) if d.name == name), None)
    if meaning is None:
        raise SettingsError(f"no column {name!r}: {_nearest(name, table)}")
    one = next((r for r in RATIOS if r.column == name), None)
    include = f"{CONDUCTIVITY} and {one.of}" if one else calculator_of(name)
    needs = f": screen with calculators that include {include}" if include else ""
    raise SettingsError(f"no row has {name!r} ({meaning}){needs}")


def _nearest(name: str, table: pd.DataFrame) -> str:
    every = [str(c) for c in table]
    if re.search("sig|/", name):  # which no column has: a ratio is meant
        every += [f"{d.name.removesuffix(SUFFIX)}/sigma" for d in describe() if d.name.endswith(SUFFIX)]
    first, *more = difflib.get_close_matches(name, every, 3, cutoff=0.0)
    return f"did you mean {', '.join([first, *more])}?"


def select(table: pd.DataFrame, where: str) -> pd.Series[bool]:
    """Which rows fulfil a condition; nothing but comparisons of columns with values is ever carried out.

    Raises
    ------
    SettingsError : anything else than names of columns, numbers, texts, comparisons, and, or, not.
    """
    text = re.sub(r"\b(max|gap)\|(\w+)\|", r"\2_\1", where.strip())
    try:
        if len(text) > MOST:
            raise SettingsError(f"a condition of {len(text)} characters: at most {MOST}")
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SettingsError(f'where {where!r}: not a condition such as "gap > 0.1 and dimension == 2" ({error})') from error
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            what = type(node).__name__
            raise SettingsError(f"where {where!r}: {what} is not allowed: compare columns with values, and, or, not")
        if isinstance(node, ast.Name) and node.id not in table:
            raise SettingsError(f"where {where!r}: no column {node.id!r}: {_nearest(node.id, table)}")
    try:
        found = _evaluated(tree.body, table)
    except TypeError as error:
        raise SettingsError(f"where {where!r}: texts are compared with texts, numbers with numbers ({error})") from error
    if not hasattr(found, "isin") or found.dtype != bool:
        raise SettingsError(f"where {where!r}: this is a value, not a condition: compare it with something")
    return found  # type: ignore[no-any-return]


def _evaluated(node: ast.expr, table: pd.DataFrame) -> Any:
    """The value of an expression that consists of what is allowed."""
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_truth(v, table) for v in values]
            out = parts[0]
            for part in parts[1:]:
                out = out & part if isinstance(op, ast.And) else out | part
            return out
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_truth(operand, table)
        case ast.UnaryOp(op=op, operand=operand):
            value = _evaluated(operand, table)
            return -value if isinstance(op, ast.USub) else +value
        case ast.Compare(left=left, ops=ops, comparators=right):
            values = [_evaluated(v, table) for v in (left, *right)]
            out = _compared(ops[0], values[0], values[1])
            for i in range(1, len(ops)):
                out = out & _compared(ops[i], values[i], values[i + 1])
            return out
        case ast.Name(id=name):
            return table[name]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_evaluated(e, table) for e in elements]
        case ast.Constant(value=value):
            return value
    raise SettingsError(f"{type(node).__name__} is not allowed in a condition")


def _truth(node: ast.expr, table: pd.DataFrame) -> Any:
    value = _evaluated(node, table)
    if not hasattr(value, "isin") or value.dtype != bool:
        raise SettingsError("and, or, not are for comparisons: gap > 0.1 and dimension == 2")
    return value


def _compared(op: ast.cmpop, left: Any, right: Any) -> Any:
    """One comparison; of two constants none is made."""
    if isinstance(op, ast.In | ast.NotIn):
        if not hasattr(left, "isin") or not isinstance(right, list):
            raise SettingsError("in is for a column and a list: p_material in ['MoS2', 'WS2']")
        found = left.isin(right)
        return found if isinstance(op, ast.In) else ~found
    columns = [hasattr(side, "isin") for side in (left, right)]
    if not any(columns) or isinstance(left, list) or isinstance(right, list):
        raise SettingsError("a comparison needs the name of a column: gap > 0.1")
    match op:
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
        case ast.Lt():
            return left < right
        case ast.LtE():
            return left <= right
        case ast.Gt():
            return left > right
    return left >= right


def export(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV or Parquet, whole or not at all. What symmetry forbids is a word, and no number beside it; beside
    ratios to the conductivity stands their unit.

    Raises
    ------
    SettingsError : another ending, or Parquet without pyarrow.
    """
    target = Path(path)
    if target.suffix.lower() not in EXPORTS:
        raise SettingsError(f"{path}: the name must end in {' or '.join(EXPORTS)}")
    table = _with_units(_without_forbidden(table))
    if target.suffix.lower() == ".csv":
        whole(target, lambda file: table.to_csv(file, index=False))
        return
    if importlib.util.find_spec("pyarrow") is None:
        raise SettingsError("Parquet needs pyarrow: pip install 'ome_wannier[parquet]'")
    whole(target, lambda file: table.to_parquet(file, index=False))


def _without_forbidden(table: pd.DataFrame) -> pd.DataFrame:
    """The table with "forbidden" in place of "none" as the element of a response, whose numbers are left out."""
    found = table.copy()
    for column in [c for c in found if str(c).endswith("_element")]:
        base, gone = str(column).removesuffix("_element"), found[column] == "none"
        numbers = [n for name in (base, f"{base}_max") for n in (name, f"{name}_error") if n in found]
        found.loc[gone, numbers] = float("nan")
        found.loc[gone, column] = FORBIDDEN
    return found


def _with_units(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the unit of each ratio to the conductivity beside its error, as pint parses it."""
    found = table.copy()
    for one in RATIOS:
        if one.column in found:
            last = one.column if f"{one.column}_error" not in found else f"{one.column}_error"
            found.insert(list(found).index(last) + 1, f"{one.column}_unit", one.unit)
    return found


def units(names: Sequence[str]) -> dict[str, str]:
    """Units of columns, of those that have one."""
    known = {d.name: d.unit for d in describe(names)}
    return {name: known[name] for name in names if known.get(name)}


def still_grows(row: dict[Any, Any], column: str) -> bool:
    """Whether a column holds the level of a response that is the first or last one, towards which this still grows."""
    return column.endswith("_fermi") and row.get(f"{column.removesuffix('_fermi')}_at_end") == 1


def least(row: dict[Any, Any], column: str) -> float:
    """What the number in a column of a response, in SI, has to exceed to be more than rounding; 0 of other columns."""
    name, _, kind = column.rpartition("_")
    unit = ALPHA_UNIT.get(row.get("dimension", 0), "")
    return negligible(name, unit) if kind in ("max", "gap") else 0.0


def meanings(names: Sequence[str]) -> dict[str, str]:
    """What columns are, with the unit of those that have one."""
    known = {d.name: f"{d.meaning}, in {d.unit}" if d.unit else d.meaning for d in describe(names)}
    return {name: known[name] for name in names if name in known}


__all__ = ["DONE", "EXPORTS", "column_of", "export", "frame", "least", "meanings", "rank", "select", "still_grows", "units"]
