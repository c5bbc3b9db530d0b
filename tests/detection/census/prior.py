"""The prior of the census: from what configurations are drawn. Every draw is independent of the
others and of the order, so that configuration `index` of a seed is always the same.

| what | drawn as |
|---|---|
| data | one of the 15 sets of `families`, evenly: four real, nine generated, two made (raw units, many classes) |
| label noise | none 90 %, 0.1 10 % (of labels replaced; of target deviations) |
| scaling of inputs | standardize 87 %, none 7 %, minmax 6 % |
| scaling of targets | auto 88 %, none 12 % (regression) |
| hidden layers | 1 … 3 82 %, 4 … 10 12 %, 11 … 50 6 %, log-uniform inside |
| width | log-uniform 12 … 128, less where the net would have more than 30,000 weights; one in eight narrows to a quarter |
| activation | ReLU 36 %, tanh 16 %, sigmoid 10 %, nine others 38 % |
| initializer | auto 64 %, fan-based, orthogonal and PyTorch's 26 %, fixed scales (0.01 … 1) 8 %, zeros and constant 2 % |
| normalization | none 80 %, batch 13 %, layer 7 % |
| residual | none 94 %, identity 6 % |
| optimizer | Adam 54 %, SGD 10 %, momentum 11 %, five others 25 % |
| learning rate | usual 64 %, else usual × 10^u, u uniform −1.6 … 1.3 |
| schedule | constant 86 %, cosine 8 %, exponential and step 3 % each |
| batch size | 32 58 %, 8 … 256 42 % |
| regularization | none 77 %; l2 10 % and l1 3 % log-uniform 1e-5 … 0.1; dropout 10 % uniform .1 … .7 |
| weight decay | 5 % of AdamW, SGD and momentum, log-uniform 1e-5 … 0.1 |
| loss and output of classes | auto 94 %, squared error of softmax or sigmoid 3 %, an output that does not fit 3 % |
| loss and output of numbers | auto 90 %, MAE 3 %, Huber 3 %, a bounded output 4 % |
| clipping | none 95 %, global norm 1 5 % |
| early stopping | none 94 %, yes 6 % |
| budget | the epochs of the data set, in which a plain net learns with room |

Not drawn, for no change of the configuration cures them by more than luck: random labels, classes
of some twenty samples; and files with faults, and budgets too short to tell. The reported cases and
the benchmark have them.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from dlprobe.config import parse_spec

from .families import DATA_SETS, data_options, family_of

Rng: TypeAlias = np.random.Generator
Shares: TypeAlias = Mapping[str, float]


def shares(text: str) -> Shares:
    """Values with their shares, from `value share, value share`."""
    return {value: float(share) for value, share in (pair.split(" ") for pair in text.split(", "))}


NOISES = shares("0 90, 0.1 10")
SCALINGS = shares("standardize 87, none 7, minmax 6")
TARGET_SCALINGS = shares("auto 88, none 12")
DEPTHS: Shares = {"1 3": 82, "4 10": 12, "11 50": 6}
WIDTHS = (12, 128)
MOST_WEIGHTS = 30_000
NARROWING = 1 / 8
ACTIVATIONS = shares(
    "relu 36, tanh 16, sigmoid 10, leaky_relu 7, elu 6, selu 6, gelu 6, silu 5, softplus 3, "
    "softsign 2, hard_tanh 2, mish 1"
)
INITS = shares(
    "auto 64, he_normal 4, he_uniform 4, glorot_normal 4, glorot_uniform 5, lecun_normal 2, "
    "orthogonal 2, pytorch_linear 5, "
    "normal(std=1) 4, normal(std=0.1) 2, normal(std=0.01) 1, uniform(bound=0.05) 1, zeros 1, "
    "constant(value=0.1) 1"
)
NORMS = shares("none 80, batch 13, layer 7")
RESIDUALS = shares("none 94, identity 6")
OPTIMIZERS = shares(
    "adam 54, sgd 10, momentum 11, rmsprop 8, adamw 8, nadam 4, adagrad 2, nesterov 3"
)
USUAL_RATE, RATE_DECADES = 0.64, (-1.6, 1.3)
SCHEDULES = shares("constant 86, cosine 8, exponential 3, step 3")
BATCHES = shares("32 58, 8 6, 16 15, 64 14, 128 4, 256 3")
REGULARIZATIONS = shares("none 77, l2 10, dropout 10, l1 3")
PENALTY_DECADES, DROPOUTS = (-5.0, -1.0), (0.1, 0.7)
DECAY, DECAYED = 0.05, ("adamw", "sgd", "momentum")
CLASS_OUTPUTS: Shares = {
    "": 94,
    "mse softmax": 2,
    "mse sigmoid": 1,
    "auto linear": 1,
    "auto relu": 1,
    "auto sigmoid": 1,
}
NUMBER_OUTPUTS: Shares = {
    "": 90,
    "mae auto": 3,
    "huber auto": 3,
    "auto sigmoid": 2,
    "auto tanh": 1,
    "auto relu": 1,
}
DEFAULTS = {"scaling": "standardize", "schedule": "constant"}
DEFAULTS |= dict.fromkeys(("target_scaling", "init", "lr", "loss", "output_activation"), "auto")
DEFAULTS |= dict.fromkeys(("norm", "residual", "clip_global_norm", "early_stopping"), "none")
CLIPS = shares("none 95, 1 5")
STOPS = shares("none 94, yes 6")


def drawn(seed: int, index: int) -> tuple[str, dict[str, str]]:
    """The family of one configuration and its options, as on the command line."""
    rng = np.random.default_rng([seed, index])
    name, noise = str(rng.choice(list(DATA_SETS))), one_of(rng, NOISES)
    regression = DATA_SETS[name].regression
    options = {**data_options(name, noise), "scaling": one_of(rng, SCALINGS)}
    target_scaling, outputs = (
        one_of(rng, TARGET_SCALINGS),
        one_of(rng, NUMBER_OUTPUTS if regression else CLASS_OUTPUTS),
    )
    options |= {"target_scaling": target_scaling} if regression else {}
    options |= {
        **net(rng),
        **optimization(rng),
        **regularization(rng),
        "seed": str(int(rng.integers(1_000_000))),
    }
    options |= dict(zip(("loss", "output_activation"), outputs.split(), strict=False))
    return family_of(name, noise), {
        key: text for key, text in options.items() if text != DEFAULTS.get(key)
    }


def net(rng: Rng) -> dict[str, str]:
    """Layers, activation, initializer, norm, residual connections."""
    low, high = (int(end) for end in one_of(rng, DEPTHS).split())
    depth = int(log_uniform(rng, low, high + 1))
    width = min(int(log_uniform(rng, *WIDTHS)), int((MOST_WEIGHTS / depth) ** 0.5))
    widths = [width] * depth
    if rng.random() < NARROWING and depth > 1:
        widths = [max(int(units), 2) for units in np.geomspace(width, max(width / 4, 2), depth)]
    named = {
        "activation": one_of(rng, ACTIVATIONS),
        "init": one_of(rng, INITS),
        "norm": one_of(rng, NORMS),
    }
    residual = one_of(rng, RESIDUALS)
    return {
        "layers": ",".join(map(str, widths)),
        **named,
        "residual": residual if len(set(widths)) < depth else "none",
    }


def optimization(rng: Rng) -> dict[str, str]:
    """Optimizer, rate, schedule, batch size, clipping, early stopping, weight decay."""
    name, usual, decades = (
        one_of(rng, OPTIMIZERS),
        rng.random() < USUAL_RATE,
        rng.uniform(*RATE_DECADES),
    )
    decay, decays = 10 ** rng.uniform(*PENALTY_DECADES), rng.random() < DECAY
    rate = "auto" if usual else f"{parse_spec('optimizer', name).record.rate * 10**decades:.2g}"
    optimizer = f"{name}(weight_decay={decay:.2g})" if decays and name in DECAYED else name
    rest = {
        "schedule": one_of(rng, SCHEDULES),
        "batch_size": one_of(rng, BATCHES),
        "clip_global_norm": one_of(rng, CLIPS),
    }
    return {"optimizer": optimizer, "lr": rate, **rest, "early_stopping": one_of(rng, STOPS)}


def regularization(rng: Rng) -> dict[str, str]:
    """A penalty or dropout."""
    kind, penalty, dropout = (
        one_of(rng, REGULARIZATIONS),
        10 ** rng.uniform(*PENALTY_DECADES),
        rng.uniform(*DROPOUTS),
    )
    return (
        {}
        if kind == "none"
        else {kind: f"{dropout:.1f}" if kind == "dropout" else f"{penalty:.2g}"}
    )


def one_of(rng: Rng, shares: Shares) -> str:
    """One of the texts, by their shares."""
    weights = np.array(list(shares.values()), np.float64)
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
