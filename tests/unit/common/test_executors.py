"""Workers and checkpoints: the same bits from any of them, whoever dies or is interrupted on the way."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import toys

import ome_wannier as ome
from ome_wannier import executors
from ome_wannier.calculators import Observable
from ome_wannier.common.executors import ordered
from ome_wannier.errors import FileFormatError, SettingsError, WorkerError
from ome_wannier.integration.mesh import checkpoint
from ome_wannier.integration.mesh.constants import MESH

#: processes here have so many seconds: they do not compile
pytestmark = pytest.mark.usefixtures("compiled")
FERMI = np.linspace(-0.5, 0.5, 5)
MODELS = ["random 2D", "random 3D", "vse2", "plane waves"]


def random_2d() -> ome.TightBinding:
    return toys.random_model(2)


def bits(result) -> dict[str, bytes]:
    return {name: result[name].values.tobytes() for name in result.data_vars}


def model(name: str):
    if name == "vse2":
        return ome.load("vse2")
    if name == "plane waves":
        return ome.load("tbg", theta=3.0, cutoff=2)
    return toys.random_model(3, dimension=3, position="matrix") if name == "random 3D" else random_2d()


def run(name: str = "random 2D", **options):
    of = model(name)
    mesh = tuple(6 if p else 1 for p in of.periodic)
    return ome.compute(of, **({"kmesh": mesh, "fermi": FERMI, "temperature": [0.0, 300.0]} | options))


def own(weights) -> Observable:
    return Observable("mine", "one's own", "own", "sea", 1, 1, "-", "-", weights, dims=("field",))


def energies(bands):
    return np.repeat(bands.energies[:, :, None], 3, axis=2)


@pytest.fixture(scope="module")
def pools() -> Iterator[dict[str, Executor]]:
    with (
        executors.processes(3) as three,
        ThreadPoolExecutor(2) as threads,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as foreign,
    ):
        yield {"processes": three, "threads": threads, "foreign": foreign}


@pytest.mark.parametrize("name", MODELS)
def test_any_executor_gives_the_same_bits(pools, name: str) -> None:
    here = bits(run(name))
    for pool in pools.values():
        assert bits(run(name, executor=pool)) == here


def test_a_small_budget_lets_few_blocks_wait(pools) -> None:
    """Histograms of T = 1 K fill the budget but for one block: slower, the same bits."""
    options = {"temperature": 1.0, "fermi": 0.1, "calculators": ["total"], "kmesh": (8, 8, 1)}
    assert bits(run(**options, executor=pools["processes"], memory=3 * 2**20)) == bits(run(**options))


def test_results_come_in_order_and_few_are_ahead() -> None:
    """Whatever the order in which they are done; never more at once than told."""
    lock, alive, most = threading.Lock(), [0], [0]

    def late(job: float, item: int) -> int:
        time.sleep(job * (item % 3))
        return item

    class Counting(ThreadPoolExecutor):
        def submit(self, *args, **kwargs):
            with lock:
                alive[0] += 1
                most[0] = max(most)
            return super().submit(*args, **kwargs)

    taken = []
    with Counting(4) as pool:
        for item in ordered(pool, late, 0.002, range(20), 5):
            assert alive[0] - len(taken) <= 5
            taken.append(item)
    assert taken == list(range(20))


def test_own_calculators_go_to_workers(pools) -> None:
    """A function of a module, a lambda, and one that holds values from around."""
    scale = 2.0
    for weights in (energies, lambda bands: energies(bands), lambda bands: scale * energies(bands)):
        here = bits(run(calculators=[own(weights)]))
        for pool in ("processes", "foreign"):
            assert bits(run(calculators=[own(weights)], executor=pools[pool])) == here


def test_models_are_sent_without_what_they_can_make_again() -> None:
    of = random_2d()
    fresh = len(pickle.dumps(of))
    ome.compute(of, (2, 2, 1), ["total"], 0.1)
    assert len(pickle.dumps(of)) == fresh
    assert pickle.loads(pickle.dumps(of)).sha256 == of.sha256


def test_what_cannot_be_sent_is_said(pools) -> None:
    lock = threading.Lock()

    def locked(bands):
        with lock:
            return energies(bands)

    with pytest.raises(WorkerError, match=r"cannot be sent to workers.*lock"):
        run(calculators=[own(locked)], executor=pools["processes"])
    assert bits(run(calculators=[own(locked)], executor=pools["threads"])) == bits(run(calculators=[own(locked)]))


def test_errors_of_workers_are_those_of_this_process(pools) -> None:
    def wrong(bands):
        return np.zeros((1, 1))

    for executor in (None, pools["processes"], pools["threads"]):
        with pytest.raises(ome.errors.ModelError, match="returned weights of shape"):
            run(calculators=[own(wrong)], executor=executor)
    assert bits(run(executor=pools["processes"])) == bits(run())  # the pool is still good


def dying(folder: Path, times: int, again: bool = False):
    """Weights that kill their worker at the first sight of each part of the mesh, or at every one, `times` times in all."""

    def weights(bands):
        seen = folder / f"seen{bands.energies[0, 0]!r}"
        n, between = len(list(folder.glob("died*"))), np.ptp(6 * bands.k - np.rint(6 * bands.k)) > 1e-9  # places, not points
        if n < times and os.getpid() != parent and not between and (again or not seen.exists()):
            seen.touch()
            (folder / f"died{n}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return energies(bands)

    parent = os.getpid()
    return own(weights)


@pytest.mark.parametrize(("number", "times"), [(2, 1), pytest.param(1, 3, marks=pytest.mark.long)])
def test_lost_workers_are_replaced(tmp_path: Path, number: int, times: int) -> None:
    """As often as it takes, for no part of the sum is lost twice."""
    calculator = dying(tmp_path, times)
    with executors.processes(number) as pool:
        assert bits(run(calculators=[calculator], executor=pool)) == bits(run(calculators=[calculator]))
    assert len(list(tmp_path.glob("died*"))) == times


def test_a_part_that_kills_its_workers_ends_the_run(tmp_path: Path) -> None:
    with executors.processes(1) as pool, pytest.raises(WorkerError, match="died 2 times over the same part"):
        run(calculators=[dying(tmp_path, 99, again=True)], executor=pool)
    assert (tmp_path / "died1").exists()


def test_a_foreign_pool_that_broke_is_not_replaced(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool, pytest.raises(WorkerError, match="takes no more work"):
        run(calculators=[dying(tmp_path, 1)], executor=pool)
    with pytest.raises(WorkerError, match="shut down"):
        run(executor=pool)


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2"])
def test_numbers_of_workers(number) -> None:
    with pytest.raises(WorkerError, match="positive integer"):
        executors.processes(number)


def test_settings_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"executors\.processes"):
        run(executor=2)
    with pytest.raises(SettingsError, match="resume goes on"):
        run(resume=True)
    with pytest.raises(SettingsError, match="no folder"):
        run(checkpoint=tmp_path / "nowhere" / "run.npz")
    cone = ome.KDotP(lambda k: np.zeros((len(k), 2, 2)), scale=1.0)
    with pytest.raises(SettingsError, match="along rays"):
        ome.compute(cone, fermi=0.0, checkpoint=tmp_path / "run.npz")


def stopped(path: Path, after: int, **options) -> None:
    """A run that is interrupted when it has `after` blocks."""

    def keep(self: checkpoint.Checkpoint, state: checkpoint.State) -> None:
        if state.done == after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "keep", keep)
        with pytest.raises(KeyboardInterrupt):
            run(checkpoint=path, **options)


@pytest.mark.parametrize("after", [1, 5, 8])
def test_resumed_runs_have_the_same_bits(pools, tmp_path: Path, after: int) -> None:
    path = tmp_path / "run.npz"
    here = bits(run(kmesh=(8, 10, 1)))
    for first, second in ((None, None), (None, pools["processes"]), (pools["processes"], None)):
        stopped(path, after, kmesh=(8, 10, 1), executor=first)
        with np.load(path) as file:
            assert file["done"] == after <= MESH.blocks
        assert bits(run(kmesh=(8, 10, 1), checkpoint=path, resume=True, executor=second)) == here
        assert not path.exists()


def test_a_resumed_run_does_not_begin_anew(tmp_path: Path) -> None:
    calls = []

    def counted(bands):
        calls.append(1)
        return energies(bands)

    run(calculators=[own(counted)])
    whole, path = len(calls), tmp_path / "run.npz"
    calls.clear()
    stopped(path, 2, calculators=[own(counted)])
    first = len(calls)
    run(calculators=[own(counted)], checkpoint=path, resume=True)
    assert 0 < first < len(calls) == whole


CHANGES = {
    "kmesh": (6, 4, 1),
    "fermi": FERMI + 1e-9,
    "temperature": [0.0, 300.0001],
    "degeneracy_tol": 2e-5,
    "calculators": ["total"],
    "name": "vse2",
}


def test_checkpoints_of_other_runs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    stopped(path, 2)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="exists: resume continues it"):
        run(checkpoint=path)
    for key, value in CHANGES.items():
        with pytest.raises(SettingsError, match="belongs to another run"):
            run(**{key: value}, checkpoint=path, resume=True)
    assert path.read_bytes() == before
    here = run(tau=20.0, memory=2**26, checkpoint=path, resume=True)  # what the sum does not depend on
    assert bits(here) == bits(run(tau=20.0))


def test_another_function_of_the_same_name_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    stopped(path, 2, calculators=[own(lambda bands: 2.0 * energies(bands))])
    with pytest.raises(SettingsError, match="belongs to another run"):
        run(calculators=[own(lambda bands: 3.0 * energies(bands))], checkpoint=path, resume=True)
    run(calculators=[own(lambda bands: 2.0 * energies(bands))], checkpoint=path, resume=True)


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    stopped(path, 2)
    good = path.read_bytes()
    for bad in (good[: len(good) // 2], b"", b"nonsense", good[:200] + b"x" * 50 + good[250:]):
        path.write_bytes(bad)
        with pytest.raises(FileFormatError, match="expected a checkpoint"):
            run(checkpoint=path, resume=True)


SCRIPT = """
import os, sys, time
import numpy as np
import toys
import ome_wannier as ome
from ome_wannier.integration.mesh import checkpoint
from ome_wannier.calculators import Observable

