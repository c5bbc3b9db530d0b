"""Regularization: dropout, penalties, early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.experiments.recipe import Check, Found, recipe
from dlprobe.experiments.recipes.reading import (
    EACH_EPOCH,
    asked,
    digits,
    epochs_to,
    evaluation_curves,
    measured,
    number_table,
    region_pictures,
    scan,
    weight_norm,
)

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained

NOISY = "label_noise = 0.2\nsplit = [20, 60, 20]"  # a fifth of the labels is wrong
WITH, WITHOUT = "with dropout", "without"


@recipe(
    claim="Dropout of one half lowers the validation error of a net that overfits.",
    said=(
        "Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting"
    ),
    base=digits("256,256", 40, data=NOISY, recording=EACH_EPOCH),
    truth="The net learns wrong labels by heart, and its validation error rises; thinned nets "
    "cannot agree on them.",
    expected="holds",
    tiny={"model.layers": "128,128", "training.epochs": "30"},
    tries=(
        (
            "dlprobe compare dropout=0,0.2,0.5,0.8 --layers 256,256 --label-noise 0.2 --split "
            "20,60,20"
        ),
    ),
)
def dropout_rates(lab: Laboratory) -> Found:
    rates = lab.size((0.0, 0.2, 0.5, 0.8), (0.0, 0.5))
    runs = lab.run({f"dropout {rate:g}": {"model.dropout": rate} for rate in rates})
    numbers = measured(runs, val_error="val_error", val_loss="val_loss", rise_of_the_error=rise)
    checks = [
        asked(numbers, "rise of the error", "dropout 0", ">", 1.1),
        asked(numbers, "validation error", "dropout 0.5", "<", 0.9, "dropout 0"),
    ]
    return Found(checks, numbers, [evaluation_curves(runs), number_table("net", numbers)])


def rise(run: Trained) -> float:
    """The validation error at the end over its least: above 1 where a net overfits."""
    return run.final("val_error") / min(
        evaluation["val_error"] for evaluation in run.kept.evaluations
    )


@recipe(
    claim="Dropout costs capacity: a narrow net gets worse, one that is as much wider makes up "
    "for it.",
    said="Srivastava et al. 2014, Dropout, appendix A.1: n units become n/p",
    base=digits("8", 40),
    truth="Half of eight units cannot hold ten classes. Twice the units come back to between 1.04 "
    "and 1.13 of the loss without dropout, as the data are split.",
    expected="holds",
    tiny={"training.epochs": "20"},
    tries=("dlprobe compare width=8,16,32,64 --layers 8 --dropout 0.5",),
)
def dropout_capacity(lab: Laboratory) -> Found:
    nets = {"8 units": ("8", 0.0), "8 units, dropout": ("8", 0.5), "16 units, dropout": ("16", 0.5)}
    runs = lab.run(
        {
            name: {"model.layers": width, "model.dropout": rate}
            for name, (width, rate) in nets.items()
        }
    )
    numbers = measured(runs, val_loss="val_loss", val_error="val_error", train_loss="train_loss")
    plain, narrow, wider = nets
    checks = [
        asked(numbers, "validation loss", narrow, ">", 1.1, plain, "the width stays"),
        asked(numbers, "validation loss", wider, "<", 1.1, plain, "the width doubles"),
    ]
    return Found(checks, numbers, [number_table("net", numbers)])


@recipe(
    claim="Dropout helps most with an average to large amount of data: little where there is "
    "hardly any, and little where there is plenty.",
    said="Srivastava et al. 2014, Dropout, §7.4 and fig. 10: the effect of data set size",
    base="""
