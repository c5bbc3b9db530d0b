"""How to train: the table of optimizers, rates, batches, the practical guidelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.config.presets import PRESETS
from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.reading import (
    EACH_EPOCH,
    asked,
    digits,
    epochs_to,
    evaluation_curves,
    loss_curves,
    measured,
    number_table,
)

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained

# Speed of convergence and quality, in stars, and the rates that are tried here.
OPTIMIZERS = {
    "sgd": ("*", "***", (0.1, 0.3, 1.0)),
    "momentum": ("**", "***", (0.01, 0.03, 0.1)),
    "nesterov": ("**", "***", (0.01, 0.03, 0.1)),
    "adagrad": ("***", "*", (0.01, 0.03, 0.1)),
    "rmsprop": ("***", "** or ***", (0.0003, 0.001, 0.003)),
    "adam": ("***", "** or ***", (0.001, 0.003, 0.01)),
    "nadam": ("***", "** or ***", (0.001, 0.003, 0.01)),
    "adamax": ("***", "** or ***", (0.003, 0.01, 0.03)),
}
GOAL = 0.05  # validation error: low enough that no batch size is there after an epoch
FAST = {"***": 1 / 3, "**": 2 / 3}  # of plain descent's steps, at most
GOOD = {"***": 1.1, "**": 1.5}  # times the best validation loss, at most


@recipe(
    claim="Optimizers by speed and quality: sgd * / ***, momentum and Nesterov ** / ***, AdaGrad "
    "*** / * (stops too early), RMSprop, Adam, Nadam and AdaMax *** / ** or ***.",
    said="Géron 2019, Hands-On Machine Learning, 2nd edition, table 11-2",
    base=digits("64,64", 15),
    truth="At the best of three rates all take about as many steps: what is fast at its usual rate "
    "is not faster than plain descent at a rate that suits it. The three stars for the quality of "
    "descent are not seen here; AdaGrad ends as descent does, not too early, for fifteen epochs "
    "are too few for its rate to die.",
    expected="holds only when",
    also=("A comparison of optimizers is one of their rates: see optimizer_race.",),
    tiny={"model.layers": "16", "training.epochs": "10"},
    tries=("dlprobe lr-find --optimizer sgd", "dlprobe compare optimizer=sgd,nesterov,adamax"),
)
def optimizer_stars(lab: Laboratory) -> Found:
    rates = {
        name: lab.size(optimizer[2], optimizer[2][1:2]) for name, optimizer in OPTIMIZERS.items()
    }
    variants: dict[str, dict[str, Any]] = {
        f"{name} at {rate:g}": {"training.optimizer": name, "training.lr": rate}
        for name, each in rates.items()
        for rate in each
    }
    runs = lab.run(variants)
    every = measured(runs, steps=steps_to_goal, val_loss="val_loss", train_loss="train_loss")
    best = {
        name: min((f"{name} at {rate:g}" for rate in each), key=every["training loss"].__getitem__)
        for name, each in rates.items()
    }
    steps, loss = (
        {name: every[what][best[name]] for name in best} for what in ("steps", "validation loss")
    )
    least, checks, rows = min(loss.values()), [], []
    for name, (speed, quality, _) in OPTIMIZERS.items():
        fast, good = steps[name] / steps["sgd"], loss[name] / least
        if speed in FAST:
            when = f"it is the speed of {name}"
            checks.append(Check("steps over those of sgd", fast, "<", FAST[speed], when))
        when = f"it is the quality of {name}"
        if quality == "*":
            checks.append(Check("validation loss over the best", good, ">", GOOD["**"], when))
        else:
            bound = GOOD[quality[:3].strip()]
            checks.append(Check("validation loss over the best", good, "<", bound, when))
        stars = f"{stars_of(fast, FAST)} / {stars_of(good, GOOD)}"
        rows.append((best[name], steps[name], loss[name], f"{speed} / {quality}", stars))
    columns = ("optimizer", "steps", "validation loss", "said", "measured")
    pictures = [
        loss_curves({name: runs[name] for name in best.values()}),
        Picture("table", "", columns=columns, rows=rows),
    ]
    return Found(checks, {"steps": steps, "val_loss": loss, "rates": best}, pictures)


def stars_of(quotient: float, bounds: dict[str, float]) -> str:
    """Three stars up to the first bound, two up to the second, else one."""
    return next((stars for stars, bound in bounds.items() if quotient < bound), "*")


def steps_to_goal(run: Trained, goal: float = 0.1) -> float:
    """Steps until the mean batch loss of the last epoch's length is `goal` or less; steps of the
    run + 1 where it never is.
    """
    sums = np.cumsum(np.concatenate([[0.0], run.losses]))
    means = (sums[run.session.per_epoch :] - sums[: -run.session.per_epoch]) / run.session.per_epoch
    there = np.flatnonzero(means <= goal)
    return float(there[0] + run.session.per_epoch if len(there) else run.session.steps + 1)


@recipe(
    claim="Too small a rate learns slowly, too large a one not at all; the good ones lie between.",
    said="Géron 2019, ch. 11, learning rate scheduling; lecture topic: gradient descent",
    base=digits("64,64", 10, training='optimizer = "sgd"'),
    truth="The usable rates span a factor of ten here, and their upper end is sharp.",
    expected="holds",
    also=("Learning-rate decay: see schedules_end.",),
    tiny={"training.epochs": "5"},
    tries=("dlprobe lr-find --optimizer sgd",),
)
def rate_size(lab: Laboratory) -> Found:
    rates = lab.size((0.0003, 0.003, 0.03, 0.3, 3.0), (0.003, 0.3, 3.0))
    runs = lab.run({f"{rate:g}": {"training.lr": rate} for rate in rates})
    numbers = measured(runs, train_loss="train_loss", first_loss=lambda run: float(run.losses[0]))
    low, high = f"{rates[0]:g}", f"{rates[-1]:g}"
    best = min(numbers["training loss"], key=numbers["training loss"].__getitem__)
    first = numbers["first loss"][high]
    checks = [
        asked(numbers, "training loss", low, ">", 2.0, best),
        Check(
            ("training loss at the highest rate over the first"),
            numbers["training loss"][high] / first,
            ">",
            0.5,
        ),
        Check(
            "rank of the best rate, 0 for the lowest",
            float(list(numbers["training loss"]).index(best)),
            ">",
            0.5,
        ),
    ]
    return Found(checks, numbers, [loss_curves(runs), number_table("rate", numbers)])


@recipe(
    claim="One sample per update is noisy, the whole set is smooth and slow; mini-batches have "
    "most of both.",
    said="Goodfellow, Bengio & Courville 2016, Deep Learning, §8.1.3; lecture topic: stochastic "
    "gradient descent",
    base=digits("64,64", 6, training='optimizer = "sgd"', recording=EACH_EPOCH),
    truth="Each at a rate that suits it: mini-batches take no more passes than single samples, in "
    "a thirtieth of the updates; the whole set takes several times the passes. At one rate the "
    "noise falls, here faster than the 1/√(batch size) of a net at rest.",
    expected="holds",
    tiny={"training.epochs": "3"},
    tries=("dlprobe compare batch_size=1,8,32,256 --optimizer sgd --lr 0.03",),
)
def batch_sizes(lab: Laboratory) -> Found:
    sizes: dict[str, tuple[Any, float, int]] = {
        "one sample": (1, 0.01, 1),
        "32 samples": (32, 0.3, 1),
        "all samples": ("full", 1.0, 5),
    }
    epochs = lab.base.training.epochs or 1
    changes = {
        name: {"training.batch_size": size, "training.lr": rate, "training.epochs": epochs * more}
        for name, (size, rate, more) in sizes.items()
    }
    runs = lab.run(changes)
    still = {
        name: {**change, "training.lr": 0.003, "training.epochs": epochs}
        for name, change in changes.items()
    }
    numbers = measured(runs, epochs=epochs_to("val_error", GOAL), updates=updates)
    numbers |= measured(lab.run(still), noise=unrest)
    one, some, whole = sizes
    checks = [
        asked(numbers, "noise", one, ">", 2.0, some),
        asked(numbers, "noise", some, ">", 2.0, whole),
        asked(numbers, "updates", one, ">", 5.0, some),
        asked(numbers, "epochs", whole, ">", 2.0, some),
    ]
    return Found(checks, numbers, [evaluation_curves(runs), number_table("batch", numbers)])


def updates(run: Trained) -> float:
    """Updates to the first evaluation whose validation error is at most GOAL."""
    return epochs_to("val_error", GOAL)(run) * run.session.per_epoch


def unrest(run: Trained) -> float:
    """Root mean square difference of successive batch losses over their mean, no unit."""
    return float(np.sqrt(np.square(np.diff(run.losses)).mean()) / run.losses.mean())


@recipe(
    claim="The practical guidelines (ELU, He, one cycle of momentum, early stopping, batch norm "
    "where deep) beat plain defaults.",
    implied="Géron 2019, Hands-On Machine Learning, 2nd edition, table 11-3",
    base=digits("64,64", 15, recording=EACH_EPOCH),
    truth="They are made for deep nets, where batch norm carries them; a net of two layers trained "
    "with Adam gains nothing.",
    expected="holds only when",
    tiny={"training.epochs": "8"},
    tries=("dlprobe new --preset guidelines -o mine.toml",),
)
def guidelines(lab: Laboratory) -> Found:
    depths, ways = lab.size((2, 10, 20), (2, 10)), ("defaults", "guidelines")
    runs = lab.run(
        {
            f"{way}, {depth} layers": {
                "model.layers": f"64x{depth}",
                **{key: value for key, (value, _) in PRESETS[way].values(depth).items()},
            }
            for way in ways
            for depth in depths
        }
    )
    numbers = measured(runs, val_loss="val_loss", test_loss="test_loss", test_error="test_error")
    checks = [
        asked(
            *(numbers, "test loss", f"guidelines, {depth} layers", "<", 0.9),
            *(f"defaults, {depth} layers", f"there are {depth} hidden layers"),
        )
        for depth in depths
    ]
    return Found(checks, numbers, [number_table("net", numbers)])