checkpoint.INTERVAL = checkpoint.COST = 0.0
here, number = sys.argv[1], int(sys.argv[2])

def weights(bands):
    if np.abs(bands.energies[0, 0] - float(os.environ["STOP_AT"])) < 1e-12:
        open(os.path.join(here, "there"), "w").close()
        time.sleep(60)
    return np.repeat(bands.energies[:, :, None], 3, axis=2)

mine = Observable("mine", "mine", "own", "sea", 1, 1, "-", "-", weights, dims=("field",))
pool = ome.executors.processes(number) if number else None
result = ome.compute(toys.random_model(2), (16, 16, 1), [mine], 0.1, executor=pool,
                     checkpoint=os.path.join(here, "run.npz"), resume=True)
np.save(os.path.join(here, "result.npy"), result["mine"].values)
"""


def done(path: Path) -> int:
    """Blocks in a checkpoint."""
    if not path.exists():
        return 0
    with np.load(path) as file:
        return int(file["done"])


LONG = [(signal.SIGINT, 0), (signal.SIGTERM, 2), (signal.SIGKILL, 0), (signal.SIGKILL, 2)]


@pytest.mark.parametrize(
    ("sent", "number"),
    [(signal.SIGTERM, 0), (signal.SIGINT, 2), *(pytest.param(*p, marks=pytest.mark.long) for p in LONG)],
)
@pytest.mark.usefixtures("interruptible")
def test_signals_leave_a_checkpoint(tmp_path: Path, sent: int, number: int) -> None:
    """A script stopped by a signal while a worker, or itself, sits at a point in the middle; begun again, it completes."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    of = random_2d()
    middle = np.linalg.eigvalsh(of.matrices(ome.KMesh((16, 16, 1)).points()[128:129], 0).H)[0, 0]
    path = os.pathsep.join([str(Path(toys.__file__).parent), *sys.path])
    command = [sys.executable, str(script), str(tmp_path), str(number)]
    first = subprocess.Popen(command, env=os.environ | {"STOP_AT": repr(float(middle)), "PYTHONPATH": path})
    deadline = time.monotonic() + 60
    # rows of points are blocks: the ninth is at work, those before it are added, which another worker may still be at
    while not ((tmp_path / "there").exists() and done(tmp_path / "run.npz") == 8):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(sent)
    codes = {signal.SIGTERM: 143, signal.SIGINT: -signal.SIGINT, signal.SIGKILL: -signal.SIGKILL}
    assert first.wait(timeout=20) == codes[sent]
    assert done(tmp_path / "run.npz") == 8
    subprocess.run(command, env=os.environ | {"STOP_AT": "1e9", "PYTHONPATH": path}, check=True, timeout=60)
    direct = ome.compute(of, (16, 16, 1), [own(energies)], 0.1)
    assert np.load(tmp_path / "result.npy").tobytes() == direct["mine"].values.tobytes()
    assert not (tmp_path / "run.npz").exists()


