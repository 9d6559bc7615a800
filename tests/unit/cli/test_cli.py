"""The command line: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import json
import os
import re
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import psutil
import pytest
import typer
from typer.testing import CliRunner

import ome_wannier as ome
from ome_wannier.cli import app, jobs, main
from ome_wannier.integration import band_ranges as info
from ome_wannier.integration.hamiltonian_symmetry import group_of
from ome_wannier.runs.settings import TABLE, named

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        out, err = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    return call


def process(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ome_wannier", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


@pytest.fixture(autouse=True, scope="module")
def importable(root: Path) -> None:
    """Processes started here find the package under test, installed or not."""
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)


QUICK = ("--kmesh", "4", "4", "1", "--calculators", "total,extrinsic")


def says_coarse(err: str) -> bool:
    """Whether a run said that so few points resolve no Fermi surface, in one line, and nothing else."""
    return err.startswith("warning: kmesh (4, 4, 1) does not resolve the Fermi surfaces of") and err.count("\n") == 1


class TestRun:
    def test_writes_everything(self, run: Run, tmp_path: Path) -> None:
        code, out, err = run(
            "run", "hbn", *QUICK, "--fermi", "-3.6:-2.6:11", "-o", "a.nc", "--csv", "a.csv", "--plot", "a.png", "--tau", "5"
        )  # fmt: skip
        assert code == 0
        assert says_coarse(err)
        assert "wrote a.nc\nwrote a.csv\nwrote a.png" in out
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.nc", "a.png"]
        result = ome.load_result("a.nc")
        assert result.sizes["fermi"] == 11
        assert set(pd.read_csv("a.csv")["quantity"]) == {"total", "extrinsic"}
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")

    def test_all_that_is_printed_is_in_the_text_file(self, run: Run) -> None:
        """With --all what the origin changes, too."""
        _, out, _ = run("run", "vse2", *QUICK, "--fermi", "0", "--all", "--csv", "a.csv")
        for name in ("total", "extrinsic"):
            assert f" {name}, per Å of origin " in out
        every = {"total", "extrinsic", "total_per_angstrom", "extrinsic_per_angstrom"}
        assert set(pd.read_csv("a.csv")["quantity"]) == every

    def test_is_what_compute_gives(self, run: Run) -> None:
        assert run("run", "hbn", *QUICK, "--fermi=-3.3", "-o", "a.nc", "--temperature", "100,300", "--tau", "5")[0] == 0
        expected = ome.compute(ome.load("hbn"), (4, 4, 1), ["total", "extrinsic"], -3.3, temperature=[100, 300], tau=5)
        assert ome.load_result("a.nc").equals(expected)

    def test_settings_are_in_the_result_and_run_again(self, run: Run) -> None:
        assert run("run", "hbn", "--calculators", "total", "-o", "a.nc", "--fermi", "-4,-3")[0] == 0
        settings = json.loads(ome.load_result("a.nc").attrs["settings"])
        assert settings["kmesh"] == [48, 48, 1]
        assert settings["fermi"] == [-4.0, -3.0]
        Path("again.toml").write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items()))
        shutil.move("a.nc", "first.nc")
        assert run("run", "again.toml")[0] == 0
        assert ome.load_result("a.nc").equals(ome.load_result("first.nc"))

    def test_toml_and_options_agree(self, run: Run) -> None:
        Path("job.toml").write_text(
            'material = "hbn"\nkmesh = [4, 4, 1]\nfermi = {start = -3.6, stop = -2.6, number = 5}\ncalculators = ["total"]\n'
        )
        a = run("run", "job.toml")
        assert a == run("run", "--config", "job.toml")
        assert a == run("run", "hbn", "--kmesh", "4", "4", "1", "--fermi", "-3.6:-2.6:5", "--calculators", "total")
        assert "6 x 6 x 1" in run("run", "job.toml", "--kmesh", "6", "6", "1")[1]

    @pytest.mark.parametrize(
        "fermi", [("--fermi", "-3.3"), ("--fermi=-3.3",), ("--fermi", "-3.3,-3.2"), ("--fermi=-3.3:-3.2:2",)]
    )
    def test_negative_levels(self, fermi: tuple[str, ...], run: Run) -> None:
        code, out, _ = run("run", "hbn", *QUICK, *fermi)
        assert code == 0
        assert "Fermi level  -3.3000 eV" in out
        assert ("; -3.2000 eV" in out) == ("-3.2" in fermi[-1])

    def test_says_what_it_chose(self, run: Run) -> None:
        code, out, err = run("run", "hbn", "--calculators", "total")
        assert code == 0
        assert "48 x 48 x 1, 2304 points" in out
        assert "no --kmesh given: took 48 48 1, recommended by the library entry hbn" in err
        assert "took -5 to -0.5 eV in 181 levels, from the library entry hbn" in err

    def test_prints_the_tensor_in_the_gap(self, run: Run) -> None:
        _, out, _ = run("run", "vse2", "--kmesh", "8", "8", "1", "--calculators", "total,berry_curvature,quantum_metric")
        said = " ".join(out.split())
        assert re.search(r"Fermi level -0\.\d+ eV in the gap of 0\.\d+ eV, -0\.4\d+ to -0\.1\d+ eV above band 13; 151", said)
        assert re.search(r"^total +\S+ ± \S+ +\S+ ± \S+$", out, re.MULTILINE)
        assert re.search(
            r"^intrinsic \(\wA m/V\)\n +\w\w at -0.28 eV +\w\w at 0.05 eV \(largest, open, end\)", out, re.MULTILINE
        )
        assert "xz, zx of total: forbidden by mirror normal to (1, 0, 0) x time reversal" in said
        assert not re.search(r"\b0(\.0*)? ± 0(\.0*)?(?![\d.])", out)  # 0.000 ± 0.011 is a number
        assert len(out.splitlines()) <= 30
        assert max(map(len, out.splitlines())) <= 80

    def test_all_prints_every_element(self, run: Run) -> None:
        asked = ("--kmesh", "8", "8", "1", "--calculators", "total,quantum_metric", "--fermi", "-0.28")
        _, out, _ = run("run", "vse2", *asked, "--temperature", "100,300", "--all")
        assert out.count("\nFermi level -0.2800 eV; ") == 2
        assert len(re.findall(r"^ total +x( +- \(raw \S+\)){3} +\wA m/V", out, re.MULTILINE)) == 2
        assert len(re.findall(r"^ +z +- \(raw \S+\) +\S+ ± \S+ +- \(raw \S+\) *$", out, re.MULTILINE)) == 2
        assert "M_i = alpha_ij E_j" in out
        assert "left out: states outside the basis" in out

    def test_bands_left_out(self, run: Run) -> None:
        asked = ("run", "hbn", "--kmesh", "8", "8", "1", "--fermi", "-0.9", "--temperature", "300")
        _, out, _ = run(*asked, "--calculators", "quantum_metric", "--basis", "4")
        assert "the bands left out by basis change quantum metric by 100 %" in " ".join(out.split())
        _, out, _ = run(*asked, "--calculators", "ohmic", "--basis", "4")
        assert "the bands left out by basis change nothing that is shown here" in out
        _, out, _ = run(*asked, "--calculators", "ohmic", "--basis", "4", "--all")
        assert "basis: bands left out by basis change, of the largest element, nothing" in " ".join(out.split())
        code, _, err = run(*asked, "--calculators", "quantum_metric", "--basis", "1")
        assert code == 2
        assert err.splitlines()[-1] == "error: basis is 1: 4 bands reach below the level of -0.9 eV: give at least 4"

    def test_metal_has_no_gap(self, run: Run) -> None:
        """The gap of Te closes at a corner of the zone, which a mesh must not miss."""
        _, out, _ = run("run", "te", "--kmesh", "4", "4", "4", "--calculators", "total")
        assert "in the gap" not in out
        assert "intrinsic: forbidden by time reversal" in out
        assert "12 bands, which overlap the next" in " ".join(out.split())

    def test_units(self, run: Run) -> None:
        asked = ("run", "haldane", *QUICK, "--fermi", "1", "-o", "a.nc", "--csv", "a.csv")
        _, out, _ = run(*asked, "--units", "mu_B per cell per V/nm")
        assert "intrinsic: M_z = alpha_zy E_y (μ_B/cell per V/nm)" in out
        table = pd.read_csv("a.csv", na_values="-")
        area = abs(np.linalg.det(ome.load("haldane").lattice[:2, :2])) * 1e-20
        si = ome.load_result("a.nc")["total"].sel(moment="z", field="y").item()
        row = table[(table["quantity"] == "total") & (table["component"] == "zy")]
        assert row["value"].item() == pytest.approx(si * 1e9 * area / 9.2740100657e-24, rel=1e-9)
        assert set(table["units"]) == {"bohr_magneton/(V/nm)"}
        code, _, err = run("run", "te", "--fermi", "6", "--units", "mu_B/nm^2 per V/nm")
        assert code == 2
        assert "did you mean 'mu_B/nm^3 per V/nm'" in err

    def test_filling_alone(self, run: Run) -> None:
        code, out, _ = run("run", "hbn", *QUICK, "--filling", "8")
        assert code == 0
        assert "holds 8 electrons per cell" in " ".join(out.split())
        assert "in the gap" in out

    def test_files_without_a_win(self, run: Run, root: Path, tmp_path: Path) -> None:
        shutil.copy(root / "materials" / "hbn" / "hBN_tb.dat.gz", tmp_path / "mine_tb.dat.gz")
        code, _, err = run("run", "mine")
        assert code == 2
        assert "warning: no mine.win" in err
        assert re.search(r"error: no Fermi level is known: give --fermi .* or --filling .* from -20\.\d+ to 8\.\d+ eV", err)
        code, out, err = run("run", "mine", *QUICK, "--filling", "8", "--spin-degeneracy", "2")
        where, coarse = err.splitlines(keepends=True)
        assert (code, says_coarse(coarse)) == (0, True)
        assert "positions of Wannier functions may be off by several Angstrom" in where  # they are, by 12
        assert "two electrons per band" in out

    def test_fermi_energy_of_win(self, run: Run, root: Path, tmp_path: Path) -> None:
        for ending in ("_tb.dat.gz", "_wsvec.dat.gz", ".win"):
            shutil.copy(root / "materials" / "hbn" / f"hBN{ending}", tmp_path)
        code, out, err = run("run", "hBN", *QUICK)
        assert code == 0
        assert "took -2.845 eV, fermi_energy of hBN.win" in err
        assert "Fermi level  -2.8450 eV" in out

    def test_single_level_is_drawn_too(self, run: Run, tmp_path: Path) -> None:
        assert run("run", "hbn", *QUICK, "--fermi", "-3.3", "--plot", "a.svg")[0] == 0
        assert (tmp_path / "a.svg").stat().st_size > 1000


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["run"], "nothing to run"),
            (["run", "nope"], "cannot load 'nope'"),
            (["run", "nope.toml"], "nope.toml: No such file"),
            (["run", "a.toml", "--config", "b.toml"], "two files of settings"),
            (["run", "hbn", "--kmesh", "4", "4"], "requires 3 arguments"),
            (["run", "hbn", "--kmesh", "4", "4", "x"], "--kmesh"),
            (["run", "hbn", "--kmesh", "4", "4", "0"], "kmesh: expected three positive integers"),
            (["run", "hbn", "--kmesh", "4", "4", "2", "--fermi", "0"], "direction 3 is not periodic"),
            (["run", "hbn", "--fermi", "-3:-2"], "fermi: expected start:stop:number"),
            (["run", "hbn", "--fermi", "0", "--filling", "3"], "either fermi"),
            (["run", "hbn", "--fermi", "1,0"], "must ascend"),
            (["run", "hbn", "--filling", "300"], "300 electrons per cell"),
            (["run", "hbn", "--calculators", "totl"], "no calculator 'totl': one of total"),
            (["run", "hbn", "--temperature", "cold"], "temperature: expected a finite number"),
            (["run", "hbn", "--memory", "1kB", "--fermi", "0"], "memory"),
            (["run", "hbn", "--spin-degeneracy", "3"], "spin_degeneracy: expected 1"),
            (["run", "hbn", "-o", "nowhere/a.nc"], "there is no folder nowhere"),
            (["run", "hbn", "-o", "folder.nc"], "this is a folder"),
            (["run", "hbn", "-o", "a.txt"], "must end in .nc"),
            (["run", "hbn", "--plot", "a.bmp"], "must end in .png or .pdf or .svg or .jpg"),
            (["run", "hbn", "--csv", "a.xls"], "must end in .csv"),
            (["run", "hbn", "--colour"], "No such option"),
            (["info", "nope"], "cannot load 'nope'"),
            (["info", "CuMnAs"], "no such entry: did you mean cumnas?"),
            (["info", "hbn", "--filling", "10"], "more than 0 and less than 10"),
            (["info", "damaged"], "damaged_tb.dat, line 2: expected"),
            (["materials", "nope"], "no material 'nope'"),
            (["nope"], "No such command"),
        ],
    )
    def test_one_line_and_exit_2(self, arguments: list[str], said: str, run: Run, tmp_path: Path) -> None:
        (tmp_path / "folder.nc").mkdir()
        (tmp_path / "damaged_tb.dat").write_text("written by hand\n1 2 x\n")
        code, _, err = run(*arguments)
        last = err.splitlines()[-1]
        assert code == 2
        assert last.startswith("error: ")
        assert said in last
        assert "Traceback" not in err
        assert not [p for p in tmp_path.iterdir() if p.name not in ("folder.nc", "damaged_tb.dat")]

    def test_outputs_are_checked_before_anything_is_loaded(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ome_wannier.runs.plan.locate", lambda source: pytest.fail("loaded"))
        assert run("run", "hbn", "--plot", "nowhere/a.png")[0] == 2

    def test_folder_that_is_not_writable(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.access", lambda path, mode: False)
        code, _, err = run("run", "hbn", "-o", "a.nc")
        assert (code, "not writable" in err) == (2, True)

    def test_debug_shows_the_traceback(self, run: Run) -> None:
        code, _, err = run("run", "nope", "--debug")
        assert code == 2
        assert "Traceback" in err
        assert err.splitlines()[-1].startswith("error: cannot load 'nope'")

    def test_our_own_fault_is_not_hidden(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ome_wannier.sources.library.names", lambda: 1 / 0)
        code, _, err = run("materials")
        assert code == 1
        assert "ZeroDivisionError" in err

    def test_failed_output_leaves_no_rest(self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def full(self: object, file: IO[bytes], **options: object) -> None:
            file.write(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(pd.DataFrame, "to_csv", full)
        code, _, err = run("run", "hbn", *QUICK, "--fermi", "0", "--csv", "a.csv")
        assert code == 2
        assert err.endswith("error: a.csv: No space left on device\n")
        assert not list(tmp_path.iterdir())

    def test_interrupted(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(*arguments: object, **options: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("ome_wannier.cli.jobs.compute", stop)
        code, _, err = run("run", "hbn", "--fermi", "0", "-o", "a.nc")
        assert code == 130
        assert err.endswith("interrupted\n")
        assert not Path("a.nc").exists()


class TestParameters:
    def test_of_a_built_entry(self, run: Run) -> None:
        code, _, err = run("run", "haldane", "-p", "mass=0.3", "-p", "bonds=[1, 1, 0.9]", *QUICK, "--fermi", "0", "-o", "a.nc")
        assert code == 0, err
        result = ome.load_result("a.nc")
        assert result.attrs["model_sha256"] == ome.load("haldane", mass=0.3, bonds=(1.0, 1.0, 0.9)).sha256
        assert "Haldane" in ome.cite(result)
        assert "Wannier90" not in ome.cite(result)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ("mass", "parameters: expected name=value, found 'mass'"),
            ("mass=x", "haldane, parameter mass is 'x': give a number, such as 0.2"),
            ("mas=1.0", "haldane has no parameter 'mas': did you mean mass"),
        ],
    )
    def test_refused(self, given: str, said: str, run: Run) -> None:
        code, _, err = run("info", "haldane", "--parameter", given)
        assert code == 2
        assert said in err


class TestMap:
    def test_zone_and_bands(self, run: Run) -> None:
        options = ("--shape", "8", "8", "--component", "zy", "--temperature", "50")
        entry = ("mote2-twisted", "-p", "cutoff=2.0", "-p", "theta=4.0")
        code, out, err = run("map", *entry, "--calculator", "local", *options, "--bands", "b.png")
        assert code == 0, err
        assert out == "wrote map.png\nwrote b.png\n"
        # that of two degrees, 0.0146 eV, is above all bands
        assert re.search(r"took -?0\.\d+ eV, from the library entry mote2-twisted, moved by -0\.\d+ eV with the level", err)
        assert Path("map.png").stat().st_size > 10_000
        assert Path("b.png").stat().st_size > 10_000

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("hbn", "--calculator", "total,local", "--fermi", "0"), "give one --calculator"),
            (("hbn", "--calculator", "local", "--fermi", "0,1"), "one Fermi level"),
            (("hbn", "--calculator", "local", "--temperature", "1,2"), "one --temperature"),
            (("hbn", "--calculator", "local", "-o", "a.txt"), "output a.txt: the name must end in .png"),
            (("hbn", "--calculator", "local", "--component", "xx"), "no component xx"),
            (("hbn", "--calculator", "local", "--bands", "b.png", "--energies", "50", "60"), "between 50 and 60 eV"),
            (("tilted-dirac", "--calculator", "local", "--bands", "b.png"), "--bands needs a lattice"),
        ],
    )
    def test_refused(self, arguments: tuple[str, ...], said: str, run: Run) -> None:
        code, _, err = run("map", *arguments, "--shape", "3", "3")
        assert code == 2
        assert said in err.replace("'", "")


class TestSymmetrize:
    def test_there_and_back(self, run: Run) -> None:
        """What is written has the group to rounding; `run` of it imposes nothing."""
        code, out, err = run("symmetrize", "mos2", "-o", "new", "--spin-order", "interlaced")
        assert code == 0
        assert "new_tb.dat: the format has no place for the spin operator; load(..., spin_order='interlaced')" in err
        assert "symmetric     under mm21', 8 operations, to rounding" in out
        assert "levels        of the frozen window (up to 2.5891 eV), move by 8.6e-05 meV (root mean square), 0.0005 meV" in out
        assert re.search(r"mirror normal to \(1, 0, 0\) +0\.00\d+ +0\.045 ", out)
        assert out.endswith("wrote new_tb.dat\nwrote new_centres.xyz\nwrote new.win\n")
        found = group_of(ome.load("new"))
        assert len(found.exact) == len(found.operations) == 8
        settings = ("--kmesh", "6", "6", "1", "--fermi", "-0.5", "--temperature", "1000", "--calculators", "extrinsic", "--all")
        assert "symmetry: point group mm21'; 13 k points\n" in run("run", "new", *settings)[1]
        noisy = run("run", "mos2", *settings)[1]
        assert "36 k points; ome-wannier symmetrize mos2 -o NEW makes Wannier functions that have it to rounding\n" in noisy

    def test_what_is_left_out(self, run: Run, tmp_path: Path) -> None:
        """A field across the axis of tellurium."""
        model = ome.load("te", spin_order="interlaced")
        ome.convert(replace(model, hamiltonian=model.hamiltonian + 1e-3 * model.spin[..., 0], spin=None), "field_tb.dat")
        out = run("symmetrize", "field", "-o", "new")[1]
        assert "symmetric     under 2, 2 operations" in out
        assert re.search(r"\nleft out .* and 1 more, which the atoms have and the Hamiltonian breaks by up to 0\.99 meV;", out)

    def test_moments(self, run: Run, tmp_path: Path) -> None:
        """Of each atom; a crystal without them has time reversal too."""
        (tmp_path / "m.txt").write_text("0 0 1\n0 0 0\n0 0 0\n")
        assert "under mm2(m), 4 operations" in run("symmetrize", "vse2", "-o", "x_hr.dat", "--moments", "m.txt")[1]
        code, out, err = run("symmetrize", "vse2", "-o", "y", "--nonmagnetic")
        assert code == 0
        assert "under mm21', 8 operations" in out
        assert "by up to 0.25 eV: more than noise does" in err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("vse2", "-o", "y", "--moments", "none.txt"), "none.txt: No such file"),
            (("vse2", "-o", "y", "--moments", "m.txt"), "moments have shape (1, 3): expected (3, 3), Cartesian, one per atom"),
            (("vse2", "-o", "y", "--moments", "bad.txt"), "moments: "),
            (("vse2", "-o", "y", "--moments", "m.txt", "--nonmagnetic"), "moments and nonmagnetic exclude each other"),
            (("mos2", "-o", "y", "--spin-order", "block"), "is the order of the spins (spin_order) the right one?"),
            (("graphene", "-o", "y"), "the atoms of this model are not known"),
            (("tbg", "-o", "y"), "only Wannier functions and orbitals can be made symmetric"),
        ],
    )
    def test_mistakes(self, run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
        (tmp_path / "m.txt").write_text("0 0 1\n")
        (tmp_path / "bad.txt").write_text("0 0 up\n")
        code, _, err = run("symmetrize", *arguments)
        assert code == 2
        assert said in err
        assert not (tmp_path / "y_tb.dat").exists()

    def test_what_is_broken_names_it(self, run: Run) -> None:
        """On the first screen of `run`, and where `info` lists symmetries: here the spins are in the wrong order."""
        settings = ("--spin-order", "block", "--kmesh", "6", "6", "1", "--fermi", "-0.5", "--temperature", "2000")
        out = run("run", "mos2", *settings, "--calculators", "spin")[1]
        line = next(x for x in out.splitlines() if x.startswith("symmetry: the atoms have "))
        assert "of spin; if it is not meant to, ome-wannier symmetrize mos2 -o NEW --moments FILE restores it" in line
        assert "ome-wannier symmetrize mos2 -o NEW --moments FILE" in run("info", "mos2", "--all", *settings[:2])[1]


class TestConvert:
    def test_there_and_back(self, run: Run, tmp_path: Path) -> None:
        assert run("convert", "hbn", "x_tb.dat") == (0, "wrote x_tb.dat\nwrote x_centres.xyz\nwrote x.win\n", "")
        code, out, err = run("convert", "x", "y/")
        assert (code, out) == (0, "wrote y\n")
        assert "electrons" not in err
        code, out, err = run("info", "y", "--all")
        assert code == 0
        assert "y (wannierberri)" in out
        assert "two electrons per band" in out
        assert np.array_equal(ome.load("x").hamiltonian, ome.load("hbn").hamiltonian)

    def test_options(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "where.txt").write_text("0 0 0\n" * 5)
        options = ("--centres", "where.txt", "--no-use-wsvec", "--spin-degeneracy", "1")
        assert run("convert", "hbn", "x_hr.dat", "--sparse", *options)[0] == 0
        assert (tmp_path / "x_hr.dat").read_text().split("\n")[2].strip() == "5"
        model = ome.load("x")
        assert not model.wannier_centres.any()
        assert np.array_equal(model.hamiltonian, ome.load("hbn", use_wsvec=False).hamiltonian)
        code, _, err = run("convert", "hbn", "x_hr.dat")
        assert code == 2
        assert err.endswith("exists already; pass overwrite=True (--overwrite) to replace it\n")

    def test_order_of_spins(self, run: Run) -> None:
        assert run("convert", "te", "x_tb.dat", "--spin-order", "interlaced", "--write-spin-order", "block")[0] == 0
        H, there = (ome.load(name).hamiltonian for name in ("te", "x"))
        assert np.array_equal(there[:, 1, 9], H[:, 2, 1])

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("tilted-dirac", "x_tb.dat"), "error: a KDotP cannot be written"),
            (("hbn", "x.txt"), "error: cannot write x.txt: the name says what it is to be"),
            (("te", "x_tb.dat", "--write-spin-order", "block"), "error: the order of the spins is not known"),
            (("te", "x_tb.dat", "--spn"), "Te.chk: the spin operator needs .chk, .eig, .spn"),
            (("hbn", "x_tb.dat", "--centres", "none.txt"), "error: none.txt: No such file"),
            (("hbn", "x_tb.dat", "--periodic", "1", "1", "x"), "error: periodic: expected three truth values"),
        ],
    )
    def test_mistakes(self, run: Run, arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
        code, _, err = run("convert", *arguments)
        assert code == 2
        assert said in err
        assert err.count("\n") == 1
        assert not list(tmp_path.iterdir())


class TestInfo:
    def test_positions_put_on_their_branch(self, run: Run) -> None:
        assert "corrected for 2 of 5 functions by up to 12 A: on the branch of _centres.xyz" in run("info", "hbn", "--all")[1]
        assert "corrected" not in run("info", "te", "--all")[1]

    def test_wsvec_as_asked(self, run: Run) -> None:
        assert "hBN_wsvec.dat.gz not applied, as asked" in run("info", "hbn", "--no-use-wsvec", "--all")[1]

    def test_models_that_are_built(self, run: Run) -> None:
        code, out, err = run("info", "tilted-dirac", "--all")
        assert (code, err) == (0, "")
        assert "k.p" in out
        assert "point group   not looked for: a k.p model has no atoms and no lattice\n" in out
        assert "parameter     mass = 0.01 eV" in out

    def test_library_entry(self, run: Run) -> None:
        code, out, err = run("info", "hbn")
        assert (code, err) == (0, "")
        assert len(out.splitlines()) <= 30
        assert "next          ome-wannier run hbn\n" in out
        assert "all of intrinsic: forbidden by time reversal" in out
        assert "Fermi level   -0.9000 eV, from the library entry hbn; run takes -5 to -0.5 eV in 181 levels\n" in out
        assert "no  " not in out
        code, out, err = run("info", "hbn", "--all")
        assert (code, err) == (0, "")
        for part in (
            "library/hbn, 5 orbitals, two electrons per band",
            "formula       BN",
            "hBN_tb.dat.gz, hBN",
            "matrix elements",
            "hBN_wsvec.dat.gz applied",
            "51, reaching 4, 4, 0 cells",
            "along lattice vectors 1, 2 (xy), area 5.647 A^2",
            "default mesh  48 x 48 x 1",  # what a run takes
            "Hermiticity",
            "-2.845 eV in hBN.win",
            "; 8 electrons per cell fill 4 bands",
        ):
            assert part in out
        assert re.search(r"2-4 +-11\.\d+ +-3\.1\d+ +4\.4\d+ +3", out)
        assert re.search(r"time reversal +\S+ +\S+ +\S+ +to rounding", out)

    def test_every_level_says_what_it_is(self, run: Run) -> None:
        """That of the library, as `materials` lists it, that of the filling, and the levels that `run` takes."""
        out = run("info", "cumnas")[1]
        assert re.search(r"level +8\.\d{4} eV holds 42 electrons per cell at 300 K, to 0\.\d+ eV\n", out)
        assert "Fermi level   8.7045 eV, from the library entry cumnas; run takes 8.2 to 9.2 eV in 101 levels\n" in out
        assert "CuMnAs, antiferromagnet (Neel vector along x), metal: Fermi level 8.7045 eV\n" in run("materials")[1]

    def test_symmetries_that_hold_but_for_noise(self, run: Run) -> None:
        """They are told from those that hold to rounding, and so are the zeros that they demand."""
        out = run("info", "vse2", "--all")[1]
        assert re.search(r"\n *time reversal +\d\d +\S+ +\S+ +no", out)
        assert re.search(r"\n *mirror normal to \(1, 0, 0\) x time reversal +0\.00\d+ +\S+ +\S+ +but for noise", out)
        assert "mm2(m), 4 operations (-*: not by the 1 that hold to rounding)" in out
        assert re.search(r"moment y +-\* +-\* +yz *\n *moment z +-\* +zy", out)

    def test_fillings(self, run: Run) -> None:
        assert "gap           5." in run("info", "hbn", "--filling", "2")[1]
        assert "fill 1.5 bands, a metal" in run("info", "hbn", "--filling", "3")[1]
        assert re.search(
            r"none: band 2 ends at \S+ eV, 3 begins at \S+ eV, \S+ eV below; 4 electrons",
            run("info", "hbn", "--filling", "4")[1],
        )

    def test_info_and_run_tell_one_gap_and_level(self, run: Run) -> None:
        """Whatever the mesh of the run; the edges of the gap are not those of a mesh."""
        filled = ("hbn", "--filling", "8", "--kmesh", "4", "4", "1")
        for temperature in ("0", "300"):
            described = run("info", *filled, "--temperature", temperature)[1]
            found = run("run", *filled, "--temperature", temperature, "--calculators", "berry_curvature")[1]
            level, how = re.search(r"level  +(-\d\.\d{4}) eV (.*)", described).groups()  # type: ignore[union-attr]
            bottom, top = re.search(r"eV \((-\d\.\d{4}) to (\d\.\d{4}) eV\); 8 electrons", described).groups()  # type: ignore[union-attr]
            gap = f"{float(top) - float(bottom):.3g} eV, {bottom} to {top} eV above band 4"
            assert f"Fermi level {level} eV in the gap of {gap}" in " ".join(found.split())
            assert how in " ".join(found.split())
            assert how.startswith("middle of the gap from -3.1" if temperature == "0" else "holds 8 electrons per cell at 300")

    def test_files_without_structure_or_filling(self, run: Run, root: Path, tmp_path: Path) -> None:
        shutil.copy(root / "materials" / "hbn" / "hBN_tb.dat.gz", tmp_path / "mine_tb.dat.gz")
        assert "next          ome-wannier run mine --filling ELECTRONS\n" in run("info", "mine")[1]
        _, out, err = run("info", "mine", "--all")
        assert "warning: no mine.win" in err
        assert "unknown (the atoms are not given)" in out
        assert "no _wsvec.dat" in out
        assert "give --filling" in out


@pytest.mark.parametrize(
    ("given", "ways"),
    [
        (("--kmesh", "24", "24", "1"), "a smaller --kmesh, --workers N"),
        (("--kmesh", "24", "24", "1", "--workers", "1"), "a smaller --kmesh"),
        (
            ("--rtol", "0.5"),
            "fewer --calculators, such as total, one --fermi level, a larger --rtol, --max-time SECONDS, which ends it, "
            "--workers N",
        ),
        (
            ("--rtol", "0.5", "--fermi", "0", "--calculators", "total"),
            "a larger --rtol, --max-time SECONDS, which ends it, --workers N",
        ),
    ],
)
def test_a_long_run_says_what_takes_less(run: Run, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], ways: str) -> None:
    monkeypatch.setattr(jobs, "LONG", 0.0)
    assert f"this takes more than 0 s; what takes less: {ways}\n" in run("run", "haldane", *given)[2]


def test_a_short_run_is_silent(run: Run) -> None:
    assert "takes" not in run("run", "haldane", "--fermi", "0", "--kmesh", "4", "4", "1", "--calculators", "total")[2]


def test_material_that_is_built(run: Run) -> None:
    code, out, _ = run("materials", "tilted-dirac")
    assert code == 0
    assert "\nparameter mass = 0.01 eV, half of the gap" in out
    assert "seed" not in out


def test_info_follows_the_parameters(run: Run) -> None:
    """The number of full bands that the layers or atoms make, and the formula of the entry."""
    code, out, _ = run("info", "bi2se3-slab", "-p", "layers=3")
    assert "next          ome-wannier run bi2se3-slab -p layers=3\n" in out
    code, out, _ = run("info", "bi2se3-slab", "-p", "layers=3", "--all")
    assert code == 0
    assert "; 6 electrons per cell fill 6 bands" in out
    assert "layers = 3, quintuple layers [given]" in out
    code, out, _ = run("info", "tbg-atomistic", "-p", "m=1", "--all")
    assert code == 0
    assert "formula       C\n" in out
    assert "; 28 electrons per cell fill 14 bands" in out


def test_materials(run: Run) -> None:
    code, out, _ = run("materials")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ome.materials.names()
    _, out, _ = run("materials", "te")
    assert "CC0-1.0" in out
    assert "To cite:\nJ. H. Cullen" in out


def test_version_and_help(run: Run) -> None:
    assert run("--version") == (0, f"ome_wannier {ome.__version__}\n", "")
    result = CliRunner().invoke(app, ["run", "--help"])
    assert result.exit_code == 0
    for option in ("--kmesh", "--fermi", "--filling", "--temperature", "--tau", "--calculators", "--output", "--plot", "--csv"):
        assert option in result.output


def test_every_setting_is_an_option() -> None:
    """Of `run` all of them, of other commands what they take, each with the help text and the default None, not given."""
    commands = typer.main.get_command(app).commands
    of_run = {parameter.name: parameter for parameter in commands["run"].params}
    assert set(of_run) == {*TABLE, "config", "debug"} - {"material"}
    assert {p.default for p in of_run.values()} == {None, False}
    assert of_run["parameters"].opts == ["-p", "--parameter"]
    assert all(of_run[name].help == TABLE[name].help for name in TABLE if name not in ("seed", "material"))
    for command in ("info", "map", "convert"):
        assert set(named("loader")) < {parameter.name for parameter in commands[command].params}
    assert all("debug" in {parameter.name for parameter in command.params} for command in commands.values())


def test_module_is_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["ome_wannier", "--version"])
    with pytest.raises(SystemExit):
        runpy.run_module("ome_wannier", run_name="__main__")
    assert capsys.readouterr().out.startswith("ome_wannier ")


def test_warnings_are_restored(run: Run) -> None:
    before = warnings.showwarning
    run("materials")
    assert warnings.showwarning is before


class TestProcess:
    """Through real processes: pipes, signals, the time until help appears."""

    def test_piped_output_is_plain(self, tmp_path: Path) -> None:
        done = process("run", "hbn", *QUICK, "--fermi", "-3.3", cwd=tmp_path)
        assert (done.returncode, says_coarse(done.stderr)) == (0, True)
        assert "\x1b" not in done.stdout
        assert "\r" not in done.stdout

    def test_ascii_output(self, tmp_path: Path) -> None:
        done = process("run", "hbn", *QUICK, "--fermi", "-3.3", cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert (done.returncode, says_coarse(done.stderr)) == (0, True)
        assert " +- " in done.stdout

    def test_reader_that_leaves(self, tmp_path: Path) -> None:
        command = f"{sys.executable} -m ome_wannier info hbn | head -1"
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("hbn: ")
        assert done.stderr == ""

    @pytest.mark.usefixtures("interruptible")
    def test_interrupt_leaves_nothing(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "ome_wannier", "run", "te", "--kmesh", "60", "60", "60", "--fermi", "6", "-o", "a.nc"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout
                while not child.stdout.readline().startswith("te: "):
                    assert child.poll() is None
                # past the imports, some of which swallow an interruption: in time of the processor, which others do not take
                at_work = psutil.Process(child.pid)
                past = sum(at_work.cpu_times()[:2]) + 3.0
                while child.poll() is None and sum(at_work.cpu_times()[:2]) < past:
                    time.sleep(0.1)
                child.send_signal(signal.SIGINT)
                _, err = child.communicate(timeout=60)
            finally:
                child.kill()
        assert child.returncode == 130
        assert "Traceback" not in err
        assert not list(tmp_path.iterdir())

    def test_help_is_quick(self, tmp_path: Path) -> None:
        """Under a second of processor time, which a busy machine does not stretch as it does the time of the clock."""
        times = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert process("--help", cwd=tmp_path).returncode == 0
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert min(times) < 1.0


class TestNumbers:
    def test_groups_and_gaps(self) -> None:
        ranges = np.array([[0.0, 1.0], [0.5, 2.0], [3.0, 4.0], [4.001, 5.0], [9.0, 9.5]])
        assert [(g.first, g.last, g.bottom, g.top) for g in info.groups(ranges)] == [(1, 2, 0, 2), (3, 4, 3, 5), (5, 5, 9, 9.5)]

    def test_band_ranges_hold_the_bands(self) -> None:
        model = ome.load("hbn")
        look = info.Look.at(model)
        assert look.mesh.size == (36, 36, 1)
        energies = np.linalg.eigvalsh(model.matrices(look.mesh.points(), 0).H)
        np.testing.assert_allclose(look.ranges, np.stack([energies.min(axis=0), energies.max(axis=0)], axis=1), atol=1e-12)
