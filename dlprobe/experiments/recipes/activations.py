"""Activations: speed, silence and death."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.reading import (
    EACH_EPOCH,
    asked,
    dead_share,
    digits,
    epochs_to,
    evaluation_curves,
    measured,
    middle,
    number_table,
)

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory

GOAL = 0.1


@recipe(
    claim="ReLU and its kin learn faster than sigmoids, and better.",
    said="Glorot, Bordes & Bengio 2011, Deep sparse rectifier neural networks; Krizhevsky, "
    "Sutskever & Hinton 2012, §3.1 (against tanh)",
    base=digits("100,100,100", 20, recording=EACH_EPOCH),
    truth="A sigmoid passes on a quarter of the gradient at most, and its mean of 1/2 drifts the "
    "next layer: three layers cost it several times the epochs.",
    expected="holds",
    tiny={"model.layers": "32x3", "training.epochs": "8"},
    tries=("dlprobe compare activation=relu,sigmoid --layers 100 --seeds 5",),
)
def relu_or_sigmoid(lab: Laboratory) -> Found:
    kin = ("relu", "leaky_relu", "elu")
    runs = lab.run({name: {"model.activation": name} for name in (*kin, "sigmoid")})
    numbers = measured(runs, epochs=epochs_to("val_error", GOAL), val_error="val_error")
    checks = [asked(numbers, "epochs", name, "<", 0.5, "sigmoid") for name in kin]
    checks += [asked(numbers, "validation error", name, "<", 1.0, "sigmoid") for name in kin]
    return Found(checks, numbers, [evaluation_curves(runs), number_table("units", numbers)])


@recipe(
    claim="ReLU units die for good, the more of them the higher the rate; leaky ReLU keeps them.",
    said="Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models; "
    "Géron 2019, Hands-On Machine Learning, 2nd edition, ch. 11",
    base=digits("100,100", 10, training='optimizer = "sgd"'),
    truth="One step that throws a bias far below 0 silences a unit on every sample, and no "
    "gradient comes back. A leaky unit has a slope everywhere; that alone does not make the net "
    "learn at such a rate.",
    expected="holds",
    tiny={"model.layers": "32,32"},
    tries=("dlprobe train --optimizer sgd --lr 1 --norm batch", "dlprobe explain dying-relu"),
)
def dying_relu(lab: Laboratory) -> Found:
    rates = lab.size((0.01, 0.1, 0.3, 1.0), (0.01, 3.0))
    runs = lab.run(
        {
            f"{name} at {rate:g}": {"model.activation": name, "training.lr": rate}
            for name in ("relu", "leaky_relu")
            for rate in rates
        }
    )
    numbers = measured(runs, dead_units=dead_share, train_error="train_error")
    low, high = f"{rates[0]:g}", f"{rates[-1]:g}"
    checks = [
        asked(numbers, "dead units", f"relu at {low}", "<", 0.01),
        asked(numbers, "dead units", f"relu at {high}", ">", 0.1),
        asked(numbers, "dead units", f"leaky_relu at {high}", "<", 0.01),
    ]
    return Found(checks, numbers, [number_table("units", numbers)])


@recipe(
    claim="ELU beats leaky ReLU, and both beat ReLU.",
    said="Clevert, Unterthiner & Hochreiter 2016, Fast and accurate deep network learning by "
    "exponential linear units; Géron 2019, ch. 11: ELU > leaky ReLU > ReLU",
    base=digits("50x5", 15),
    truth="ELU's mean near 0 helps, by a quarter of the loss in deeper nets, hardly with two "
    "layers. A slope of .01 is nearly ReLU: leaky ReLU gains nothing, as long as no units die.",
    expected="holds only when",
    tiny={"training.epochs": "8"},
    tries=("dlprobe compare activation=elu,leaky_relu,selu,gelu --layers 50x10 --seeds 5",),
)
def elu_or_leaky(lab: Laboratory) -> Found:
    depths = lab.size((2, 5, 15), (2, 8))
    kin = ("relu", "leaky_relu", "elu")
    runs = lab.run(
        {
            f"{name}, {depth} layers": {"model.activation": name, "model.layers": f"50x{depth}"}
            for depth in depths
            for name in kin
        }
    )
    numbers = measured(runs, val_loss="val_loss", val_error="val_error")
    pairs = {
        "ELU is held against leaky ReLU": kin[:0:-1],
        "leaky ReLU is held against ReLU": kin[1::-1],
    }
    checks = [
        asked(
            *(numbers, "validation loss", f"{better}, {depth} layers", "<", 0.95),
            *(f"{worse}, {depth} layers", f"{when} in {depth} layers"),
        )
        for when, (better, worse) in pairs.items()
        for depth in depths
    ]
    return Found(checks, numbers, [number_table("net", numbers)])


@recipe(
    claim="About half of ReLU's units are silent on a sample.",
    said="lecture topic: ReLU is sparse; Glorot, Bordes & Bengio 2011, Deep sparse rectifier "
    "neural networks, say it of nets after initialization",
    base=digits("100x3", 20),
    truth="Before training a preactivation is as often below 0 as above, in any layer. Training "
    "moves that, in each layer otherwise.",
    expected="holds only when",
    tiny={"training.epochs": "10"},
    tries=("dlprobe train --layers 100x3 --activity-l1 0.001",),
)
def half_silent(lab: Laboratory) -> Found:
    runs = lab.run({"relu": {"model.activation": "relu"}})["relu"]
    active = {
        "the net is new": middle(runs, lambda run: run.first("active_fraction")),
        "the net is trained": middle(runs, lambda run: run.last("active_fraction")),
    }
    quantity = "|share of active units − 1/2|"
    checks = [
        Check(f"{quantity}, hidden_{layer}", abs(share - 0.5), "<", 0.1, when)
        for when, shares in active.items()
        for layer, share in enumerate(shares, start=1)
    ]
    series = [(when, (), shares) for when, shares in active.items()]
    return Found(checks, active, [Picture("layers", "share of active units", series=series)])
