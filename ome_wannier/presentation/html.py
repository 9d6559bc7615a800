"""The first screen as a piece of HTML: for notebooks, and at the head of reports."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .content import Summary


def fragment(summary: Summary) -> str:
    """A summary as HTML; everything that is not ours is escaped."""
    return str(_template().render(summary=summary))


@cache
def _template() -> Any:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files(__package__).joinpath("fragment.html").read_text(encoding="utf-8"))
