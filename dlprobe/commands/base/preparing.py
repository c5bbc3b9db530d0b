"""What is said before anything trains: notes of the data, what is unwise in a configuration, that kernels are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.commands.base.screen import Screen

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.data import Dataset, PreparedData
    from dlprobe.data.arrays import Arrays
    from dlprobe.data.columns import Table


def prepare_data(configuration: RunConfig, screen: Screen) -> PreparedData:
    """Load, split and scale the data; what was inferred and what is unwise in the configuration is said. Raises ConfigError or DataError."""
    data, _, _ = prepare_with_source(configuration, screen)
    for note in data.notes:
        screen.note(f"{data.name}: {note}")
    return data


def prepare_with_source(configuration: RunConfig, screen: Screen) -> tuple[PreparedData, Dataset, Table | Arrays | None]:
    """As `prepare_data`, with what it was made from; notes are left to the caller."""
    from dlprobe.config import warnings_for
    from dlprobe.data import prepare
    from dlprobe.data.loading import load_with_source

    for warning in warnings_for(configuration):
        screen.warn(warning)
    seed = configuration.training.seed
    dataset, source = load_with_source(configuration.data, seed)
    return prepare(dataset, configuration.data, seed, configuration.training.dtype), dataset, source


def tell_of_scaled_targets(configuration: RunConfig, data: PreparedData, screen: Screen) -> None:
    """Say what losses are of, for commands that show them without the run's own report. Raises ConfigError."""
    from dlprobe.training.model import resolve

    kind = resolve(configuration, data).target_scaling.kind
    if kind != "none":
        screen.note(f"{data.name}: target_scaling = {kind}: losses are of scaled targets, errors and metrics in the targets' own units")


def tell_of_compiling(screen: Screen) -> None:
    """The first command ever compiles, which takes seconds in which nothing else is seen."""
    from dlprobe.nn.cache import is_warm

    if not is_warm():
        screen.note("compiling kernels (first time only) …")
