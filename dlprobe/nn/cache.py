"""The one way to compile a function here, and the cache of what was compiled.

Numba looks for changes in one file only, so an edit to an imported function would go unnoticed and
give stale results; and it compiles a function anew when its file is touched or a line above it is
added. Therefore the folder is named by what the sources say (`dlprobe.nn.folders`), and inside it
every kernel has files of its own, named by what it is (`dlprobe.nn.identity`): nothing else decides
whether a kernel in the cache is the one that is wanted.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numba
from numba.core import config as numba_config
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import CacheImpl, FunctionCache
from numba.core.compiler import Compiler
from numba.core.runtime import rtsys
from numba.extending import overload

from dlprobe import interrupts
from dlprobe.errors import DlprobeError
from dlprobe.nn.folders import HASH_AT_IMPORT, cache_folder
from dlprobe.nn.identity import DIGITS, digest_of, named, processor
from dlprobe.nn.libraries import InlinedCompiler, KernelCompiler
from dlprobe.parts import scalar

# Reductions may be reordered and contracted; NaN and infinity keep their meaning (fastmath=True
# made a kernel count 0 of 3 non-finite values).
SUMS = {"reassoc", "contract", "arcp", "nsz", "afn"}
# Nothing may be reordered where parameters change: the same inputs give the same bits whatever
# stands around them.
EXACT = {"contract"}

F = TypeVar("F", bound=Callable[..., Any])


_with_helpers: set[Callable[..., Any]] = set()
# numba's setting is one for the process: two threads that compile would restore each other's
_compiling = threading.RLock()


class Locator:
    """Where numba finds a kernel's files: in our folder, by the kernel's name alone. Raises
    OSError where the folder cannot be made.
    """

    def __init__(self, file: str) -> None:
        self._py_file = file  # numba names it in a warning

    @classmethod
    def from_function(cls, function: Any, file: str) -> Locator:
        return cls(file)

    def ensure_cache_path(self) -> None:
        """Called before a kernel is written; another process may have removed the folder after
        a week.
        """
        cache_folder().mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return HASH_AT_IMPORT

    def get_disambiguator(self) -> str:
        """A number, in the place of the line."""
        return "0"


@contextlib.contextmanager
def our_folder() -> Iterator[None]:
    """Numba's way to find cached files set to ours while our decorators run, so that other people's
    caches stay where they are.

    Functions of numba's own that end up in a kernel are told apart by its numbers alone, so those
    start where no other compilation's do.
    """
    with _compiling:
        before = (
            CacheImpl._locator_classes,
            getattr(numba_config, "CACHE_LOCATOR_CLASSES", ""),
            FunctionIdentity._unique_ids,
        )
        CacheImpl._locator_classes, numba_config.CACHE_LOCATOR_CLASSES = [Locator], ""
        FunctionIdentity._unique_ids = itertools.count(secrets.randbits(60))
        try:
            yield
        finally:
            (
                CacheImpl._locator_classes,
                numba_config.CACHE_LOCATOR_CLASSES,
                FunctionIdentity._unique_ids,
            ) = before


def is_warm() -> bool:
    """Whether the cache holds some kernel of this version; if not, the next command has to
    compile.
    """
    return any(cache_folder().rglob("*.nbc"))


def cached_files() -> dict[str, Path]:
    """The kernels in the cache: the digest at the end of each one's name, and the file with its
    code.
    """
    named_files = (
        (DIGEST_IN_FILE_NAME.search(path.name), path) for path in cache_folder().rglob("*.nbc")
    )
    return {found[1]: path for found, path in named_files if found}


class NotCached(Exception):
    """A kernel that is to be read from the cache is not there."""


_reads_only: ContextVar[bool] = ContextVar("reads_only", default=False)


@contextlib.contextmanager
def from_cache_only(wanted: bool = True) -> Iterator[None]:
    """Inside, a kernel is compiled no more: what is not in the cache raises NotCached."""
    token = _reads_only.set(wanted)
    try:
        yield
    finally:
        _reads_only.reset(token)


DIGEST_IN_FILE_NAME = re.compile(rf"_([0-9a-f]{{{DIGITS}}})-\d+\.py")
_compiled: dict[
    str, Any
] = {}  # by name: what is one function is compiled, or loaded, once, so a symbol has one library


def compiled(
    signature: Any, flags: set[str] = SUMS, of: str = "", **options: bool
) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile eagerly for one signature, without the GIL, cached on disk. `options` are
    numba's, e.g. to leave out a wrapper nobody calls.

    Nothing here counts references to arrays (see `dlprobe.nn.views`), so nothing may allocate, but
    what says so by `_nrt=True`. `of` names the record that a factory made the function of. Raises
    DlprobeError where the cache holds another function's code, or none that can be read.
    """
    options.setdefault("_nrt", False)

    def decorate(function: Any) -> Any:
        function = named(
            function, signature, sorted(flags), sorted(options.items()), *processor(), of=of
        )
        with our_folder():
            if function.__qualname__ not in _compiled:
                if _reads_only.get() and digest_of(function.__qualname__) not in cached_files():
                    raise NotCached(function.__qualname__)
                decorator = numba.njit(
                    nogil=True,
                    error_model="numpy",
                    fastmath=flags,
                    boundscheck=False,
                    pipeline_class=KernelCompiler,
                    **options,
                )
                dispatcher = decorator(function)
                dispatcher._cache = KernelCache(function)
                _read_or_compile(dispatcher, signature, function)
                _compiled[function.__qualname__] = _verified(dispatcher, function)
            return _compiled[function.__qualname__]

    return lambda function: interrupts.apart(partial(decorate, function))


