"""A skip is allowed for a reason on the list of conftest.py, and fails the run otherwise."""

from __future__ import annotations

import pytest
from conftest import ALLOWED_SKIPS, refused


def report(reason: str) -> pytest.TestReport:
    return pytest.TestReport("name", ("file.py", 1, "name"), {}, "skipped", ("file.py", 1, f"Skipped: {reason}"), "setup")


@pytest.mark.parametrize("reason", ALLOWED_SKIPS)
def test_allowed(reason: str) -> None:
    assert refused(report(reason)).skipped


def test_refused() -> None:
    found = refused(report("sisl is not installed"))
    assert found.failed
    assert "sisl is not installed\nNot among ALLOWED_SKIPS" in str(found.longrepr)


def test_an_expected_failure_is_no_skip() -> None:
    expected = report("it is not there yet")
    expected.wasxfail = "known"
    assert refused(expected).skipped