[data]
data = "teacher(samples=24000, features=30, hidden=10, classes=5, noise=0.5)"
split = [50, 25, 25]
[model]
layers = "128"
[training]
steps = 3000
""",
    truth="A net learns a few samples by heart with or without dropout. The gain begins where it"
    " could generalize, and fades where data do what dropout does.",
    expected="holds",
    tiny={"training.steps": "1000"},
    own_data=True,
    tries=(
        (
            "dlprobe compare train_size=100,1000,10000 --data 'teacher(samples=20000, classes=5)' "
            "--dropout 0.5"
        ),
    ),
)
def dropout_by_data(lab: Laboratory) -> Found:
    sizes: Sequence[int] = lab.size((30, 100, 300, 1000, 3000, 12000), (30, 1000, 12000))
    ways = {WITHOUT: 0.0, WITH: 0.5}
    runs = lab.run(
        {
            f"{size}, {name}": {"data.train_size": size, "model.dropout": rate}
            for size in sizes
            for name, rate in ways.items()
        }
    )
    numbers = measured(runs, test_error="test_error", test_loss="test_loss")
    error = numbers["test error"]
    gain = {size: 1 - error[f"{size}, {WITH}"] / error[f"{size}, {WITHOUT}"] for size in sizes}
    best = max(gain.values())
    checks = [
        Check("share of the test error saved, at best", best, ">", 0.05),
        Check("the same with the fewest samples, over that", gain[sizes[0]] / best, "<", 0.5),
        Check("the same with the most samples, over that", gain[sizes[-1]] / best, "<", 0.8),
    ]
    picture = scan(
        "test error",
        tuple(ways),
        sizes,
        lambda name, size: error[f"{size:g}, {name}"],
        x_label="training samples",
        log_x=True,
    )
    return Found(checks, numbers, [picture])


@recipe(
    claim="A net with dropout takes two to three times as long to train.",
    said="Srivastava et al. 2014, Dropout, §10: typically 2-3 times longer",
    base=digits("256,256", 40, recording=EACH_EPOCH),
    truth="Counted in epochs to the same training loss, evaluated without dropout; a validation "
    "error that both reach in two epochs shows no difference.",
    expected="holds",
    tiny={"model.layers": "64,64", "training.epochs": "30"},
    tries=("dlprobe compare dropout=0,0.2,0.5 --layers 256,256 --epochs 40",),
)
def dropout_time(lab: Laboratory) -> Found:
    runs = lab.run({WITHOUT: {}, WITH: {"model.dropout": 0.5}})
    numbers = measured(runs, epochs=epochs_to("train_loss", 0.05), val_error="val_error")
    checks = [
        asked(numbers, "epochs", WITH, ">", 1.5, WITHOUT),
        asked(numbers, "epochs", WITH, "<", 4.0, WITHOUT),
    ]
    return Found(
        checks, numbers, [evaluation_curves(runs, "train_loss"), number_table("net", numbers)]
    )


@recipe(
    claim="With dropout, the whole net's answer is the average over its thinned nets.",
    said="Srivastava et al. 2014, Dropout, §7.5, fig. 11: scaled weights against means of k nets",
    base=digits("64,64", 30, model="dropout = 0.5", recording="mc_dropout = 50"),
    truth="It errs as the mean of fifty nets does, but is surer of its answer: the mean of "
    "probabilities that differ is nearer to the middle.",
    expected="holds only when",
    tiny={"training.epochs": "15", "recording.mc_dropout": "20"},
    tries=("dlprobe train --layers 64,64 --dropout 0.5 --mc-dropout 200",),
)
def dropout_average(lab: Laboratory) -> Found:
    runs = lab.run({f"dropout {rate:g}": {"model.dropout": rate} for rate in (0.2, 0.5)})
    numbers = {
        f"{what}, {how}": each
        for what in ("error", "loss")
        for how, each in measured(
            runs, **{"mean output": f"test_mc_{what}", "whole net": f"test_{what}"}
        ).items()
    }
    checks = []
    for rate in runs:
        for what, bound in (("error", 0.01), ("loss", 0.02)):
            off = abs(numbers[f"{what}, mean output"][rate] - numbers[f"{what}, whole net"][rate])
            when = f"it is said of the {what}"
            checks.append(
                Check(f"{what} of the mean − of the whole net, {rate}", off, "<", bound, when)
            )
    return Found(checks, numbers, [number_table("rate", numbers)])


@recipe(
    claim="Dropout beats weight decay.",
    said="Srivastava et al. 2014, Dropout, table 9: methods of regularization on MNIST",
    base=digits("256,256", 30, data="split = [20, 20, 60]"),
    truth="Each at the strength that the validation part prefers. Against wrong labels dropout "
    "is better by far; on clean digits the penalty is, on three splits of the data in four.",
    expected="holds only when",
    tiny={"model.layers": "128,128", "training.epochs": "20"},
    tries=("dlprobe compare regularizer=none,l1,l2,max_norm,dropout --split 20,20,60",),
)
def dropout_or_decay(lab: Laboratory) -> Found:
    noises = {"all labels are right": 0.0, "a fifth of the labels is wrong": 0.2}
    ways: dict[str, tuple[str, Sequence[float]]] = {
        "dropout": ("model.dropout", lab.size((0.2, 0.5), (0.5,))),
        "l2": ("training.l2", lab.size((1e-4, 1e-3, 1e-2), (1e-2,))),
    }
    variants: dict[str, dict[str, Any]] = {
        f"{name} {strength:g}, {when}": {key: strength, "data.label_noise": noise}
        for when, noise in noises.items()
        for name, (key, strengths) in ways.items()
        for strength in strengths
    }
    numbers = measured(lab.run(variants), test_error="test_error", val_error="val_error")

    def best(name: str, when: str) -> str:
        same = [
            variant for variant in variants if variant.startswith(name) and variant.endswith(when)
        ]
        return min(same, key=numbers["validation error"].__getitem__)

    checks = [
        asked(numbers, "test error", best("dropout", when), "<", 0.95, best("l2", when), when)
        for when in noises
    ]
    return Found(checks, numbers, [number_table("net", numbers)])


@recipe(
    claim="Early stopping keeps the weights small.",
    said="Bishop 1995, Regularization and complexity control; Goodfellow, Bengio & Courville "
    "2016, Deep Learning, §7.8",
    base=digits("100,100", 40, data=NOISY, recording=EACH_EPOCH),
    truth="It keeps weights near their start, as the theory says that begins near 0. He's start "
    "is most of what a norm is at the end, so little can be saved.",
    expected="holds only when",
    tiny={"training.epochs": "30"},
    tries=("dlprobe train --early-stopping yes --label-noise 0.2 --split 20,60,20",),
)
def early_stopping_weights(lab: Laboratory) -> Found:
    starts = {
        "weights start small (0.01)": "normal(std=0.01)",
        "weights start as He's": "he_normal",
    }
    ways = {"to the end": "none", "stopped early": "early_stopping(patience=5)"}
    runs = lab.run(
        {
            f"{way}, {start}": {"model.init": init, "training.early_stopping": stopping}
            for start, init in starts.items()
            for way, stopping in ways.items()
        }
    )
    numbers = measured(runs, weight_norm=weight_norm, val_error="val_error", val_loss="val_loss")
    late, early = ways
    checks = [
        asked(numbers, "weight norm", f"{early}, {start}", "<", 0.9, f"{late}, {start}", start)
        for start in starts
    ]
    return Found(checks, numbers, [number_table("net", numbers)])


@recipe(
    claim="L2 of .01, .1 and 1 makes the decision region ever smoother and hardly costs "
    "training error.",
    said="lecture topic: regularized decision regions of 20 units with λ = .01, .1 and 1; the "
    "pictures do not say what λ multiplies",
    base="""
