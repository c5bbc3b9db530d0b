"""Rows of the file, kept until there are many of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlprobe.dataclass import dataclass
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
from dlprobe.recorders.definitions import Floats
from dlprobe.recorders.torch.measuring import STATISTICS

MANY = 64  # rows
HOLD = 0.25  # seconds that a row waits at most, so that a killed training loses no more
ROUNDING = 1e-5  # of a clip scale that is 1
Write = Callable[[Any, Floats, Floats], None]


@dataclass
class Row:
    """One step as it was measured: values (layer, statistic). others: Σ g² of the gradients that
    are of no row's W, as the backward pass left them and as optimizers got them, None where that
    is not known. penalty: NaN where it is not known. losses: of its passes, whose number is
    `passes`.
    """

    step: int
    values: Floats
    others: tuple[float, float] | None
    rate: float
    momentum: float
    penalty: float
    losses: list[Any]
    passes: int


class Rows:
    """Rows that wait. once: ranks whose weights count once in the norm of the whole gradient;
    unsplit: ranks whose samples have no gradient of their own; embeddings: ranks of such.
    """

    def __init__(
        self,
        once: Sequence[int],
        unsplit: Sequence[int],
        embeddings: Sequence[int],
        write: Write,
    ) -> None:
        self._write = write
        self._once, self._unsplit, self._embeddings = list(once), list(unsplit), list(embeddings)
        self._rows: list[Row] = []
        self._oldest = 0.0

    def append(self, row: Row) -> None:
        """Keep a row; write all where it is time."""
        now = time.monotonic()
        if not self._rows:
            self._oldest = now
        self._rows.append(row)
        if len(self._rows) >= MANY or now - self._oldest >= HOLD:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        rows, self._rows = self._rows, []
        if rows:
            values = np.stack([row.values for row in rows])
            values[:, self._unsplit, STATISTICS["gradient_sample_rms"]] = math.nan
            values[:, self._embeddings, STATISTICS["error_signal_rms"]] = math.nan
            scalars = np.full((len(rows), len(SCALARS)), math.nan)
            self._fill(rows, values, scalars)
            self._write(np.array([row.step for row in rows], np.int64), values, scalars)

    def _fill(self, rows: Sequence[Row], values: Floats, scalars: Floats) -> None:
        """The scalars of rows, values (step, layer, statistic)."""
        scalars[:, LEARNING_RATE] = [row.rate for row in rows]
        scalars[:, MOMENTUM] = [row.momentum for row in rows]
        scalars[:, PENALTY] = [row.penalty for row in rows]
        scalars[:, LOSS] = [
            math.fsum(float(each) for each in row.losses) / len(row.losses)
            if row.losses
            else math.nan
            for row in rows
        ]
        others = np.array([row.others or (math.nan, math.nan) for row in rows])
        before, after = (
            np.sqrt(np.nansum(values[:, self._once, STATISTICS[name]] ** 2, axis=1) + squares)
            for name, squares in zip(("gradient_l2", "clipped_gradient_l2"), others.T, strict=True)
        )
        with np.errstate(all="ignore"):
            ratio = np.where(before > 0, after / before, np.where(np.isnan(before), before, 1.0))
        scalars[:, GRADIENT_NORM], scalars[:, CLIPPED_GRADIENT_NORM] = before, after
        scalars[:, CLIP_SCALE] = np.where(np.abs(ratio - 1.0) < ROUNDING, 1.0, ratio)
