"""Compiled loops: what one takes, gives back and needs as space, and how it is called.

Arrays that a kernel, or a function that kernels call, takes as arguments and writes to overlap no other of its arguments.

A kernel is a Python function of arrays in one piece, of which numba makes machine code. It allocates nothing, raises nothing
and calls nothing of Python, so that its machine code needs neither numba nor this version of Python: a wheel brings it
(`object_code`), and where it does not fit, it is made when first called (`jit`), and kept.
"""

from __future__ import annotations

import ctypes
import inspect
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: letters of the types of arrays and numbers
DTYPES: dict[str, Any] = {"f": np.float64, "z": np.complex128, "i": np.int64}

_KNOWN = {letter: np.dtype(kind) for name, kind in DTYPES.items() for letter in (name, name.upper())}
Shape = Sequence[int]

#: kernels by name
KERNELS: dict[str, Kernel] = {}
#: functions that kernels call, compiled into them, and the types of what they take
INNER: dict[Callable[..., Any], list[str]] = {}


class Kernel:
    """A function of arrays that runs compiled.

    Parameters
    ----------
    function : takes what is given, what is returned and the space, in this order.
    types : as in "z4 i2 f0 -> z4 + z2": a letter of `DTYPES` and the number of dimensions of what is given, of what is
        returned, and of space. A capital: what is given is changed in place, what is returned starts as zeros.
    shapes : of what is returned and of the space, from what is given.
    """

    def __init__(self, function: FunctionType, types: str, shapes: Callable[..., tuple[Shape, ...]]) -> None:
        self.function, self._shapes = function, shapes
        given, _, made = types.partition("->")
        returned, _, space = made.partition("+")
        self.given, self._returned, self._space = given.split(), returned.split(), space.split()
        if len(inspect.signature(function).parameters) != len(self.types):
            raise TypeError(f"{self.name} takes other arguments than its types say")
        self._pack = struct.Struct(f"{sum(1 + int(t[1:]) for t in self.types)}q").pack
        self.__doc__ = function.__doc__

    @property
    def name(self) -> str:
        """Unique, and good as a name in object code."""
        _, _, module = self.function.__module__.partition(".")
        return f"{module}.{self.function.__name__}".replace(".", "_")

    @property
    def types(self) -> list[str]:
        """Of all that the function takes."""
        return [*self.given, *self._returned, *self._space]

    def __call__(self, *arguments: Any) -> Any:
        """What is returned (one array or several), of arrays, numbers and tuples of these, made fit where they are not."""
        given = [_fit(t, x) for t, x in zip(self.given, _flat(arguments), strict=True)]
        shapes = iter(self._shapes(*given))
        returned = [(np.zeros if t[0].isupper() else np.empty)(next(shapes), DTYPES[t[0].lower()]) for t in self._returned]
        space = [np.empty(next(shapes), DTYPES[t[0]]) for t in self._space]
        packed: list[int] = []
        for x in (*given, *returned, *space):
            packed.append(x.__array_interface__["data"][0])
            packed.extend(x.shape)
        if self.run(self._pack(*packed)):
            raise RuntimeError(f"the compiled function {self.name} failed")
        return tuple(returned) if len(returned) > 1 else returned[0] if returned else None

    @cached_property
    def run(self) -> Callable[..., int]:
        """The machine code as a function of where addresses and shapes stand (`entry`)."""
        from . import object_code

        def make() -> bytes:
            """Object code for this processor."""
            from . import jit  # numba takes a third of a second to import

            return jit.object_code(self)

        return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p)(object_code.address(self.name, make))


def kernel(types: str, shapes: Callable[..., tuple[Shape, ...]]) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a function a `Kernel` of these types and shapes."""

    def made(function: Callable[..., Any]) -> Kernel:
        """The kernel of the function."""
        assert isinstance(function, FunctionType)
        found = Kernel(function, types, shapes)
        KERNELS[found.name] = found
        return found

    return made


def nothing(*_: Any) -> tuple[Shape, ...]:
    """The shapes of a kernel that changes in place what it is given."""
    return ()


def inner(types: str) -> Callable[[Callable[..., Any]], Any]:
    """Let kernels call the function; types of what it takes as in `Kernel`. One machine code serves all of its callers."""

    def made(function: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        if len(inspect.signature(function).parameters) != len(types.split()):
            raise TypeError(f"{function} takes other arguments than its types say")
        INNER[function] = types.split()
        return function

    return made


def _flat(arguments: Any) -> Iterator[Any]:
    for x in arguments:
        if isinstance(x, tuple):
            yield from _flat(x)
        else:
            yield x


def _fit(given: str, x: Any) -> NDArray[Any]:
    """An array of this type in one piece: x, or a copy where it is not."""
    letter, dimensions = given[0], int(given[1:])
    fits = type(x) is np.ndarray and x.ndim == dimensions and x.dtype == _KNOWN[letter] and x.flags.c_contiguous
    if fits and (letter.islower() or x.flags.writeable):
        known: NDArray[Any] = x
        return known
    found = np.asarray(x).astype(DTYPES[letter.lower()], order="C", casting="safe", copy=False)
    if found.ndim != dimensions or (letter.isupper() and (found is not x or not found.flags.writeable)):
        raise TypeError(f"an array that is not {given}: {found.dtype} {found.shape}")
    return found
