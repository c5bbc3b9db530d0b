"""What theory says of the recipes whose claims it decides: one predicted number per inequality, in
closed form or by Gaussian quadrature.

Nothing here is taken from dlprobe. Sizes are those of `--tiny`. Mean field (Poole et al. 2016,
Schoenholz et al. 2017): with Var w = σ_w²/fan-in and φ the activation, q_l = σ_w² E φ(√q_{l-1} z)²,
and the error signal's mean square is multiplied by σ_w² E φ'(√q_l z)² from layer l + 1 to l.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy import special
from sklearn import datasets

Array: TypeAlias = np.ndarray[Any, Any]
Check: TypeAlias = dict[str, Any]
Function: TypeAlias = Callable[[Array], Array]

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(201)
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def sigmoid(z: Array) -> Array:
    return special.expit(z)  # type: ignore[no-any-return]


def gelu(z: Array) -> Array:
    return z * special.ndtr(z)  # type: ignore[no-any-return]


def silu(z: Array) -> Array:
    return z * special.expit(z)  # type: ignore[no-any-return]


# value and slope
TANH: tuple[Function, Function] = (np.tanh, lambda z: 1 / np.cosh(z) ** 2)
SIGMOID: tuple[Function, Function] = (sigmoid, lambda z: sigmoid(z) * sigmoid(-z))


def average(f: Function, q: float) -> float:
    """E f(√q z) over z ~ N(0, 1)."""
    return float(WEIGHTS @ f(math.sqrt(q) * NODES) / WEIGHTS.sum())


def preactivations(value: Function, sigma2: float, depth: int, inputs: float = 1.0) -> list[float]:
    """q of every layer; inputs have this mean square."""
    found = [sigma2 * inputs]
    for _ in range(depth - 1):
        found.append(sigma2 * average(lambda z: value(z) ** 2, found[-1]))
    return found


def signal_ratio(function: tuple[Function, Function], sigma2: float, depth: int) -> float:
    """log10 RMS(δ_1)/RMS(δ_depth)."""
    value, slope = function
    qs = preactivations(value, sigma2, depth)[:-1]
    return 0.5 * sum(math.log10(sigma2 * average(lambda z: slope(z) ** 2, q)) for q in qs)


def activation_ratio(value: Function, sigma2: float, depth: int) -> float:
    """log10 E a_depth²/E a_1²."""
    first, *_, last = (
        average(lambda z: value(z) ** 2, q) for q in preactivations(value, sigma2, depth)
    )
    return math.log10(last / first)


def correlation(depth: int) -> float:
    """Cosine of two orthogonal inputs after so many ReLU layers (Cho & Saul 2009)."""
    c = 0.0
    for _ in range(depth):
        c = (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi
    return c


def sigmoid_stack(check: Check) -> float:
    """8 layers of 100: σ_w² = 100 for N(0, 1) weights, 1 for Glorot and LeCun, 2 for He; inputs
    of fan-in 32 matter in the first layer only.
    """
    sigma2 = {"normal(std=1)": 100.0, "glorot_normal": 1.0, "he_normal": 2.0, "lecun_normal": 1.0}[
        check["when"].removeprefix("init is ")
    ]
    return signal_ratio(SIGMOID, sigma2, 8)


def sigmoid_unit_normal(check: Check) -> float:
    """χ = √N/(6√π): E φ'² of a sigmoid far out is ∫φ'² / √(2πq) = 1/(6√(2πq)), with q = N/2."""
    width = int(check["when"].removeprefix("width is "))
    return 7 * 0.5 * math.log10(math.sqrt(width) / (6 * math.sqrt(math.pi)))


def glorot_profiles(check: Check) -> float:
    """Five tanh layers: σ_w² = 1/3 for U(±1/√n), 1 for Glorot. tanh has mean 0, so Var(a) = E
    a².
    """
    sigma2 = 1 / 3 if check["quantity"].startswith("U") else 1.0
    return (
        signal_ratio(TANH, sigma2, 5)
        if "RMS" in check["quantity"]
        else activation_ratio(np.tanh, sigma2, 5)
    )


def tanh_times_four(check: Check) -> float:
    """Bound 4·√(6/2n): Var w = 16/n. 10 layers."""
    return abs(
        signal_ratio(
            {"tanh": TANH, "sigmoid": SIGMOID}[check["when"].removeprefix("activation is ")],
            16.0,
            10,
        )
    )


def he_for_smooth(check: Check) -> float:
    """20 layers at σ_w² = 2; ReLU keeps E a² exactly."""
    value = {"relu": lambda z: np.maximum(z, 0), "gelu": gelu, "silu": silu}[
        check["when"].removeprefix("activation is ")
    ]
    return activation_ratio(value, 2.0, 20)


def weight_gradients_lie(check: Check) -> float:
    """ReLU halves what comes in; with Glorot nothing makes up for it: δ² halves per layer, E a²
    too, and their product is level.
    """
    return 19 * math.log10(math.sqrt(0.5)) if "δ" in check["quantity"] else 0.0


def selu_gradient(check: Check) -> float:
    """E φ² = 1 at q = 1 (Klambauer et al. 2017); E φ'² = λ² (1/2 + α² E[e^{2z}; z < 0]),
    E[e^{2z}; z < 0] = e² Φ(-2). 60 layers.
    """
    if "E a" in check["quantity"]:
        return 0.0
    slope = SELU_SCALE**2 * (0.5 + SELU_ALPHA**2 * math.e**2 * float(special.ndtr(-2.0)))
    return 59 * 0.5 * math.log10(slope)


def rank_collapse(check: Check) -> float:
    return correlation(50)


def residual_cure(check: Check) -> float:
    """Glorot halves δ² per ReLU layer; x + φ(xW) multiplies it by 1 + 1/2. 20 layers."""
    return 19 * 0.5 * math.log10(0.5 if "plain" in check["quantity"] else 1.5)


def residual_level(check: Check) -> float:
    """x + φ(xW): 1 + σ_w²/2 per block of 20, σ_w² = 1 with Glorot and 2 with He."""
    return 19 * 0.5 * math.log10(1.5 if "Glorot" in check["when"] else 2.0)


def batch_norm_gradient(check: Check) -> float:
    """π/(π - 1) per ReLU layer (Yang et al. 2019)."""
    return (
        (int(check["when"].removeprefix("depth is ")) - 1)
        * 0.5
        * math.log10(math.pi / (math.pi - 1))
    )


def norm_product(check: Check) -> float:
    """A square Gaussian matrix has norm 2σ√n (Bai & Yin 1993): 2√2 with He, 2 with LeCun; the
    gradient stays level. A multiple of an orthogonal matrix stretches every vector by its norm. 19
    matrices.
    """
    over = {"He": 2 * math.sqrt(2), "normal": 2.0, "orthogonal": 1.0}
    return 19 * math.log10(next(norm for name, norm in over.items() if name in check["when"]))


def batch_norm_bias(check: Check) -> float:
    """z + b − mean(z + b) = z − mean z: the bias takes no part."""
    return 1.0


def standardize_by_deviation(check: Check) -> float:
    """x/σ has deviation 1, x/σ² has 1/σ, of wine's columns as scikit-learn has them."""
    deviations = datasets.load_wine().data.std(axis=0)
    return 1.0 if check["quantity"].endswith("x/σ") else float(deviations.max() / deviations.min())


def equal_weights(check: Check) -> float:
    """Equal units have equal gradients. With dropout of 1/2 about half of 16 units step by the
    rate .01 of adam, a tenth of their weights of .1.
    """
    return 0.0 if "plain" in check["when"] else 0.05


def xor_hidden_layer(check: Check) -> float:
    """No line has more than three of four right (Minsky & Papert 1969); eight hidden units can
    represent the four points.
    """
    return 0.25 if "without" in check["quantity"] else 0.0


def deep_linear(check: Check) -> float:
    """A product of matrices is a matrix, and no matrix fits better than least squares."""
    return 0.0 if "difference" in check["quantity"] else 1.0


PREDICTIONS: dict[str, Callable[[Check], float]] = {
    each.__name__: each
    for each in (
        *(
            sigmoid_stack,
            sigmoid_unit_normal,
            glorot_profiles,
            tanh_times_four,
            he_for_smooth,
            weight_gradients_lie,
            selu_gradient,
            rank_collapse,
        ),
        *(
            residual_cure,
            residual_level,
            batch_norm_gradient,
            norm_product,
            batch_norm_bias,
            standardize_by_deviation,
            equal_weights,
            xor_hidden_layer,
            deep_linear,
        ),
    )
}
