"""Normalization: what it does to training, and for which batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.experiments.recipe import Found, Picture, recipe
from dlprobe.experiments.recipes.reading import (
    asked,
    digits,
    epochs_to,
    evaluation_curves,
    measured,
    number_table,
    on_one_scale,
    scan,
)
from dlprobe.record.instruments import PERCENTS

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained


GOAL = 0.1


@recipe(
    claim="Batch normalization holds the distribution of preactivations still and reaches a given "
    "accuracy sooner.",
    said="Ioffe & Szegedy 2015, Batch normalization, fig. 1: three layers of 100 sigmoids; the "
    "cause is disputed: Santurkar et al. 2018",
    base=digits(
        "100,100,100",
        40,
        model='activation = "sigmoid"',
        training='optimizer = "sgd"\nlr = 0.3',
        recording='track_unit = "hidden_3:0"',
    ),
    truth="So it is for saturating units at one rate for both; in the end the two err alike. That "
    "it helps by stillness is another claim, and disputed.",
    expected="holds",
    tiny={"model.layers": "16x3", "training.epochs": "12"},
    tries=("dlprobe train --layers 100,100,100 --activation sigmoid --norm layer",),
)
def batch_norm_training(lab: Laboratory) -> Found:
    runs = lab.run({"plain": {}, "batch norm": {"model.norm": "batch"}})
    numbers = measured(
        runs, val_error="val_error", epochs=epochs_to("val_error", GOAL), wandering=wandering
    )
    checks = [
        asked(numbers, what, "batch norm", "<", 1.0, "plain") for what in ("epochs", "wandering")
    ]
    shared = on_one_scale([percentile_picture(name, each[0]) for name, each in runs.items()])
    return Found(checks, numbers, [evaluation_curves(runs), *shared])


def wandering(run: Trained) -> float:
    """Standard deviation over training of the median preactivation of the tracked unit, divided by
    the typical distance between the lowest and the highest recorded percentile.
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
    return Picture(
        "lines",
        caption,
        series=series,
        x_label="records, evenly spaced over training",
        bounds=edges,
        name=f"percentiles_{name.replace(' ', '_')}",
    )


@recipe(
    claim="Batch norm suffers on small batches; layer and group norm do not.",
    said="Wu & He 2018, Group normalization, fig. 1 (batch and group norm); lecture topic: "
    "normalization",
    base=digits("32,32", 10, training="lr = 0.003"),
    truth="With two samples a batch, their mean and variance are noise: batch norm falls behind,"
    " layer and group norm do not look at the batch.",
    expected="holds",
    tiny={"model.layers": "16,16", "training.epochs": "5"},
    tries=("dlprobe train --norm batch --norm-inference train_set --batch-size 2 --epochs 5",),
)
def norms_by_batch(lab: Laboratory) -> Found:
    batches = lab.size((2, 8, 32, 128), (2, 32))
    norms = ("batch", "layer", "group")
    runs = lab.run(
        {
            f"{norm}, {batch}": {"model.norm": norm, "training.batch_size": batch}
            for norm in norms
            for batch in batches
        }
    )
    numbers = measured(runs, val_loss="val_loss", val_error="val_error")
    few, many, loss = batches[0], 32, "validation loss"
    checks = [
        asked(numbers, loss, f"batch, {few}", ">", 2.0, f"{norm}, {few}") for norm in norms[1:]
    ]
    checks += [
        asked(numbers, loss, f"batch, {many}", "<", 2.0, f"{norm}, {many}") for norm in norms[1:]
    ]
    picture = scan(
        loss,
        norms,
        batches,
        lambda norm, batch: numbers[loss][f"{norm}, {batch:g}"],
        x_label="batch size",
        log_x=True,
    )
    return Found(checks, numbers, [picture])


FORMS = {"plain": "none", "batch norm": "batch"}


@recipe(
    claim="Batch normalization allows much higher learning rates.",
    said="Ioffe & Szegedy 2015, Batch normalization, §3.3",
    base=digits("100,100,100", 10, training='optimizer = "sgd"'),
    truth="Weights that a step has thrown far off are divided by their own spread: the next "
    "gradient is the smaller for it.",
    expected="holds",
    tiny={"training.epochs": "5", "model.layers": "16x3"},
    tries=("dlprobe lr-find --optimizer sgd --norm batch",),
)
def batch_norm_rates(lab: Laboratory) -> Found:
    rates = lab.size((0.1, 0.3, 1.0, 3.0, 10.0), (0.3, 3.0))
    runs = lab.run(
        {
            f"{name} at {rate:g}": {"model.norm": norm, "training.lr": rate}
            for name, norm in FORMS.items()
            for rate in rates
        }
    )
    numbers = measured(runs, train_error="train_error")
    highest = {
        name: max(
            [each for each in rates if numbers["training error"][f"{name} at {each:g}"] < GOAL],
            default=0.0,
        )
        for name in FORMS
    }
    numbers["highest rate that trains"] = highest
    checks = [asked(numbers, "highest rate that trains", "batch norm", ">", 2.0, "plain")]
    rows = {"training error": numbers["training error"]}
    return Found(checks, numbers, [number_table("net", rows)])


