"""Where compiled kernels are kept, and the one way to compile a function here.

Numba looks for changes in one file only, so an edit to an imported function would go unnoticed and give stale results. Therefore the folder is named
by a hash over every source file that can reach a kernel (`nn`, `parts`, and the tables of columns in `record`) and the versions of Python, numba and
NumPy: an edit means a new folder. Inside it every kernel has files of its own, named by what it is (`dlprobe.nn.identity`).
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import itertools
import os
import platform
import re
import secrets
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
import platformdirs
from numba.core import config as numba_config
from numba.core.bytecode import FunctionIdentity
from numba.extending import overload

import dlprobe
from dlprobe import interrupts
from dlprobe.errors import DlprobeError, DlprobeWarning
from dlprobe.nn.identity import DIGITS, digest_of, named, processor
from dlprobe.parts import scalar

# Reductions may be reordered and contracted; NaN and infinity keep their meaning (fastmath=True made a kernel count 0 of 3 non-finite values).
SUMS = {"reassoc", "contract", "arcp", "nsz", "afn"}
# Nothing may be reordered where parameters change: the same inputs give the same bits whatever stands around them.
EXACT = {"contract"}
COLUMNS = ("record/scalars.py", "record/statistics.py")  # kernels have the positions in these tables as constants


def source_hash() -> str:
    """Hex digest over everything that compiled code depends on."""
    root = Path(dlprobe.__file__).parent
    # numba asks for the same path too, so the folder of another installation would hold nothing for this one
    digest = hashlib.sha256(f"{platform.python_version()} {numba.__version__} {np.__version__} {platform.machine()} {root}".encode())
    for file in [*sorted((root / "nn").rglob("*.py")), *sorted((root / "parts").rglob("*.py")), *(root / name for name in COLUMNS)]:
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


_with_helpers: set[Callable[..., Any]] = set()

# Taken when the first module of `nn` is imported: a file that is edited while a process runs must not put that process's old code under the new hash.
HASH_AT_IMPORT = source_hash()


def wanted_folder() -> Path:
    """Where the kernels of this version belong: below `DLPROBE_CACHE_DIR` or the user's cache folder."""
    base = Path(os.environ.get("DLPROBE_CACHE_DIR") or platformdirs.user_cache_dir("dlprobe"))
    return base / "kernels" / HASH_AT_IMPORT


@cache
def cache_folder() -> Path:
    """The folder of this version's kernels: `wanted_folder`, or a temporary one where that cannot be written."""
    folder = wanted_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        fallback = Path(tempfile.mkdtemp(prefix="dlprobe-kernels-"))
        atexit.register(shutil.rmtree, fallback, ignore_errors=True)
        warnings.warn(
            f"the cache folder {folder} cannot be written; compiled kernels go to {fallback} and are compiled again next time. "
            "Set DLPROBE_CACHE_DIR to a writable folder to keep them.",
            DlprobeWarning,
            stacklevel=2,
        )
        return fallback


_compiling = threading.RLock()  # numba's setting is one for the process: two threads that compile would restore each other's


@contextlib.contextmanager
def our_folder() -> Iterator[None]:
    """Numba's cache folder set to ours while our decorators run, so that other people's caches stay where they are.

    Functions of numba's own that end up in a kernel are told apart by its numbers alone, so those start where no other compilation's do.
    """
    with _compiling:
        folder, numbers = numba_config.CACHE_DIR, FunctionIdentity._unique_ids
        numba_config.CACHE_DIR, FunctionIdentity._unique_ids = str(cache_folder()), itertools.count(secrets.randbits(60))
        try:
            yield
        finally:
            numba_config.CACHE_DIR, FunctionIdentity._unique_ids = folder, numbers


def is_warm() -> bool:
    """Whether some kernels of this version are in the cache already, i.e. whether the next command has to compile."""
    return any(cache_folder().rglob("*.nbc"))


def cached_files() -> dict[str, Path]:
    """The kernels in the cache: the digest at the end of each one's name, and the file with its code."""
    named_files = ((DIGEST_IN_FILE_NAME.search(path.name), path) for path in cache_folder().rglob("*.nbc"))
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
_compiled: dict[str, Any] = {}  # by name: what is one function is compiled, or loaded, once, so a symbol has one library


def compiled(signature: Any, flags: set[str] = SUMS, of: str = "", **options: bool) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile eagerly for one signature, without the GIL, cached on disk. `options` are numba's, e.g. to leave out a wrapper nobody calls.

    Nothing here counts references to arrays (see `dlprobe.nn.views`), so nothing may allocate, but what says so by `_nrt=True`. `of` names the record that a
    factory made the function of. Raises DlprobeError where the cache holds another function's code, or none that can be read.
    """
    options.setdefault("_nrt", False)

    def decorate(function: Any) -> Any:
        function = named(function, signature, sorted(flags), sorted(options.items()), *processor(), of=of)
        with our_folder():
            if function.__qualname__ not in _compiled:
                if _reads_only.get() and digest_of(function.__qualname__) not in cached_files():
                    raise NotCached(function.__qualname__)
                decorator = numba.njit(signature, cache=True, nogil=True, error_model="numpy", fastmath=flags, boundscheck=False, **options)
                _compiled[function.__qualname__] = _verified(_readable(decorator, function), function)
            return _compiled[function.__qualname__]

    return lambda function: interrupts.apart(partial(decorate, function))


def _readable(decorator: Callable[[Any], Any], function: FunctionType) -> Any:
    """`function` compiled, or read from the cache. Raises DlprobeError where its file there is damaged, of which numba tells in many ways."""
    try:
        return decorator(function)
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
                f"the kernel cache {cache_folder()} holds the code of {result.fndesc.qualname} in the place of {function.__qualname__}: "
                "remove that folder and run again; kernels are then compiled anew"
            )
    return dispatcher


def callable_from_kernels(function: Any, fastmath: set[str], **options: bool) -> None:
    """numba's `register_jitable`, under a name that is the function's alone: copies of what LLVM does not inline stand beside every caller, as symbols."""
    implementation = named(function, sorted(fastmath), sorted(options.items()))

    def choose(*arguments: Any, **keywords: Any) -> Any:
        return implementation

    overload(function, jit_options={"error_model": "numpy", "fastmath": fastmath, **options}, strict=False)(choose)


def inlined_with_helpers(function: Callable[..., Any]) -> Callable[..., Any]:
    """`inlined` without fail, for a record's function and the plain functions that it calls; those of `parts.scalar` have compiled forms of their own."""
    if function not in _with_helpers:
        _with_helpers.add(function)
        callable_from_kernels(function, EXACT, forceinline=True, _nrt=False)  # a loop with a call in it is not vectorised
        for name in function.__code__.co_names:
            helper = function.__globals__.get(name)
            if isinstance(helper, FunctionType) and helper.__module__ != scalar.__name__:
                inlined_with_helpers(helper)
    return function


def inlined(function: Callable[..., Any], flags: set[str] = EXACT) -> Callable[..., Any]:
    """Let compiled code call the plain Python `function`; it stays plain for everybody else.

    Where sums may be reordered it is put into its callers without fail. A function that LLVM leaves on its own exists once as such and once beside each caller:
    the process that compiles calls the one, processes that load from the cache the other, and their sums end in other bits.
    """
    callable_from_kernels(function, flags, forceinline=flags >= SUMS, _nrt=False)
    return function


def giving_views(function: Callable[..., Any]) -> Callable[..., Any]:
    """`inlined` for a function that returns a view: Numba lets only code that counts references return arrays. The view must be one that has none."""
    callable_from_kernels(function, SUMS, _nrt=True)
    return function
