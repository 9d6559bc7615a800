"""The handbook is consistent: equations are numbered without gaps, citations of them exist, links and paths lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ome_wannier

PACKAGE = Path(ome_wannier.__file__).parent
ROOT = Path(__file__).parents[1]
PAGES = {p.name: p.read_text(encoding="utf-8") for p in sorted((PACKAGE / "handbook").glob("*.md"))}
#: the pages whose equations have numbers, and what stands before them in labels
NUMBERED = {"physics.md": "eq", "tolerance.md": "tol", "layers.md": "lay", "chains.md": "ch"}
CITATION = re.compile(r"(physics|tolerance|layers|chains)\.md,? eqs?\. (\d+(?:(?:, | and | to )\d+)*)")


def numbers(page: str) -> list[int]:
    """Numbers of the equations of a page, in the order of the text."""
    return [int(n) for n in re.findall(rf"^\s*:label: {NUMBERED[page]}-(\d+)$", PAGES[page], re.MULTILINE)]


def test_pages_are_in_the_package() -> None:
    assert {"architecture.md", "chains.md", "glossary.md", "layers.md", "physics.md", "tolerance.md"} <= PAGES.keys()


@pytest.mark.parametrize("page", NUMBERED)
def test_equations_are_numbered_in_order(page: str) -> None:
    assert numbers(page) == list(range(1, len(numbers(page)) + 1))
    assert len(numbers(page)) == PAGES[page].count("```{math}")


@pytest.mark.parametrize("page", NUMBERED)
def test_equations_that_a_page_names_exist(page: str) -> None:
    """Numbers in brackets, (12), other than those of lists; the paper's equations are (P12)."""
    prose = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    named = {int(n) for n in re.findall(r"\s\((\d{1,2})\)", prose)}
    assert named <= set(numbers(page))


def test_equations_that_the_code_cites_exist() -> None:
    """physics.md eq. 12, eqs. 8 to 17, eqs. 43 and 45."""
    cited = 0
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for page, found in CITATION.findall(path.read_text(encoding="utf-8")):
            for n in re.findall(r"\d+", found):
                assert 1 <= int(n) <= len(numbers(f"{page}.md")), f"{path.name} cites {page}.md eq. {n}"
                cited += 1
    assert cited > 100


LINKING = [
    *sorted((PACKAGE / "handbook").glob("*.md")),
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "tests" / "tools").glob("*.md")),
]


@pytest.mark.parametrize("path", LINKING, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert all((path.parent / link).exists() for link in links if not link.startswith("http"))


def test_files_that_contributing_names_exist() -> None:
    """Paths between backticks, from the root; not those with a name to be filled in, such as `materials/<name>/`."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:ome_wannier|tests|examples|materials)/[\w./]*)`", text)
    assert paths
    assert not [p for p in paths if not (ROOT / p).exists()]


def test_tests_that_a_page_names_exist() -> None:
    """`folder/test_x.py::test_y` below tests, and `::test_z` of the file named before it."""
    named = 0
    for text in PAGES.values():
        file = ""
        for path, test in re.findall(r"`([\w./]*)::(\w+)`", text):
            file = path or file
            assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{file}::{test}"
            named += 1
    assert named > 15


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    """Modules between backticks, from the root, from the package or from the tests."""
    paths = re.findall(r"`([\w./]+\.py)`", PAGES[page])
    assert not [p for p in paths if not any((folder / p).exists() for folder in (ROOT, PACKAGE, ROOT / "tests"))]
