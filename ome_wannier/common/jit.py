"""What numba makes of kernels: object code."""

from __future__ import annotations

import functools
import gc
import logging
import multiprocessing
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any
from unittest import mock

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import callconv, cgutils, codegen, types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic, overload
from numba.np import arrayobj

from . import entry
from .kernels import DTYPES, INNER, Kernel
from .object_code import LIBRARY, ZGEMM

#: sums over a row may be reordered for the processor's vectors, in the same way at every k; nothing is allocated or raised
OPTIONS: Any = {
    "fastmath": {"reassoc", "contract"},
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def object_code(kernel: Kernel) -> bytes:
    """Object code of a kernel, by its name, for this processor or the one that numba was told of."""
    _say_once()
    module = _module(kernel)
    told: Any = numba.config
    given = {"cpu": told.CPU_NAME, "features": told.CPU_FEATURES or ""}
    here = {"cpu": binding.get_host_cpu_name(), "features": binding.get_host_cpu_features().flatten()}
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    relocated = "default" if platform.machine() == "x86_64" else "static"
    machine = target.create_target_machine(
        **(given if given["cpu"] else here), opt=3, reloc=relocated, codemodel="jitdefault", jit=True
    )
    code: bytes = machine.emit_object(module)
    return code


@functools.cache
def _say_once() -> None:
    """Not in workers, whose user has read it."""
    if multiprocessing.parent_process() is None:
        logging.getLogger("ome_wannier").warning("compiling for this processor, once: it takes some seconds")


def _module(kernel: Kernel) -> Any:
    """LLVM's module of a kernel, everything but its function being its own: copies in other kernels may round otherwise."""
    _know_inner()
    with global_compiler_lock, _only(kernel.function.__name__):
        dispatcher = numba.njit(**OPTIONS)(_plain(kernel.function))
        dispatcher.compile(tuple(map(_type, kernel.types)))
    (made,) = dispatcher.overloads.values()
    module, names = binding.parse_assembly(made.library.get_llvm_str()), {}
    for i, x in enumerate((*module.functions, *module.global_variables)):
        if not x.is_declaration:  # numba's names are other ones each time
            x.linkage = "internal"
            x.name, last = f"inner{i}", x.name
            names[last] = x
    function = names[made.fndesc.llvm_func_name]
    # known from outside until the entry is linked in
    function.name, function.linkage = "kernel", "external"
    sizes = [np.dtype(DTYPES[t[0].lower()]).itemsize for t in kernel.types]
    takes = [str(x.type) for x in function.arguments]
    module.link_in(binding.parse_assembly(entry.text(kernel.name, function.name, takes, kernel.types, sizes)))
    module.get_function("kernel").linkage = "internal"
    unknown = {f.name for f in module.functions if f.is_declaration} - {ZGEMM, *LIBRARY}
    if unknown := {name for name in unknown if not name.startswith("llvm.")}:
        raise RuntimeError(f"{kernel.name} calls what its machine code cannot: {', '.join(sorted(unknown))}")
    return module


@contextmanager
def _only(name: str) -> Iterator[None]:
    """Numba optimises and loads each function by itself: not now but for the optimising of this one, with all that it calls."""
    library, engine = codegen.JITCodeLibrary, codegen.JITCPUCodegen
    optimise: Any = library._optimize_final_module
    decorate: Any = callconv.CPUCallConv.decorate_function

    def optimise_it(self: Any) -> None:
        if self.name == name:
            optimise(self)

    def decorate_apart(self: Any, function: Any, names: Any, kinds: Any, noalias: bool = True) -> None:
        """What is written to is not what is read: else loops look at addresses before they begin, or are not for vectors."""
        decorate(self, function, names, kinds, noalias=True)

    def do_nothing(*_: Any) -> None: ...

    instead: list[tuple[Any, str, Any]] = [
        (library, "_optimize_final_module", optimise_it),
        (library, "_finalize_specific", do_nothing),
        (engine, "set_env", do_nothing),
        (arrayobj, "fix_integer_index", _as_it_stands),
        (callconv.CPUCallConv, "decorate_function", decorate_apart),
    ]
    with ExitStack() as stack:
        if gc.isenabled():  # it looks through all that numba makes, again and again: a tenth of the time
            gc.disable()
            stack.callback(gc.enable)
        for owner, what, other in instead:
            if hasattr(owner, what):  # without, it only takes longer
                stack.enter_context(mock.patch.object(owner, what, other))
        yield


def _as_it_stands(context: Any, builder: Any, kind: Any, index: Any, _: Any) -> Any:
    """An index that is never counted from the end: with the choice rows are no longer read as they lie."""
    return context.cast(builder, index, kind, types.intp)


@functools.cache
def _know_inner() -> None:
    """Tell numba of the functions that kernels call, each compiled when a kernel that calls it is."""
    for function in INNER:
        overload(function, jit_options=OPTIONS, strict=False)(functools.partial(_itself, _plain(function)))


def _itself(function: Any, *_: Any) -> Any:
    return function


def _plain(function: Any) -> FunctionType:
    """The function with what stands for machine code in place of `compiled.zgemm` and others."""
    instead = {"zgemm": _zgemm, "as_real": _as_real, "block": _block}
    return FunctionType(function.__code__, function.__globals__ | instead, function.__name__)


def _type(given: str) -> Any:
    """Of numba."""
    number, dimensions = numba.typeof(DTYPES[given[0].lower()](0)), int(given[1:])
    return types.Array(number, dimensions, "C") if dimensions else number


@intrinsic
def _as_real(_: Any, X: Any) -> Any:
    """`compiled.as_real`."""
    real = types.Array(types.float64, X.ndim, "C")

    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        """The same numbers, twice as many in a row."""
        array = context.make_array(X)(context, builder, given[0])
        *others, row = cgutils.unpack_tuple(builder, array.shape)
        *steps, size = cgutils.unpack_tuple(builder, array.strides)
        half = builder.sdiv(array.itemsize, ir.Constant(size.type, 2))
        found = context.make_array(real)(context, builder)
        shape, strides = [*others, builder.mul(row, ir.Constant(row.type, 2))], [*steps, half]
        data = builder.bitcast(array.data, found.data.type)
        arrayobj.populate_array(found, data=data, shape=shape, strides=strides, itemsize=half, meminfo=None)
        return found._getvalue()

    return real(X), generate


@intrinsic
def _block(_: Any, X: Any, i: Any, j: Any, n: Any, m: Any) -> Any:
    """`compiled.block`."""
    found = types.Array(X.dtype, 2, "A")

    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        """The same memory from another element on."""
        whole = context.make_array(X)(context, builder, given[0])
        row = cgutils.unpack_tuple(builder, whole.shape)[1]
        data = builder.gep(whole.data, [builder.add(builder.mul(given[1], row), given[2])])
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(X.dtype)))
        array = context.make_array(found)(context, builder)
        strides = [builder.mul(row, size), size]
        arrayobj.populate_array(array, data=data, shape=list(given[3:]), strides=strides, itemsize=size, meminfo=None)
        return array._getvalue()

    return found(X, *[types.int64] * 4), generate


