"""Where compiled kernels are kept, and the one way to compile a function here.

Numba looks for changes in one file only, so an edit to an imported function would go unnoticed and give stale results. Therefore the folder is named
by a hash over every source file that can reach a kernel (`nn`, `parts`, and the tables of columns in `record`) and the versions of Python, numba and
NumPy: an edit means a new folder.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
import platformdirs
from numba.core import config as numba_config
from numba.extending import register_jitable

import dlprobe
from dlprobe.errors import DlprobeWarning
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


@cache
def cache_folder() -> Path:
    """The folder of this version's kernels: below `DLPROBE_CACHE_DIR` or the user's cache folder; a temporary one where neither can be written."""
    base = Path(os.environ.get("DLPROBE_CACHE_DIR") or platformdirs.user_cache_dir("dlprobe"))
    folder = base / "kernels" / HASH_AT_IMPORT
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
    """Numba's cache folder set to ours while our decorators run, so that other people's caches stay where they are."""
    with _compiling:
        before = numba_config.CACHE_DIR
        numba_config.CACHE_DIR = str(cache_folder())
        try:
            yield
        finally:
            numba_config.CACHE_DIR = before


def is_warm() -> bool:
    """Whether some kernels of this version are in the cache already, i.e. whether the next command has to compile."""
    return any(cache_folder().rglob("*.nbc"))


def compiled(signature: Any, flags: set[str] = SUMS, **options: bool) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile eagerly for one signature, without the GIL, cached on disk. `options` are numba's, e.g. to leave out a wrapper nobody calls.

    Nothing here counts references to arrays (see `dlprobe.nn.views`), so nothing may allocate, but what says so by `_nrt=True`.
    """
    options.setdefault("_nrt", False)

    def decorate(function: Callable[..., Any]) -> Any:
        with our_folder():
            return numba.njit(signature, cache=True, nogil=True, error_model="numpy", fastmath=flags, boundscheck=False, **options)(function)

    return decorate


def inlined_with_helpers(function: Callable[..., Any]) -> Callable[..., Any]:
    """`inlined` without fail, for a record's function and the plain functions that it calls; those of `parts.scalar` have compiled forms of their own."""
    if function not in _with_helpers:
        _with_helpers.add(function)
        register_jitable(error_model="numpy", fastmath=EXACT, forceinline=True, _nrt=False)(function)  # a loop with a call in it is not vectorised
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
    register_jitable(error_model="numpy", fastmath=flags, forceinline=flags >= SUMS, _nrt=False)(function)
    return function


def giving_views(function: Callable[..., Any]) -> Callable[..., Any]:
    """`inlined` for a function that returns a view: Numba lets only code that counts references return arrays. The view must be one that has none."""
    register_jitable(error_model="numpy", fastmath=SUMS, _nrt=True)(function)
    return function
