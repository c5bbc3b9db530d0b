"""What the inputs look like before the net sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlprobe.experiments.recipe import Check, Found, recipe
from dlprobe.experiments.recipes.reading import (
    asked,
    epochs_to,
    evaluation_curves,
    measured,
    number_table,
    table,
)

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory


def wine(training: str) -> str:
    """The TOML of a net on wine, whose columns differ by a factor of a thousand."""
    return f"""
[data]
data = "wine"
[model]
layers = "32"
[training]
{training}
[recording]
evaluate_every = 2
"""


@recipe(
    claim="A net learns slowly, not never, on inputs of very different scales.",
    said="LeCun, Bottou, Orr & Müller 1998, Efficient backprop, §4.3; lecture topic: preprocessing",
    base=wine("epochs = 200"),
    truth="The largest column sets the largest curvature, and with it the rate that plain "
    "descent bears: it does not arrive in 200 epochs. Adam divides each gradient by its "
    "own size and arrives late. A batch norm on the input is itself a scaling.",
    expected="holds only when",
    tiny={"model.layers": "16", "training.epochs": "120"},
    tries=("dlprobe compare scaling=none,standardize --data wine --input-norm batch",),
)
def unscaled_inputs(lab: Laboratory) -> Found:
    optimizers = {
        "sgd": lab.size((1e-4, 1e-3, 1e-2), (1e-2,)),
        "adam": lab.size((1e-3, 1e-2), (1e-2,)),
    }
    scalings = {
        "none": {"data.scaling": "none"},
        "batch norm on the input": {"data.scaling": "none", "model.input_norm": "batch"},
        "standardize": {"data.scaling": "standardize"},
    }
    runs = lab.run(
        {
            f"{name} at {rate:g}, {scaling}": {
                "training.optimizer": name,
                "training.lr": rate,
                **change,
            }
            for name, rates in optimizers.items()
            for rate in rates
            for scaling, change in scalings.items()
        }
    )
    every = measured(runs, epochs=epochs_to("train_error", 0.1))["epochs"]
    numbers = {
        "epochs": {
            f"{name}, {scaling}": min(every[f"{name} at {rate:g}, {scaling}"] for rate in rates)
            for name, rates in optimizers.items()
            for scaling in scalings
        }
    }
    budget = lab.base.training.epochs or 1
    checks = []
    for name in optimizers:
        when = f"the optimizer is {name}"
        checks += [
            asked(numbers, "epochs", f"{name}, none", ">", 3.0, f"{name}, standardize", when),
            asked(numbers, "epochs", f"{name}, none", "<", budget + 0.5, when=when),
        ]
    return Found(checks, numbers, [number_table("optimizer, scaling", numbers)])


@recipe(
    claim="Min-max scaling suffers from outliers, standardizing much less.",
    said="Géron 2019, Hands-On Machine Learning, 2nd edition, ch. 2, feature scaling",
    base=wine('optimizer = "sgd"\nlr = 0.05\nepochs = 20'),
    truth="A single far-off value sets the range, and all others share a sliver of it. A "
    "deviation is moved less, median and quartiles hardly.",
    expected="holds",
    tiny={"model.layers": "16"},
    tries=("dlprobe compare scaling=minmax,robust --data breast_cancer --outliers 0.02",),
)
def minmax_outliers(lab: Laboratory) -> Found:
    scalings, shares = ("minmax", "standardize", "robust"), {"": 0.0, ", outliers": 0.02}
    runs = lab.run(
        {
            f"{scaling}{name}": {"data.scaling": scaling, "data.outliers": share}
            for scaling in scalings
            for name, share in shares.items()
        }
    )
    numbers = measured(runs, val_loss="val_loss", val_error="val_error")
    loss = numbers["validation loss"]
    excess = {scaling: loss[f"{scaling}, outliers"] - loss[scaling] for scaling in scalings}
    numbers["loss that outliers cost"] = excess
    checks = [
        asked(numbers, "loss that outliers cost", "minmax", ">", 0.1),
        asked(numbers, "loss that outliers cost", "standardize", "<", 0.5, "minmax"),
    ]
    shown = {name: numbers[name] for name in ("validation loss", "validation error")}
    return Found(
        checks, numbers, [evaluation_curves(runs, "val_loss"), number_table("inputs", shown)]
    )


@recipe(
    claim="Standardizing divides by the deviation σ, not by the variance σ²: only then all "
    "columns have one size.",
    said="lecture topic: preprocessing, (x − μ)/σ; LeCun, Bottou, Orr & Müller 1998, Efficient "
    "backprop, §4.3",
    base=wine("epochs = 1"),
    truth="x/σ has deviation 1. x/σ² has 1/σ: columns differ as much as before, with large and "
    "small exchanged.",
    expected="holds",
    tries=("dlprobe data wine",),
)
def standardize_by_deviation(lab: Laboratory) -> Found:
    (run,) = lab.run({"standardized": {}})["standardized"][:1]
    raw = lab.data(scaling="none").inputs["train"].astype(float).std(axis=0)
    scaled = run.session.data.inputs["train"].astype(float).std(axis=0)
    sizes = {"x": raw, "x/σ": scaled, "x/σ²": scaled / raw}
    sizes = {name: size[raw > 0] for name, size in sizes.items()}
    spread = {name: float(np.max(size) / np.min(size)) for name, size in sizes.items()}
    what = "largest over smallest deviation of a column"
    checks = [
        Check(f"{what}, x/σ", spread["x/σ"], "<", 1.01),
        Check(f"{what}, x/σ²", spread["x/σ²"], ">", 10.0),
    ]
    return Found(checks, {"spread": spread}, [table("inputs", what, spread)])
