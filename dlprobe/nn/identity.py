"""What compiled functions are told apart by: a name that ends in a digest of everything their
machine code depends on.

Numba tells closures of one definition apart by a number that it counts up in each process, and the
cache on disk keeps that number. Kernels that different processes had compiled could so share one
symbol, and machine code is found by its symbol: one net ran another's optimizer. Symbols, and the
names of files in the cache, are made from `__qualname__`; with the digest in it two functions have
one name only if they are one function, whichever process compiled them.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from llvmlite import binding
from numba.core import config, serialize

from dlprobe.nn.folders import SOURCES_AT_IMPORT

DIGITS = 16
# Every change to what these say is a new cache folder (`dlprobe.nn.folders`), so there the name of
# a function says what it is.
IN_FOLDERS_NAME = SOURCES_AT_IMPORT.modules
COMPILED_BY_NUMBA = {"numpy", "numba", "llvmlite", "math"}


def named(function: Any, *also: object, of: str = "") -> Any:
    """A copy of `function` whose `__qualname__` ends in `of`, which people can read, and a digest
    of its content and of `also`.

    Its content is its code, the values it closes over and, of code outside dlprobe, the functions
    and constants that it names.
    Comments, docstrings and the lines where it stands are none of it.
    """
    digest = hashlib.sha256()
    for piece in (*map(repr, also), *content(function, set())):
        digest.update(f"{len(piece)} {piece}".encode())
    copy = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__, copy.__module__, copy.__doc__ = (
        function.__kwdefaults__,
        function.__module__,
        function.__doc__,
    )
    copy.__qualname__ = "_".join(
        filter(None, (function.__qualname__, of, digest.hexdigest()[:DIGITS]))
    )
    return copy


def digest_of(name: str) -> str:
    """The digest at the end of a name."""
    return name[-DIGITS:]


@cache
def processor() -> tuple[str, str]:
    """Name and features of the processor that numba compiles for: computers that share a cache
    folder may differ in it.
    """
    return (
        config.CPU_NAME or binding.get_host_cpu_name(),
        config.CPU_FEATURES or binding.get_host_cpu_features().flatten(),
    )


def content(value: Any, known: set[int]) -> Iterator[str]:
    """What tells a function, or a value that one uses, from every other; `known` holds the
    functions that have been gone through already.
    """
    # of a dispatcher, of an intrinsic
    value = getattr(value, "py_func", None) or getattr(value, "_defn", None) or value
    if isinstance(value, FunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
        if id(value) not in known and not _is_in_folders_name(value):
            known.add(id(value))
            yield from _of_function(value, known)
    elif isinstance(value, BuiltinFunctionType | ModuleType | type):
        yield f"{getattr(value, '__module__', '')}.{value.__name__}"
    elif isinstance(value, tuple):
        yield f"tuple of {len(value)}"
        for element in value:
            yield from content(element, known)
    elif value is None or isinstance(
        value, bool | int | float | complex | str | bytes | np.generic
    ):
        yield repr(value)
    else:
        yield serialize.dumps(value).hex()


def _of_function(function: FunctionType, known: set[int]) -> Iterator[str]:
    yield from _of_code(function.__code__, function.__doc__)
    for cell in function.__closure__ or ():
        yield from content(cell.cell_contents, known)
    yield from content(
        (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()), known
    )
    if function.__module__ not in IN_FOLDERS_NAME:
        for name, used in _globals(function):
            yield name
            yield from content(used, known)


def _of_code(code: CodeType, docstring: str | None = None) -> Iterator[str]:
    """Its instructions, names and constants; a docstring is the first of these."""
    yield code.co_code.hex()
    yield repr(code.co_names)
    documented = docstring is not None and code.co_consts[:1] == (docstring,)
    for constant in code.co_consts[1:] if documented else code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
        else:
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)


def _globals(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals that a function names, and what it may take from a module among them."""
    names = function.__code__.co_names
    for name in names:
        used = function.__globals__.get(name)
        if isinstance(used, ModuleType):
            own = () if _package(used.__name__) in COMPILED_BY_NUMBA else names
            yield from (
                (f"{name}.{inner}", vars(used)[inner])
                for inner in own
                if isinstance(vars(used).get(inner), FunctionType | int | float)
            )
        elif (
            used is not None
            and _package(getattr(used, "__module__", None) or "") not in COMPILED_BY_NUMBA
        ):
            yield name, used


def _package(module: str) -> str:
    return module.partition(".")[0]


def _is_in_folders_name(function: FunctionType) -> bool:
    """Whether a function is what its module has under its name, and its module is part of the
    cache folder's name.
    """
    module = sys.modules.get(function.__module__)
    return (
        function.__module__ in IN_FOLDERS_NAME
        and getattr(module, function.__qualname__, None) is function
    )
