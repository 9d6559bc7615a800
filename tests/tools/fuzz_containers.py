"""Damages to files that hold named parts: HDF5 and netCDF, Fortran records, SQLite, zip archives. See `fuzz_damage`."""

from __future__ import annotations

import io
import sqlite3
import struct
import zipfile
from typing import Any

import h5py
import numpy as np
from fuzz_damage import NUMBERS, STRUCTURE, Damaged, other_array

#: numbers that counts in records and columns are made
COUNTS = (0, 1, 2, 3, 7, -1, 100, 10**5, 2**31 - 1, -(2**31))
CELLS = (
    "null",
    "''",
    "'x'",
    "-1",
    "1e300",
    "9e999",
    "'[1, 2'",
    "'{\"a\": 1}'",
    "x'00ff'",
    "'<script>'",
    "'nan'",
    "zeroblob(40)",
)


def of_hdf5(data: bytes, rng: np.random.Generator) -> Damaged:
    """An HDF5 file with a node or an attribute that is another, missing, elsewhere, or far too large."""
    memory = io.BytesIO(data)
    with h5py.File(memory, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        name = str(rng.choice(names))
        what, kind = _node_changed(file, name, rng)
    return Damaged(memory.getvalue(), f"{name}: {what}", kind)


def _node_changed(file: Any, name: str, rng: np.random.Generator) -> tuple[str, str]:
    """Change one node of an open file."""
    node = file[name]
    ways = ["lost", "a group", "fill", "a link to itself", "a link outside", "attributes lost", "an attribute more", "vlen"]
    ways += ["array"] * 12 * isinstance(node, h5py.Dataset)
    what = str(rng.choice(ways))
    if what == "attributes lost":
        for key in list(node.attrs):
            del node.attrs[key]
        return what, NUMBERS
    if what == "an attribute more":
        key = str(
            rng.choice(["units", "_FillValue", "scale_factor", "add_offset", "dtype", "coordinates", "settings", "moment"])
        )
        value: Any = [1.0, "x", np.zeros(3), 0.0, "{" * 3000, np.nan][int(rng.integers(0, 6))]
        node.attrs[key] = value
        return f"attribute {key} = {str(value)[:10]}", NUMBERS
    old = node[()] if isinstance(node, h5py.Dataset) else None
    del file[name]
    if what == "lost":
        return what, NUMBERS if name == f"hop/{len(file.get('hop', ()))}" else STRUCTURE  # nobody knows of one more
    if what == "a group":
        file.create_group(name)
    elif what == "fill":
        file.create_dataset(name, shape=(int(10 ** rng.integers(3, 12)), 3), dtype="f8", chunks=(100, 3))
    elif what == "a link to itself":
        file[name] = h5py.SoftLink(f"/{name}")
    elif what == "a link outside":
        file[name] = h5py.ExternalLink("/etc/passwd", "/x")
    elif what == "vlen":
        file.create_dataset(name, data=["x", "yy"], dtype=h5py.string_dtype())
    elif what == "array":
        if not (isinstance(old, np.ndarray) or np.isscalar(old)) or np.asarray(old).dtype.kind not in "biufc":
            return "lost", STRUCTURE
        new, done, kind = other_array(np.asarray(old), rng)
        if done != "lost":
            file[name] = h5py.Empty("f8") if rng.random() < 0.05 else np.bytes_(new.tobytes()) if new.dtype.kind == "U" else new
        return done, kind
    return what, STRUCTURE


def records(data: bytes) -> list[bytes]:
    """The contents of Fortran records."""
    found, place = [], 0
    while place < len(data):
        (size,) = struct.unpack_from("<i", data, place)
        found.append(data[place + 4 : place + 4 + size])
        place += size + 8
    return found


def of_records(data: bytes, rng: np.random.Generator) -> Damaged:
    """Fortran records of which one holds other numbers, is missing, exchanged, longer or shorter; or of other byte order."""
    parts = records(data)
    few = [i for i, part in enumerate(parts) if len(part) in (4, 12)]
    at = int(rng.choice(few)) if few and rng.random() < 0.5 else int(rng.integers(0, len(parts)))
    way, kind = (
        str(rng.choice(["count", "count", "number", "lose", "double", "swap", "shorter", "longer", "marker"])),
        STRUCTURE,
    )
    part = parts[at]
    if way == "count" and len(part) >= 4:
        place = 4 * int(rng.integers(0, len(part) // 4))
        parts[at] = part[:place] + struct.pack("<i", int(rng.choice(COUNTS))) + part[place + 4 :]
        kind = NUMBERS
    elif way == "number" and len(part) >= 8:
        place = 8 * int(rng.integers(0, len(part) // 8))
        value = float(rng.choice([np.nan, np.inf, 1e300, -1e30, 0.0, 1e5, 1.0]))
        parts[at] = part[:place] + struct.pack("<d", value) + part[place + 8 :]
        kind = NUMBERS
    elif way == "lose":
        del parts[at]
    elif way == "double":
        parts.insert(at, part)
    elif way == "swap":
        other = int(rng.integers(0, len(parts)))
        parts[at], parts[other] = parts[other], parts[at]
        kind = NUMBERS if len(part) == len(parts[at]) else STRUCTURE  # matrices do not say where they belong
    elif way == "shorter":
        parts[at] = part[: len(part) // 2]
    elif way == "longer":
        parts[at] = part + part[:8]
    out = b"".join(struct.pack("<i", len(p)) + p + struct.pack("<i", len(p)) for p in parts)
    if way == "marker":
        place = sum(len(p) + 8 for p in parts[:at])
        out = out[:place] + struct.pack("<i", int(rng.choice([*COUNTS, len(part) + 1, -len(part)]))) + out[place + 4 :]
    return Damaged(out, f"record {at + 1} of {len(parts)}: {way}", kind)


def of_sqlite(data: bytes, rng: np.random.Generator) -> Damaged:
    """A database of which a cell holds something else, or a table is gone."""
    db = sqlite3.connect(":memory:")
    db.deserialize(data)
    tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
    table = str(rng.choice(tables)) if rng.random() < 0.3 else "systems"
    columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
    column, cell = str(rng.choice(columns)), str(rng.choice(CELLS))
    what, kind = f"update {table} set {column} = {cell}", NUMBERS
    if rng.random() < 0.1:
        what = str(rng.choice([f"drop table {table}", f"delete from {table}", f"alter table {table} rename to y"]))
    elif rng.random() < 0.5:
        column, what = "key_value_pairs", f"update systems set key_value_pairs = replace(key_value_pairs, {_words(rng)})"
    try:
        db.execute(what)
        db.commit()
    except sqlite3.Error:
        what += " (refused)"
    return Damaged(db.serialize(), what, kind)


def _words(rng: np.random.Generator) -> str:
    """A word of the pairs of a row, and what it becomes."""
    words = ('"done"', '"status"', '"key"', '"name"', '"gap"', '"total_max": ', '"total_max"', ": 1", "0.", '"')
    news = (
        '"running"',
        '"\u202e"',
        "NaN",
        "[1]",
        "{}",
        "null",
        "1e999",
        '"' + "x" * 3000 + '"',
        "",
        ": ",
        '"gap": Infinity, "y"',
        "-1",
    )
    return ", ".join("'" + str(rng.choice(x)) + "'" for x in (words, news))


def of_zip(data: bytes, rng: np.random.Generator) -> Damaged:
    """An archive with a member that is lost, doubled, renamed, packed otherwise, or too large."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = str(rng.choice(list(members)))
    way = str(rng.choice(["lose", "double", "outside", "rename", "bomb", "empty", "folder", "bzip2", "lzma"]))
    out = io.BytesIO()
    packed = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}.get(way, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(out, "w", packed) as archive:
        for member, content in members.items():
            if member == name and way in ("outside", "rename"):
                member = {"outside": f"../../{member}", "rename": "x\udc80.txt".encode("utf-8", "ignore").decode()}[way]
            if member == name and way in ("lose", "empty", "bomb"):
                if way == "lose":
                    continue
                content = b"" if way == "empty" else b" " * 2**26
            archive.writestr(f"deep/er/{member}" if way == "folder" else member, content)
        if way == "double":
            archive.writestr(f"again/{name}", members[name])
    kind = NUMBERS if way in ("lose", "rename", "outside") else STRUCTURE  # an archive may lack what the model can do without
    return Damaged(out.getvalue(), f"{name}: {way}", kind)
