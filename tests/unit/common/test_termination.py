"""Signals that ask a program to end are answered, wherever they come."""

from __future__ import annotations

import signal
import subprocess
import sys
import weakref

import pytest

from ome_wannier.common.termination import soft_termination

LOST = """
import signal, sys, time, weakref
from ome_wannier.common.termination import soft_termination

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the run of the tests ignores
signal.signal(signal.{number}, signal.default_int_handler if "{number}" == "SIGINT" else signal.SIG_DFL)

class Gone:
    pass

def callback(_):  # what is raised in here Python prints and forgets
    signal.raise_signal(signal.{number})
    time.sleep(0.01)

with soft_termination():
    thing = Gone()
    seen = weakref.ref(thing, callback)
    del thing
    time.sleep(30)
"""

IMPORT = """
import signal, sys, time
from ome_wannier.common.termination import soft_termination

signal.signal(signal.SIGTERM, signal.SIG_DFL)
sys.path.insert(0, {folder!r})
with soft_termination():
    try:
        import optional_package
    except BaseException:
        print("taken for missing")
    time.sleep(30)
"""


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 1), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_what_a_callback_loses_comes_again(number, code):
    """Compilers and collectors of garbage call Python from C: the exception of a handler ends there."""
    found = subprocess.run(
        [sys.executable, "-c", LOST.format(number=number)], capture_output=True, text=True, timeout=25, check=False
    )
    assert found.returncode in (code, -signal.SIGINT)  # Python ends by the signal after KeyboardInterrupt
    assert "ignored" not in found.stderr


def test_an_import_ends_first(tmp_path):
    """Packages that look for others take an interruption of the import for a missing one."""
    (tmp_path / "optional_package.py").write_text(
        "import signal, time\nsignal.raise_signal(signal.SIGTERM)\ntime.sleep(0.01)\n"
    )
    script = IMPORT.format(folder=str(tmp_path))
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=25, check=False)
    assert (found.returncode, found.stdout) == (143, "")


def test_a_second_signal_does_not_disturb_the_first():
    """What the first one set off, here the clause, goes on."""
    done = []

    @soft_termination()
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            done.append(True)

    with pytest.raises(SystemExit) as left:
        work()
    assert (left.value.code, done) == (143, [True])


def test_other_handlers_and_hooks_are_left_alone():
    """A handler of somebody else stays, other exceptions that are lost are shown, and afterwards all is as before."""
    before, hook, seen = signal.getsignal(signal.SIGTERM), sys.unraisablehook, []

    class Gone:
        pass

    def mine(number, frame):
        seen.append(number)

    signal.signal(signal.SIGTERM, mine)
    sys.unraisablehook = lambda what: seen.append(what.exc_type)
    try:
        with soft_termination():
            signal.raise_signal(signal.SIGTERM)
            thing = Gone()
            reference = weakref.ref(thing, lambda _: 1 / 0)
            del thing
        assert reference() is None
        assert seen == [signal.SIGTERM, ZeroDivisionError]
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
        sys.unraisablehook = hook
