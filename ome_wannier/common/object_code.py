"""Machine code of kernels: what a wheel brings, what was made here before, or made now; loaded, it needs no numba.

A folder for each kind of processor and each state of the sources holds a file of object code for each kernel. It calls BLAS and
the C library by names, which LLVM is told of here.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import pkgutil
import platform
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import ahead, compiled_cache

PACKAGE = Path(__file__).parent.parent
#: what a wheel brings
FOLDER = PACKAGE / "common" / "machine_code_files"
#: modules of kernels; beside a run they are compiled in this order, and each from its end: last what a run begins with
MODULES = (
    "bands.gate",
    "bands.cross_gap",
    "integration.mesh.compiled",
    "integration.compiled",
    "integration.occupation.compiled",
    "bands.compiled",
    "bands.rotations",
    "bands.eigensolver",
    "models.compiled",
)
#: what stands for BLAS in the code
ZGEMM = "ome_wannier_zgemm"
#: what of the C library may
LIBRARY = ("exp", "log1p", "sinh", "sqrt", "memcpy", "memmove", "memset")


_LOADING = threading.RLock()
_LOADED: dict[str, int] = {}


class Level(NamedTuple):
    """A kind of processor: LLVM's name of it, and the features that it must have."""

    name: str
    features: frozenset[str]


_V3 = frozenset({"avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"})
#: by machine, the best first
LEVELS = {
    "x86_64": (
        Level("x86-64-v4", _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
        Level("x86-64-v3", _V3),
    ),
    "arm64": (Level("generic", frozenset()),),
    "aarch64": (Level("generic", frozenset()),),
}


def levels() -> tuple[Level, ...]:
    """Kinds of processors that a wheel made here brings code for; none on Windows, where this was never tried."""
    return () if sys.platform == "win32" else LEVELS.get(platform.machine(), ())


def level_folder(level: Level) -> Path:
    """Where a wheel brings code for a kind of processor, of the sources as they are."""
    return FOLDER / f"{sys.platform}-{level.name}-{digest():x}"


def address(name: str, make: Callable[[], bytes]) -> int:
    """Where the machine code of a kernel is; `make` gives object code if there is none yet."""
    with _LOADING:  # a name is known to LLVM once
        if name not in _LOADED:
            _LOADED[name] = _load(name, _code(name, make))
        return _LOADED[name]


def _code(name: str, make: Callable[[], bytes]) -> bytes:
    """What a wheel brought, or was made here before, or is made now."""
    brought = _brought()
    code = None if brought is None else compiled_cache.read(brought / name)
    if code is None:
        kept = compiled_cache.folder(_processor())
        code = None if kept is None else compiled_cache.read(kept / name)
        if code is None:
            if kept is not None:
                ahead.begin(kept)
            code = make()
            if kept is not None:
                compiled_cache.write(kept / name, code)
    return code


def _load(name: str, code: bytes) -> int:
    """Where LLVM puts the function of this name."""
    from llvmlite import binding

    engine = _engine()
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(name))


@functools.cache
def digest() -> int:
    """Of the sources that kernels are made of: code of others is not taken."""
    modules = (*MODULES, "common.compiled", "common.kernels", "common.jit", "common.entry")
    # of a package in a zip as well
    sources = [pkgutil.get_data("ome_wannier", f"{module.replace('.', '/')}.py") or b"" for module in modules]
    return int(_hash(b"".join(sources))[:16], 16)


@functools.cache
def _brought() -> Path | None:
    """The folder of a wheel's code for this processor."""
    if not FOLDER.is_dir() or not levels():
        return None
    from llvmlite import binding

    has = {name for name, there in binding.get_host_cpu_features().items() if there}
    fit = (level_folder(level) for level in levels() if level.features <= has)
    return next((folder for folder in fit if folder.is_dir()), None)


@functools.cache
def _processor() -> str:
    """A name for code that is made here: of the sources, LLVM and this processor."""
    import llvmlite
    from llvmlite import binding

    here = f"{llvmlite.__version__} {binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    return f"{digest():x}-{_hash(here.encode())[:16]}"


@functools.cache
def _engine() -> Any:
    """Of LLVM, which code is added to."""
    from llvmlite import binding
    from scipy.linalg import cython_blas

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.add_symbol(ZGEMM, _capsule(cython_blas.__pyx_capi__["zgemm"]))
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    for name in LIBRARY:
        binding.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    machine = binding.Target.from_default_triple().create_target_machine()
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)


def _capsule(capsule: Any) -> int:
    """The address that it holds."""
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