HOSTED = """
import sys
import numpy as np
import toys
import ome_wannier as ome
from ome_wannier.calculators import Observable
{imports}

if __name__ == "__main__":
    mine = Observable("mine", "-", "own", "sea", 1, 1, "-", "-", lambda bands: bands.energies[:, :, None] * [1, 2, 3],
                                      dims=("field",))
    with {executor} as pool:
        result = ome.compute(toys.random_model(2), (16, 16, 1), ["total", mine], 0.1, executor=pool)
    np.savez(sys.argv[1], **{{name: result[name].values for name in result.data_vars}})
"""
DASK = "LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as c, ome.executors.dask(c.scheduler_address)"


def under_mpi() -> list[str]:
    """How three MPI processes are started, two of them workers; the test is skipped where there is no MPI."""
    # of this environment first: the one whose library mpi4py loads
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if mpiexec is None or find_spec("mpi4py") is None:  # not imported: in this process ASE would ask it for a library
        pytest.skip("no mpiexec, or no mpi4py")
    free = ["--oversubscribe", "--allow-run-as-root"] if "open" in version(mpiexec).lower() else []
    return [mpiexec, "-n", "3", *free, sys.executable, "-m", "mpi4py.futures"]


@pytest.mark.long
@pytest.mark.outside
@pytest.mark.parametrize("host", ["mpi", "dask"])
def test_hosts(tmp_path: Path, host: str) -> None:
    """Three MPI processes under mpi4py.futures; a Dask scheduler at a TCP address with two workers of two threads."""
    script, start = tmp_path / "script.py", [sys.executable]
    if host == "mpi":
        start = under_mpi()
        script.write_text(HOSTED.format(imports="", executor="ome.executors.mpi()"))
    else:
        pytest.importorskip("distributed")
        script.write_text(HOSTED.format(imports="from distributed import LocalCluster", executor=DASK))
    path = os.pathsep.join([str(Path(toys.__file__).parent), *sys.path])
    out = tmp_path / "result.npz"
    subprocess.run([*start, str(script), str(out)], env=os.environ | {"PYTHONPATH": path}, check=True, timeout=120)
    mine = own(lambda bands: bands.energies[:, :, None] * [1, 2, 3])
    here = ome.compute(random_2d(), (16, 16, 1), ["total", mine], 0.1)
    with np.load(out) as file:
        assert {name: file[name].tobytes() for name in file} == bits(here)