[data]
data = "circles(samples=300)"
[model]
layers = "20"
activation = "tanh"
[training]
epochs = 100
lr = 0.02
""",
    truth="Added in full to the mean loss, λ Σ w² smooths at .01 and outweighs the data at .1. "
    "As λ/(2m) Σ w², with m samples, all three are harmless.",
    expected="holds only when",
    tiny={"training.epochs": "40"},
    tries=(
        "dlprobe explain penalty:l2",
        ("dlprobe train --data circles --layers 20 --activation tanh --l2 0.03"),
    ),
)
def l2_strengths(lab: Laboratory) -> Found:
    strengths = (0.01, 0.1, 1.0)
    samples = len(lab.data().inputs["train"])
    ways = {"it is λ": 1.0, "it is λ/(2m)": 1 / (2 * samples)}
    variants = {
        f"{way}, λ = {strength:g}": {"training.l2": strength * factor}
        for way, factor in ways.items()
        for strength in strengths
    }
    runs = lab.run({"no penalty": {}, **variants})
    numbers = measured(runs, train_error="train_error", weight_norm=weight_norm)
    error = numbers["training error"]
    checks = [
        Check("training error − that without", error[name] - error["no penalty"], "<", 0.15, name)
        for name in variants
    ]
    return Found(checks, numbers, [*region_pictures(runs), number_table("penalty", numbers)])
