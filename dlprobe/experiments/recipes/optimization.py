"""Optimizers and schedules: short trainings compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.reading import (
    asked,
    digits,
    least_squares,
    loss_curves,
    measured,
    medians,
    number_table,
    regression,
)
from dlprobe.registry import counted

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained


@recipe(
    claim="Adam reaches a lower training loss than gradient descent in as many steps.",
    heard="optimizers compared at their default rates; against it: Choi et al. 2019, On "
    "empirical comparisons of optimizers",
    base=digits("64,64", 10),
    truth="A comparison of optimizers is one of their rates: the usual rate of sgd is a thirtieth "
    "of what it bears here. Search it alone, and sgd wins; search both, and Adam has the lower "
    "training loss again, which shows little in the validation error.",
    expected="holds only when",
    tiny={"model.layers": "16", "training.epochs": "10"},
    tries=("dlprobe lr-find --optimizer sgd",),
)
def optimizer_race(lab: Laboratory) -> Found:
    searched: dict[str, Sequence[float]] = {
        "adam": lab.size((0.001, 0.003, 0.01, 0.03), (0.003, 0.01)),
        "sgd": lab.size((0.03, 0.1, 0.3, 1.0), (0.1, 0.3)),
    }
    usual: dict[str, dict[str, Any]] = {
        name: {"training.optimizer": name} for name in ("adam", "rmsprop", "momentum", "sgd")
    }
    tuned: dict[str, dict[str, Any]] = {
        f"{name} at {rate:g}": {"training.optimizer": name, "training.lr": rate}
        for name, rates in searched.items()
        for rate in rates
    }
    runs = lab.run(usual | tuned)
    loss, error = medians(runs, "train_loss"), medians(runs, "val_error")
    best = {
        name: min((each for each in tuned if each.startswith(name)), key=loss.__getitem__)
        for name in searched
    }
    cases = {
        "each runs at its usual rate": ("adam", "sgd"),
        "the rate of sgd alone is searched": ("adam", best["sgd"]),
        "both rates are searched": (best["adam"], best["sgd"]),
    }
    checks = [
        Check("training loss of adam over that of sgd", loss[adam] / loss[sgd], "<", 0.9, when)
        for when, (adam, sgd) in cases.items()
    ]
    drawn = [*usual, *dict.fromkeys(best.values())]
    rows = [(name, loss[name], error[name]) for name in dict.fromkeys([*drawn, *tuned])]
    pictures = [
        loss_curves({name: runs[name] for name in drawn}),
        Picture("table", "", columns=("optimizer", "training loss", "validation error"), rows=rows),
    ]
    return Found(checks, {"train_loss": loss, "val_error": error}, pictures)


GOAL = 1e-4  # of the way from the first loss to the least one, what may be left
Paths = Mapping[str, npt.NDArray[np.float64]]


@recipe(
    claim="Momentum and Adam cross an ill-conditioned bowl in fewer steps than gradient descent.",
    implied=(
        "contour plots of lectures; Polyak 1964: momentum takes √κ steps where descent takes κ"
    ),
    base="""
