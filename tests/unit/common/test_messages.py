"""No message is long, none has several lines, and TOML that would exhaust a parser ends in one."""

from __future__ import annotations

from pathlib import Path

import pytest

import ome_wannier as ome
from ome_wannier import cli
from ome_wannier.common.toml import read_toml
from ome_wannier.errors import AccuracyWarning, FileFormatError, ModelError, OMEError, SettingsError

LONG = "x" * 5000


@pytest.mark.parametrize("error", [ModelError(LONG), FileFormatError("a", 1, LONG, LONG), OMEError(LONG)])
def test_messages_of_errors_keep_their_ends(error: OMEError) -> None:
    assert len(str(error)) <= 2000
    assert " ... " in str(error)


def test_warnings_are_bounded_too() -> None:
    from ome_wannier.common.errors import warn

    with pytest.warns(AccuracyWarning) as record:
        warn(LONG)
    assert len(str(record[0].message)) <= 2000


@pytest.mark.parametrize(
    "arguments",
    [["run", LONG], ["run", "haldane", "--calculators", LONG], ["run", "haldane", "-o", LONG], ["materials", LONG], [LONG],
     ["run", "haldane", f"--{LONG}"], ["run", "haldane", "--kmesh", "9" * 5000, "1", "1"], ["rank", f"{LONG}.db"],
     ["run", "haldane", "-p", f"a\x1b[31m\n\nb={LONG}"]],
)  # fmt: skip
def test_the_command_line_says_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert line.startswith("error: ")
    assert len(line) <= 2000
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"kmesh = [{'9' * 5000}, 4, 1]", "TOML, found Exceeds the limit"),
        ("a = " + "[" * 3000 + "]" * 3000, "TOML, found brackets in brackets"),
        (".".join("a" * 3000) + " = 1", "at most 20 deep"),
        ("a = " + "[" * 30 + "]" * 30, "at most 20 deep"),
        ("a = 1\na = 2\n", "line 2: expected TOML"),
    ],
)
def test_toml_that_no_parser_likes(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(FileFormatError, match=said):
        read_toml(file)


@pytest.mark.parametrize("size", [(10**300, 4, 1), (10**19, 1, 1), (10**6, 10**6, 1)])
def test_meshes_beyond_all_sense(size: tuple[int, int, int]) -> None:
    with pytest.raises(SettingsError, match=r"kmesh 10+.* x 1: at most 1e\+07 points along a direction") as error:
        ome.KMesh(size)
    assert len(str(error.value)) < 300
