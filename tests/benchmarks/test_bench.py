"""`make bench` at sizes that take seconds: every pair of codes has the same numbers, and the page has what the script says."""

from __future__ import annotations

import importlib

import bench
import pytest


def test_page_is_that_of_the_script() -> None:
    page = bench.PAGE.read_text(encoding="utf-8")
    written = [part.rpartition("\n\n|") for part in page.split("\n## ")[1:]]
    assert [before for before, _, _ in written] == [f"{heading}\n{text}" for heading, text in bench.SECTIONS.values()]
    assert all(table.count("\n|") >= 2 for _, _, table in written)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [n for n in bench.SECTIONS if n not in ("cold_start", "scale")])
def test_small(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are compared inside; of times nothing is said."""
    monkeypatch.chdir(tmp_path)  # WannierBerri writes into the current folder
    table = importlib.import_module(name).section(small=True).splitlines()
    assert len(table) >= 3
    assert len({line.count("|") for line in table}) == 1
