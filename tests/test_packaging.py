"""What the package says of itself is one thing: dependencies and version of pyproject.toml and of the conda recipe."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

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
    """It stands in one file of the package, which the build reads; the recipe and the citation have the same."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{ome_wannier.__version__}"' in (ROOT / build).read_text(encoding="utf-8")
    assert "version" in PROJECT["dynamic"]
    assert f'version: "{ome_wannier.__version__}"' in RECIPE
    assert f"version: {ome_wannier.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{ome_wannier.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_ase_finds_the_calculator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the entry point of the project, as ASE looks for it; its name is that which ASE's older register has."""
    (group,) = PROJECT["entry-points"]
    about = tmp_path / "ome_wannier_here-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ome_wannier_here\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in PROJECT["entry-points"][group].items()]
    (about / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
    monkeypatch.syspath_prepend(tmp_path)
    collection = pytest.importorskip("ase._4.plugins.plugin_collection", reason="ASE before 3.29 has no plugins")
    found = [p for p in collection.PluginCollection.from_entry_points(group).calculators if p.name == "ome"]
    from ase.calculators.calculator import get_calculator_class

    from ome_wannier.plugins.ase import OMECalculator

    assert found[0]() is OMECalculator is get_calculator_class("ome")


@pytest.mark.long
def test_recipe_renders() -> None:
    """By rattler-build: one package, of this version."""
    rattler = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    (variant,) = rattler.Stage0Recipe.from_yaml(RECIPE).render()
    assert str(variant.recipe.package.name) == "ome_wannier"
    assert str(variant.recipe.package.version) == ome_wannier.__version__


def test_all_holds_what_users_may_want() -> None:
    extras = set(PROJECT["optional-dependencies"]) - {"all", "test", "test-long", "dev", "docs"}
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert set(everything.removeprefix("ome_wannier[").removesuffix("]").split(",")) == extras
