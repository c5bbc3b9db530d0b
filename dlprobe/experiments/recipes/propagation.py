"""Signal and gradient at initialization: one step at rate 0 on independent normal inputs, so
that layers and weights alone are seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.experiments.recipe import Check, Found, Picture, recipe
from dlprobe.experiments.recipes.reading import Runs, medians, middle

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained

TINY_DATA = "gaussian(samples=64, features=32)"
FLAT = 0.5  # |log10| of a ratio that counts as no change: a factor of 3


def base(layers: str, activation: str, init: str = "auto", model: str = "") -> str:
    """The TOML of a net that is looked at and not trained; `model` is one more line of its
    table.
    """
    return f"""
[data]
data = "gaussian(samples=256, features=100)"
scaling = "none"
[model]
layers = "{layers}"
activation = "{activation}"
init = "{init}"
{model}
[training]
steps = 1
lr = 0
batch_size = 64
optimizer = "sgd"
"""


def tiny(layers: str) -> dict[str, str]:
    return {"model.layers": layers, "data.data": TINY_DATA, "training.batch_size": "32"}


def gradient_ratio(run: Trained) -> float:
    """log10 of RMS(δ_1)/RMS(δ_L), first hidden layer over the last; −∞ where the first
    underflowed to 0.
    """
    signal = run.first("error_signal_rms")
    with np.errstate(divide="ignore"):
        return float(np.log10(signal[0] / signal[-1]))


def mean_square(run: Trained) -> Any:
    """E a² of each hidden layer."""
    return run.first("activation_variance") + run.first("activation_mean") ** 2


def signal_ratio(run: Trained) -> float:
    """log10 of E a² in the last hidden layer over the first."""
    square = mean_square(run)
    return float(np.log10(square[-1] / square[0]))


def variance_ratio(run: Trained) -> float:
    """log10 of Var(a) in the last hidden layer over the first."""
    variance = run.first("activation_variance")
    return float(np.log10(variance[-1] / variance[0]))


def profiles(runs: Runs, statistic: str, caption: str) -> Picture:
    """A statistic layer by layer, one row per variant."""
    layers = {
        name: middle(member, lambda run: run.first(statistic)) for name, member in runs.items()
    }
    return Picture("layers", caption, series=[(name, (), each) for name, each in layers.items()])


def ratios(runs: Runs, of: Callable[[Trained], float] = gradient_ratio) -> dict[str, float]:
    """Median over seeds of `of(run)` per variant."""
    return medians(runs, of)


def compared(
    lab: Laboratory, variants: Mapping[str, Mapping[str, Any]], bound: float, *, level: bool = False
) -> Found:
    """The gradient's way through each variant, each a case of its own: below a bound, or by its
    size, where the claim is that it stays level.
    """
    runs = lab.run(variants)
    ratio = ratios(runs)
    quantity = "|log10 RMS(δ_1)/RMS(δ_L)|" if level else "log10 RMS(δ_1)/RMS(δ_L)"
    checks = [
        Check(quantity, abs(value) if level else value, "<", bound, name)
        for name, value in ratio.items()
    ]
    return Found(checks, {"log10_error_signal_ratio": ratio}, [error_signals(runs)])


def error_signals(runs: Runs) -> Picture:
    """The error signal of each variant."""
    return profiles(runs, "error_signal_rms", "error signal, layer by layer")


@recipe(
    claim="Gradients vanish in a deep stack of sigmoids whatever the initializer: every layer "
    "multiplies them by σ' ≤ 1/4.",
    implied="lecture topic: vanishing gradients, after Hochreiter 1991 and Glorot & Bengio 2010",
    base=base("100x10", "sigmoid"),
    truth="σ' is one factor, the weights are the other: N(0, 1) weights of fan-in 100 multiply by "
    "√100 and hold the gradient nearly level.",
    expected="holds only when",
    tiny=tiny("100x8"),
    tries=("dlprobe theory --layers 100x10 --activation sigmoid --init 'normal(std=1)'",),
)
def sigmoid_stack(lab: Laboratory) -> Found:
    inits = ("normal(std=1)", "glorot_normal", "he_normal", "lecun_normal")
    return compared(lab, {f"init is {init}": {"model.init": init} for init in inits}, -2.0)


@recipe(
    claim="Sigmoid nets with N(0, 1) weights vanish.",
    said=(
        "Géron 2019, Hands-On Machine Learning, 2nd edition, ch. 11; lecture topic: initialization"
    ),
    base=base("100x12", "sigmoid", "normal(std=1)"),
    truth="In mean-field theory χ grows with the width, for wide nets as √N/(6√π), and crosses 1 "
    "at N = 103: narrower nets vanish, wider ones explode.",
    expected="holds only when",
    tiny=tiny("16x8"),
    tries=(
        (
            "dlprobe gradients --depth 12 --width 64,256 --activation sigmoid --init "
            "'normal(std=1)' --steps 1 --lr 0"
        ),
    ),
)
def sigmoid_unit_normal(lab: Laboratory) -> Found:
    depth = lab.size(12, 8)
    widths = lab.size((16, 64, 100, 256, 512), (16, 256))
    variants = {f"width is {width}": {"model.layers": f"{width}x{depth}"} for width in widths}
    return compared(lab, variants, -0.3)


@recipe(
    claim="Five tanh layers: with U(±1/√n) activations shrink forward and gradients backward; "
    "normalized initialization keeps both nearly level.",
    said="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural "
    "networks, fig. 6 and 7 (5 × 1000 tanh)",
    base=base("1000x5", "tanh"),
    truth="Var W = 1/(3n) loses a factor 3 and more per layer; 2/(n + n) is the edge of chaos of "
    "tanh, where the loss is only algebraic.",
    expected="holds",
    tiny=tiny("64x5"),
    tries=("dlprobe theory --layers 1000x5 --activation tanh --init glorot_uniform",),
)
def glorot_profiles(lab: Laboratory) -> Found:
    inits = {
        "U(±1/√n)": "variance_scaling(scale=0.3333333333333333, distribution=uniform)",
        "Glorot": "glorot_uniform",
    }
    runs = lab.run({name: {"model.init": init} for name, init in inits.items()})
    found, forward = ratios(runs), ratios(runs, variance_ratio)
    checks = [
        Check("U(±1/√n): log10 RMS(δ_1)/RMS(δ_L)", found["U(±1/√n)"], "<", -0.7),
        Check("U(±1/√n): log10 Var(a_L)/Var(a_1)", forward["U(±1/√n)"], "<", -1.4),
        Check("Glorot: log10 RMS(δ_1)/RMS(δ_L)", found["Glorot"], ">", -FLAT),
        Check("Glorot: log10 Var(a_L)/Var(a_1)", forward["Glorot"], ">", -2 * FLAT),
    ]
    measured = {"log10_error_signal_ratio": found, "log10_activation_variance_ratio": forward}
    return Found(
        checks, measured, [profiles(runs, "activation_variance", "Var(a)"), error_signals(runs)]
    )


@recipe(
    claim="Xavier for tanh takes the bound 4·√(6/(fan_in + fan_out)) and keeps gradients level.",
    said="Géron 2017, Hands-On Machine Learning, 1st edition, table 11-1; the factor comes from a "
    "tutorial's line for the logistic, whose slope is a quarter of tanh's",
    base=base("100x10", "tanh", "glorot_tanh4_uniform"),
    truth="With tanh, σ_w = 4 is deep in the chaotic phase and gradients explode. The factor was "
    "meant for the logistic, whose slope at 0 is 1/4; but its mean of 1/2 drives units into "
    "saturation, so that gradients are not level there either.",
    expected="does not hold",
    tiny=tiny("64x10"),
    tries=("dlprobe theory --layers 100x10 --activation tanh --init glorot_tanh4_uniform",),
)
def tanh_times_four(lab: Laboratory) -> Found:
    variants = {f"activation is {name}": {"model.activation": name} for name in ("tanh", "sigmoid")}
    return compared(lab, variants, FLAT, level=True)


@recipe(
    claim="He initialization keeps the signal's size in deep nets of ReLU, GELU or SiLU alike.",
    implied="framework defaults and lectures that treat GELU and SiLU as ReLU",
    base=base("100x20", "relu", "he_normal"),
    truth="At σ_w² = 2 the q-map of GELU and SiLU lies below the diagonal: the signal drifts to 0. "
    "He's 2 is ReLU's number.",
    expected="holds only when",
    tiny=tiny("64x20"),
    tries=("dlprobe theory --layers 100x20 --activation gelu --init he_normal",),
)
def he_for_smooth(lab: Laboratory) -> Found:
    runs = lab.run(
        {f"activation is {name}": {"model.activation": name} for name in ("relu", "gelu", "silu")}
    )
    found = ratios(runs, signal_ratio)
    checks = [Check("log10 E a_L²/E a_1²", value, ">", -1.0, name) for name, value in found.items()]
    return Found(
        checks,
        {"log10_activation_mean_square_ratio": found},
        [profiles(runs, "activation_variance", "Var(a), layer by layer")],
    )


@recipe(
    claim="Where the gradients of all weight matrices are equally large, no gradient vanishes.",
    heard="debugging advice: look at the gradient of each layer's weights",
    base=base("100x20", "relu", "glorot_normal"),
    truth="dW = a·δ: with Glorot and ReLU δ falls towards the input just as a falls towards the "
    "output, and the product stays level.",
    expected="does not hold",
    tiny=tiny("64x20"),
    tries=("dlprobe train --layers 100x20 --activation relu --init glorot_normal --epochs 2",),
)
def weight_gradients_lie(lab: Laboratory) -> Found:
    runs = lab.run({"relu + Glorot": {}})
    gradient = ratios(
        runs,
        lambda run: float(
            np.log10(run.first("gradient_sample_rms")[1] / run.first("gradient_sample_rms")[-1])
        ),
    )["relu + Glorot"]
    signal = ratios(runs)["relu + Glorot"]
    checks = [Check("log10 RMS(δ_1)/RMS(δ_L)", signal, ">", -FLAT)]
    if abs(gradient) >= FLAT:
        checks = [Check("|log10 RMS(dW_2)/RMS(dW_L)|: the premise", abs(gradient), "<", FLAT)]
    pictures = [profiles(runs, "gradient_sample_rms", "weight gradients"), error_signals(runs)]
    return Found(
        checks, {"log10_gradient_ratio": gradient, "log10_error_signal_ratio": signal}, pictures
    )


@recipe(
    claim="SELU nets normalize themselves: activations and gradients keep their variance at any "
    "depth.",
    said="Klambauer et al. 2017, Self-normalizing neural networks, abstract: vanishing and "
    "exploding gradients are impossible",
    base=base("200x60", "selu", "lecun_normal"),
    truth="E a² = 1 is a fixed point, but E φ'² = 1.0716 there: gradients grow by 3.5 % per layer, "
    "tenfold in 67 layers.",
    expected="holds only when",
    tiny={**tiny("64x60"), "training.batch_size": "38"},
    tries=("dlprobe theory --layers 200x60 --activation selu --init lecun_normal",),
)
def selu_gradient(lab: Laboratory) -> Found:
    runs = lab.run({"selu + LeCun": {}})
    forward, backward = ratios(runs, signal_ratio)["selu + LeCun"], ratios(runs)["selu + LeCun"]
    checks = [
        Check("|log10 E a_L²/E a_1²|", abs(forward), "<", FLAT, "it is said of activations"),
        Check("|log10 RMS(δ_1)/RMS(δ_L)|", abs(backward), "<", FLAT, "it is said of gradients"),
    ]
    pictures = [profiles(runs, "activation_variance", "Var(a)"), error_signals(runs)]
    return Found(
        checks,
        {"log10_activation_mean_square_ratio": forward, "log10_error_signal_ratio": backward},
        pictures,
    )


@recipe(
    claim="He initialization keeps the variance of activations, so a deep ReLU net tells its "
    "samples apart in every layer.",
    implied=(
        "lecture topic: He et al. 2015; the collapse: Poole et al. 2016, Daneshmand et al. 2020"
    ),
    base=base("200x50", "relu", "he_normal"),
    truth="The size stays, but cosines between samples tend to 1 with depth: the last layers see "
    "one and the same vector.",
    expected="does not hold",
    tiny=tiny("64x50"),
    tries=("dlprobe theory --layers 200x50 --activation relu --init he_normal",),
)
def rank_collapse(lab: Laboratory) -> Found:
    runs = lab.run({"relu + He": {}})
    square = ratios(runs, signal_ratio)["relu + He"]
    cosine = ratios(runs, lambda run: float(cosines(run)[-1]))["relu + He"]
    checks = [Check("mean cosine between samples in the last layer", cosine, "<", 0.8)]
    if abs(square) >= 1:
        checks = [Check("|log10 E a_L²/E a_1²|: the premise", abs(square), "<", 1.0)]
    series = [
        ("E a²", (), middle(runs["relu + He"], mean_square)),
        ("cosine", (), middle(runs["relu + He"], cosines)),
    ]
    return Found(
        checks,
        {"log10_activation_mean_square_ratio": square, "cosine": cosine},
        [Picture("layers", "size and sameness of activations", series)],
    )


def cosines(run: Trained) -> Any:
    """1 − variance over samples / mean square, per layer: the share of a layer's activation
    that all samples have in common.
    """
    return 1.0 - run.first("activation_sample_variance") / mean_square(run)