@intrinsic
def _zgemm(_: Any, X: Any, Y: Any, out: Any) -> Any:
    """`compiled.zgemm`: rows of one are columns of the other, so that the transposed product is asked of BLAS."""
    pointer, number, double = ir.IntType(8).as_pointer(), ir.IntType(32), ir.ArrayType(ir.DoubleType(), 2)

    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        """A call with the addresses of everything."""

        def stored(value: Any) -> Any:
            place = cgutils.alloca_once(builder, value.type)
            builder.store(value, place)
            return builder.bitcast(place, pointer)

        def whole(value: Any) -> Any:
            return stored(builder.trunc(value, number))

        arrays = [context.make_array(kind)(context, builder, x) for kind, x in zip((X, Y, out), given, strict=True)]
        rows = [cgutils.unpack_tuple(builder, x.strides)[0] for x in arrays]
        size = ir.Constant(ir.IntType(64), 16)
        (left, x), (right, y), (found, o) = (
            (builder.bitcast(array.data, pointer), whole(builder.sdiv(row, size)))
            for array, row in zip(arrays, rows, strict=True)
        )
        (n, m), (_, s) = (cgutils.unpack_tuple(builder, arrays[i].shape) for i in (2, 0))
        plain = stored(ir.Constant(ir.IntType(8), ord("N")))
        one, zero = (stored(ir.Constant(double, [v, 0.0])) for v in (1.0, 0.0))
        takes = ir.FunctionType(ir.VoidType(), [pointer] * 13)
        function = cgutils.get_or_insert_function(builder.module, takes, ZGEMM)
        # once for all who call it: copies of it take most of the time that kernels are compiled in
        builder.function.attributes.add("noinline")
        builder.call(function, [plain, plain, whole(m), whole(n), whole(s), one, right, y, left, x, zero, found, o])
        return context.get_dummy_value()

    return types.void(X, Y, out), generate
