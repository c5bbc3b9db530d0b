"""The folder of compiled kernels: named by what they depend on, made when first needed, removed a
week after its last use.

`kernels/<digest>` holds the kernels of one state of the sources and one version of Python, numba
and NumPy. Installations whose sources have the same syntax share one. `kernels/<digest of the
files' bytes>.sources` remembers what that state's digest was.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path

import numba
import numpy as np
import platformdirs

import dlprobe
from dlprobe.errors import DlprobeWarning
from dlprobe.nn.sources import KernelSources, bytes_digest, sources

UNUSED_SECONDS = 7 * 24 * 3600  # after which a folder of other kernels is removed
# what a clean-up may remove
OURS = re.compile(r"[0-9a-f]{16}(\.removed-[0-9a-f]+)?|[0-9a-f]{64}\.sources")


def base_folder() -> Path:
    """Below `DLPROBE_CACHE_DIR` or the user's cache folder."""
    return (
        Path(os.environ.get("DLPROBE_CACHE_DIR") or platformdirs.user_cache_dir("dlprobe"))
        / "kernels"
    )


def versions() -> str:
    """What compiled code depends on besides the sources; the processor is in each kernel's name."""
    return f"{platform.python_version()} {numba.__version__} {np.__version__} {platform.machine()}"


def source_hash(found: KernelSources) -> str:
    """Hex digest over everything that compiled code depends on: the name of a folder of kernels."""
    return hashlib.sha256(f"{versions()} {found.digest}".encode()).hexdigest()[:16]


def _package() -> Path:
    return Path(dlprobe.__file__).parent


def remembered_sources() -> KernelSources:
    """`sources` of this package; where its files have been seen before, from the note that was
    left of them.
    """
    root = _package()
    seen = hashlib.sha256(f"{versions()} {bytes_digest(root)}".encode()).hexdigest()
    note = base_folder() / f"{seen}.sources"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        digest, *modules = note.read_text("utf-8").split()
        if re.fullmatch("[0-9a-f]{64}", digest) and modules and modules[-1] == "end":
            return KernelSources(frozenset(modules[:-1]), digest)
    current = sources(root)
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        part = note.with_name(f"{note.name}.{secrets.token_hex(8)}")
        part.write_text("\n".join([current.digest, *sorted(current.modules), "end"]), "utf-8")
        part.replace(note)
    return current


# Taken when the first module of `nn` is imported: a file that is edited while a process runs must
# not put that process's old code under the new hash.
SOURCES_AT_IMPORT = remembered_sources()
HASH_AT_IMPORT = source_hash(SOURCES_AT_IMPORT)


def wanted_folder() -> Path:
    """Where the kernels of this version belong."""
    return base_folder() / HASH_AT_IMPORT


@cache
def cache_folder() -> Path:
    """The folder of this version's kernels: `wanted_folder`, or a temporary one where that
    cannot be written.
    """
    folder = wanted_folder()
    try:
        is_new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        os.utime(folder)
    except OSError:
        return _temporary_folder(folder)
    if is_new:
        remove_unused(folder.parent, folder, time.time())
    return folder


def _temporary_folder(folder: Path) -> Path:
    fallback = Path(tempfile.mkdtemp(prefix="dlprobe-kernels-"))
    atexit.register(shutil.rmtree, fallback, ignore_errors=True)
    warnings.warn(
        f"the cache folder {folder} cannot be written; compiled kernels go to {fallback} and "
        "are compiled again next time. "
        "Set DLPROBE_CACHE_DIR to a writable folder to keep them.",
        DlprobeWarning,
        stacklevel=3,
    )
    return fallback


def remove_unused(base: Path, keep: Path, now: float) -> None:
    """Remove what lies in `base` beside `keep` and was not used for a week before `now`, in seconds
    since 1970; what is not ours stays.

    A process sets the time of its folder when it starts, and every kernel it compiles sets it anew.
    One that runs longer without needing a kernel has its kernels in memory, and compiles what it
    needs later. A folder is renamed first, so nobody finds half of one under its name.
    """
    with contextlib.suppress(OSError):
        for path in list(base.iterdir()):
            if path != keep and OURS.fullmatch(path.name) and not path.is_symlink():
                with contextlib.suppress(OSError):  # another process may have removed it
                    if now - path.stat().st_mtime > UNUSED_SECONDS:
                        _remove(path)


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink()
        return
    moved = path.with_name(f"{path.name[:16]}.removed-{secrets.token_hex(8)}")
    path.rename(moved)
    shutil.rmtree(moved, ignore_errors=True)
