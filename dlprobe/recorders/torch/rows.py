"""Rows of the file, kept as plain sums until there are many of them: the formulas then run over
all at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlprobe.record.scalars import BATCH_LOSS as LOSS
from dlprobe.record.scalars import (
    CLIP_SCALE,
    CLIPPED_GRADIENT_NORM,
    GRADIENT_NORM,
    LEARNING_RATE,
    MOMENTUM,
    PENALTY,
    SCALARS,
)
from dlprobe.recorders.torch.groups import Floats
from dlprobe.recorders.torch.plans import STATISTICS, Measured, filled

MANY = 64  # rows
HOLD = 0.25  # seconds that a row waits at most, so that a killed training loses no more
ROUNDING = 1e-5  # of a clip scale that is 1
Write = Callable[[Any, Floats, Floats], None]


@dataclass
class Row:
    """One step as it was measured. scale: what its loss was multiplied by; changed: the optimizer
    got other gradients than the backward pass left; lacking: and what those were is not known.
    losses: of its passes, whose number is `passes`;
    penalty: NaN where it is not known, else 0, to which comes what the optimizers' weight decay is
    the gradient of.
    """

    step: int
    taken: Measured
    after: Measured
    scale: float
    rate: float
    momentum: float
    penalty: float
    changed: bool
    lacking: bool
    losses: list[Any]
    passes: int

    @property
    def key(self) -> tuple[Any, ...]:
        """What rows share that one formula serves."""
        return id(self.taken.plan), id(self.after.plan), self.changed, self.lacking


class Rows:
    """Rows that wait. once: ranks whose weights count once in the norm of the whole gradient;
    unsplit: ranks whose samples have no gradient of their own; embeddings: ranks of such.
    """

    def __init__(
        self,
        layers: int,
        once: Sequence[int],
        unsplit: Sequence[int],
        embeddings: Sequence[int],
        write: Write,
    ) -> None:
        self._layers, self._write = layers, write
        self._once, self._unsplit, self._embeddings = list(once), list(unsplit), list(embeddings)
        self._rows: list[Row] = []
        self._oldest = 0.0

    def append(self, row: Row) -> None:
        """Keep a row; write all where it is time."""
        now = time.monotonic()
        if self._rows and self._rows[0].key != row.key:
            self.flush()
        if not self._rows:
            self._oldest = now
        self._rows.append(row)
        if len(self._rows) >= MANY or now - self._oldest >= HOLD:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        rows, self._rows = self._rows, []
        if rows:
            values, scalars = self._values(rows), np.full((len(rows), len(SCALARS)), math.nan)
            self._fill(rows, values, scalars)
            self._write(
                np.array([row.step for row in rows], np.int64), values.transpose(0, 2, 1), scalars
            )

    def _values(self, rows: Sequence[Row]) -> Floats:
        """(step, statistic, layer) of rows that share a key."""
        values, scale = filled(len(rows), self._layers), np.array([[row.scale] for row in rows])
        with np.errstate(all="ignore"):
            for moments in ([row.taken for row in rows], [row.after for row in rows]):
                moments[0].plan.statistics(
                    np.stack([each.numbers for each in moments]), scale, values
                )
                for index, each in enumerate(moments):
                    for rank, numbers in each.overrides:
                        for name, number in numbers.items():
                            values[index, STATISTICS[name], rank] = number
                    for rank, numbers in each.counts:
                        for name, number in numbers.items():
                            values[index, STATISTICS[name], rank] += number
        if not rows[0].changed:
            values[:, STATISTICS["clipped_gradient_l2"]] = values[:, STATISTICS["gradient_l2"]]
        values[:, STATISTICS["gradient_sample_rms"], self._unsplit] = math.nan
        values[:, STATISTICS["error_signal_rms"], self._embeddings] = math.nan
        return values

    def _fill(self, rows: Sequence[Row], values: Floats, scalars: Floats) -> None:
        """The scalars of the same rows."""
        first = rows[0]
        scalars[:, LEARNING_RATE], scalars[:, MOMENTUM] = (
            [row.rate for row in rows],
            [row.momentum for row in rows],
        )
        scalars[:, PENALTY] = [
            row.penalty + row.taken.plan.squares_of("penalty", row.taken.numbers, 1.0)
            for row in rows
        ]
        scalars[:, LOSS] = [
            math.fsum(float(each) for each in row.losses) / len(row.losses)
            if row.losses
            else math.nan
            for row in rows
        ]
        if first.lacking:
            return
        before = self._norm(rows, values, "gradient_l2", "others")
        after = (
            self._norm(rows, values, "clipped_gradient_l2", "others_clipped")
            if first.changed
            else before
        )
        with np.errstate(all="ignore"):
            ratio = np.where(before > 0, after / before, 1.0)
        scalars[:, GRADIENT_NORM], scalars[:, CLIPPED_GRADIENT_NORM] = before, after
        scalars[:, CLIP_SCALE] = np.where(np.abs(ratio - 1.0) < ROUNDING, 1.0, ratio)

    def _norm(self, rows: Sequence[Row], values: Floats, name: str, others: str) -> Floats:
        """(step,): the norm over all parameters."""
        square = np.nansum(values[:, STATISTICS[name], self._once] ** 2, axis=1)
        for index, row in enumerate(rows):
            square[index] += row.taken.plan.squares_of(others, row.taken.numbers, row.scale)
        whole: Floats = np.sqrt(square)
        return whole
