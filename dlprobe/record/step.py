"""One recorded step by name: `row["error_signal_rms"]` is (layer,), whichever way the run is
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe import registry

Floats: TypeAlias = npt.NDArray[np.float64]


class StepRow:
    """The statistics of one recorded step.

    * step: counted from 0; the row describes the net before this step's update
    * count: layers, the output layer included
    * read: gives a statistic (layer,) by name, or None where it was not recorded; asked once per
      name
    * hidden_layers: indices of the hidden layers; None: all but the last
    """

    def __init__(
        self,
        step: int,
        count: int,
        read: Callable[[str], npt.NDArray[Any] | None],
        hidden_layers: Sequence[int] | None = None,
    ) -> None:
        self.step = step
        self._count, self._read = count, read
        self._hidden = list(range(count - 1) if hidden_layers is None else hidden_layers)
        self._known: dict[str, Floats | None] = {}

    @classmethod
    def of(
        cls, step: int, statistics: npt.NDArray[Any], hidden_layers: Sequence[int] | None = None
    ) -> StepRow:
        """A step as the engine leaves it, (layer, statistic), columns as in
        `record.statistics`. The numbers are copied.
        """
        columns = {
            name: statistics[:, column].astype(np.float64)
            for column, name in enumerate(registry.records("statistic"))
        }
        return cls(step, len(statistics), columns.get, hidden_layers)

    @classmethod
    def blank(cls, count: int) -> StepRow:
        """A step of which nothing was recorded."""
        return cls(0, count, lambda name: None)

    def __getitem__(self, name: str) -> Floats:
        """(layer,), index 0 nearest the input; NaN where it was not recorded. Raises
        ConfigError for a name that no statistic has.
        """
        values = self._values(name)
        return np.full(self._count, np.nan) if values is None else values

    def is_recorded(self, name: str) -> bool:
        """Whether a statistic is not NaN for some layer."""
        values = self._values(name)
        return values is not None and not bool(np.isnan(values).all())

    def loaded(self) -> StepRow:
        """The step with every statistic read, for use after its run is closed."""
        for name in registry.records("statistic"):
            self._values(name)
        return self

    @property
    def hidden(self) -> StepRow:
        """The step of the hidden layers alone, hidden_1 … hidden_n."""

        def read(name: str) -> Floats | None:
            values = self._values(name)
            return None if values is None else values[self._hidden]

        return StepRow(self.step, len(self._hidden), read, range(len(self._hidden)))

    def output(self, name: str) -> float:
        """A statistic of the last layer."""
        return float(self[name][-1])

    def _values(self, name: str) -> Floats | None:
        if name not in self._known:
            values = self._read(registry.get("statistic", name).name)
            self._known[name] = None if values is None else np.asarray(values, np.float64)
        return self._known[name]
