"""What nets can represent: hidden layers, depth, width, samples."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.reading import (
    asked,
    least_squares,
    measured,
    medians,
    on_one_scale,
    region_pictures,
    regression,
    scan,
    table,
)

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory


@recipe(
    claim="Exclusive or cannot be learned without a hidden layer, and can with one.",
    said="Minsky & Papert 1969, Perceptrons; lecture topic: multi-layer perceptrons",
    base="""
[data]
data = "xor(samples=4)"
split = [100, 0, 0]
[model]
activation = "tanh"
[training]
lr = 0.05
steps = 600
batch_size = "full"
""",
    truth="No line parts the two classes: a single layer gets one of four wrong at best. Eight "
    "tanh units suffice.",
    expected="holds",
    own_data=True,
    tries=("dlprobe train --data 'xor(samples=400)' --layers 2 --activation tanh --epochs 100",),
)
def xor_hidden_layer(lab: Laboratory) -> Found:
    runs = lab.run(
        {"without hidden layer": {"model.layers": "none"}, "with one": {"model.layers": "8"}}
    )
    numbers = measured(runs, train_error="train_error")
    checks = [
        asked(numbers, "training error", "without hidden layer", ">", 0.2),
        asked(numbers, "training error", "with one", "<", 0.1),
    ]
    return Found(checks, numbers, region_pictures(runs))


@recipe(
    claim="A deep net of linear layers is one matrix: it fits no better than least squares.",
    said="lecture topic: why activations are not linear; Saxe et al. 2014",
    base="""
[data]
data = "linear(samples=200, features=10)"
target_scaling = "none"
[model]
layers = "20,20,20"
activation = "linear"
[training]
epochs = 50
lr = 0.01
""",
    truth="W₁W₂W₃W₄ is one matrix, so the best such net is the least-squares fit; only the way "
    "there is another.",
    expected="holds",
    tiny={"training.epochs": "20"},
    tries=("dlprobe train --layers 20,20,20 --activation linear",),
)
def deep_linear(lab: Laboratory) -> Found:
    regression(lab)
    (run,) = lab.run({"linear": {}})["linear"][:1]
    inputs, targets = run.session.data.inputs["train"], run.session.targets["train"].astype(float)
    zero, outputs = run.outputs(np.zeros((1, inputs.shape[1]))), run.outputs(inputs)
    matrix = np.linalg.multi_dot(run.weights())
    difference = float(np.abs(outputs - zero - inputs @ matrix).max() / np.abs(outputs).max())
    loss, best = run.final("train_loss"), least_squares(inputs, targets)[2]
    checks = [
        Check("largest difference from one matrix, relative", difference, "<", 1e-4),
        Check("training loss over that of least squares", loss / best, ">", 0.9999),
    ]
    numbers = {"difference": difference, "train_loss": loss, "least_squares_loss": best}
    return Found(checks, numbers, [table("what", "value", numbers)])


@recipe(
    claim="More layers draw finer decision regions: a deep net of narrow layers fits spirals that "
    "one such layer does not.",
    said="lecture topic: decision regions of nets with 1 to 6 layers",
    base="""
[data]
data = "spirals(samples=400, turns=2, noise=0.02)"
split = [80, 10, 10]
[model]
activation = "relu"
[training]
epochs = 150
lr = 0.01
""",
    truth="The number of linear pieces grows with depth; but so does the risk that a narrow deep "
    "net does not train.",
    expected="holds",
    tiny={"training.epochs": "100"},
    tries=("dlprobe train --data 'spirals(samples=600, turns=3)' --layers 16x6 --epochs 200",),
)
def regions_by_depth(lab: Laboratory) -> Found:
    depths = lab.size((1, 2, 3, 4, 5, 6), (1, 3))
    runs = lab.run({f"{depth} × 8": {"model.layers": f"8x{depth}"} for depth in depths})
    error = medians(runs, "train_error")
    values = list(error.values())
    checks = [
        Check("training error, one layer", values[0], ">", 0.15),
        Check("training error, best of the deeper", min(values[1:]), "<", values[0] - 0.05),
    ]
    line = scan(
        "training error", ["of the net"], depths, lambda _, x: error[f"{x} × 8"], log_y=False
    )
    return Found(checks, {"train_error": error}, [*region_pictures(runs), line])


@recipe(
    claim=(
        "Simple models have high bias and low variance, flexible ones low bias and high variance."
    ),
    said="Bishop 2006, Pattern Recognition and Machine Learning, §3.2: many fits, their mean and "
    "the truth",
    base="""
