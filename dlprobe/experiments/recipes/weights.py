"""Weights at the start: their size, norms, symmetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.propagation import base, error_signals, ratios, tiny
from dlprobe.experiments.recipes.reading import (
    digits,
    loss_curves,
    measured,
    medians,
    middle,
    table,
)

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained


@recipe(
    claim="A ReLU net of 30 layers learns with He's initialization and stalls with Xavier's.",
    said="He et al. 2015, Delving deep into rectifiers, §2.2 and fig. 3 (30 layers, gradient "
    "descent)",
    base=digits("64x30", 15),
    truth="Xavier halves the mean square of the signal per ReLU layer, forward and backward: 2⁻³⁰ "
    "of it is left, and plain descent does not move. "
    "Adam divides a gradient by its own size, and learns from either start.",
    expected="holds only when",
    tiny={"model.layers": "32x30", "training.epochs": "12"},
    tries=(
        (
            "dlprobe gradients --depth 30 --activation relu --init he_normal,glorot_normal "
            "--optimizer sgd --lr 0.01"
        ),
    ),
)
def he_or_xavier(lab: Laboratory) -> Found:
    optimizers = {"momentum": 0.003, "sgd": 0.01, "adam": 0.0003}
    inits = {"He": "he_normal", "Xavier": "glorot_normal"}
    variants = {
        f"{init}, {name}": {"model.init": text, "training.optimizer": name, "training.lr": rate}
        for name, rate in optimizers.items()
        for init, text in inits.items()
    }
    runs = lab.run(variants)
    numbers = measured(runs, train_loss="train_loss", first_loss=lambda run: float(run.losses[0]))
    loss, chance = numbers.values()
    checks = []
    for name in optimizers:
        he, xavier = (loss[way] / chance[way] for way in (f"He, {name}", f"Xavier, {name}"))
        when, what = f"the optimizer is {name}", "training loss over the first"
        checks += [Check(f"He: {what}", he, "<", 0.7, when)]
        checks += [Check(f"Xavier: {what}", xavier, ">", 0.95, when)]
    first = {
        init: middle(runs[f"{init}, adam"], lambda run: run.first("error_signal_rms"))
        for init in inits
    }
    signals = Picture(
        "layers",
        "error signal before training, layer by layer",
        series=[(init, (), values) for init, values in first.items()],
    )
    return Found(checks, numbers, [signals, loss_curves(runs)])


@recipe(
    claim="The gradient at the first layer behaves like ‖W‖^L: it explodes where norms of weights "
    "are above 1.",
    said="Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent networks, §2; "
    "lecture topic: exploding gradients",
    base=base("100x20", "relu", "he_normal"),
    truth="The slide takes linear layers. Even there the product of spectral norms is only a "
    "bound: a normal matrix stretches most directions by half its norm. Where it stretches all "
    "alike (orthogonal) the product is exact.",
    expected="holds only when",
    tiny=tiny("32x20"),
    tries=("dlprobe theory --layers 100x20 --activation linear --init lecun_normal",),
)
def norm_product(lab: Laboratory) -> Found:
    cases = {
        "ReLU, He": {},
        "linear, normal": {"model.activation": "linear", "model.init": "lecun_normal"},
        "linear, orthogonal": {"model.activation": "linear", "model.init": "orthogonal(gain=1.2)"},
    }
    runs = lab.run(cases)
    product, gradient = ratios(runs, spectral_product), ratios(runs)
    quantity = "|log10 of ∏‖W_l‖ over RMS(δ_1)/RMS(δ_L)|"
    checks = [
        Check(quantity, abs(product[name] - gradient[name]), "<", 1.0, f"layers are {name}")
        for name in cases
    ]
    numbers = {"log10_product_of_norms": product, "log10_error_signal_ratio": gradient}
    return Found(checks, numbers, [error_signals(runs)])


def spectral_product(run: Trained) -> float:
    """log10 of the product of the largest singular values of the matrices between the first and
    the last hidden layer.
    """
    return float(sum(np.log10(np.linalg.norm(weight, 2)) for weight in run.weights()[1:-1]))


@recipe(
    claim="Hidden units that start with equal weights stay equal for ever.",
    said="lecture topic: symmetry breaking; Goodfellow, Bengio & Courville 2016, Deep Learning, "
    "§8.4, who except training at random",
    base="""
[data]
data = "wine"
[model]
layers = "16"
activation = "tanh"
init = "constant(value=0.1)"
[training]
steps = 200
lr = 0.01
""",
    truth="Equal weights get equal gradients, unless something treats units differently: dropout "
    "breaks the symmetry in its first step.",
    expected="holds only when",
    tiny={"training.steps": "50"},
    tries=(
        ("dlprobe train --data wine --layers 16 --init 'constant(value=0.1)' --drop-connect 0.2"),
    ),
)
def equal_weights(lab: Laboratory) -> Found:
    runs = lab.run({"training is plain": {}, "there is dropout": {"model.dropout": 0.5}})
    spread = medians(runs, spread_of_units)
    checks = [
        Check("deviation between hidden units' weights over their RMS", value, "<", 1e-3, name)
        for name, value in spread.items()
    ]
    return Found(checks, {"spread": spread}, [table("training", "spread between units", spread)])


def spread_of_units(run: Trained) -> float:
    """How different the units of the first layer are: standard deviation over units of each row of
    W, averaged over rows, over the root mean square of W; 0 where all units are equal.
    """
    first = run.weights()[0]
    return float(first.std(axis=1).mean() / np.sqrt(np.square(first).mean()))