BROADCAST = """
import pickle, sys
import numpy as np
import toys
import ome_wannier as ome
from mpi4py.futures import MPIPoolExecutor
from ome_wannier.calculators import Observable

sent, submit = [], MPIPoolExecutor.submit

def counted(self, *given):
    sent.append(len(pickle.dumps(given)))
    return submit(self, *given)

def scaled(by):
    weights = lambda bands: bands.energies[:, :, None] * [1, 2, 3] * by[0]
    return Observable("mine", "-", "own", "sea", 1, 1, "-", "-", weights, dims=("field",))

if __name__ == "__main__":
    MPIPoolExecutor.submit = counted
    with ome.executors.mpi() as pool:
        for scale in (1.0, 2.0, 1.0):
            found = ome.compute(toys.random_model(2), (16, 16, 1), [scaled(np.full(2**17, scale))], 0.1, executor=pool)
            print(found["mine"].values.tobytes().hex(), flush=True)
    print(len(sent), max(sent))
"""


@pytest.mark.long
@pytest.mark.outside
def test_mpi_sends_a_job_once(tmp_path: Path) -> None:
    """A job that holds a megabyte is broadcast; its items are small. Three jobs in turn have the bits of this process."""
    script = tmp_path / "script.py"
    script.write_text(BROADCAST)
    path = os.pathsep.join([str(Path(toys.__file__).parent), *sys.path])
    done = subprocess.run(
        [*under_mpi(), str(script)], env=os.environ | {"PYTHONPATH": path}, check=True, timeout=120,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    *results, (number, largest) = (line.split() for line in done.stdout.splitlines())
    assert int(number) >= 3 * MESH.few_blocks
    assert int(largest) < 1000
    for scale, (found,) in zip((1.0, 2.0, 1.0), results, strict=True):
        mine = own(lambda bands, scale=scale: bands.energies[:, :, None] * [1, 2, 3] * scale)
        here = ome.compute(random_2d(), (16, 16, 1), [mine], 0.1)
        assert bytes.fromhex(found) == here["mine"].values.tobytes()


KILLED = """
import os, signal, sys, threading
import numpy as np
import toys
import ome_wannier as ome
from distributed import Client, LocalCluster
from ome_wannier.calculators import Observable

def weights(bands):
    import time
    time.sleep(0.1)
    return bands.energies[:, :, None] * [1, 2, 3]

if __name__ == "__main__":
    mine = Observable("mine", "-", "own", "sea", 1, 1, "-", "-", weights, dims=("field",))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        before = client.run(os.getpid)
        timer = threading.Timer(0.6, os.kill, (sorted(before.values())[0], signal.SIGKILL))
        with ome.executors.dask(cluster.scheduler_address) as pool:
            timer.start()
            result = ome.compute(toys.random_model(2), (16, 16, 1), ["total", mine], 0.1, executor=pool)
        print("killed", not timer.is_alive(), flush=True)
    np.savez(sys.argv[1], **{name: result[name].values for name in result.data_vars})
"""


@pytest.mark.long
@pytest.mark.outside
def test_a_dask_worker_is_killed(tmp_path: Path) -> None:
    """One of two workers is killed by its process number half way through: the other does its blocks, with the same bits."""
    pytest.importorskip("distributed")
    script, out = tmp_path / "script.py", tmp_path / "result.npz"
    script.write_text(KILLED)
    path = os.pathsep.join([str(Path(toys.__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, str(script), str(out)], env=os.environ | {"PYTHONPATH": path}, check=True, timeout=300,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "killed True" in done.stdout
    mine = own(lambda bands: bands.energies[:, :, None] * [1, 2, 3])
    here = ome.compute(random_2d(), (16, 16, 1), ["total", mine], 0.1)
    with np.load(out) as file:
        assert {name: file[name].tobytes() for name in file} == bits(here)


OFTEN = """
import sys
import numpy as np
import toys
import ome_wannier as ome
from ome_wannier.integration.mesh import checkpoint

checkpoint.INTERVAL = checkpoint.COST = 0.0
result = ome.compute(toys.random_model(2), (2000, 2000, 1), ["total", "extrinsic"], [0.0, 0.1],
                     checkpoint=sys.argv[1] + "/run.npz", resume=True)
np.savez(sys.argv[1] + "/result.npz", **{name: result[name].values for name in result.data_vars})
"""


@pytest.mark.long
@pytest.mark.alone
def test_ten_kills_at_random_moments(tmp_path: Path) -> None:
    """SIGKILL ten times, between the start of Python and the middle of the sum; then the run is left alone."""
    script = tmp_path / "script.py"
    script.write_text(OFTEN)
    path = os.pathsep.join([str(Path(toys.__file__).parent), *sys.path])
    command, about = [sys.executable, str(script), str(tmp_path)], os.environ | {"PYTHONPATH": path}
    rng = np.random.default_rng(11)
    blocks = []
    for _ in range(10):
        process = subprocess.Popen(command, env=about)
        try:
            process.wait(timeout=float(rng.uniform(1.0, 3.0)))
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        if (tmp_path / "run.npz").exists():  # whole, whenever the process was killed
            with np.load(tmp_path / "run.npz") as file:
                blocks.append(int(file["done"]))
    assert not (tmp_path / "result.npz").exists(), "it was done before it was killed: the mesh is too small for this machine"
    assert blocks == sorted(blocks)
    assert max(blocks) > 0
    subprocess.run(command, env=about, check=True, timeout=300)
    here = ome.compute(random_2d(), (2000, 2000, 1), ["total", "extrinsic"], [0.0, 0.1])
    with np.load(tmp_path / "result.npz") as file:
        assert {name: file[name].tobytes() for name in file} == bits(here)
    assert not (tmp_path / "run.npz").exists()


def version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout


def test_hosts_that_are_not_there(monkeypatch) -> None:
    for host in ("mpi4py", "distributed"):
        monkeypatch.setitem(sys.modules, host, None)
    with pytest.raises(WorkerError, match=r"pip install 'ome_wannier\[mpi\]'"):
        executors.mpi()

    class WithoutLibrary(ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("cannot load MPI library\nlibmpi.so: cannot open shared object file")

    monkeypatch.setitem(sys.modules, "mpi4py", WithoutLibrary("mpi4py"))
    with pytest.raises(WorkerError, match=r"Open MPI or MPICH \(cannot load MPI library\)$"):
        executors.mpi()
    with pytest.raises(WorkerError, match=r"pip install 'ome_wannier\[dask\]'"), executors.dask("tcp://127.0.0.1:1"):
        pass


def test_address_without_a_port() -> None:
    """Refused before a client's threads keep the program from ending."""
    pytest.importorskip("distributed")
    threads = threading.active_count()
    with pytest.raises(WorkerError, match="no Dask scheduler at 'nowhere': missing port"), executors.dask("nowhere"):
        pass
    assert threading.active_count() == threads


def command(folder: Path, monkeypatch, *arguments: str) -> int:
    from ome_wannier.cli import main

    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        main(["run", "vse2", "--kmesh", "6", "6", "1", "--fermi", "-0.3", "--calculators", "total", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_command_line(tmp_path: Path, monkeypatch, capsys) -> None:
    """Interrupted here, resumed by two workers, it writes what one run writes."""
    assert command(tmp_path, monkeypatch, "-o", "whole.nc") == 0
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "keep", lambda self, state: _stop(state.done == 2))
        assert command(tmp_path, monkeypatch, "-o", "half.nc", "--checkpoint", "run.npz") == 130
    assert "kept run.npz: the same command with --resume goes on" in capsys.readouterr().err
    assert (tmp_path / "run.npz").exists()
    assert not (tmp_path / "half.nc").exists()
    assert command(tmp_path, monkeypatch, "-o", "half.nc", "--checkpoint", "run.npz") == 2
    assert "run.npz exists: resume continues it" in capsys.readouterr().err
    assert command(tmp_path, monkeypatch, "-o", "half.nc", "--checkpoint", "run.npz", "--resume", "--workers", "2") == 0
    assert bits(ome.load_result(tmp_path / "half.nc")) == bits(ome.load_result(tmp_path / "whole.nc"))
    assert not (tmp_path / "run.npz").exists()


def _stop(now: bool) -> None:
    if now:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workers", "0"), "workers: expected a positive number of processes, found '0'"),
        (("--workers", "2", "--mpi"), "give one of workers, dask and mpi"),
        (("--resume",), "resume goes on from a checkpoint"),
        (("--checkpoint", "nowhere/run.npz"), "there is no folder nowhere"),
    ],
)
def test_command_line_mistakes(arguments, said: str, tmp_path: Path, monkeypatch, capsys) -> None:
    assert command(tmp_path, monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system blocks no signals")
def test_workers_start_with_signals_blocked(root: Path) -> None:
    """From their first instruction on: one that comes while Python starts would end in its traceback."""
    script = (
        "import signal\n"
        "from ome_wannier.common.executors import processes\n"
        "def blocked(_): return sorted(x.name for x in signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"
        "pool = processes(1)\n"
        "print(*pool.submit(blocked, 0).result())\n"
        "pool.shutdown()\n"
    )
    given = {**os.environ, "PYTHONPATH": str(root)}
    found = subprocess.run([sys.executable, "-c", script], env=given, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["SIGHUP", "SIGINT", "SIGTERM"]


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGHUP", 129), ("SIGTERM", 143)])
def test_a_signal_to_all_processes_is_answered_once(
    tmp_path: Path, root: Path, number: str, code: int, interruptible: None
) -> None:
    """Of a terminal that is closed, Ctrl-C, a batch system: workers and loky's helper hear it too and say nothing."""
    command = [sys.executable, "-m", "ome_wannier", "run", "te", "--kmesh", "60", "60", "60", "--fermi", "6"]
    given = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [*command, "-o", "a.nc", "--workers", "2"], cwd=tmp_path, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as child:  # fmt: skip
        try:
            assert child.stdout
            while not child.stdout.readline().startswith("te: "):
                assert child.poll() is None
            time.sleep(3)
            os.killpg(child.pid, getattr(signal, number))
            _, err = child.communicate(timeout=60)
        finally:
            child.kill()
    assert child.returncode == code
    assert err == ("error: interrupted\n" if number == "SIGINT" else "")
    assert not list(tmp_path.iterdir())