[data]
data = "sine(samples=20, noise=0.4)"
target_scaling = "none"
split = [100, 0, 0]
scaling = "none"
[model]
activation = "tanh"
init = "glorot_normal"
[training]
steps = 3000
lr = 0.03
batch_size = "full"
""",
    truth="So it is here, where the noise is known and the sample small; wide nets trained by "
    "gradient descent can have less variance again.",
    expected="holds",
    tiny={"training.steps": "1500"},
    own_data=True,
    tries=("dlprobe bias-variance --data 'sine(samples=20, noise=0.4)' --layers 40",),
)
def fitted_curves(lab: Laboratory) -> Found:
    replicas = lab.size(20, 16) * len(lab.seeds)  # more seeds are more training sets
    models = {"line": "none", "40 tanh": "40"}
    seeds = range(lab.seeds[0], lab.seeds[0] + replicas)
    one = replace(lab, seeds=lab.seeds[:1])
    runs = one.run(
        {
            f"{name} {k}": {"model.layers": layers, "data.data_seed": k}
            for name, layers in models.items()
            for k in seeds
        }
    )
    grid = np.linspace(-0.9, 0.9, 46)[:, None]
    truth = np.sin(np.pi * grid[:, 0])
    bias, variance, pictures = {}, {}, []
    for name in models:
        fits = np.array([runs[f"{name} {k}"][0].outputs(grid)[:, 0] for k in seeds], float)
        mean = fits.mean(axis=0)
        bias[name] = float(np.square(mean - truth).mean())
        variance[name] = float(fits.var(axis=0, ddof=1).mean())
        what = "a line" if name == "line" else f"{name} units"
        lines = {"a fit": fits[0], "another": fits[1], "truth": truth, "mean": mean}
        pictures.append(
            Picture(
                "lines",
                f"fits of {what}: two of {replicas}, their mean and the truth",
                series=[(each, list(grid[:, 0]), list(y)) for each, y in lines.items()],
            )
        )
    numbers = {"bias²": bias, "variance": variance}
    checks = [
        asked(numbers, "bias²", "line", ">", 1.5, "40 tanh"),
        asked(numbers, "variance", "line", "<", 0.8, "40 tanh"),
    ]
    return Found(checks, {**numbers, "replicas": replicas}, on_one_scale(pictures))


@recipe(
    claim="With equally many parameters a deep narrow net beats a shallow wide one.",
    said="Goodfellow, Bengio & Courville 2016, Deep Learning, §6.4; lecture topic: wide and "
    "shallow against deep and narrow",
    base="""
[data]
data = "spirals(samples=600, turns=2.5, noise=0.02)"
split = [40, 10, 50]
[training]
epochs = 150
lr = 0.005
""",
    truth="It helps where the classes wind around each other; where they are round clouds depth "
    "buys nothing.",
    expected="holds only when",
    tiny={"training.epochs": "60"},
    tries=("dlprobe recipe narrow_or_wide --data wine",),
)
def narrow_or_wide(lab: Laboratory) -> Found:
    own = lab.base.data.data
    blobs = "blobs(samples=400, features=10, classes=4, std=2.0)"
    sets = {own: own} if lab.given else {"spirals": own, "blobs": blobs}
    sets_of_data = {name: lab.data(data=data) for name, data in sets.items()}
    shallow = {
        name: wide(len(each.feature_names), each.outputs) for name, each in sets_of_data.items()
    }
    variants = {
        f"{shape}, {name}": {"data.data": sets[name], "model.layers": layers}
        for name in sets
        for shape, layers in (("deep", "16x4"), ("shallow", shallow[name]))
    }
    error = medians(lab.run(variants), "test_error")
    checks = [
        Check(
            "test error, deep − shallow",
            error[f"deep, {name}"] - error[f"shallow, {name}"],
            "<",
            -0.01,
            f"the data are {name}",
        )
        for name in sets
    ]
    return Found(
        checks, {"test_error": error, "shallow_units": shallow}, [table("net", "test error", error)]
    )


def wide(features: int, classes: int, width: int = 16, depth: int = 4) -> int:
    """Width of a net with one hidden layer that has about as many parameters, biases included, as
    `depth` hidden layers of `width` units; rounded.
    """
    deep = (features + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * classes
    return round((deep - classes) / (features + 1 + classes))
