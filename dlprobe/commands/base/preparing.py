"""What is said before anything trains: notes of the data, what is unwise in a configuration,
that kernels are compiled.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.commands.base.screen import Screen

if TYPE_CHECKING:
    from dlprobe.commands.base.progress import Report
    from dlprobe.config import RunConfig
    from dlprobe.data import Dataset, PreparedData
    from dlprobe.data.arrays import Arrays
    from dlprobe.data.columns import DataTable


# bytes of a file, or of a packed one, that may take more than a second to read
LARGE_FILE, LARGE_PACKED = 2**23, 2**20


def prepare_data(configuration: RunConfig, screen: Screen) -> PreparedData:
    """Load, split and scale the data; what was inferred and what is unwise in the configuration
    is said. Raises ConfigError or DataError.
    """
    from dlprobe.data import load, prepare

    tell_of_unwise(configuration, screen)
    seed = configuration.training.seed
    with reading(configuration, screen) as told:
        data = prepare(
            load(configuration.data, seed, told),
            configuration.data,
            seed,
            configuration.training.dtype,
            told,
        )
    for note in data.notes:
        screen.note(f"{data.name}: {note}")
    return data


def prepare_with_source(
    configuration: RunConfig, screen: Screen
) -> tuple[PreparedData, Dataset, DataTable | Arrays | None]:
    """Prepare data as `prepare_data` does, and return what it was made from too, which takes
    memory; notes are left to the caller.
    """
    from dlprobe.data import prepare
    from dlprobe.data.loading import load_with_source

    tell_of_unwise(configuration, screen)
    seed = configuration.training.seed
    with reading(configuration, screen) as told:
        dataset, source = load_with_source(configuration.data, seed, told)
        return (
            prepare(dataset, configuration.data, seed, configuration.training.dtype, told),
            dataset,
            source,
        )


def tell_of_unwise(configuration: RunConfig, screen: Screen) -> None:
    from dlprobe.config import warnings_for

    for warning in warnings_for(configuration):
        screen.warn(warning)


@contextmanager
def reading(configuration: RunConfig, screen: Screen) -> Iterator[Report | None]:
    """While a large file is read: a progress line where it is read piece by piece, else a note
    before; how long it took where that was over a second.
    """
    path = configuration.data.path
    size = size_of(path)
    if path is None or size < (
        LARGE_PACKED
        if path.name.lower().endswith((".gz", ".npz", ".parquet", ".pq"))
        else LARGE_FILE
    ):
        yield None
        return
    screen.note(f"reading {path.name} ({size / 2**20:,.0f} MiB) …")
    began = time.monotonic()
    with screen.progress(f"reading {path.name}", "numbers") as told:
        yield told
    if (seconds := time.monotonic() - began) > 1:
        screen.note(f"{path.name}: read and prepared in {seconds:.1f} s")


def size_of(path: Path | None) -> int:
    """Bytes of a file; 0 where there is none, which its reader says."""
    try:
        return 0 if path is None else path.expanduser().stat().st_size
    except (OSError, RuntimeError, ValueError):
        return 0


def tell_of_scaled_targets(configuration: RunConfig, data: PreparedData, screen: Screen) -> None:
    """Say what losses are of, for commands that show them without the run's own report. Raises
    ConfigError.
    """
    from dlprobe.training.model import resolve

    kind = resolve(configuration, data).target_scaling.kind
    if kind != "none":
        screen.note(
            f"{data.name}: target_scaling = {kind}: losses are of scaled targets, errors and "
            "metrics in the targets' own units"
        )


def tell_of_compiling(screen: Screen) -> None:
    """The first command ever compiles, which takes seconds in which nothing else is seen."""
    from dlprobe.executors.threads import available_threads
    from dlprobe.nn import ahead
    from dlprobe.nn.cache import is_warm

    if not is_warm():
        screen.note("compiling kernels (first time only) …")
        ahead.begin(available_threads())
