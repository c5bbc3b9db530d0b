"""The gradient noise scale B = tr Σ/|G|² of McCandlish, Kaplan & Amodei 2018, from two recorded
statistics of the same batch.

With g_i the gradient of one sample, ḡ their mean over a batch of B: E mean‖g_i‖² = |G|² + tr Σ and E‖ḡ‖² = |G|² + tr Σ/B. So
tr Σ = (mean‖g_i‖² − ‖ḡ‖²)·B/(B − 1) and |G|² = ‖ḡ‖² − tr Σ/B are unbiased. Their ratio is not; both
are averaged over many steps first (appendix A.1).
"""  # noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.runs import Run

Array = npt.NDArray[Any]
STRETCHES = 10


@dataclass(frozen=True)
class NoiseScale:
    """By stretches of steps: middle step (stretch,), scale per layer (stretch, layer) and of all
    weights together (stretch,), in samples.

    NaN where |G|² cannot be told from 0, where samples have no gradient of their own, and for
    batches of one.
    """

    steps: npt.NDArray[np.float64]
    layers: npt.NDArray[np.float64]
    whole: npt.NDArray[np.float64]


def unbiased(sample_square: Array, mean_square: Array, batch: Array) -> tuple[Array, Array]:
    """tr Σ and |G|², each (step, layer), from mean‖g_i‖² and ‖ḡ‖² (step, layer) and the batch
    size (step,).
    """
    size = batch.astype(np.float64)[:, None]
    with np.errstate(all="ignore"):
        trace = (sample_square - mean_square) * np.where(size > 1, size / (size - 1), np.nan)
    return trace, mean_square - trace / size


def noise_scale(run: Run, stretches: int = STRETCHES) -> NoiseScale:
    """Gradient noise scale of a recorded run, over at most `stretches` groups of neighbouring
    recorded steps.
    """
    fans = [(layer.fan_in, layer.fan_out) for layer in run.layer_facts]
    sizes = np.array(
        [
            np.nan if fan_in is None or fan_out is None else fan_in * fan_out
            for fan_in, fan_out in fans
        ],
        np.float64,
    )
    with np.errstate(all="ignore"):
        sample = np.square(run.statistic("gradient_sample_rms").astype(np.float64)) * sizes
        mean = np.square(run.statistic("gradient_l2").astype(np.float64))
    trace, square = unbiased(sample, mean, batch_sizes(run))
    groups = [rows for rows in np.array_split(np.arange(len(run.steps)), stretches) if len(rows)]
    traces, squares = (
        np.array([values[rows].mean(axis=0) for rows in groups]).reshape(len(groups), len(sizes))
        for values in (trace, square)
    )
    steps = np.array([run.steps[rows].mean() for rows in groups])
    return NoiseScale(
        steps, _ratio(traces, squares), _ratio(traces.sum(axis=1), squares.sum(axis=1))
    )


def batch_sizes(run: Run) -> npt.NDArray[np.int64]:
    """Samples in the batch of each recorded step; the last batch of an epoch may be short.
    Raises RunFileError where the file does not say.
    """
    batch = run.facts.batch_size
    if batch is None:
        raise RunFileError(
            f"{run.contents.name} does not say how many samples a batch has: the gradient "
            "noise scale needs it"
        )
    if "train_indices" not in run.data:  # then nobody knows where an epoch ends
        return np.full(len(run.steps), batch)
    samples = len(run.data["train_indices"])
    per_epoch = -(-samples // batch)
    sizes: npt.NDArray[np.int64] = np.minimum(batch, samples - run.steps % per_epoch * batch)
    return sizes


def _ratio(trace: Array, square: Array) -> npt.NDArray[np.float64]:
    with np.errstate(all="ignore"):
        ratio: npt.NDArray[np.float64] = np.where(square > 0, trace / square, np.nan)
    return ratio
