"""Regularization: dropout, penalties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.reading import digits, medians, region_pictures

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained


@recipe(
    claim=(
        "Dropout of one half lowers the validation loss of a net that overfits (a fifth of its "
        "labels is wrong)."
    ),
    source="lecture slides after Srivastava et al. 2014",
    base=digits("256", 60, data="label_noise = 0.2\nsplit = [20, 60, 20]"),
    truth=(
        "It lessens variance and costs capacity: wide nets on few samples gain, narrow ones lose."
    ),
    expected="holds only when",
    tiny={"training.epochs": "40", "data.split": "15,65,20"},
)
def dropout_rates(laboratory: Laboratory) -> Found:
    rates = (0.0, 0.2, 0.5, 0.8)
    sizes = {"wide (256)": "256", "narrow (8)": "8"}
    runs = laboratory.run(
        {
            f"{size}, {rate:g}": {"model.layers": layers, "model.dropout": rate}
            for size, layers in sizes.items()
            for rate in rates
        }
    )
    loss, error = medians(runs, "val_loss"), medians(runs, "val_error")
    checks = [
        Check(
            "validation loss with dropout .5 over that without",
            loss[f"{size}, 0.5"] / loss[f"{size}, 0"],
            "<",
            1.0,
            f"the net is {size}",
        )
        for size in sizes
    ]
    series = [(size, list(rates), [loss[f"{size}, {rate:g}"] for rate in rates]) for size in sizes]
    picture = Picture(
        "lines",
        "validation loss by dropout rate",
        series=series,
        x_label="dropout",
        y_label="loss",
        log_y=True,
    )
    return Found(checks, {"val_loss": loss, "val_error": error}, [picture])


@recipe(
    claim="Dropout of one half lowers the test error by a tenth or more, however few the samples.",
    source=(
        "how slides sum up dropout; against it: Srivastava et al. 2014, Dropout, §7.4 on the "
        "effect of data set size"
    ),
    base=digits("256", 60, data="label_noise = 0.2\nsplit = [60, 20, 20]"),
    truth="Below some number of samples the net learns them by heart with or without dropout; the "
    "gain begins above it "
    "and, in Srivastava's curves, fades with plenty.",
    expected="holds only when",
    tiny={"training.epochs": "40"},
)
def dropout_by_data(laboratory: Laboratory) -> Found:
    percents: Sequence[int] = laboratory.size((2, 3, 12, 24, 48), (3, 24))
    rates = {"without": 0.0, "with": 0.5}
    runs = laboratory.run(
        {
            f"{percent} %, {name}": {
                "data.split": f"{percent},{80 - percent},20",
                "model.dropout": rate,
            }
            for percent in percents
            for name, rate in rates.items()
        }
    )
    loss, error = medians(runs, "test_loss"), medians(runs, "test_error")
    quotients = {
        percent: error[f"{percent} %, with"] / error[f"{percent} %, without"]
        for percent in percents
    }
    checks = [
        Check(
            "test error with dropout over that without",
            quotient,
            "<",
            0.9,
            f"{percent} % of the data train",
        )
        for percent, quotient in quotients.items()
    ]
    series = [
        (
            f"{name} dropout",
            list(map(float, percents)),
            [error[f"{percent} %, {name}"] for percent in percents],
        )
        for name in rates
    ]
    picture = Picture(
        "lines",
        "test error by samples",
        series=series,
        x_label="% of the data to train on",
        y_label="error",
        log_x=True,
    )
    return Found(checks, {"test_loss": loss, "test_error": error}, [picture])


@recipe(
    claim=(
        "L2 of .01, .1 and 1 makes the decision region ever smoother and hardly costs "
        "training error."
    ),
    source=(
        "lecture pictures of regularized decision regions (20 hidden units, λ = .01, .1, 1) that "
        "do not say what λ multiplies"
    ),
    base="""
[data]
data = "circles(samples=300)"
[model]
layers = "20"
activation = "tanh"
[training]
epochs = 100
lr = 0.02
[recording]
evaluate_every = "never"
""",
    truth=(
        "With the loss averaged over samples and λ Σ w² added in full, λ = .01 smooths; at .1 the "
        "penalty outweighs the data and W goes to 0."
    ),
    expected="holds only when",
    tiny={"training.epochs": "40"},
)
def l2_strengths(laboratory: Laboratory) -> Found:
    strengths = (0.0, 0.01, 0.1, 1.0)
    runs = laboratory.run(
        {f"λ = {strength:g}": {"training.l2": strength} for strength in strengths}
    )
    error = medians(runs, "train_error")
    checks = [
        Check(
            "training error",
            error[f"λ = {strength:g}"] - error["λ = 0"],
            "<",
            0.15,
            f"λ is {strength:g}",
        )
        for strength in strengths[1:]
    ]
    size = {
        name: float(np.median([weight_norm(run) for run in member]))
        for name, member in runs.items()
    }
    return Found(checks, {"train_error": error, "weight_l2": size}, region_pictures(runs))


def weight_norm(run: Trained) -> float:
    """‖W‖ over all layers."""
    return float(np.sqrt(sum(np.square(weight).sum() for weight in run.weights())))
