"""Sphinx reads this: the handbook as HTML. `build.py` lays out the pages that it works on."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path
from typing import Any

from ome_wannier import __version__

project, author, release = "ome_wannier", "The ome_wannier developers", __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # mathematics without a network
]
html_theme = "furo"
html_title = f"ome_wannier {release}"
html_copy_source = False
html_use_index = False  # names of the reference are long: its own page has them, and the search
templates_path: list[str] = []
exclude_patterns = ["_examples", "_tutorials", "gallery/*.ipynb", "**/GALLERY_HEADER.rst", "**.py"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]
napoleon_google_docstring = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"


def saved(block: object, variables: dict[str, Any], conf: dict[str, Any]) -> str:
    """The pictures that a step of a tutorial wrote: figures of this package belong to no global state to be asked."""
    from sphinx_gallery.scrapers import figure_rst

    found = sorted(Path(variables["src_file"]).parent.glob("*.png"))
    places = [str(next(variables["image_path_iterator"])) for _ in found]
    for path, place in zip(found, places, strict=True):
        shutil.move(path, place)
    return str(figure_rst(places, conf["src_dir"]))


sphinx_gallery_conf = {
    "examples_dirs": ["_examples", "_tutorials"],
    "gallery_dirs": ["gallery", "tutorials"],
    # the examples are run by `make examples` and by the tests, the tutorials here
    "filename_pattern": r"tutorial_",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,  # those pages load scripts from elsewhere
    "capture_repr": ("_repr_html_", "__repr__"),
    "image_scrapers": (saved,),
    "abort_on_example_error": True,
}
#: texts that mean something in reStructuredText, and do not in docstrings
SPECIAL = re.compile(r"(?<!\\)[*|](?=\S)|(?<=\w)_(?=[\s,.;:)]|$)")


def plain(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain English: stars and bars in them are no markup."""
    for i, line in enumerate(lines):
        parts = re.split(r"(``.*?``|`[^`]*`)", line)
        lines[i] = "".join(part if part.startswith("`") else SPECIAL.sub(r"\\\g<0>", part) for part in parts)


def setup(app: object) -> None:
    warnings.filterwarnings("ignore", message="kmesh .* does not resolve")
    app.connect("autodoc-process-docstring", plain, priority=1)  # type: ignore[attr-defined]
