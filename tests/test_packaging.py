"""What the package says of itself is one thing: dependencies and version of pyproject.toml and of the conda recipe."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import ome_wannier

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECIPE = (ROOT / "ome_wannier" / "handbook" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
#: packages that conda-forge calls otherwise
OTHER_NAMES = {"matplotlib": "matplotlib-base"}


def test_recipe_needs_what_the_project_needs() -> None:
    run = RECIPE.partition("  run:\n")[2].partition("\n\n")[0]
    found = set(re.findall(r"- (\S+) (>=\S+)", run))
    parts = [re.fullmatch(r"([\w.-]+)(>=\S+)", text) for text in PROJECT["dependencies"]]
    wanted = {(OTHER_NAMES.get(m[1], m[1]), m[2]) for m in parts if m}
    assert found == wanted | {("python", PROJECT["requires-python"])}


def test_one_version() -> None:
    assert PROJECT["version"] in RECIPE
    assert ome_wannier.__version__ == PROJECT["version"]


def test_all_holds_what_users_may_want() -> None:
    extras = set(PROJECT["optional-dependencies"]) - {"all", "test", "test-long", "dev", "docs"}
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert set(everything.removeprefix("ome_wannier[").removesuffix("]").split(",")) == extras
