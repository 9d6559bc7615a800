"""Sizes of screens that pages are read on."""

from __future__ import annotations

from typing import Any

SIZES = {"wide": (1300, 900), "phone": (390, 800)}


def resized(browser: Any, size: str) -> None:
    """Give the window of a browser one of the sizes."""
    width, height = SIZES[size]
    wanted = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", wanted)
