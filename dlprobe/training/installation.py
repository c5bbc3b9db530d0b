"""What there is here to train with: versions, processor, threads, the kernel cache, and the
checks of its kernels.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_info

from dlprobe.dataclass import dataclass
from dlprobe.nn.cache import cached_files
from dlprobe.nn.folders import cache_folder, wanted_folder
from dlprobe.nn.identity import processor
from dlprobe.nn.self_check import CheckOutcome as CheckOutcome

# experiments, which do not know `nn`, name these from here
from dlprobe.nn.self_check import KernelCheck as KernelCheck
from dlprobe.nn.self_check import all_checks as all_checks
from dlprobe.nn.self_check import outcome_of as outcome_of
from dlprobe.nn.vectors import VECTOR_BYTES

LIBRARIES = ("dlprobe", "numba", "llvmlite", "numpy", "scipy", "h5py")
VECTOR_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")


@dataclass(frozen=True)
class KernelCache:
    """The cache folder of this version. wanted: where it would be if that could be written;
    `older` counts the folders of other versions beside it.
    """

    folder: Path
    wanted: Path
    kernels: int
    bytes: int
    older: int
    older_bytes: int

    @property
    def kept(self) -> bool:
        """Whether kernels outlive the process."""
        return self.folder == self.wanted


@dataclass(frozen=True)
class Installation:
    """Versions by name, machine, processor and its vector instructions, bytes of the vector
    registers used (0: none), processors, threads of BLAS.
    """

    versions: dict[str, str]
    machine: str
    processor: str
    vector_instructions: tuple[str, ...]
    vector_bytes: int
    processors: int
    processors_here: int
    blas_threads: int
    cache: KernelCache


def installation(processors_here: int) -> Installation:
    """What this process finds; `processors_here` are those that it may use."""
    name, features = processor()
    present = set(features.split(","))
    return Installation(
        {
            "python": platform.python_version(),
            **{library: _version(library) for library in LIBRARIES},
        },
        f"{platform.system()} {platform.machine()}",
        name,
        tuple(feature for feature in VECTOR_FEATURES if f"+{feature}" in present),
        VECTOR_BYTES,
        os.cpu_count() or 1,
        processors_here,
        max(
            (int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"),
            default=1,
        ),
        kernel_cache(),
    )


def kernel_cache() -> KernelCache:
    folder, wanted = cache_folder(), wanted_folder()
    older = (
        [path for path in wanted.parent.iterdir() if path.is_dir() and path != folder]
        if wanted.parent.is_dir()
        else []
    )
    return KernelCache(
        folder, wanted, len(cached_files()), _size([folder]), len(older), _size(older)
    )


def cached_names() -> dict[str, str]:
    """The kernels in the cache: digest and name of the file."""
    return {digest: path.name for digest, path in cached_files().items()}


def _size(folders: list[Path]) -> int:
    return sum(file.stat().st_size for file in _files(folders))


def _files(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (file for file in folder.rglob("*") if file.is_file())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