@recipe(
    claim="With batch normalization the initialization matters less.",
    said="Ioffe & Szegedy 2015, Batch normalization, abstract; lecture topic: batch normalization",
    base=digits("100x5", 10),
    truth="Before each norm the size of the weights cancels; at N(0, 1) the output layer, which "
    "has no norm, still starts far off.",
    expected="holds only when",
    tiny={"training.epochs": "5", "model.layers": "32x5"},
    tries=(
        (
            "dlprobe gradients --depth 20 --activation relu --init 'normal(std=0.01),he_normal' "
            "--norm none,batch --epochs 2"
        ),
    ),
)
def batch_norm_starts(lab: Laboratory) -> Found:
    inits = ("normal(std=0.01)", "glorot_normal", "he_normal", "normal(std=1)")
    runs = lab.run(
        {
            f"{name}, {init}": {"model.norm": norm, "model.init": init}
            for name, norm in FORMS.items()
            for init in inits
        }
    )
    numbers = measured(runs, val_error="val_error")
    error = numbers["validation error"]
    ends = {"weights start too small": inits[0], "weights start too large": inits[-1]}
    excess = {
        f"{name}, {init}": error[f"{name}, {init}"]
        - min(error[f"{name}, {other}"] for other in inits)
        for name in FORMS
        for init in ends.values()
    }
    numbers["error that the start costs"] = excess
    checks = [
        asked(
            *(numbers, "error that the start costs", f"batch norm, {init}", "<", 0.5),
            *(f"plain, {init}", when),
        )
        for when, init in ends.items()
    ]
    return Found(
        checks, numbers, [number_table("net", {"validation error": numbers["validation error"]})]
    )


@recipe(
    claim="Before a batch norm the bias is needless.",
    said="Ioffe & Szegedy 2015, Batch normalization, §3.2",
    base=digits("100,100", 10),
    truth="The norm takes off the mean, the bias with it, and its own shift stands in. Without "
    "any norm the bias hardly matters on this data either.",
    expected="holds",
    tiny={"training.epochs": "5", "model.layers": "32"},
    tries=("dlprobe train --norm batch --bias no",),
)
def batch_norm_bias(lab: Laboratory) -> Found:
    runs = lab.run(
        {
            f"{name}, bias: {bias}": {"model.norm": norm, "model.bias": bias}
            for name, norm in FORMS.items()
            for bias in ("yes", "no")
        }
    )
    numbers = measured(runs, train_loss="train_loss", val_loss="val_loss")
    pair = "batch norm, bias: no", "batch norm, bias: yes"
    losses = ("training loss", "validation loss")
    checks = [
        asked(numbers, loss, one, "<", 1.1, other)
        for loss in losses
        for one, other in (pair, pair[::-1])
    ]
    return Found(checks, numbers, [number_table("net", numbers)])


@recipe(
    claim="Batch normalization acts as a regularizer.",
    said="Ioffe & Szegedy 2015, Batch normalization, §3.4",
    base=digits("256,256", 30, data="split = [20, 60, 20]"),
    truth="Where the labels are right it gains a tenth at most: on one split of the data in three "
    "in loss and error, on another in loss, on the third nothing. Where a fifth of them is wrong "
    "the net learns them by heart all the same, and nothing is gained: dropout holds that off.",
    expected="does not hold",
    tiny={"training.epochs": "15", "model.layers": "128,128"},
    tries=("dlprobe compare norm=none,batch --dropout 0.5 --label-noise 0.2 --split 20,60,20",),
)
def batch_norm_regularizer(lab: Laboratory) -> Found:
    noises = {"all labels are right": 0.0, "a fifth of the labels is wrong": 0.2}
    ways: dict[str, dict[str, Any]] = {name: {"model.norm": norm} for name, norm in FORMS.items()}
    ways["dropout"] = {"model.dropout": 0.5}
    runs = lab.run(
        {
            f"{name}, {when}": {**change, "data.label_noise": noise}
            for when, noise in noises.items()
            for name, change in ways.items()
        }
    )
    numbers = measured(runs, val_loss="val_loss", val_error="val_error", train_loss="train_loss")
    checks = [
        asked(*(numbers, what, f"batch norm, {when}", "<", 0.95, f"plain, {when}", when))
        for when in noises
        for what in ("validation loss", "validation error")
    ]
    return Found(checks, numbers, [number_table("net", numbers)])