class KernelCache(FunctionCache):  # type: ignore[misc]
    """Numba's cache of one function, read without a look at all that numba can compile: of that,
    compiled code needs numba's runtime alone, which gives arrays their memory, and the first look
    takes a quarter of a second.
    """

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The kernel of this signature from its file, or None; a compilation looks for itself."""
        rtsys.initialize(context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(signature, context)


def _read_or_compile(dispatcher: Any, signature: Any, function: FunctionType) -> None:
    """Give a dispatcher its one kernel. Raises DlprobeError where its file in the cache is
    damaged, of which numba tells in many ways.
    """
    try:
        dispatcher.compile(signature)
        dispatcher.disable_compile()
    except Exception as error:
        damaged = cached_files().get(digest_of(function.__qualname__))
        if damaged is None:
            raise
        raise DlprobeError(
            f"{damaged}, a compiled kernel, cannot be read ({type(error).__name__}: {error}): "
            f"remove {cache_folder()} and run again; kernels are then compiled anew"
        ) from error


def _verified(dispatcher: Any, function: FunctionType) -> Any:
    """The dispatcher, if what numba compiled or loaded for `function` was compiled from it."""
    for result in dispatcher.overloads.values():
        if result.fndesc.qualname != function.__qualname__:
            raise DlprobeError(
                f"the kernel cache {cache_folder()} holds the code of "
                f"{result.fndesc.qualname} in the place of {function.__qualname__}: "
                "remove that folder and run again; kernels are then compiled anew"
            )
    return dispatcher


def callable_from_kernels(
    function: Any, fastmath: set[str], compiler: Any = InlinedCompiler, **options: bool
) -> None:
    """numba's `register_jitable`, under a name that is the function's alone: copies of what
    LLVM does not inline stand beside every caller, as symbols.
    """
    implementation = named(function, sorted(fastmath), sorted(options.items()))

    def choose(*arguments: Any, **keywords: Any) -> Any:
        return implementation

    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # nobody else calls it
    overload(
        function,
        jit_options={
            "error_model": "numpy",
            "fastmath": fastmath,
            "pipeline_class": compiler,
            **wrappers,
            **options,
        },
        strict=False,
    )(choose)


def inlined_with_helpers(function: Callable[..., Any]) -> Callable[..., Any]:
    """`inlined` without fail, for a record's function and the plain functions that it calls;
    those of `parts.scalar` have compiled forms of their own.
    """
    if function not in _with_helpers:
        _with_helpers.add(function)
        # Inlined, as a loop with a call in it is not vectorised. Optimised by itself in full, so
        # that the last bit of a formula depends less on the loop around it.
        callable_from_kernels(function, EXACT, Compiler, forceinline=True, _nrt=False)
        for name in function.__code__.co_names:
            helper = function.__globals__.get(name)
            if isinstance(helper, FunctionType) and helper.__module__ != scalar.__name__:
                inlined_with_helpers(helper)
    return function


def inlined(flags: set[str]) -> Callable[[F], F]:
    """Decorator: let compiled code call the plain Python function; it stays plain for everybody
    else.

    Where sums may be reordered it is put into its callers without fail. A function that LLVM does
    not inline is compiled beside each caller: which of these codes all of them call depends on
    which was loaded first, and the last bit of their sums may differ.
    """

    def decorate(function: F) -> F:
        callable_from_kernels(function, flags, forceinline=flags >= SUMS, _nrt=False)
        return function

    return decorate


def giving_views(function: F) -> F:
    """Decorator: `inlined` for a function that returns a view, which must have no count of
    references: Numba lets only code that counts them return arrays.
    """
    callable_from_kernels(function, SUMS, _nrt=True)
    return function