[data]
data = "diabetes"
target_scaling = "none"
split = [100, 0, 0]
[model]
layers = ""
init = "zeros"
[training]
batch_size = "full"
steps = 1000
""",
    truth="Momentum needs about √κ steps where descent needs κ: correlated columns make the "
    "valley. On a round bowl descent arrives at once, and what momentum and Adam remember carries "
    "them past the bottom.",
    expected="holds only when",
    tiny={"training.steps": "600"},
    tries=("dlprobe recipe bowl_paths --data 'linear(samples=100, features=50)'",),
)
def bowl_paths(lab: Laboratory) -> Found:
    # all samples in a batch, weights from 0: nothing is random
    one = replace(lab, seeds=lab.seeds[:1])
    regression(lab)
    data = {"the data's bowl": {}, "a round bowl": {"data": "linear(samples=400, features=10)"}}
    bowls = {name: Bowl(name, one, changes) for name, changes in data.items()}
    rates = {
        "sgd": np.geomspace(0.01, 1, lab.size(20, 8)),
        "momentum": np.geomspace(0.01, 1, lab.size(20, 8)),
        "adam": np.geomspace(0.01, 100, lab.size(20, 10)),
    }
    steps, checks, pictures = {}, [], []
    for name, bowl in bowls.items():
        best = {optimizer: bowl.fewest(optimizer, rate) for optimizer, rate in rates.items()}
        steps[name] = {optimizer: count for optimizer, (count, _) in best.items()}
        when = f"the condition number is {bowl.condition:.3g}"
        checks += [
            asked({"steps": steps[name]}, "steps", other, "<", 0.9, "sgd", when)
            for other in ("momentum", "adam")
        ]
        paths = {optimizer: bowl.path(optimizer, *arrival) for optimizer, arrival in best.items()}
        pictures.append(path_picture(name, paths))
    return Found(
        checks,
        {"steps": steps, "condition": {name: bowl.condition for name, bowl in bowls.items()}},
        pictures,
    )


class Bowl:
    """The squared error of a linear neuron on some data: its least value, its condition number,
    and how optimizers cross it.
    """

    def __init__(self, name: str, lab: Laboratory, changes: Mapping[str, str]) -> None:
        data = lab.data(**changes)
        inputs, targets = data.inputs["train"], data.targets["train"].astype(float)
        inputs, self.best, self.least = least_squares(inputs, targets.reshape(len(inputs), -1))
        curvatures, self._directions = np.linalg.eigh(inputs.T @ inputs / len(inputs))
        self.condition = float(curvatures[-1] / curvatures[0])
        self._name, self._laboratory, self._changes = (
            name,
            lab,
            {f"data.{key}": value for key, value in changes.items()},
        )

    def _run(
        self, optimizer: str, more: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, list[Trained]]:
        common = {**self._changes, "training.optimizer": optimizer}
        return self._laboratory.run(
            {
                f"{optimizer} {name} in {self._name}": {**common, **each}
                for name, each in more.items()
            }
        )

    def fewest(self, optimizer: str, rates: npt.NDArray[np.float64]) -> tuple[float, float]:
        """The smallest number of updates to GOAL, infinite where none arrives, and its rate."""
        runs = self._run(
            optimizer, {f"at {rate:.4g}": {"training.lr": float(rate)} for rate in rates}
        )
        return min(
            (self._arrival(run.losses), float(rate))
            for (run,), rate in zip(runs.values(), rates, strict=True)
        )

    def _arrival(self, losses: npt.NDArray[np.float64]) -> float:
        there = np.flatnonzero(losses - self.least <= GOAL * (losses[0] - self.least))
        return float(there[0]) if len(there) else float("inf")

    def path(self, optimizer: str, steps: float, rate: float) -> npt.NDArray[np.float64]:
        """The way of the weights to their best values along the flattest and the steepest
        direction, (point, 2).
        """
        length = int(steps) if np.isfinite(steps) else 50
        ((run,),) = self._run(
            optimizer,
            {
                "path": {
                    "training.lr": rate,
                    "training.steps": length,
                    "recording.checkpoint_every": 1,
                }
            },
        ).values()
        found: npt.NDArray[np.float64] = (run.way() - self.best[:, 0]) @ self._directions[
            :, [0, -1]
        ]
        return found


def path_picture(name: str, paths: Paths) -> Picture:
    series = [
        (
            f"{optimizer} ({counted(len(path) - 1, 'step')})",
            path[:, 0].tolist(),
            path[:, 1].tolist(),
        )
        for optimizer, path in paths.items()
    ]
    return Picture(
        "lines",
        f"paths across {name}, each at its best rate; (0, 0) is the bottom",
        series=series,
        x_label="flattest direction",
        y_label="steepest",
    )


@recipe(
    claim="A falling learning rate ends at a lower loss than a constant one.",
    said="Géron 2019, Hands-On Machine Learning, 2nd edition, ch. 11, learning rate scheduling",
    base=digits(
        "32,32",
        15,
        data="label_noise = 0.2\nsplit = [60, 20, 20]",
        training='optimizer = "sgd"\nbatch_size = 8',
    ),
    truth="Each at its best rate: the noise of small batches holds the loss up, so that a fall "
    "at the end pays; one that falls too soon loses way that it does not make up.",
    expected="holds only when",
    tiny={"training.epochs": "10"},
    tries=(
        (
            "dlprobe compare schedule=constant,cosine,one_cycle --optimizer sgd --lr 0.2 "
            "--batch-size 8"
        ),
    ),
)
def schedules_end(lab: Laboratory) -> Found:
    rates = lab.size((0.03, 0.1, 0.2, 0.5), (0.1, 0.2))
    schedules = ("constant", "cosine", "exponential(tenfold=5)", "power(scale=3)")
    runs = lab.run(
        {
            f"{name} at {rate:g}": {"training.schedule": name, "training.lr": rate}
            for name in schedules
            for rate in rates
        }
    )
    every = measured(runs, train_loss="train_loss", val_error="val_error")
    loss = every["training loss"]
    best = {
        name: min((f"{name} at {rate:g}" for rate in rates), key=loss.__getitem__)
        for name in schedules
    }
    checks = [
        asked(every, "training loss", best[name], "<", 0.9, best["constant"], f"it falls as {name}")
        for name in schedules[1:]
    ]
    shown = {what: {each: values[each] for each in best.values()} for what, values in every.items()}
    curves = loss_curves({name: runs[name] for name in best.values()})
    return Found(checks, every, [curves, number_table("schedule at its best rate", shown)])
