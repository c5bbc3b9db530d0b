"""The run file of a recorder: begun when the layers are known, closed with what it has whatever
happens.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe import registry
from dlprobe.errors import RunFileError
from dlprobe.record.description import LayerFacts, RunDescription, RunFacts
from dlprobe.record.scalars import BATCH_LOSS
from dlprobe.recorders.data_facts import (
    are_whole,
    data_facts,
    kept_arrays,
    target_variances,
    without_sizes,
)
from dlprobe.runs import RunWriter
from dlprobe.runs.journal import journal_path

NONFINITE = [
    list(registry.records("statistic")).index(name)
    for name in ("nonfinite_forward", "nonfinite_backward")
]


class RunFile:
    """What all recorders write. Nothing is on disk before `begin`; what is told before it waits.

    Raises RunFileError, when it is made, where `path` or its journal exists (without `force`).
    """

    def __init__(self, path: Path | str, origin: str, force: bool = False) -> None:
        self.path, self.origin, self.force = Path(path), origin, force
        self._data: dict[str, Any] = {}
        self._spread: dict[str, float] = {}
        self._whole = self._squared = False
        self._evaluations: list[tuple[int, dict[str, float]]] = []
        self._writer: RunWriter | None = None
        self._last_finite = True
        if not force and (os.path.lexists(self.path) or os.path.lexists(journal_path(self.path))):
            raise RunFileError(
                f"{self.path} exists already, or is left of an interrupted run: give another "
                "name, or overwrite it with force=True"
            )

    @property
    def begun(self) -> bool:
        """Whether the layers are known and the journal stands."""
        return self._writer is not None

    def data(
        self, x_train: Any, y_train: Any, x_val: Any = None, y_val: Any = None, keep: bool = False
    ) -> None:
        """What is known of the data, before the first recorded step. keep: the arrays too.
        Raises ValueError after it, and for arrays that do not fit.
        """
        if self._writer is not None:
            raise ValueError("data: the first step is recorded already; call it before training")
        inputs, targets = {"train": x_train}, {"train": y_train}
        if x_val is not None:
            inputs["val"], targets["val"] = x_val, y_val
        self._data = data_facts(inputs, targets)
        self._spread, self._whole = target_variances(targets), are_whole(x_train)
        self._data |= kept_arrays(inputs, targets) if keep else {}

    def begin(
        self,
        layers: Sequence[LayerFacts],
        facts: RunFacts,
        environment: Mapping[str, Any],
        *,
        indices: bool = False,
    ) -> None:
        """Make the journal. indices: whole numbers in the inputs are those of an embedding's rows,
        so that their sizes say nothing. Raises RunFileError where the journal cannot be made,
        ValueError for what the layout table does not have.
        """
        data = without_sizes(self._data) if indices and self._whole else self._data
        self._squared = facts.loss == "mse(reduction=mean)"
        description = RunDescription(
            layers, origin=self.origin, facts=facts, data=data, environment=environment
        )
        self._writer = RunWriter.create(self.path, description, self.force)
        for step, values in self._evaluations:
            self._write(step, values)

    def rows(
        self,
        steps: NDArray[np.int64],
        statistics: NDArray[np.float64],
        scalars: NDArray[np.float64],
    ) -> None:
        """Recorded steps (step,), each described before its update. statistics: (step, layer,
        statistic) and scalars: (step, scalar), columns as in `record.statistics` and
        `record.scalars`, NaN where there is none.
        """
        assert self._writer is not None
        self._writer.rows(int(steps[0]), steps, statistics, scalars, math.nan)
        self._last_finite = not (statistics[-1][:, NONFINITE] > 0).any() and not math.isinf(
            scalars[-1, BATCH_LOSS]
        )

    @property
    def train_samples(self) -> int:
        """Samples of the training part; 0 where nobody said what they are."""
        return len(self._data.get("train_indices", ()))

    def evaluation(
        self,
        step: int,
        values: Mapping[str, float],
        layers: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        """One evaluation after `step` updates. layers: by name (layer,). Raises ValueError for
        names that the layout table does not have.
        """
        numbers = {name: float(value) for name, value in values.items()}
        if self._writer is None:
            self._evaluations.append((step, numbers))
        else:
            self._write(step, numbers, layers)

    def _write(
        self,
        step: int,
        numbers: dict[str, float],
        layers: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        """An evaluation, of a squared error with the root and R² that follow from it."""
        assert self._writer is not None
        for part, variance in self._spread.items() if self._squared else ():
            loss = numbers.get(f"{part}_loss", math.nan)
            if loss >= 0.0:
                numbers.setdefault(f"{part}_error", math.sqrt(loss))
                numbers.setdefault(f"{part}_r2", 1.0 - loss / variance)
        self._writer.evaluation(step, numbers, layers or None)

    def close(self, status: str, final: Mapping[str, Any] | None = None) -> Path | None:
        """Pack what there is; the path, or None where no step was recorded. A finished run
        whose last recorded step was not finite diverged.
        """
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        return writer.finish(
            "diverged" if status == "finished" and not self._last_finite else status, final
        )
