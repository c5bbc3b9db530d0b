"""Normalization: what it does to training, and for which batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.reading import digits, medians
from dlprobe.record.instruments import PERCENTS

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained


GOAL = 0.1


@recipe(
    claim=(
        "Batch normalization holds the distribution of preactivations still and reaches a given "
        "accuracy sooner."
    ),
    source=(
        "Ioffe & Szegedy 2015, Batch normalization, fig. 1: three layers of 100 sigmoids; the "
        "cause is disputed: Santurkar et al. 2018"
    ),
    base=digits(
        "100,100,100",
        40,
        model='activation = "sigmoid"',
        training='optimizer = "sgd"\nlr = 0.3',
        recording='track_unit = "hidden_3:0"',
    ),
    truth=(
        "So it is for saturating units at one rate for both; in the end the two err alike. That "
        "it helps by stillness is another claim, and disputed."
    ),
    expected="holds",
    tiny={"model.layers": "16x3", "training.epochs": "12"},
)
def batch_norm_training(laboratory: Laboratory) -> Found:
    from dlprobe.experiments.laboratory import median

    runs = laboratory.run({"plain": {}, "batch norm": {"model.norm": "batch"}})
    error, sooner = (
        medians(runs, "val_error"),
        {name: median(each, epochs_to_goal) for name, each in runs.items()},
    )
    wander = {name: median(each, wandering) for name, each in runs.items()}
    checks = [
        Check(
            f"epochs to a validation error of {GOAL} with batch norm − without",
            sooner["batch norm"] - sooner["plain"],
            "<",
            0.0,
        ),
        Check(
            "wandering of a preactivation's median with batch norm over that without",
            wander["batch norm"] / wander["plain"],
            "<",
            1.0,
        ),
    ]
    pictures = [
        error_curves(runs),
        *(percentile_picture(name, each[0]) for name, each in runs.items()),
    ]
    return Found(checks, {"val_error": error, "epochs": sooner, "wandering": wander}, pictures)


def epochs_to_goal(run: Trained) -> float:
    """Epochs until the validation error is GOAL or less first; those of the whole run and one
    where it never is.
    """
    errors = [each["val_error"] for each in run.kept.evaluated]
    return float(next((epoch for epoch, error in enumerate(errors) if error <= GOAL), len(errors)))


def error_curves(runs: Mapping[str, Sequence[Trained]]) -> Picture:
    """The validation error of each variant's first seed after each epoch."""
    found = {name: [each["val_error"] for each in runs[name][0].kept.evaluated] for name in runs}
    series = [
        (name, list(map(float, range(len(errors)))), errors) for name, errors in found.items()
    ]
    return Picture(
        "lines",
        "validation error, first seed",
        series=series,
        x_label="epoch",
        y_label="error",
        log_y=True,
    )


def wandering(run: Trained) -> float:
    """Standard deviation over training of the tracked unit's median, in the unit's own middle
    spread.
    """
    percentiles = run.tracked()
    spread = np.median(percentiles[:, -1] - percentiles[:, 0])
    return float(percentiles[:, percentiles.shape[1] // 2].std() / spread)


def percentile_picture(name: str, run: Trained) -> Picture:
    percentiles = run.tracked()
    steps = list(range(len(percentiles)))
    low, mid, high = (
        percentiles[:, 0],
        percentiles[:, percentiles.shape[1] // 2],
        percentiles[:, -1],
    )
    percents = [
        f"{percent:g} %" for percent in (PERCENTS[0], PERCENTS[len(PERCENTS) // 2], PERCENTS[-1])
    ]
    series: list[tuple[str, Any, Any]] = [
        (percent, steps, list(each))
        for percent, each in zip(percents, (low, mid, high), strict=True)
    ]
    edges = {percents[0]: percents[1], percents[2]: percents[1]}
    caption = f"percentiles of one unit of the last hidden layer over a batch, {name}"
    return Picture("lines", caption, series=series, x_label="looks at even distances", bounds=edges)


@recipe(
    claim="Batch norm is as good as layer norm at any batch size.",
    source=(
        "how slides present normalization; against it: Wu & He 2018, Group normalization, fig. 1"
    ),
    base=digits("32,32", 10, training="lr = 0.003"),
    truth=(
        "With two samples a batch, their mean and variance are noise: batch norm falls behind, "
        "layer and group norm do not look at the batch."
    ),
    expected="holds only when",
    tiny={"model.layers": "16,16", "training.epochs": "5"},
)
def norms_by_batch(laboratory: Laboratory) -> Found:
    batches = laboratory.size((2, 8, 32, 128), (2, 32))
    norms = ("batch", "layer", "group")
    variants = {
        f"{norm}, {batch}": {"model.norm": norm, "training.batch_size": batch}
        for norm in norms
        for batch in batches
    }
    runs = laboratory.run(variants)
    error, loss = medians(runs, "val_error"), medians(runs, "val_loss")
    quotients = {batch: loss[f"batch, {batch}"] / loss[f"layer, {batch}"] for batch in batches}
    checks = [
        Check(
            "validation loss of batch norm over that of layer norm",
            each,
            "<",
            2.0,
            f"batches have {batch} samples",
        )
        for batch, each in quotients.items()
    ]
    series = [
        (norm, list(map(float, batches)), [loss[f"{norm}, {batch}"] for batch in batches])
        for norm in norms
    ]
    picture = Picture(
        "lines",
        "validation loss by batch size",
        series=series,
        x_label="batch size",
        y_label="loss",
        log_x=True,
        log_y=True,
    )
    return Found(checks, {"val_loss": loss, "val_error": error}, [picture])
