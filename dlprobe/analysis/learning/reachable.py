"""What could be reached: the error and loss of the best constant answer, and what is known of the
best there is.

Known are rows that repeat (equal inputs with different targets bound every net, and equal rows
without noise reach 0), noise in the labels that was asked for, and what an affine change of a net's
own outputs would do. The truth behind generated data is never used: nobody else has it.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.config import parse_spec
from dlprobe.errors import ConfigError
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]

LEAST = 0.05  # a ceiling below this leaves nothing to be a share of


def chance_error(counts: Any) -> float:
    """Error of always naming the commonest class; NaN where there are no counts.

    >>> chance_error([30, 10])
    0.25
    """
    rows = np.asarray(() if counts is None else counts, np.float64)
    return 1.0 - float(rows.max() / rows.sum()) if rows.size and rows.sum() > 0 else math.nan


def guessing_loss(run: Run, part: str) -> float:
    """The loss of answering every sample of a part by the class shares; NaN where the loss has
    no such answer in closed form, or classes are not known.
    """
    counts, text = np.asarray(run.data.get(f"{part}_class_counts", ()), np.float64), run.facts.loss
    if len(counts) < 2 or not counts.sum() > 0 or text is None:
        return math.nan
    try:
        spec = parse_spec("loss", "cross_entropy" if text == "auto" else text)
    except ConfigError:  # written by a dlprobe that knows more, or a loss of another framework
        return math.nan
    if spec.record.of_shares is None or "mean" in text:
        return math.nan
    shares = counts / counts.sum()
    outputs = run.layer_facts[-1].units
    return float(spec.record.of_shares(shares[1:] if outputs == 1 else shares))


def target_variance(error: Floats, r2: Floats) -> float:
    """The variance of the targets, error²/(1 − R²) of the first evaluation that tells it; NaN where
    none does.

    >>> target_variance(np.array([2.0]), np.array([0.75]))
    16.0
    """
    usable = np.flatnonzero(np.isfinite(error) & np.isfinite(r2) & (r2 < 1.0))
    return float(error[usable[0]] ** 2 / (1.0 - r2[usable[0]])) if len(usable) else math.nan


def noise_ceiling(task: str, noise_variance: float | None, error: Floats, r2: Floats) -> float:
    """The largest R² that noise in the targets allows: 1 − noise variance / target variance, or
    LEAST where that is less; 1 where the noise is not known, and in classification.

    error, r2: (evaluation,) RMSE and R² of the same part, from which the target variance follows.
    """
    variance = target_variance(error, r2)
    if task != "regression" or noise_variance is None or not variance > 0.0:
        return 1.0
    return max(1.0 - float(noise_variance) / variance, LEAST)


def label_noise_ceiling(run: Run, guessing: float) -> float:
    """The skill on the training part of a net that predicts its true labels: 1 − wrong
    share/guessing, for added noise 1 − variance/guessing², at least LEAST (0.05); 1 where no label
    noise was asked for.

    guessing: error (class shares) or root mean square of the best constant answer on the training
        part.
    """
    data = run.data
    if "label_noise_std" in data and guessing > 0.0:
        return max(1.0 - float(np.square(data["label_noise_std"]).mean()) / guessing**2, LEAST)
    wrong, samples = len(data.get("noisy_labels", ())), len(data.get("train_indices", ()))
    if wrong and samples and guessing > 0.0:
        return max(1.0 - wrong / samples / guessing, LEAST)
    return 1.0


def floor_ceiling(run: Run, part: str, guessing: float) -> float:
    """The skill that rows which repeat allow on a part; NaN where they do not repeat: then
    nothing is known from them.
    """
    floor = run.data.get(f"{part}_floor")
    if floor is None or not guessing > 0.0:
        return math.nan
    unexplained = float(floor) / guessing
    return max(
        1.0 - (unexplained**2 if run.data.get("task") == "regression" else unexplained), LEAST
    )


def correctable(run: Run) -> float:
    """The mean squared error of a regression over that after the best affine change of each output,
    on validation (or test) samples; NaN where it cannot be told.

    A change of scale and offset is what an output layer does by itself: what it takes away was
    reachable.
    """
    if run.data.get("task") != "regression":
        return math.nan
    for part in ("val", "test"):
        outputs, targets = (
            run.predictions.get(f"{part}_{what}") for what in ("outputs", "targets")
        )
        if outputs is not None and targets is not None and len(outputs):
            return _correctable(
                outputs.astype(np.float64), targets.astype(np.float64).reshape(len(targets), -1)
            )
    return math.nan


def _correctable(outputs: Floats, targets: Floats) -> float:
    rows = len(outputs)
    if rows <= 2 or outputs.shape != targets.shape or not np.isfinite(outputs).all():
        return math.nan
    centred, wanted = outputs - outputs.mean(axis=0), targets - targets.mean(axis=0)
    power = np.square(centred).sum(axis=0)
    slope = np.divide(
        (centred * wanted).sum(axis=0), power, out=np.zeros_like(power), where=power > 0.0
    )
    scale = np.square(wanted).mean(axis=0)
    now = np.square(outputs - targets).mean(axis=0)
    then = np.square(wanted - slope * centred).sum(axis=0) / (rows - 2)
    usable = scale > 0.0
    if not usable.any():
        return math.nan
    now, then = now[usable] / scale[usable], np.maximum(then[usable] / scale[usable], EXACT)
    return float(now.mean() / then.mean())


EXACT = 1e-4  # unexplained share of the variance that nobody asks to go below
