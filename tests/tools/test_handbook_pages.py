"""The handbook as HTML, built, and read in a real browser without a network, at the width of a screen and of a phone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from windows import SIZES, resized

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.long, pytest.mark.outside]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it was built: warnings are errors, and so are links that lead nowhere."""
    target = tmp_path_factory.mktemp("docs") / "handbook"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "tests" / "tools" / "handbook" / "build.py"), str(target)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.parametrize("size", SIZES)
def test_every_page(pages: Path, browser: Any, size: str, tmp_path: Path) -> None:
    """No error on the console, nothing to scroll sideways, equations set."""
    resized(browser, size)
    kept = Path(os.environ.get("OME_SCREENSHOTS", tmp_path))
    read = [p for p in sorted(pages.rglob("*.html")) if "_static" not in p.parts]
    assert len(read) > 30
    for page in read:
        browser.get(page.as_uri())
        said = [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        assert not said, page
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"), page
    browser.get((pages / "physics.html").as_uri())
    browser.set_script_timeout(60)
    browser.execute_async_script("MathJax.startup.promise.then(arguments[0])")
    assert browser.execute_script("return document.querySelectorAll('mjx-container').length") > 100
    assert browser.save_screenshot(str(kept / f"handbook-{size}.png"))


def test_tutorials_have_their_pictures(pages: Path) -> None:
    for name in ("tutorial_1_vse2_in_the_gap", "tutorial_2_te_as_a_metal"):
        text = (pages / "tutorials" / f"{name}.html").read_text(encoding="utf-8")
        assert f"sphx_glr_{name}_001.png" in text
    assert (pages / "external_links.txt").read_text(encoding="utf-8").startswith("http")
