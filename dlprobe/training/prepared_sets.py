"""The data of many runs: each set is loaded and prepared once, however many runs and threads
ask for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dlprobe.config import RunConfig, to_mapping
from dlprobe.data import PreparedData, load, prepare

# experiments, which do not know `data`, name these from here
from dlprobe.data.resampling import Resampler as Resampler
from dlprobe.data.resampling import is_generated as is_generated

Key = tuple[Any, ...]


class PreparedSets:
    """Prepared data by what decides them: the configuration's [data] table, the seed of the
    data, the dtype.
    """

    def __init__(
        self, *known: tuple[RunConfig, PreparedData], told: Callable[[str], None] | None = None
    ) -> None:
        """`known`: what is prepared already. `told` hears each note of a data set once."""
        self._found = {key_of(config): data for config, data in known}
        self._told, self._said = told, set[str]()
        self._lock = threading.Lock()

    def of(self, config: RunConfig) -> PreparedData:
        """The data that a configuration trains on. Raises DataError."""
        with self._lock:
            key = key_of(config)
            if key not in self._found:
                self._found[key] = self._prepared(config)
            return self._found[key]

    def _prepared(self, config: RunConfig) -> PreparedData:
        seed = config.training.seed
        data = prepare(load(config.data, seed), config.data, seed, config.training.dtype)
        notes = dict.fromkeys(f"{data.name}: {note}" for note in data.notes)
        for note in (each for each in notes if self._told is not None and each not in self._said):
            self._told(note)  # type: ignore[misc]  # narrowed in the line above
        self._said |= notes.keys()
        return data


def key_of(config: RunConfig) -> Key:
    """What two configurations share where they train on the same numbers."""
    table = {**to_mapping(config)["data"], "data_seed": config.resolved_data_seed}
    return (config.training.dtype, *(f"{name}={value}" for name, value in table.items()))
