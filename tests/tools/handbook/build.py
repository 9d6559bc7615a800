"""Build the handbook as HTML: python tests/tools/handbook/build.py build/handbook

The pages are those of `ome_wannier/handbook`, CONTRIBUTING and CHANGELOG; the gallery is `examples`, the tutorials, which the
build runs, are `examples/tutorials`. Links between them lead to each other's pages; of the rest of the source tree they
become its paths. Warnings are errors. External links are listed in `external_links.txt` beside the pages.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "ome_wannier" / "handbook"
#: pages that lie elsewhere in the source tree
OUTSIDE = {ROOT / "CONTRIBUTING.md": "contributing.md", ROOT / "CHANGELOG.md": "changelog.md"}
GALLERIES = {
    "_examples": (ROOT / "examples", "Examples", "Scripts that run as they stand, each in less than a minute."),
    "_tutorials": (ROOT / "examples" / "tutorials", "Tutorials", "On real data, run by the build of this handbook."),
}
#: modules whose public names the reference lists, besides those of the package itself
MODULES = (
    "calculators", "plotting", "symmetry.operations", "lattices", "common.executors", "common.errors", "common.units",
    "plugins.wannierberri", "plugins.ase", "report", "checkpoint", "presentation.content",
)  # fmt: skip
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)]*)?\)")


def main(target: Path) -> None:
    """Lay out the pages beside the target, and build them into it."""
    stage = target.parent / f"{target.name}-source"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    for page in [*PAGES.glob("*.md"), *OUTSIDE]:
        (stage / OUTSIDE.get(page, page.name)).write_text(linked(page), encoding="utf-8")
    for name, gallery in GALLERIES.items():
        lay_out(stage / name, *gallery)
    (stage / "api.rst").write_text(reference(), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("conf.py"), stage)
    options = ["-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run([sys.executable, "-m", "sphinx", *options, str(stage), str(target)], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    (target / "external_links.txt").write_text("\n".join(external(target)) + "\n", encoding="utf-8")


def linked(page: Path) -> str:
    """A page whose links to files of the source tree are those of the handbook; what has no page there is its path."""

    def moved(match: re.Match[str]) -> str:
        """One link."""
        text, where, anchor = match[1], match[2], match[3] or ""
        if "://" in where or where.startswith("mailto:"):
            return match[0]
        path = (page.parent / where).resolve()
        if path in OUTSIDE:
            return f"[{text}]({OUTSIDE[path]}{anchor})"
        if path.parent == PAGES and path.suffix == ".md":
            return f"[{text}]({path.name}{anchor})"
        if path.parent == ROOT / "examples" and path.suffix == ".py":
            return f"[{text}](gallery/{path.stem}.rst)"
        if path == ROOT / "examples":
            return f"[{text}](gallery/index.rst)"
        shown = path.relative_to(ROOT)
        return text if text in (str(shown), path.name) else f"{text} (`{shown}`)"

    return LINK.sub(moved, page.read_text(encoding="utf-8"))


def lay_out(folder: Path, source: Path, title: str, about: str) -> None:
    """Scripts as sphinx-gallery wants them: a header, and a title in each docstring."""
    folder.mkdir()
    (folder / "GALLERY_HEADER.rst").write_text(f"{title}\n{'=' * len(title)}\n\n{about}\n", encoding="utf-8")
    for path in sorted(source.glob("*.py")):
        (folder / path.name).write_text(titled(path.read_text(encoding="utf-8")), encoding="utf-8")


def titled(code: str) -> str:
    """A script whose docstring begins with a title: its first words, up to a colon or the end of the sentence."""
    node = ast.parse(code).body[0]
    said = ast.get_docstring(ast.parse(code)) or ""
    if re.search(r"^=+$", said, re.MULTILINE):
        return code
    title = re.split(r"[:.] |[:.]$", said.partition("\n\n")[0].replace("\n", " "), maxsplit=1)[0]
    rest = "\n".join(code.splitlines()[node.end_lineno or 0 :])
    return f'"""\n{title}\n{"=" * len(title)}\n\n{said}\n"""\n{rest}\n'


def reference() -> str:
    """The reference: every public name of the package, and of the modules that users type, each once."""
    lines = ["Reference", "=========", "", "What ``import ome_wannier as ome`` has, and the modules below it.", ""]
    known: set[str] = set()
    for module in ("", *MODULES):
        home = import_module(f"ome_wannier.{module}".rstrip("."))
        entries = [line for name in public(home) for line in entry(getattr(home, name), known)]
        if module and entries:
            lines += [home.__name__, "-" * len(home.__name__), "", ""]
        lines += entries
    return "\n".join(lines)


def public(module: ModuleType) -> list[str]:
    """Names that a module offers: its __all__, or what it defines itself."""
    return list(getattr(module, "__all__", [])) or [
        name
        for name, found in vars(module).items()
        if not name.startswith("_") and getattr(found, "__module__", "") == module.__name__
    ]


def entry(found: Any, known: set[str]) -> list[str]:
    """The lines of a function or class that was not there before. AssertionError for one without a docstring."""
    path = f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}"
    if not callable(found) or not path.startswith("ome_wannier.") or path in known:
        return []
    assert found.__doc__, f"{path} has no docstring"
    known.add(path)
    if isinstance(found, type):
        return [f".. autoclass:: {path}", "   :members:", ""]
    return [f".. autofunction:: {path}", ""]


def external(target: Path) -> list[str]:
    """Addresses outside that the pages name."""
    pages = [p for p in target.rglob("*.html") if "_static" not in p.parts]
    return sorted({a for p in pages for a in re.findall(r'href="(https?://[^"#]+)', p.read_text(encoding="utf-8"))})


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
